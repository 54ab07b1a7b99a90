/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: linux */
/*
 * test_vmm_console.c - what the guest of a sample says: it counts, and whatever it says,
 * the terminal gets no more than some of it, and of that only what can be printed.
 */
#include "../../ulib/samples/zero-copy-vmm/console.c"
#include <unistd.h>
#include "kselftest_harness.h"

#define SAYS (4u << 20)	/* four times what is printed */

FIXTURE(console) {
	struct console c;
	FILE *printed;
	int saved;
};

/* What is printed goes to a file. */
FIXTURE_SETUP(console)
{
	console_init(&self->c);
	self->printed = tmpfile();
	ASSERT_NE(NULL, self->printed);
	fflush(stderr);
	self->saved = dup(STDERR_FILENO);
	ASSERT_LE(0, self->saved);
	ASSERT_LE(0, dup2(fileno(self->printed), STDERR_FILENO));
}

FIXTURE_TEARDOWN(console)
{
	fclose(self->printed);
}

static void say(struct console *c, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		console_write(c, PORT_CONSOLE, &text[i], 1);
}

/* How much was printed. Whoever asks can fail aloud again. */
static long printed(FIXTURE_DATA(console) *t)
{
	fflush(stderr);
	dup2(t->saved, STDERR_FILENO);
	close(t->saved);
	return (long)lseek(fileno(t->printed), 0, SEEK_END);
}

TEST_F(console, counts_and_filters)
{
	static const char text[] = "ok 1\nnot ok 2\nok\033[2J 3\n";
	static const char want[] = "guest: ok 1\nguest: not ok 2\nguest: ok?[2J 3\n";
	char got[sizeof(want)] = "";

	say(&self->c, text, sizeof(text) - 1);
	ASSERT_EQ(sizeof(want) - 1, printed(self));
	ASSERT_EQ(sizeof(want) - 1, pread(fileno(self->printed), got, sizeof(got), 0));
	EXPECT_STREQ(want, got);
	EXPECT_EQ(1, self->c.passed);
	EXPECT_EQ(1, self->c.failed);
	EXPECT_FALSE(console_is_good(&self->c));
}

/* A guest that does not stop, in lines of @length characters. */
static long talks(FIXTURE_DATA(console) *t, unsigned int length)
{
	for (unsigned int i = 0; i < SAYS; i++)
		say(&t->c, i % (length + 1) == length ? "\n" : "x", 1);
	return printed(t);
}

TEST_F(console, long_lines_end)
{
	EXPECT_GE(PRINT_MAX, talks(self, 100000));
}

TEST_F(console, short_lines_end)
{
	EXPECT_GE(PRINT_MAX, talks(self, 1));
}

TEST_F(console, empty_lines_end)
{
	EXPECT_GE(PRINT_MAX, talks(self, 0));
}

TEST_HARNESS_MAIN
