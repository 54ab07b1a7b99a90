/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: linux */
/*
 * test_virtio_blk.c - requests of the disk of a sample, with a backend that takes little
 * at a time, has no room, fails in the midst, or is slow when the driver resets.
 */
#include "../../ulib/samples/virtio/reason.c"
#include "../../ulib/samples/virtio/status.c"
#include "../../ulib/samples/virtio/inflight.c"
#include "../../ulib/samples/virtio/virtqueue.c"
#include "../../ulib/samples/zero-copy-vmm/blk.c"
#include "../../ulib/samples/zero-copy-vmm/blk_run.c"
#include <guestmem.h>
#include "kselftest_harness.h"
#include "expect.h"

#define RAM (UINT64_C(1) << 20)
#define NUM 16
#define PIECE 4096
#define SECTORS 1024
#define HELD 32
#define NONE 0xff	/* no status yet */

/* Where it is in guest memory. */
#define DESC 0x1000u
#define AVAIL 0x2000u
#define USED 0x3000u
#define HEADER(i) (0x4000u + 16 * (i))
#define STATUS(i) (0x5000u + (i))
#define DATA 0x10000u

/* A backend that keeps what it is given until it is told how that ends. */
struct slow {
	struct backend base;
	struct backend_io *held[HELD];
	unsigned int count;
	unsigned int room;
	unsigned int submitted;
	struct backend_io *done;
};

static int slow_submit(struct backend *b, struct backend_io *io)
{
	struct slow *s = (struct slow *)b;

	if (s->count == s->room)
		return -EBUSY;
	s->held[s->count++] = io;
	s->submitted++;
	return 0;
}

static struct backend_io *slow_reap(struct backend *b)
{
	struct slow *s = (struct slow *)b;
	struct backend_io *io = s->done;

	if (io)
		s->done = io->next;
	return io;
}

static const struct backend_ops slow_ops = { .submit = slow_submit, .reap = slow_reap };

/* The oldest one ends. */
static void slow_end(struct slow *s, int result)
{
	struct backend_io *io = s->held[0];

	memmove(s->held, s->held + 1, --s->count * sizeof(io));
	io->result = result;
	io->next = s->done;
	s->done = io;
}

FIXTURE(blk) {
	struct gm_region *ram;
	struct gm_map *map;
	struct slow slow;
	struct blk blk;
	uint8_t *host;
	uint16_t avail;
};

static const struct virtq_addr queue_addr = { DESC, AVAIL, USED };

#define FEATURES (UINT64_C(1) << VIRTIO_BLK_F_FLUSH)

FIXTURE_SETUP(blk)
{
	const struct gm_mmap_opts opts = {
		.sz = sizeof(opts), .flags = GM_MMAP_DIRTY, .dirty_page_size = 4096,
	};
	void *host;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), RAM, &opts, &self->ram));
	ASSERT_OK(gm_map_new(&self->ram, 1, &self->map));
	ASSERT_OK(gm_region_host(self->ram, gm_roff(0), &host));
	self->host = host;
	self->slow.base.ops = &slow_ops;
	self->slow.base.sectors = SECTORS;
	self->slow.base.block_size = SECTOR_SIZE;
	self->slow.base.max_bytes = PIECE;
	self->slow.room = HELD;
	ASSERT_EQ(0, blk_init(&self->blk, &self->slow.base, self->map));
	ASSERT_EQ(0, blk_set_queue(&self->blk, NUM, &queue_addr, FEATURES));
	self->blk.live = true;
}

FIXTURE_TEARDOWN(blk)
{
	blk_exit(&self->blk);
	gm_map_put(self->map);
	gm_region_put(self->ram);
}

static void put_desc(FIXTURE_DATA(blk) *t, unsigned int i, uint64_t addr, uint32_t len,
		     uint16_t flags)
{
	const struct desc d = {
		gm_cpu_to_le64(addr), gm_cpu_to_le32(len), gm_cpu_to_le16(flags),
		gm_cpu_to_le16((uint16_t)(i + 1)),
	};

	memcpy(t->host + DESC + i * sizeof(d), &d, sizeof(d));
}

