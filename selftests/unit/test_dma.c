/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_dma.c - guest ranges as a device addresses them: exact, resumable
 * anywhere, marked, and what is refused. How maps come and go:
 * test_dma_map.c; many segments: test_dma_lookup.c.
 */
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "dma_guest.h"
#include "expect.h"
#include "scale.h"

FIXTURE(dma) {
	struct dma_guest g;
};

FIXTURE_SETUP(dma)
{
	ASSERT_OK(dma_guest_init(&self->g, false));
}

FIXTURE_TEARDOWN(dma)
{
	dma_guest_exit(&self->g);
}

static uint64_t host_of(const struct dma_guest *g, int i, uint64_t off)
{
	return (uintptr_t)g->r[i]->ext.host + off;
}

/* LOW's four pieces in guest order: its third and fourth follow each other. */
static uint64_t low_address(const struct dma_guest *g, uint64_t off)
{
	return host_of(g, LOW, off < 16 ? off + 16 : off < 32 ? off - 16 : off);
}

TEST_F(dma, address_of_each_byte)
{
	const struct gm_dma *d = self->g.d;
	uint64_t off, a;

	for (off = 0; off < SIZE; off++) {
		ASSERT_OK(gm_dma_address(d, gm_gpa(BASE + off), 1, GM_PERM_RW,
					 &a));
		EXPECT_EQ(low_address(&self->g, off), a);
		ASSERT_OK(gm_dma_address(d, gm_gpa(BASE + SIZE + off), 1,
					 GM_PERM_RW, &a));
		EXPECT_EQ(host_of(&self->g, HIGH, off), a);
		ASSERT_OK(gm_dma_address(d, gm_gpa(ROM_GPA + off), 1,
					 GM_PERM_READ, &a));
		EXPECT_EQ(host_of(&self->g, ROM, off), a);
		ASSERT_OK(gm_dma_address(d, gm_gpa(TOP_GPA + off), 1,
					 GM_PERM_READ, &a));
		EXPECT_EQ(host_of(&self->g, TOP, off), a);
	}
}

TEST_F(dma, address_of_one_piece)
{
	const struct gm_dma *d = self->g.d;
	uint64_t a = 77;

	ASSERT_OK(gm_dma_address(d, gm_gpa(BASE), 16, GM_PERM_READ, &a));
	EXPECT_EQ(host_of(&self->g, LOW, 16), a);
	/* The last two pieces of LOW and all of HIGH follow each other. */
	ASSERT_OK(gm_dma_address(d, gm_gpa(BASE + 32), 32 + SIZE, GM_PERM_RW,
				 &a));
	EXPECT_EQ(host_of(&self->g, LOW, 32), a);
	ASSERT_OK(gm_dma_address(d, gm_gpa(TOP_GPA), SIZE, GM_PERM_RW, &a));
	EXPECT_EQ(host_of(&self->g, TOP, 0), a);
	/* No byte is somewhere, too. */
	ASSERT_OK(gm_dma_address(d, gm_gpa(BASE + 63), 0, GM_PERM_RW, &a));
	EXPECT_EQ(host_of(&self->g, LOW, 63), a);
	ASSERT_OK(gm_dma_address(d, gm_gpa(BASE), 1, GM_PERM_NONE, &a));
	EXPECT_EQ(host_of(&self->g, LOW, 16), a);
}

