/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kselftest_harness.h - what unit tests use of the kernel's header of this name, for
 * Windows, which has no fork(): the program runs itself for each test, by its number. An
 * ASSERT_*() leaves the test without its teardown.
 */
#ifndef SELFTESTS_WINDOWS_KSELFTEST_HARNESS_H
#define SELFTESTS_WINDOWS_KSELFTEST_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of POSIX, which tests ask for. */
#ifndef EHOSTDOWN
#define EHOSTDOWN 148
#endif

struct iovec;
int pipe(int fd[2]);
int64_t readv(int fd, const struct iovec *iov, int count);

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

struct __test_metadata {
	const char *name;
	bool failed;
	bool skip;
	char reason[128];
	int trigger;		/* 1: a check has just failed; 2: one that ends the test */
	jmp_buf end;
};

struct th_variant {
	const char *name;
	const void *data;
	struct th_variant *next;
};

struct th_fixture {
	const char *name;
	struct th_variant *variants;
};

struct th_test {
	const char *name;
	struct th_fixture *fixture;
	void (*run)(struct __test_metadata *t, const void *variant);
	struct th_test *next;
};

static struct th_test *th_tests;

/* Constructors run from the last one to the first. */
__attribute__((__unused__))
static void th_add_test(struct th_test *t)
{
	t->next = th_tests;
	th_tests = t;
}

__attribute__((__unused__))
static void th_add_variant(struct th_fixture *f, struct th_variant *v)
{
	v->next = f->variants;
	f->variants = v;
}