/* Offer a request in four descriptors from @head on; its data is in two of them. */
static void offer(FIXTURE_DATA(blk) *t, unsigned int head, uint32_t type, uint64_t sector,
		  const struct gm_range data[2])
{
	const struct header h = {
		.type = gm_cpu_to_le32(type), .sector = gm_cpu_to_le64(sector),
	};
	uint16_t flags = VRING_DESC_F_NEXT | (type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0);
	gm_le16_t entry = gm_cpu_to_le16((uint16_t)head), idx;
	unsigned int i;

	memcpy(t->host + HEADER(head), &h, sizeof(h));
	t->host[STATUS(head)] = NONE;
	put_desc(t, head, HEADER(head), sizeof(h), VRING_DESC_F_NEXT);
	for (i = 0; i < 2; i++)
		put_desc(t, head + 1 + i, gm_gpa_raw(data[i].gpa), (uint32_t)data[i].len, flags);
	put_desc(t, head + 3, STATUS(head), 1, VRING_DESC_F_WRITE);
	memcpy(t->host + AVAIL + RING_ENTRIES + t->avail % NUM * 2, &entry, sizeof(entry));
	idx = gm_cpu_to_le16(++t->avail);
	memcpy(t->host + AVAIL + RING_IDX, &idx, sizeof(idx));
}

static unsigned int used_count(const FIXTURE_DATA(blk) *t)
{
	gm_le16_t idx;

	memcpy(&idx, t->host + USED + RING_IDX, sizeof(idx));
	return gm_le16_to_cpu(idx);
}

static uint32_t used_len(const FIXTURE_DATA(blk) *t, unsigned int n)
{
	struct used_elem e;

	memcpy(&e, t->host + USED + RING_ENTRIES + n % NUM * sizeof(e), sizeof(e));
	return gm_le32_to_cpu(e.len);
}

/* Two ranges whose border is in the midst of the second piece. */
static const struct gm_range two[2] = { { DATA, 6000 }, { DATA + 0x8000, 6288 } };

/* Is the piece from byte @off of @two on? */
static bool is_piece(const struct backend_io *io, uint64_t off)
{
	struct gm_iov_cursor c = io->data;
	uint64_t n;

	if (gm_iov_left(&c) != PIECE)
		return false;
	for (n = 0; n < PIECE; n++, off++) {
		uint64_t want = off < 6000 ? DATA + off : DATA + 0x8000 + off - 6000;
		struct gm_range r;

		/* It passes over ranges that are empty. */
		while (c.ranges[c.index].len == c.off) {
			c.index++;
			c.off = 0;
		}
		r = c.ranges[c.index];
		if (gm_gpa_raw(r.gpa) + c.off != want)
			return false;
		c.off++;
	}
	return true;
}

TEST_F(blk, in_pieces)
{
	for (unsigned int type = VIRTIO_BLK_T_IN; type <= VIRTIO_BLK_T_OUT; type++) {
		offer(self, 0, type, 7, two);
		for (uint64_t i = 0; i < 3; i++) {
			EXPECT_EQ(0, blk_run(&self->blk));
			ASSERT_EQ(1, self->slow.count);
			EXPECT_EQ(7 + i * 8, self->slow.held[0]->sector);
			EXPECT_TRUE(is_piece(self->slow.held[0], i * PIECE));
			EXPECT_EQ(NONE, self->host[STATUS(0)]);
			EXPECT_EQ(type, used_count(self));
			slow_end(&self->slow, 0);
		}
		EXPECT_EQ(1, blk_run(&self->blk));
		EXPECT_EQ(VIRTIO_BLK_S_OK, self->host[STATUS(0)]);
		EXPECT_EQ(type + 1, used_count(self));
		EXPECT_EQ(type == VIRTIO_BLK_T_IN ? 3 * PIECE + 1 : 1, used_len(self, type));
		EXPECT_EQ(0, self->blk.in_flight);
	}
	EXPECT_EQ(6, self->slow.submitted);
	EXPECT_EQ(0, self->blk.errors);
}

/* Nothing more of a request is sent when a piece of it has failed. */
TEST_F(blk, a_piece_fails)
{
	for (unsigned int good = 0; good < 3; good++) {
		unsigned int before = self->slow.submitted;

		offer(self, 0, VIRTIO_BLK_T_IN, 0, two);
		for (unsigned int i = 0; i <= good; i++) {
			EXPECT_EQ(0, blk_run(&self->blk));
			ASSERT_EQ(1, self->slow.count);
			slow_end(&self->slow, i == good ? -EIO : 0);
		}
		EXPECT_EQ(1, blk_run(&self->blk));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, self->host[STATUS(0)]);
		EXPECT_EQ(good + 1, used_count(self));
		EXPECT_EQ(good + 1, self->slow.submitted - before);
		EXPECT_EQ(0, self->blk.in_flight);
	}
	EXPECT_EQ(3, self->blk.errors);
}