TEST_F(dma, address_refused)
{
	const struct gm_dma *d = self->g.d;
	uint64_t a = 77;

	EXPECT_FAIL(gm_dma_address(d, gm_gpa(BASE + 8), 24, GM_PERM_READ, &a),
		    EMSGSIZE, GM_ERR_FRAGMENTED, BASE + 8, 24, 24, 8);
	EXPECT_FAIL(gm_dma_address(d, gm_gpa(BASE - 1), 1, GM_PERM_READ, &a),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE - 1, 0, 0, 0);
	EXPECT_FAIL(gm_dma_address(d, gm_gpa(0), 0, GM_PERM_READ, &a),
		    EFAULT, GM_ERR_GUEST_ADDR, 0, 0, 0, 0);
	EXPECT_FAIL(gm_dma_address(d, gm_gpa(BASE + 120), 9, GM_PERM_READ, &a),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + 128, 0, 0, 0);
	EXPECT_FAIL_NAME(gm_dma_address(d, gm_gpa(BARE_GPA + 3), 4,
					GM_PERM_READ, &a),
			 ENOENT, GM_ERR_NO_DMA, BARE_GPA + 3, 4, DEVICE);
	/* Where the map ends, not where the range starts. */
	EXPECT_FAIL_NAME(gm_dma_address(d, gm_gpa(ROM_GPA + 60), 8,
					GM_PERM_READ, &a),
			 ENOENT, GM_ERR_NO_DMA, BARE_GPA, 4, DEVICE);
	EXPECT_FAIL_NAME(gm_dma_address(d, gm_gpa(ROM_GPA + 1), 2,
					GM_PERM_WRITE, &a),
			 EACCES, GM_ERR_PERMISSION, ROM_GPA + 1, 2, DEVICE);
	EXPECT_FAIL_KIND(gm_dma_address(d, gm_gpa(ROM_GPA), 1, GM_PERM_RW, &a),
			 EACCES, GM_ERR_PERMISSION);
	EXPECT_FAIL_KIND(gm_dma_address(d, gm_gpa(TOP_GPA), SIZE + 1,
					GM_PERM_READ, &a),
			 EOVERFLOW, GM_ERR_GUEST_OVERFLOW);
	EXPECT_FAIL_KIND(gm_dma_address(d, gm_gpa(TOP_GPA), UINT64_MAX,
					GM_PERM_READ, &a),
			 EOVERFLOW, GM_ERR_GUEST_OVERFLOW);
	EXPECT_EQ(77, a);
	EXPECT_EQ(0, dma_guest_take(&self->g, LOW));
	EXPECT_EQ(0, dma_guest_take(&self->g, HIGH));
	EXPECT_EQ(0, dma_guest_take(&self->g, TOP));
}

TEST_F(dma, what_the_device_will_write_is_dirty)
{
	const struct gm_dma *d = self->g.d;
	struct gm_dma_seg segs[4];
	uint64_t a;

	ASSERT_OK(gm_dma_address(d, gm_gpa(BASE), 16, GM_PERM_READ, &a));
	EXPECT_EQ(3, gm_dma_segments(d, gm_gpa(BASE), 128, GM_PERM_READ, segs,
				     4));
	EXPECT_EQ(0, dma_guest_take(&self->g, LOW));
	EXPECT_EQ(0, dma_guest_take(&self->g, HIGH));

	ASSERT_OK(gm_dma_address(d, gm_gpa(BASE + 8), 8, GM_PERM_WRITE, &a));
	EXPECT_EQ(0x02, dma_guest_take(&self->g, LOW));
	ASSERT_OK(gm_dma_address(d, gm_gpa(BASE + 7), 0, GM_PERM_WRITE, &a));
	EXPECT_EQ(0, dma_guest_take(&self->g, LOW));
	/* By way of both regions. */
	ASSERT_OK(gm_dma_address(d, gm_gpa(BASE + 55), 10, GM_PERM_RW, &a));
	EXPECT_EQ(0xc0, dma_guest_take(&self->g, LOW));
	EXPECT_EQ(0x01, dma_guest_take(&self->g, HIGH));
	EXPECT_EQ(2, gm_dma_segments(d, gm_gpa(BASE + 15), 2, GM_PERM_WRITE,
				     segs, 4));
	EXPECT_EQ(0x06, dma_guest_take(&self->g, LOW));
	/* No room, or not all there: nothing is written. */
	EXPECT_EQ(-EMSGSIZE, gm_dma_segments(d, gm_gpa(BASE + 15), 2,
					     GM_PERM_WRITE, segs, 1));
	EXPECT_EQ(-EFAULT, gm_dma_segments(d, gm_gpa(BASE), 200, GM_PERM_WRITE,
					   segs, 4));
	EXPECT_EQ(0, dma_guest_take(&self->g, LOW));
	EXPECT_EQ(0, dma_guest_take(&self->g, HIGH));
}

