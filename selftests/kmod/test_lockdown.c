/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=lockdown */
/*
 * test_lockdown.c - in a kernel that is locked down, which it stays, nobody maps
 * memory for a device without an IOMMU. A boot of its own, without one.
 */
#define _GNU_SOURCE
#include <sys/mount.h>
#include "kselftest_harness.h"
#include "session.h"

#define LENGTH (8 * PAGE)
#define SECURITYFS "/sys/kernel/security"
#define LOCKDOWN SECURITYFS "/lockdown"

TEST(refused_when_locked_down)
{
	struct guestmem_map arg;
	struct session s;
	char text[128];

	session_start(_metadata, &s, true);
	arg = map_arg(-1, LENGTH);
	ASSERT_FD(&arg.fd, region_alloc(s.control, LENGTH));
	ASSERT_EQ(0, parameter_set("allow_unsafe_noiommu", "Y"));
	/* Until then it is allowed. */
	ASSERT_EQ(0, mount("securityfs", SECURITYFS, "securityfs", 0, NULL));
	ASSERT_EQ(0, file_read(LOCKDOWN, text, sizeof(text)));
	ASSERT_NE(NULL, strstr(text, "[none]"));
	ASSERT_EQ(0, do_ioctl(s.device, GUESTMEM_MAP, &arg));
	ASSERT_EQ(0, map_remove(s.device, arg.map_id));

	arg = map_arg(arg.fd, LENGTH);
	ASSERT_EQ(0, file_write(LOCKDOWN, "integrity"));
	EXPECT_REFUSED(EPERM, s.device, GUESTMEM_MAP, &arg);
	EXPECT_EQ(0, parameter_set("allow_unsafe_noiommu", "N"));
	session_end(_metadata, &s);
}

TEST_HARNESS_MAIN