/* A range that goes past 2^64 behind its first piece: no piece begins at address 0. */
TEST_F(blk, a_piece_wraps)
{
	const struct gm_range bad[2] = {
		{ UINT64_MAX - PIECE / 2, 2 * PIECE }, { DATA, PIECE },
	};

	offer(self, 0, VIRTIO_BLK_T_IN, 0, bad);
	EXPECT_EQ(0, blk_run(&self->blk));
	ASSERT_EQ(1, self->slow.count);
	EXPECT_NE(0, gm_view_check_range(self->slow.held[0]->view,
					 self->slow.held[0]->data.ranges[0].gpa,
					 self->slow.held[0]->data.ranges[0].len,
					 GM_PERM_WRITE));
	slow_end(&self->slow, -EFAULT);
	EXPECT_EQ(1, blk_run(&self->blk));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, self->host[STATUS(0)]);
	EXPECT_EQ(1, self->slow.submitted);
}

/* A backend without room gets them later, each once, and in order. */
TEST_F(blk, no_room)
{
	static const struct gm_range small[2] = { { DATA, 512 }, { DATA + 512, 512 } };
	unsigned int i;

	for (self->slow.room = 0; self->slow.room < 3; self->slow.room++) {
		unsigned int before = self->slow.submitted, used = used_count(self);

		for (i = 0; i < 4; i++)
			offer(self, i * 4, VIRTIO_BLK_T_OUT, i, small);
		EXPECT_EQ(0, blk_run(&self->blk));
		EXPECT_EQ(4, self->blk.in_flight);
		EXPECT_EQ(self->slow.room, self->slow.count);
		if (!self->slow.room) {
			/* Nothing comes of it: the driver gives up. */
			blk_cancel(&self->blk);
			EXPECT_EQ(0, self->blk.in_flight);
			blk_unset_queue(&self->blk);
			memset(self->host + AVAIL, 0, VIRTQ_AVAIL_SIZE(NUM));
			self->avail = 0;
			ASSERT_EQ(0, blk_set_queue(&self->blk, NUM, &queue_addr, FEATURES));
			self->blk.live = true;
			continue;
		}
		for (i = 0; i < 4; i++) {
			ASSERT_LT(0, self->slow.count);
			EXPECT_EQ(i, self->slow.held[0]->sector);
			slow_end(&self->slow, 0);
			EXPECT_LE(0, blk_run(&self->blk));
			EXPECT_EQ(VIRTIO_BLK_S_OK, self->host[STATUS(i * 4)]);
		}
		EXPECT_EQ(used + 4, used_count(self));
		EXPECT_EQ(4, self->slow.submitted - before);
		EXPECT_EQ(0, self->blk.in_flight);
	}
}

/*
 * The driver resets with one request at its first piece, one at the backend, one that
 * waits. They end, and nothing is told of them: neither a status, nor a used entry, nor
 * the next piece.
 */
TEST_F(blk, reset_in_flight)
{
	unsigned int i;

	self->slow.room = 2;
	for (i = 0; i < 3; i++)
		offer(self, i * 4, VIRTIO_BLK_T_IN, i, two);
	EXPECT_EQ(0, blk_run(&self->blk));
	EXPECT_EQ(3, self->blk.in_flight);
	blk_cancel(&self->blk);
	/* The one that waits is nobody's; two are the backend's. */
	EXPECT_EQ(2, self->blk.in_flight);
	slow_end(&self->slow, 0);
	EXPECT_EQ(0, blk_run(&self->blk));
	EXPECT_EQ(1, self->blk.in_flight);
	slow_end(&self->slow, -EIO);
	EXPECT_EQ(0, blk_run(&self->blk));
	EXPECT_EQ(0, self->blk.in_flight);
	EXPECT_EQ(2, self->slow.submitted);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(NONE, self->host[STATUS(i * 4)]);
	EXPECT_EQ(0, used_count(self));
	/* All are free again. */
	blk_unset_queue(&self->blk);
	memset(self->host + AVAIL, 0, VIRTQ_AVAIL_SIZE(NUM));
	self->avail = 0;
	ASSERT_EQ(0, blk_set_queue(&self->blk, NUM, &queue_addr, FEATURES));
	self->blk.live = true;
	offer(self, 0, VIRTIO_BLK_T_IN, 0, two);
	EXPECT_EQ(0, blk_run(&self->blk));
	EXPECT_EQ(1, self->slow.count);
}