TEST_F(dma, segments)
{
	const struct gm_dma *d = self->g.d;
	struct gm_dma_seg segs[8];

	memset(segs, 0xee, sizeof(segs));
	EXPECT_EQ(3, gm_dma_segments(d, gm_gpa(BASE), 2 * SIZE, GM_PERM_RW,
				     segs, 8));
	EXPECT_EQ(host_of(&self->g, LOW, 16), segs[0].address);
	EXPECT_EQ(16, segs[0].len);
	EXPECT_EQ(host_of(&self->g, LOW, 0), segs[1].address);
	EXPECT_EQ(16, segs[1].len);
	/* Really adjacent: merged across regions. */
	EXPECT_EQ(host_of(&self->g, LOW, 32), segs[2].address);
	EXPECT_EQ(32 + SIZE, segs[2].len);
	EXPECT_EQ(UINT64_C(0xeeeeeeeeeeeeeeee), segs[3].address);
	EXPECT_EQ(0, gm_dma_segments(d, gm_gpa(1), 0, GM_PERM_RW, segs, 8));
	EXPECT_EQ(0, gm_dma_segments(d, gm_gpa(1), 0, GM_PERM_RW, NULL, 0));
	EXPECT_EQ(1, gm_dma_segments(d, gm_gpa(TOP_GPA), SIZE, GM_PERM_RW, segs,
				     1));
	EXPECT_EQ(SIZE, segs[0].len);
}

TEST_F(dma, segments_refused)
{
	const struct gm_dma *d = self->g.d;
	struct gm_dma_seg segs[8];
	size_t room;

	memset(segs, 0xee, sizeof(segs));
	for (room = 0; room < 3; room++) {
		EXPECT_FAIL(gm_dma_segments(d, gm_gpa(BASE + 1), 100,
					    GM_PERM_READ, room ? segs : NULL,
					    room),
			    EMSGSIZE, GM_ERR_ARRAY_SMALL, BASE + 1, 100, 3,
			    room);
		EXPECT_EQ(UINT64_C(0xeeeeeeeeeeeeeeee), segs[room].address);
	}
	EXPECT_EQ(3, gm_dma_segments(d, gm_gpa(BASE + 1), 100, GM_PERM_READ,
				     segs, 3));
	/* An error comes before the count. */
	EXPECT_FAIL(gm_dma_segments(d, gm_gpa(BASE), 129, GM_PERM_READ, segs, 1),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + 128, 0, 0, 0);
	EXPECT_FAIL_NAME(gm_dma_segments(d, gm_gpa(ROM_GPA), 65, GM_PERM_READ,
					 segs, 8),
			 ENOENT, GM_ERR_NO_DMA, BARE_GPA, 1, DEVICE);
	EXPECT_FAIL_NAME(gm_dma_segments(d, gm_gpa(ROM_GPA), 1, GM_PERM_WRITE,
					 segs, 8),
			 EACCES, GM_ERR_PERMISSION, ROM_GPA, 1, DEVICE);
	EXPECT_FAIL(gm_dma_segments(d, gm_gpa(TOP_GPA), 65, GM_PERM_READ, segs,
				    8),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, TOP_GPA, 65, 0, 0);
}

static const struct gm_range chain[] = {
	{ 0, 0 }, { BASE + 8, 16 }, { BASE, 0 }, { BASE + 40, 30 },
	{ BASE + 70, 2 }, { TOP_GPA + 60, 4 }, { BASE + 127, 1 }, { 5, 0 },
};

#define CHAIN (sizeof(chain) / sizeof(chain[0]))
#define CHAIN_LEN 53

/* What the device would read. */
static void gather(const struct gm_dma_seg *segs, int n, uint8_t *out,
		   uint64_t *at)
{
	int i;

	for (i = 0; i < n; i++) {
		memcpy(out + *at, (void *)(uintptr_t)segs[i].address,
		       segs[i].len);
		*at += segs[i].len;
	}
}

