/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict lib */
/*
 * test_sample_dma.c - the program of Documentation/dma-tutorial.rst does what
 * that says, on a real device.
 */
#define main sample_main
#include "../../ulib/samples/dma/main.c"
#undef main
#include "kselftest_harness.h"
#include "session.h"

#define OUTPUT_MAX 1024
#define REFUSED "refused, as it should be: "
#define NOBODY "0000:ff:1f.7"

/* Runs the program; its exit status, and what it says on one of its outputs. */
static int sample(char *address, int output, char text[OUTPUT_MAX])
{
	int file = memfd_create("output", MFD_CLOEXEC), status;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		char *argv[3] = { "dma", address };

		dup2(file, output);
		status = sample_main(2, argv);
		fflush(stdout);
		_exit(status);
	}
	status = pid < 0 ? -errno : child_wait(pid);
	n = pread(file, text, OUTPUT_MAX - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(file);
	return status;
}

TEST(a_device_moves_guest_data)
{
	char address[ADDRESS_MAX], text[OUTPUT_MAX], want[OUTPUT_MAX];

	ASSERT_EQ(0, device_address(address));
	EXPECT_EQ(0, sample(address, STDOUT_FILENO, text));
	snprintf(want, sizeof(want), "6000 bytes moved by %s, all right\n", address);
	EXPECT_STREQ(want, text);
	EXPECT_EQ(0, sample(address, STDERR_FILENO, text));
	EXPECT_STREQ(REFUSED "no guest memory at this address, gpa 0x800000: Bad address\n",
		     text);
}

TEST(no_such_device)
{
	char text[OUTPUT_MAX];

	EXPECT_EQ(1, sample(NOBODY, STDERR_FILENO, text));
	EXPECT_STREQ("dma: device not bound to the kernel module, device " NOBODY
		     ": No such file or directory\n", text);
}

TEST_HARNESS_MAIN
