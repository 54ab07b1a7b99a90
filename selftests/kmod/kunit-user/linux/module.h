/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#ifndef KUNIT_USER_MODULE_H
#define KUNIT_USER_MODULE_H

#define MODULE_DESCRIPTION(text) _Static_assert(sizeof(text) > 1, "empty")
#define MODULE_LICENSE(text) _Static_assert(sizeof(text) > 1, "empty")

#endif /* KUNIT_USER_MODULE_H */