TEST_F(dma, extracts_the_whole_chain)
{
	struct gm_dma_seg segs[8];
	struct gm_iov_cursor c;
	uint64_t bytes = 0;

	ASSERT_OK(gm_iov_init(&c, chain, CHAIN));
	EXPECT_EQ(5, gm_dma_extract(self->g.d, &c, GM_PERM_READ, UINT64_MAX,
				    segs, 8, &bytes));
	EXPECT_EQ(CHAIN_LEN, bytes);
	EXPECT_EQ(0, gm_iov_left(&c));
	EXPECT_EQ(host_of(&self->g, LOW, 24), segs[0].address);
	EXPECT_EQ(8, segs[0].len);
	EXPECT_EQ(host_of(&self->g, LOW, 0), segs[1].address);
	EXPECT_EQ(8, segs[1].len);
	/* Two ranges, two regions, one segment. */
	EXPECT_EQ(host_of(&self->g, LOW, 40), segs[2].address);
	EXPECT_EQ(32, segs[2].len);
	EXPECT_EQ(host_of(&self->g, TOP, 60), segs[3].address);
	EXPECT_EQ(4, segs[3].len);
	EXPECT_EQ(host_of(&self->g, HIGH, 63), segs[4].address);
	EXPECT_EQ(1, segs[4].len);
	EXPECT_EQ(0, gm_dma_extract(self->g.d, &c, GM_PERM_READ, UINT64_MAX,
				    segs, 8, &bytes));
	EXPECT_EQ(0, bytes);
}

TEST_F(dma, resumes_at_every_position)
{
	uint8_t want[CHAIN_LEN], got[CHAIN_LEN];
	struct gm_dma_seg segs[8];
	struct gm_iov_cursor c;
	struct gm_view v;
	uint64_t max, at, bytes;
	int room, n, i;

	for (i = 0; i < SIZE; i++) {
		self->g.r[LOW]->ext.host[i] = (uint8_t)i;
		self->g.r[HIGH]->ext.host[i] = (uint8_t)(i + 100);
	}
	gm_view_init(&v, self->g.m);
	gm_iov_init(&c, chain, CHAIN);
	ASSERT_OK(gm_iov_read(&v, &c, want, CHAIN_LEN));
	/* The guest sees bytes in another order than the device does. */
	for (i = 0; i < CHAIN_LEN; i++) {
		uint64_t a, gpa = i < 8 ? BASE + 8 + i : i < 16 ?
				  BASE + 8 + i : i < 46 ? BASE + 40 + i - 16 : 0;

		if (!gpa)
			continue;
		ASSERT_OK(gm_dma_address(self->g.d, gm_gpa(gpa), 1,
					 GM_PERM_READ, &a));
		want[i] = *(uint8_t *)(uintptr_t)a;
	}
	for (max = 1; max <= CHAIN_LEN; max++) {
		for (room = 1; room <= 6; room++) {
			gm_iov_init(&c, chain, CHAIN);
			memset(got, 0, sizeof(got));
			at = 0;
			while ((n = gm_dma_extract(self->g.d, &c, GM_PERM_RW,
						   max, segs, room, &bytes)) >
			       0) {
				uint64_t before = at;

				gather(segs, n, got, &at);
				ASSERT_EQ(bytes, at - before);
				ASSERT_LE(bytes, max);
				ASSERT_LE(n, room);
				ASSERT_TRUE(bytes == max || n == room ||
					    at == CHAIN_LEN);
				ASSERT_EQ(CHAIN_LEN - at, gm_iov_left(&c));
			}
			EXPECT_EQ(0, n);
			EXPECT_EQ(CHAIN_LEN, at);
			EXPECT_EQ(0, memcmp(want, got, CHAIN_LEN));
		}
	}
}

