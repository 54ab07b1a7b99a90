/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_pin_race.c - GUESTMEM_PIN while other threads fork and unmap. A fork
 * makes the kernel let go again what it has pinned, an unmap makes the next try
 * fail: nothing may be unpinned twice, or not at all.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include "kselftest_harness.h"
#include "bind.h"
#include "session.h"

#define LENGTH (2 * MIB)
#define RUN_MS 3000

static atomic_bool stop;
static uint8_t *memory;

static void *fork_for_ever(void *unused)
{
	pid_t pid;

	while (!stop) {
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid > 0)
			child_wait(pid);
		/* The next pin makes all pages writable, one after it is fast. */
		usleep(1000);
	}
	return unused;
}

static void *unmap_for_ever(void *unused)
{
	while (!stop) {
		munmap(memory, PAGE);
		mmap(memory, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE,
		     -1, 0);
		usleep(100);
	}
	return unused;
}

TEST(counts_stay_right)
{
	int pinned = 0, refused = 0, fd;
	struct timespec start, now;
	pthread_t thread[2];
	struct session s;

	session_start(_metadata, &s, false);
	memory = map_anonymous(LENGTH);
	ASSERT_NE(MAP_FAILED, memory);
	memset(memory, 1, LENGTH);
	ASSERT_EQ(0, pthread_create(&thread[0], NULL, fork_for_ever, NULL));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, unmap_for_ever, NULL));
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		fd = region_pin(s.control, memory, LENGTH);
		if (fd >= 0) {
			pinned++;
			close(fd);
		} else {
			refused++;
			ASSERT_EQ(-EFAULT, fd);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 +
		 (now.tv_nsec - start.tv_nsec) / 1000000 < RUN_MS);
	stop = true;
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	TH_LOG("%d pinned, %d refused", pinned, refused);
	EXPECT_LT(0, pinned);
	munmap(memory, LENGTH);
	session_end(_metadata, &s);
}

TEST_HARNESS_MAIN