/* Blocks are larger than sectors: what is no whole ones is not begun, nor a part of it. */
TEST_F(blk, part_of_a_block)
{
	static const struct {
		uint64_t sector;
		uint64_t len;
		bool good;
	} cases[] = {
		{ 0, 512, false }, { 1, PIECE, false }, { 7, PIECE, false },
		{ 0, PIECE + 512, false }, { 0, 2 * PIECE - 512, false }, { 8, PIECE, true },
	};
	unsigned int i, used = 0;

	self->slow.base.block_size = 4096;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned int type = VIRTIO_BLK_T_IN; type <= VIRTIO_BLK_T_OUT; type++) {
			const struct gm_range data[2] = {
				{ DATA, 256 }, { DATA + 256, cases[i].len - 256 },
			};

			offer(self, 0, type, cases[i].sector, data);
			EXPECT_EQ(!cases[i].good, blk_run(&self->blk));
			ASSERT_EQ(cases[i].good, self->slow.count);
			if (cases[i].good) {
				slow_end(&self->slow, 0);
				EXPECT_EQ(1, blk_run(&self->blk));
			}
			EXPECT_EQ(cases[i].good ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR,
				  self->host[STATUS(0)]);
			EXPECT_EQ(++used, used_count(self));
		}
	}
}

/* Exactly these pages are marked, of all that there are, as bits from 0 on. */
static bool dirty_is(const FIXTURE_DATA(blk) *t, uint64_t pages)
{
	struct gm_bitmap *bm = gm_region_bitmap(t->ram);
	uint64_t page, marked = 0;

	for (page = 0; page < RAM / 4096; page++)
		if (gm_bitmap_test(bm, page * 4096))
			marked |= page < 64 ? UINT64_C(1) << page : UINT64_MAX;
	gm_bitmap_reset(bm);
	return marked == pages;
}

#define PAGE_OF(gpa) (UINT64_C(1) << (gpa) / 4096)

/*
 * A log that is taken while the backend has a request finds the pages again when it is
 * done, and before the driver is told: of a read those of the piece that has come, be it
 * well or not; of a write none. The queue itself is marked when it is written.
 */
TEST_F(blk, dirty_when_done)
{
	const uint64_t answer = PAGE_OF(USED) | PAGE_OF(STATUS(0));
	const uint64_t pieces[] = {
		PAGE_OF(DATA), PAGE_OF(DATA + 0x1000) | PAGE_OF(DATA + 0x8000),
		PAGE_OF(DATA + 0x8000) | PAGE_OF(DATA + 0x9000),
	};

	for (unsigned int type = VIRTIO_BLK_T_IN; type <= VIRTIO_BLK_T_OUT; type++) {
		const uint64_t data = type == VIRTIO_BLK_T_IN ? UINT64_MAX : 0;

		offer(self, 0, type, 0, two);
		EXPECT_EQ(0, blk_run(&self->blk));
		for (unsigned int i = 0; i < 3; i++) {
			gm_bitmap_reset(gm_region_bitmap(self->ram));
			ASSERT_EQ(1, self->slow.count);
			slow_end(&self->slow, 0);
			EXPECT_EQ(i == 2, blk_run(&self->blk));
			EXPECT_TRUE(dirty_is(self, (pieces[i] & data) | (i == 2 ? answer : 0)));
		}
	}
	/* One that fails, and one whose driver has given up. */
	for (int given_up = 0; given_up < 2; given_up++) {
		offer(self, 0, VIRTIO_BLK_T_IN, 0, two);
		EXPECT_EQ(0, blk_run(&self->blk));
		if (given_up)
			blk_cancel(&self->blk);
		gm_bitmap_reset(gm_region_bitmap(self->ram));
		slow_end(&self->slow, -EIO);
		EXPECT_EQ(!given_up, blk_run(&self->blk));
		EXPECT_TRUE(dirty_is(self, pieces[0] | (given_up ? 0 : answer)));
	}
}

/* A driver that does not know how to flush is told of a write when it is on the medium. */
TEST_F(blk, write_through)
{
	blk_unset_queue(&self->blk);
	ASSERT_EQ(0, blk_set_queue(&self->blk, NUM, &queue_addr, 0));
	self->blk.live = true;
	self->slow.base.max_bytes = UINT64_MAX;
	for (int flush = 0; flush >= -EIO; flush -= EIO) {
		offer(self, 0, VIRTIO_BLK_T_OUT, 0, two);
		EXPECT_EQ(0, blk_run(&self->blk));
		ASSERT_EQ(1, self->slow.count);
		EXPECT_EQ(BACKEND_WRITE, self->slow.held[0]->op);
		slow_end(&self->slow, 0);
		EXPECT_EQ(0, blk_run(&self->blk));
		ASSERT_EQ(1, self->slow.count);
		EXPECT_EQ(BACKEND_FLUSH, self->slow.held[0]->op);
		EXPECT_EQ(NONE, self->host[STATUS(0)]);
		slow_end(&self->slow, flush);
		EXPECT_EQ(1, blk_run(&self->blk));
		EXPECT_EQ(flush ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK, self->host[STATUS(0)]);
	}
}

TEST_HARNESS_MAIN