/* A full array's last segment still grows, over the border of ranges too. */
TEST_F(dma, the_last_segment_grows_where_the_array_is_full)
{
	static const struct gm_range list[] = {
		{ BASE + 48, 4 }, { BASE + 52, 20 }, { BASE + 72, 8 },
		{ BASE + 200, 1 },
	};
	struct gm_dma_seg seg;
	struct gm_iov_cursor c;
	uint64_t bytes;

	gm_iov_init(&c, list, 4);
	EXPECT_EQ(1, gm_dma_extract(self->g.d, &c, GM_PERM_WRITE, UINT64_MAX,
				    &seg, 1, &bytes));
	/* The hole behind is an error of the next call, not of this one. */
	EXPECT_EQ(32, bytes);
	EXPECT_EQ(host_of(&self->g, LOW, 48), seg.address);
	EXPECT_EQ(32, seg.len);
	EXPECT_EQ(1, gm_iov_left(&c));
	EXPECT_FAIL(gm_dma_extract(self->g.d, &c, GM_PERM_WRITE, UINT64_MAX,
				   &seg, 1, &bytes),
		    EFAULT, GM_ERR_GUEST_ADDR, BASE + 200, 0, 0, 0);
	EXPECT_EQ(1, gm_iov_left(&c));
}

TEST_F(dma, extract_marks_exactly_what_it_gave)
{
	struct gm_dma_seg segs[8];
	struct gm_iov_cursor c;
	uint64_t n, bytes;

	for (n = 0; n <= CHAIN_LEN + 3; n++) {
		gm_iov_init(&c, chain, CHAIN);
		EXPECT_LE(0, gm_dma_extract(self->g.d, &c, GM_PERM_READ, n, segs,
					    8, &bytes));
		EXPECT_EQ(0, dma_guest_take(&self->g, LOW));
		gm_iov_init(&c, chain, CHAIN);
		EXPECT_LE(0, gm_dma_extract(self->g.d, &c, GM_PERM_WRITE, n,
					    segs, 8, &bytes));
		EXPECT_EQ(n < CHAIN_LEN ? n : CHAIN_LEN, bytes);
		EXPECT_EQ((n > 0 ? 0x02 : 0) | (n > 8 ? 0x04 : 0) |
			  (n > 16 ? 0x20 : 0) | (n > 24 ? 0x40 : 0) |
			  (n > 32 ? 0x80 : 0), dma_guest_take(&self->g, LOW));
		EXPECT_EQ((n > 40 ? 1 : 0) | (n > 52 ? 0x80 : 0),
			  dma_guest_take(&self->g, HIGH));
		EXPECT_EQ(n > 48 ? 0x80 : 0, dma_guest_take(&self->g, TOP));
	}
	/* Room for one: the rest is not given and not marked. */
	gm_iov_init(&c, chain, CHAIN);
	EXPECT_EQ(1, gm_dma_extract(self->g.d, &c, GM_PERM_WRITE, UINT64_MAX,
				    segs, 1, &bytes));
	EXPECT_EQ(8, bytes);
	EXPECT_EQ(0x02, dma_guest_take(&self->g, LOW));
}

/* Refused: nothing moved, @bytes untouched, nothing marked. */
#define EXPECT_REFUSED(perm, code, kind, addr_, ...) do { \
	const struct gm_range list_[] = { __VA_ARGS__ }; \
	struct gm_iov_cursor c_, before_; \
	struct gm_dma_seg segs_[8]; \
	uint64_t bytes_ = 77; \
	gm_iov_init(&c_, list_, sizeof(list_) / sizeof(list_[0])); \
	before_ = c_; \
	EXPECT_FAIL_KIND(gm_dma_extract(self->g.d, &c_, perm, UINT64_MAX, \
					segs_, 8, &bytes_), code, kind); \
	EXPECT_EQ((uint64_t)(addr_), gm_error_last()->addr); \
	EXPECT_EQ(77, bytes_); \
	EXPECT_EQ(0, memcmp(&c_, &before_, sizeof(c_))); \
	EXPECT_EQ(0, dma_guest_take(&self->g, LOW)); \
} while (0)

