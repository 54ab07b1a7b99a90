/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * expect.h - what tests of the library's results have in common, on top of
 * kselftest_harness.h.
 *
 * Macros need a "_metadata" at hand: each TEST has one; a helper function takes
 * it as a parameter of that name.
 */
#ifndef SELFTESTS_UNIT_EXPECT_H
#define SELFTESTS_UNIT_EXPECT_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <guestmem/error.h>

/* A call that fails with a negative errno; nothing said about the values. */
#define EXPECT_FAIL_KIND(call, code, kind_) do { \
	const struct gm_error *e_; \
	gm_error_clear(); \
	EXPECT_EQ(-(int64_t)(code), (int64_t)(call)); \
	e_ = gm_error_last(); \
	EXPECT_EQ(-(code), e_->err); \
	EXPECT_STREQ(gm_error_kind_name(kind_), gm_error_kind_name(e_->kind)); \
} while (0)

/* The same with all values of gm_error_last(). */
#define EXPECT_FAIL(call, code, kind_, addr_, len_, expected_, completed_) do { \
	EXPECT_FAIL_KIND(call, code, kind_); \
	EXPECT_EQ((uint64_t)(addr_), gm_error_last()->addr); \
	EXPECT_EQ((uint64_t)(len_), gm_error_last()->len); \
	EXPECT_EQ((uint64_t)(expected_), gm_error_last()->expected); \
	EXPECT_EQ((uint64_t)(completed_), gm_error_last()->completed); \
	EXPECT_STREQ("", gm_error_last()->name); \
} while (0)

/* A failure that is about somebody. */
#define EXPECT_FAIL_NAME(call, code, kind_, addr_, len_, name_) do { \
	EXPECT_FAIL_KIND(call, code, kind_); \
	EXPECT_EQ((uint64_t)(addr_), gm_error_last()->addr); \
	EXPECT_EQ((uint64_t)(len_), gm_error_last()->len); \
	EXPECT_STREQ(name_, gm_error_last()->name); \
} while (0)

/* A call that must succeed, or the test is over; shows the error if not. */
#define ASSERT_OK(call) do { \
	char text_[160] = ""; \
	int64_t ret_ = (call); \
	if (ret_ < 0) \
		gm_error_format(gm_error_last(), text_, sizeof(text_)); \
	ASSERT_EQ(0, ret_) \
		TH_LOG("%s: %s", #call, text_); \
} while (0)

#endif /* SELFTESTS_UNIT_EXPECT_H */
