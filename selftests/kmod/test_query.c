/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict m32 */
/*
 * test_query.c - GUESTMEM_QUERY: each value and each error. ENODEV is in
 * test_map.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "bind.h"
#include "session.h"

#define LENGTH (8 * PAGE)
#define MANY 64

FIXTURE(query) {
	struct session s;
	struct guestmem_query arg;
	struct guestmem_segment segment[MANY];
	int fd;
	uint32_t id;
};

FIXTURE_SETUP(query)
{
	session_start(_metadata, &self->s, true);
	ASSERT_FD(&self->fd, region_alloc(self->s.control, LENGTH));
	ASSERT_EQ(0, map_add(self->s.device, self->fd, LENGTH, &self->id));
	self->arg = query_arg(self->id, self->segment, MANY);
	memset(self->segment, 0xee, sizeof(self->segment));
}

FIXTURE_TEARDOWN(query)
{
	session_end(_metadata, &self->s);
}

#define REFUSED(code) \
	EXPECT_REFUSED(code, self->s.device, GUESTMEM_QUERY, &self->arg)

static bool untouched(const struct guestmem_segment *segment, int n)
{
	const uint8_t *p = (const uint8_t *)segment;

	for (size_t i = 0; i < n * sizeof(*segment); i++)
		if (p[i] != 0xee)
			return false;
	return true;
}

TEST_F(query, values)
{
	struct guestmem_query before = self->arg;

	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &self->arg));
	EXPECT_EQ(1, self->arg.count);
	EXPECT_EQ(0, self->segment[0].offset);
	EXPECT_EQ(LENGTH, self->segment[0].length);
	EXPECT_NE(0, self->segment[0].address);
	EXPECT_EQ(0, self->segment[0].address % PAGE);
	EXPECT_TRUE(untouched(self->segment + 1, MANY - 1));
	before.count = 1;
	EXPECT_EQ(0, memcmp(&before, &self->arg, sizeof(before)));
}

/* From an offset on, which need not be aligned. */
TEST_F(query, offset)
{
	const uint64_t from[] = { 1, PAGE - 1, PAGE, 3 * PAGE + 17,
				  LENGTH - 1 };
	uint64_t address;

	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &self->arg));
	address = self->segment[0].address;
	for (int i = 0; i < 5; i++) {
		self->arg = query_arg(self->id, self->segment, MANY);
		self->arg.offset = from[i];
		ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY,
				      &self->arg));
		EXPECT_EQ(1, self->arg.count);
		EXPECT_EQ(from[i], self->segment[0].offset);
		EXPECT_EQ(address + from[i], self->segment[0].address);
		EXPECT_EQ(LENGTH - from[i], self->segment[0].length);
	}
}

TEST_F(query, range)
{
	self->arg.offset = LENGTH;
	REFUSED(ERANGE);
	self->arg.offset = UINT64_MAX;
	REFUSED(ERANGE);
	EXPECT_TRUE(untouched(self->segment, MANY));
}

/* A map that does not start at 0: what is before it is no part of it. */
TEST_F(query, range_of_a_part)
{
	struct guestmem_map map = map_arg(self->fd, 2 * PAGE);

	map.offset = 3 * PAGE;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_MAP, &map));
	self->arg.map_id = map.map_id;
	self->arg.offset = 0;
	REFUSED(ERANGE);
	self->arg.offset = 3 * PAGE - 1;
	REFUSED(ERANGE);
	self->arg.offset = 5 * PAGE;
	REFUSED(ERANGE);
	self->arg.offset = 5 * PAGE - 1;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &self->arg));
	EXPECT_EQ(1, self->arg.count);
	EXPECT_EQ(5 * PAGE - 1, self->segment[0].offset);
	EXPECT_EQ(1, self->segment[0].length);
}

TEST_F(query, no_such_map)
{
	self->arg.map_id = 0;
	REFUSED(ENOENT);
	self->arg.map_id = self->id + 1;
	REFUSED(ENOENT);
	self->arg.map_id = UINT32_MAX;
	REFUSED(ENOENT);
	ASSERT_EQ(0, map_remove(self->s.device, self->id));
	self->arg.map_id = self->id;
	REFUSED(ENOENT);
}

/* The one error that writes: it tells how many there are. */
TEST_F(query, too_small)
{
	struct guestmem_query before = self->arg;

	self->arg.count = 0;
	EXPECT_EQ(-EMSGSIZE, do_ioctl(self->s.device, GUESTMEM_QUERY,
				      &self->arg));
	EXPECT_TRUE(untouched(self->segment, MANY));
	before.count = 1;
	EXPECT_EQ(0, memcmp(&before, &self->arg, sizeof(before)));
	/* With room for none the address does not matter. */
	self->arg.count = 0;
	self->arg.segments = 0;
	EXPECT_EQ(-EMSGSIZE, do_ioctl(self->s.device, GUESTMEM_QUERY,
				      &self->arg));
	EXPECT_EQ(1, self->arg.count);
}

TEST_F(query, bad_array)
{
	self->arg.segments = 0;
	REFUSED(EFAULT);
	self->arg.segments = UINT64_MAX - 7;
	REFUSED(EFAULT);
	self->arg.segments = UINT64_C(0xffffffff81000000);
	REFUSED(EFAULT);
	self->arg.segments = to_user(self->segment) + (UINT64_C(1) << 48);
	REFUSED(EFAULT);
}

/* Room for 4 thousand million segments is asked for: only those there count. */
TEST_F(query, huge_count)
{
	self->arg.count = UINT32_MAX;
	ASSERT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &self->arg));
	EXPECT_EQ(1, self->arg.count);
	EXPECT_TRUE(untouched(self->segment + 1, MANY - 1));
}

/* The array may not begin, or not end, in memory that can be written. */
TEST_F(query, array_at_the_end_of_a_page)
{
	uint8_t *p = map_anonymous(2 * PAGE);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p + PAGE, PAGE));
	self->arg.segments = to_user(p + PAGE - sizeof(self->segment[0]));
	self->arg.count = 1;
	EXPECT_EQ(0, do_ioctl(self->s.device, GUESTMEM_QUERY, &self->arg));
	self->arg.segments++;
	REFUSED(EFAULT);
	ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ));
	self->arg.segments = to_user(p);
	REFUSED(EFAULT);
	munmap(p, PAGE);
}

TEST_F(query, flags)
{
	for (int bit = 0; bit < 32; bit++) {
		self->arg.flags = 1U << bit;
		REFUSED(EOPNOTSUPP);
	}
}

TEST_HARNESS_MAIN
