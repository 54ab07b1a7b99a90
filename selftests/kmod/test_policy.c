/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict */
/*
 * test_policy.c - for which devices GUESTMEM_MAP is refused, and what allows
 * it. One boot is enough: the kernel lets the IOMMU's way of serving a group be
 * changed while the group has no driver.
 *
 * What needs another boot is in test_policy_boot. Not here: lockdown, which
 * cannot be left again.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "bind.h"
#include "session.h"

#define LENGTH (8 * PAGE)
#define TAINT_USER 64

FIXTURE(policy) {
	struct session s;
	struct guestmem_map arg;
	char address[ADDRESS_MAX];
	int fd;
};

FIXTURE_VARIANT(policy) {
	const char *type;
	const char *parameter;
	uint32_t properties;
	bool tainting;
};

FIXTURE_VARIANT_ADD(policy, lazy) {
	.type = "DMA-FQ",
	.parameter = "allow_lazy_iommu",
	.properties = GUESTMEM_MAP_TRANSLATED,
};

FIXTURE_VARIANT_ADD(policy, identity) {
	.type = "identity",
	.parameter = "allow_unsafe_noiommu",
	.tainting = true,
};

FIXTURE_SETUP(policy)
{
	char type[32];

	session_start(_metadata, &self->s, false);
	ASSERT_EQ(0, device_address(self->address));
	group_type(self->address, type);
	ASSERT_STREQ("DMA", type);
	ASSERT_EQ(0, group_set_type(self->address, variant->type));
	group_type(self->address, type);
	EXPECT_STREQ(variant->type, type);
	ASSERT_FD(&self->s.device, device_open());
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	self->arg = map_arg(self->fd, LENGTH);
}

FIXTURE_TEARDOWN(policy)
{
	EXPECT_EQ(0, parameter_set(variant->parameter, "N"));
	close(self->s.device);
	EXPECT_EQ(0, group_set_type(self->address, "DMA"));
	session_end(_metadata, &self->s);
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.device, GUESTMEM_MAP, &self->arg)

static int taint_user(void)
{
	char text[32];

	if (file_read("/proc/sys/kernel/tainted", text, sizeof(text)))
		return -1;
	return atoi(text) & TAINT_USER;
}

TEST_F(policy, refused_by_default)
{
	int before = taint_user();

	REFUSED(EPERM);
	EXPECT_EQ(before, taint_user());
}

TEST_F(policy, other_parameters_do_not_help)
{
	static const char * const name[] = {
		"allow_lazy_iommu", "allow_unsafe_noiommu",
		"allow_unsafe_interrupts",
	};

	for (int i = 0; i < 3; i++) {
		if (!strcmp(name[i], variant->parameter))
			continue;
		ASSERT_EQ(0, parameter_set(name[i], "Y"));
		REFUSED(EPERM);
		ASSERT_EQ(0, parameter_set(name[i], "N"));
	}
}

TEST_F(policy, allowed)
{
	struct guestmem_segment segment[8];
	struct guestmem_query query;
	uint64_t at = 0;

	ASSERT_EQ(0, parameter_set(variant->parameter, "Y"));
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	EXPECT_EQ(variant->properties, self->arg.properties &
		  (GUESTMEM_MAP_TRANSLATED | GUESTMEM_MAP_STRICT));
	if (variant->tainting)
		EXPECT_EQ(TAINT_USER, taint_user());
	EXPECT_LE(1, self->arg.segments);
	EXPECT_GE(8, self->arg.segments);
	query = query_arg(self->arg.map_id, segment, 8);
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &query));
	EXPECT_EQ(self->arg.segments, query.count);
	for (uint32_t i = 0; i < query.count; i++) {
		EXPECT_EQ(at, segment[i].offset);
		at += segment[i].length;
	}
	EXPECT_EQ(LENGTH, at);
	EXPECT_EQ(0, map_remove(self->s.device, self->arg.map_id));
}

/*
 * Several pieces: short arrays, and an offset amid a later one. Without an
 * IOMMU the pieces are those of physical memory: old pages that lie anywhere.
 */
TEST_F(policy, segments)
{
	const uint64_t pages = 256, length = pages * PAGE;
	struct guestmem_segment segment[256], part[256];
	struct guestmem_query query;
	uint8_t *p = map_anonymous(2 * length);

	if (variant->properties & GUESTMEM_MAP_TRANSLATED)
		return;
	/* Every second page goes back, so that the rest is not contiguous. */
	ASSERT_NE(MAP_FAILED, p);
	madvise(p, 2 * length, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < 2 * pages; i++)
		p[(i * 7 % (2 * pages)) * PAGE] = 1;
	ASSERT_EQ(0, parameter_set(variant->parameter, "Y"));
	ASSERT_FD(&self->arg.fd, region_pin(self->s.control, p, length));
	self->arg.length = length;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
	ASSERT_LT(1, self->arg.segments);
	query = query_arg(self->arg.map_id, segment, 256);
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &query));
	ASSERT_EQ(self->arg.segments, query.count);

	query = query_arg(self->arg.map_id, part, query.count - 1);
	memset(part, 0xee, sizeof(part));
	EXPECT_EQ(-EMSGSIZE, do_ioctl(self->s.device, GUESTMEM_QUERY, &query));
	EXPECT_EQ(self->arg.segments, query.count);
	EXPECT_EQ(0, memcmp(segment, part,
			    (query.count - 1) * sizeof(segment[0])));
	EXPECT_EQ(UINT64_C(0xeeeeeeeeeeeeeeee), part[query.count - 1].offset);

	/* From amid the second one on. */
	query = query_arg(self->arg.map_id, part, 256);
	query.offset = segment[1].offset + 5;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &query));
	EXPECT_EQ(self->arg.segments - 1, query.count);
	EXPECT_EQ(segment[1].offset + 5, part[0].offset);
	EXPECT_EQ(segment[1].address + 5, part[0].address);
	EXPECT_EQ(segment[1].length - 5, part[0].length);
	munmap(p, 2 * length);
}

/* Memory is where it is: a device that cannot reach it gets no copy of it. */
TEST_F(policy, no_bounce_buffer)
{
	if (variant->properties & GUESTMEM_MAP_TRANSLATED)
		return;
	ASSERT_EQ(0, parameter_set(variant->parameter, "Y"));
	ASSERT_EQ(0, region_revoke(self->s.control, self->fd));
	ASSERT_FD(&self->arg.fd, region_alloc(self->s.control, 64 * MIB));
	self->arg.length = 64 * MIB;
	self->arg.address_bits = 25;
	REFUSED(ERANGE);
	self->arg.address_bits = 0;
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg));
}

/* Root without the capability is not the administrator. */
TEST_F(policy, capability)
{
	pid_t pid;
	int err;

	ASSERT_EQ(0, parameter_set(variant->parameter, "Y"));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (become_user(4714))
			_exit(1);
		err = do_ioctl(self->s.device, GUESTMEM_MAP, &self->arg);
		_exit(-err);
	}
	EXPECT_EQ(variant->tainting ? EPERM : 0, child_wait(pid));
}

TEST_HARNESS_MAIN
