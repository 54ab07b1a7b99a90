/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#ifndef KUNIT_USER_LIMITS_H
#define KUNIT_USER_LIMITS_H

#include_next <linux/limits.h>

#define U64_MAX (~0ULL)

#endif /* KUNIT_USER_LIMITS_H */