__attribute__((__unused__, __format__(__gnu_printf__, 4, 5)))
static void th_log(const struct __test_metadata *t, const char *file, int line,
		   const char *format, ...)
{
	va_list args;

	fprintf(stderr, "# %s:%d:%s:", file, line, t->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* After what the test says itself of a failure. */
__attribute__((__unused__))
static void th_after(struct __test_metadata *t)
{
	int trigger = t->trigger;

	t->trigger = 0;
	if (trigger == 2)
		longjmp(t->end, 1);
}

/* What the exit status of a test's process says. */
#define TH_PASSED 0
#define TH_FAILED 1
#define TH_SKIPPED 4

static int th_run(const struct th_test *test, const struct th_variant *v)
{
	struct __test_metadata t = { .name = test->name };

	if (!setjmp(t.end))
		test->run(&t, v ? v->data : NULL);
	return t.failed ? TH_FAILED : t.skip ? TH_SKIPPED : TH_PASSED;
}

/* That no process could be made says nothing of the test: once more, a little later. */
#define TH_SPAWNS 3

/* The whole program again, for one test. */
static bool th_spawn(const char *program, const struct th_test *test,
		     const struct th_variant *v, int number)
{
	intptr_t status = -1;
	char text[16];
	int i;

	snprintf(text, sizeof(text), "%d", number);
	fflush(stdout);
	errno = 0;
	for (i = 0; i < TH_SPAWNS && (!i || (status == -1 && errno)); i++) {
		if (i) {
			fprintf(stderr, "# %s: no process: %s\n", test->name, strerror(errno));
			usleep(500000);
		}
		errno = 0;
		status = _spawnl(_P_WAIT, program, program, text, NULL);
	}
	if (status == TH_SKIPPED) {
		printf("ok %d # SKIP %s\n", number, test->name);
		return true;
	}
	printf("%s %d %s%s%s.%s\n", status == TH_PASSED ? "ok" : "not ok", number,
	       test->fixture ? test->fixture->name : "global", v ? "." : "",
	       v ? v->name : "", test->name);
	if (status != TH_PASSED && status != TH_FAILED)
		fprintf(stderr, "# %s: ended with status 0x%x\n", test->name,
			(unsigned int)status);
	return status == TH_PASSED;
}

__attribute__((__unused__))
static int th_main(int argc, char **argv)
{
	int number = 0, wanted = argc > 1 ? atoi(argv[1]) : 0;
	const struct th_variant *v;
	const struct th_test *t;
	bool passed = true;

	_setmode(_fileno(stdout), _O_BINARY);
	_setmode(_fileno(stderr), _O_BINARY);
	if (!wanted)
		puts("TAP version 13");
	for (t = th_tests; t; t = t->next) {
		v = t->fixture ? t->fixture->variants : NULL;
		do {
			if (++number == wanted)
				return th_run(t, v);
			if (!wanted)
				passed &= th_spawn(argv[0], t, v, number);
			v = v ? v->next : NULL;
		} while (v);
	}
	printf("1..%d\n", number);
	return !passed || wanted;
}

#define TH_LOG(fmt, ...) \
	th_log(_metadata, __FILE__, __LINE__, fmt, ##__VA_ARGS__)

#define SKIP(statement, fmt, ...) do { \
	snprintf(_metadata->reason, sizeof(_metadata->reason), fmt, ##__VA_ARGS__); \
	fprintf(stderr, "#      SKIP      %s\n", _metadata->reason); \
	_metadata->skip = true; \
	statement; \
} while (0)

#define TH_CTOR(name) \
	__attribute__((__constructor__)) static void name(void)

#define TEST(test) \
	static void test(struct __test_metadata *_metadata); \
	static void th_run_##test(struct __test_metadata *t, const void *variant) \
	{ \
		test(t); \
	} \
	static struct th_test th_test_##test = { #test, NULL, th_run_##test, NULL }; \
	TH_CTOR(th_ctor_##test) \
	{ \
		th_add_test(&th_test_##test); \
	} \
	static void test(struct __test_metadata __attribute__((__unused__)) *_metadata)

#define FIXTURE_DATA(fixture) struct _test_data_##fixture
#define FIXTURE_VARIANT(fixture) struct _fixture_variant_##fixture

#define FIXTURE(fixture) \
	FIXTURE_VARIANT(fixture); \
	static struct th_fixture th_fixture_##fixture = { #fixture, NULL }; \
	FIXTURE_DATA(fixture)

#define FIXTURE_VARIANT_ADD(fixture, variant) \
	static const FIXTURE_VARIANT(fixture) th_data_##fixture##_##variant; \
	static struct th_variant th_variant_##fixture##_##variant = { \
		#variant, &th_data_##fixture##_##variant, NULL, \
	}; \
	TH_CTOR(th_ctor_##fixture##_##variant) \
	{ \
		th_add_variant(&th_fixture_##fixture, &th_variant_##fixture##_##variant); \
	} \
	static const FIXTURE_VARIANT(fixture) th_data_##fixture##_##variant =

#define FIXTURE_SETUP(fixture) \
	static void fixture##_setup( \
		struct __test_metadata __attribute__((__unused__)) *_metadata, \
		FIXTURE_DATA(fixture) __attribute__((__unused__)) *self, \
		const FIXTURE_VARIANT(fixture) __attribute__((__unused__)) *variant)

#define FIXTURE_TEARDOWN(fixture) \
	static void fixture##_teardown( \
		struct __test_metadata __attribute__((__unused__)) *_metadata, \
		FIXTURE_DATA(fixture) __attribute__((__unused__)) *self, \
		const FIXTURE_VARIANT(fixture) __attribute__((__unused__)) *variant)

#define TEST_F(fixture, test) \
	static void fixture##_##test(struct __test_metadata *_metadata, \
				     FIXTURE_DATA(fixture) *self, \
				     const FIXTURE_VARIANT(fixture) *variant); \
	static void th_run_##fixture##_##test(struct __test_metadata *t, const void *variant) \
	{ \
		FIXTURE_DATA(fixture) self; \
		memset(&self, 0, sizeof(self)); \
		fixture##_setup(t, &self, variant); \
		if (t->failed) \
			return; \
		fixture##_##test(t, &self, variant); \
		fixture##_teardown(t, &self, variant); \
	} \
	static struct th_test th_test_##fixture##_##test = { \
		#test, &th_fixture_##fixture, th_run_##fixture##_##test, NULL, \
	}; \
	TH_CTOR(th_ctor_##fixture##_##test) \
	{ \
		th_add_test(&th_test_##fixture##_##test); \
	} \
	static void fixture##_##test( \
		struct __test_metadata __attribute__((__unused__)) *_metadata, \
		FIXTURE_DATA(fixture) __attribute__((__unused__)) *self, \
		const FIXTURE_VARIANT(fixture) __attribute__((__unused__)) *variant)

#define TEST_F_TIMEOUT(fixture, test, timeout) TEST_F(fixture, test)

#define TEST_HARNESS_MAIN \
	int main(int argc, char **argv) \
	{ \
		return th_main(argc, argv); \
	}

#define TH_AFTER() for (; _metadata->trigger; th_after(_metadata))

#define TH_CHECK(a, a_text, op, b, b_text, level) do { \
	__typeof__(a) a__ = (a); \
	__typeof__(b) b__ = (b); \
	if (!(a__ op b__)) { \
		TH_LOG("Expected %s (%lld) " #op " %s (%lld)", a_text, \
		       (long long)(uintptr_t)a__, b_text, (long long)(uintptr_t)b__); \
		_metadata->failed = true; \
		_metadata->trigger = level; \
	} \
} while (0); TH_AFTER()

#define TH_CHECK_STR(a, op, b, level) do { \
	const char *a__ = (a); \
	const char *b__ = (b); \
	if (!(strcmp(a__, b__) op 0)) { \
		TH_LOG("Expected '%s' " #op " '%s'", a__, b__); \
		_metadata->failed = true; \
		_metadata->trigger = level; \
	} \
} while (0); TH_AFTER()

#define EXPECT_EQ(a, b) TH_CHECK(a, #a, ==, b, #b, 1)
#define EXPECT_NE(a, b) TH_CHECK(a, #a, !=, b, #b, 1)
#define EXPECT_LT(a, b) TH_CHECK(a, #a, <, b, #b, 1)
#define EXPECT_LE(a, b) TH_CHECK(a, #a, <=, b, #b, 1)
#define EXPECT_GT(a, b) TH_CHECK(a, #a, >, b, #b, 1)
#define EXPECT_GE(a, b) TH_CHECK(a, #a, >=, b, #b, 1)
#define EXPECT_TRUE(a) TH_CHECK(0, "0", !=, a, #a, 1)
#define EXPECT_FALSE(a) TH_CHECK(0, "0", ==, a, #a, 1)
#define EXPECT_STREQ(a, b) TH_CHECK_STR(a, ==, b, 1)
#define EXPECT_STRNE(a, b) TH_CHECK_STR(a, !=, b, 1)
#define ASSERT_EQ(a, b) TH_CHECK(a, #a, ==, b, #b, 2)
#define ASSERT_NE(a, b) TH_CHECK(a, #a, !=, b, #b, 2)
#define ASSERT_LT(a, b) TH_CHECK(a, #a, <, b, #b, 2)
#define ASSERT_LE(a, b) TH_CHECK(a, #a, <=, b, #b, 2)
#define ASSERT_GT(a, b) TH_CHECK(a, #a, >, b, #b, 2)
#define ASSERT_GE(a, b) TH_CHECK(a, #a, >=, b, #b, 2)
#define ASSERT_TRUE(a) TH_CHECK(0, "0", !=, a, #a, 2)
#define ASSERT_FALSE(a) TH_CHECK(0, "0", ==, a, #a, 2)
#define ASSERT_STREQ(a, b) TH_CHECK_STR(a, ==, b, 2)

#endif /* SELFTESTS_WINDOWS_KSELFTEST_HARNESS_H */