TEST_F(dma, extract_refused)
{
	EXPECT_REFUSED(GM_PERM_WRITE, EFAULT, GM_ERR_GUEST_ADDR, BASE + 128,
		       { BASE, 8 }, { BASE + 100, 29 });
	EXPECT_REFUSED(GM_PERM_WRITE, ENOENT, GM_ERR_NO_DMA, BARE_GPA + 8,
		       { BASE, 8 }, { BARE_GPA + 8, 1 });
	EXPECT_REFUSED(GM_PERM_WRITE, EACCES, GM_ERR_PERMISSION, ROM_GPA,
		       { BASE, 8 }, { ROM_GPA, 8 });
	/* Never on to address 0. */
	EXPECT_REFUSED(GM_PERM_WRITE, EOVERFLOW, GM_ERR_GUEST_OVERFLOW,
		       TOP_GPA + 60, { BASE, 8 }, { TOP_GPA + 60, 8 });
}

TEST_F(dma, extract_no_room)
{
	struct gm_iov_cursor c;
	struct gm_dma_seg seg;
	uint64_t bytes = 77;

	gm_iov_init(&c, chain, CHAIN);
	EXPECT_FAIL_KIND(gm_dma_extract(self->g.d, &c, GM_PERM_READ, 8, &seg, 0,
					&bytes), EINVAL, GM_ERR_SIZE);
	EXPECT_FAIL_KIND(gm_dma_extract(self->g.d, &c, GM_PERM_READ, 8, &seg,
					-1, &bytes), EINVAL, GM_ERR_SIZE);
	EXPECT_EQ(77, bytes);
	EXPECT_EQ(CHAIN_LEN, gm_iov_left(&c));
	EXPECT_EQ(0, gm_dma_extract(self->g.d, &c, GM_PERM_READ, 0, &seg, 1,
				    &bytes));
	EXPECT_EQ(0, bytes);
}

/* A range that wraps, skipped to where it has: an error, not address 0. */
TEST_F(dma, range_that_wraps_is_refused_however_it_is_cut)
{
	static const struct gm_range wraps = { UINT64_MAX - 3, 8 };
	struct gm_iov_cursor c;
	struct gm_dma_seg segs[4];
	uint64_t bytes, cut;

	for (cut = 4; cut < 8; cut++) {
		gm_iov_init(&c, &wraps, 1);
		ASSERT_EQ(0, gm_iov_skip(&c, cut));
		bytes = 77;
		EXPECT_FAIL_KIND(gm_dma_extract(self->g.d, &c, GM_PERM_READ, 1,
						segs, 4, &bytes),
				 EOVERFLOW, GM_ERR_GUEST_OVERFLOW);
		EXPECT_EQ(77, bytes);
	}
	/* Where the array is full before it does, the next call says so. */
	gm_iov_init(&c, &wraps, 1);
	EXPECT_EQ(1, gm_dma_extract(self->g.d, &c, GM_PERM_READ, 8, segs, 1,
				    &bytes));
	EXPECT_EQ(4, bytes);
	EXPECT_EQ(-EOVERFLOW, gm_dma_extract(self->g.d, &c, GM_PERM_READ, 8,
					     segs, 1, &bytes));
}

/* Strict seccomp leaves read, write, exit, and death for anything else. */
static int look_up_without_system_calls(struct dma_guest *g)
{
	struct gm_dma_seg segs[8];
	struct gm_iov_cursor c;
	uint64_t a, bytes;
	int bad = 0;

	if (gm_iov_init(&c, chain, CHAIN) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 2;
	bad |= gm_dma_address(g->d, gm_gpa(BASE), 16, GM_PERM_RW, &a);
	bad |= gm_dma_address(g->d, gm_gpa(BASE), 17, GM_PERM_RW, &a) !=
	       -EMSGSIZE;
	bad |= gm_dma_segments(g->d, gm_gpa(BASE), 128, GM_PERM_WRITE, segs,
			       8) != 3;
	bad |= gm_dma_extract(g->d, &c, GM_PERM_WRITE, UINT64_MAX, segs, 8,
			      &bytes) != 5;
	bad |= gm_dma_sync(g->d, gm_gpa(BASE), 128, GM_DMA_FOR_CPU);
	return bad ? 1 : 0;
}

TEST_F(dma, no_system_call)
{
	int status;
	pid_t pid;

	if (RUNNING_ON_VALGRIND)
		SKIP(return, "valgrind makes system calls of its own");
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		syscall(SYS_exit, look_up_without_system_calls(&self->g));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
