/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * As much of KUnit as our tests use, for a program of user space with one
 * suite: each case, or each parameter of one, is a line of TAP.
 */
#ifndef KUNIT_USER_TEST_H
#define KUNIT_USER_TEST_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

#define KUNIT_PARAM_DESC_SIZE 128
#define KUNIT_USER_ALLOCATIONS 8
#define GFP_KERNEL 0

struct kunit {
	const void *param_value;
	bool failed;
	jmp_buf abort;
	void *allocation[KUNIT_USER_ALLOCATIONS];
	unsigned int nallocations;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *prev, char *desc);
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(fn) { .run_case = fn, .name = #fn }
#define KUNIT_CASE_PARAM(fn, gen) \
	{ .run_case = fn, .name = #fn, .generate_params = gen }

#define KUNIT_ARRAY_PARAM(name, array, get_desc) \
static const void *name##_gen_params(const void *prev, char *desc) \
{ \
	__typeof__(&(array)[0]) next = prev ? prev : (array); \
\
	next += !!prev; \
	if (next == (array) + sizeof(array) / sizeof((array)[0])) \
		return NULL; \
	get_desc(next, desc); \
	return next; \
} \
_Static_assert(sizeof(array) != 0, "no parameters")

#define KUNIT_USER_CHECK(test, holds, text, stop) do { \
	if (!(holds)) { \
		printf("# %s:%d: %s\n", __FILE__, __LINE__, text); \
		(test)->failed = true; \
		if (stop) \
			longjmp((test)->abort, 1); \
	} \
} while (0)

#define KUNIT_USER_EQ(test, a, b, stop) do { \
	__typeof__(a) a_ = (a); \
	__typeof__(b) b_ = (b); \
	char text_[512]; \
\
	snprintf(text_, sizeof(text_), "%s is %lld, %s is %lld", \
		 #a, (long long)a_, #b, (long long)b_); \
	KUNIT_USER_CHECK(test, a_ == b_, text_, stop); \
} while (0)

#define KUNIT_EXPECT_EQ(test, a, b) KUNIT_USER_EQ(test, a, b, false)
#define KUNIT_ASSERT_EQ(test, a, b) KUNIT_USER_EQ(test, a, b, true)
#define KUNIT_EXPECT_TRUE(test, x) KUNIT_USER_CHECK(test, x, #x, false)
#define KUNIT_ASSERT_TRUE(test, x) KUNIT_USER_CHECK(test, x, #x, true)

static inline void *kunit_kzalloc(struct kunit *test, size_t size, int gfp)
{
	void *p = malloc(size);

	(void)gfp;
	if (!p || test->nallocations == KUNIT_USER_ALLOCATIONS)
		abort();
	memset(p, 0, size);
	test->allocation[test->nallocations++] = p;
	return p;
}

static inline void strscpy(char *to, const char *from, size_t size)
{
	snprintf(to, size, "%s", from);
}

static inline bool kunit_user_run(const struct kunit_case *c, const void *param)
{
	struct kunit test = { .param_value = param };

	if (!setjmp(test.abort))
		c->run_case(&test);
	while (test.nallocations)
		free(test.allocation[--test.nallocations]);
	return !test.failed;
}

static inline int kunit_user_main(const struct kunit_suite *suite)
{
	const struct kunit_case *c;
	int done = 0, failed = 0;

	for (c = suite->test_cases; c->run_case; c++) {
		const void *param = NULL;
		char desc[KUNIT_PARAM_DESC_SIZE] = "";
		bool ok;

		do {
			if (c->generate_params) {
				param = c->generate_params(param, desc);
				if (!param)
					break;
			}
			ok = kunit_user_run(c, param);
			failed += !ok;
			printf("%sok %d - %s.%s %s\n", ok ? "" : "not ", ++done,
			       suite->name, c->name, desc);
		} while (param);
	}
	printf("1..%d\n", done);
	return failed != 0;
}

#define kunit_test_suite(suite) \
int main(void) \
{ \
	return kunit_user_main(&(suite)); \
} \
_Static_assert(sizeof(suite) != 0, "no suite")

#endif /* KUNIT_USER_TEST_H */
