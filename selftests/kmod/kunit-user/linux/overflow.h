/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#ifndef KUNIT_USER_OVERFLOW_H
#define KUNIT_USER_OVERFLOW_H

#define check_add_overflow(a, b, d) __builtin_add_overflow(a, b, d)

#endif /* KUNIT_USER_OVERFLOW_H */
