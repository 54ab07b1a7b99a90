/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#ifndef KUNIT_USER_TYPES_H
#define KUNIT_USER_TYPES_H

#include_next <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u32 u32;
typedef __u64 u64;

#endif /* KUNIT_USER_TYPES_H */
