/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * session.h - begin and end of each test: files open at first; at the end
 * nothing is left, by any counter. Include after kselftest_harness.h.
 */
#ifndef SELFTESTS_KMOD_SESSION_H
#define SELFTESTS_KMOD_SESSION_H

#include "counters.h"
#include "util.h"

/**
 * struct session - what each test has
 * @control: the control device
 * @device: a bound device, or -1 if the test wants none
 * @before: counters before all of it
 */
struct session {
	int control;
	int device;
	struct counters before;
};

static inline void session_start(struct __test_metadata *_metadata,
				 struct session *s, bool with_device)
{
	ASSERT_EQ(0, counters_read(&s->before));
	s->device = -1;
	ASSERT_FD(&s->control, control_open());
	if (with_device)
		ASSERT_FD(&s->device, device_open());
}

/* Closes every file; mappings are for the test to undo. */
static inline void session_end(struct __test_metadata *_metadata,
			       struct session *s)
{
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	EXPECT_EQ(0, counters_settle(&s->before));
}

#endif /* SELFTESTS_KMOD_SESSION_H */
