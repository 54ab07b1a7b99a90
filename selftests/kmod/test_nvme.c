/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=nvme boot=nvme-noiommu lib */
/*
 * test_nvme.c - a guest's disk on a real NVMe controller, by DMA into the guest's memory
 * and by copies: data of all sizes, however it lies, is what it was.
 */
#define _GNU_SOURCE
#include <poll.h>
#include "kselftest_harness.h"
#include "nvme_guest.h"

TEST_F(nvme, one_block)
{
	struct guest *g = &self->g;
	const struct gm_range from = { gm_gpa(0x10000), 512 }, to = { gm_gpa(0x20000), 512 };

	EXPECT_EQ(512, g->b->block_size);
	EXPECT_EQ(64 * MIB / 512, g->b->sectors);
	ASSERT_EQ(0, guest_fill(g, &from, 1, 1));
	ASSERT_EQ(0, guest_io(g, BACKEND_WRITE, 7, &from, 1));
	ASSERT_EQ(0, guest_io(g, BACKEND_READ, 7, &to, 1));
	EXPECT_EQ(0, guest_find(g, &to, 1, 1));
	EXPECT_EQ(2, g->b->stats.requests);
	EXPECT_EQ(1024, g->b->stats.bytes);
	EXPECT_EQ(variant->bounce ? 1024 : 0, g->b->stats.copied);
}

TEST_F(nvme, flush)
{
	struct guest *g = &self->g;

	EXPECT_EQ(0, guest_io(g, BACKEND_FLUSH, 0, NULL, 0));
	EXPECT_EQ(0, guest_io_range(g, BACKEND_READ, 0, 0, 512));
	EXPECT_EQ(0, guest_io(g, BACKEND_FLUSH, 0, NULL, 0));
	EXPECT_EQ(3, g->b->stats.requests);
	EXPECT_EQ(512, g->b->stats.bytes);
}

static const uint32_t sizes[] = {
	512, 1024, 1536, 4096, 4608, 8192, 12800, 65536,
	131584, 512 << 10, (512 << 10) + 512, 1 << 20,
};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* One piece of guest memory, of all sizes, from anywhere. */
TEST_F(nvme, sizes)
{
	static const uint32_t offsets[] = { 0, 512, 4, 2044, 4092, 1, 2, 4095 };
	struct guest *g = &self->g;
	uint64_t copied = 0, bytes = 0;

	for (size_t s = 0; s < SIZES; s++) {
		for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++) {
			uint32_t seed = (uint32_t)(s * 8 + o), len = sizes[s];
			struct gm_range from = { gm_gpa(HIGH_BASE + offsets[o]), len };
			struct gm_range to = { gm_gpa(MIB + offsets[7 - o]), len };

			if (len > 65536 && (o == 1 || o > 5))
				continue;
			ASSERT_EQ(0, guest_fill(g, &from, 1, seed));
			ASSERT_EQ(0, guest_io(g, BACKEND_WRITE, s * 3, &from, 1));
			ASSERT_EQ(0, guest_io(g, BACKEND_READ, s * 3, &to, 1));
			ASSERT_EQ(0, guest_find(g, &to, 1, seed))
				TH_LOG("%u bytes at %u", len, offsets[o]);
			bytes += 2 * len;
			/* No PRP starts at what is no multiple of 4. */
			copied += variant->bounce || offsets[o] % 4 ? len : 0;
			copied += variant->bounce || offsets[7 - o] % 4 ? len : 0;
			EXPECT_EQ(copied, g->b->stats.copied);
		}
	}
	EXPECT_EQ(bytes, g->b->stats.bytes);
	EXPECT_EQ(0, g->d->nvme.guard.refused);
}

/* As large as a request may be: a list of PRPs of more than a page, and not aligned. */
TEST_F(nvme, largest)
{
	struct guest *g = &self->g;

	for (uint32_t off = 0; off < 1024; off += 512) {
		struct gm_range from = { gm_gpa(HIGH_BASE + off), g->b->max_bytes };
		struct gm_range to = { gm_gpa(HIGH_BASE + 8 * MIB), g->b->max_bytes };

		ASSERT_EQ(0, guest_fill(g, &from, 1, 9 + off));
		ASSERT_EQ(0, guest_io(g, BACKEND_WRITE, 1, &from, 1));
		ASSERT_EQ(0, guest_io(g, BACKEND_READ, 1, &to, 1));
		EXPECT_EQ(0, guest_find(g, &to, 1, 9 + off));
	}
	EXPECT_EQ(-EINVAL, guest_io_range(g, BACKEND_READ, 0, HIGH_BASE, g->b->max_bytes + 512));
	EXPECT_EQ(variant->bounce ? g->b->stats.bytes : 0, g->b->stats.copied);
}

/* What is written by DMA is read by copies, and the other way round. */
TEST_F(nvme, other_way)
{
	struct guest *g = &self->g;

	for (uint32_t i = 0; i < 24; i++) {
		struct gm_range r = { gm_gpa(4096 + i * 65536 + i * 36), sizes[i % 8] };

		ASSERT_EQ(0, guest_fill(g, &r, 1, i));
		ASSERT_EQ(0, guest_io(g, BACKEND_WRITE, i * 1024, &r, 1));
	}
	ASSERT_OK(guest_disk(g, variant->bounce ^ BACKEND_NVME_BOUNCE));
	for (uint32_t i = 0; i < 24; i++) {
		struct gm_range r = { gm_gpa(HIGH_BASE + i * 65540), sizes[i % 8] };

		ASSERT_EQ(0, guest_io(g, BACKEND_READ, i * 1024, &r, 1));
		ASSERT_EQ(0, guest_find(g, &r, 1, i));
	}
}

/* Asleep until the controller interrupts: none is lost, be they one by one or many. */
TEST_F(nvme, interrupts)
{
	struct guest *g = &self->g;
	struct backend_io io[32], *done;
	struct pollfd p = { .events = POLLIN };
	struct gm_range r[32];
	int asleep = 0;

	ASSERT_OK(guest_disk(g, variant->bounce | BACKEND_NVME_INTERRUPT));
	p.fd = g->b->ops->poll_fd(g->b);
	ASSERT_LE(0, p.fd);
	for (int round = 0; round < 64; round++) {
		int n = round % 2 ? 1 : 32, left = n;

		for (int i = 0; i < n; i++) {
			r[i] = (struct gm_range){ gm_gpa(4096 + i * 8192), 4096 };
			ASSERT_OK(io_init(g, &io[i], BACKEND_READ, i * 8, &r[i], 1));
			ASSERT_EQ(0, g->b->ops->submit(g->b, &io[i]));
		}
		while (left) {
			done = g->b->ops->reap(g->b);
			if (done) {
				EXPECT_EQ(0, done->result);
				left--;
				continue;
			}
			ASSERT_EQ(1, poll(&p, 1, IO_SECONDS * 1000));
			asleep++;
		}
	}
	/* How often is a matter of who is faster. */
	EXPECT_LT(0, asleep);
}

/* Memory of the next region begins where the first one ends: at a page. */
TEST_F(nvme, across_regions)
{
	struct guest *g = &self->g;
	struct gm_range r = { gm_gpa(LOW_SIZE - 65536 - 512), 131072 };

	for (uint32_t i = 0; i < 3; i++) {
		ASSERT_EQ(0, guest_fill(g, &r, 1, i));
		ASSERT_EQ(0, guest_io(g, BACKEND_WRITE, 99, &r, 1));
		ASSERT_EQ(0, guest_fill(g, &r, 1, 77));
		ASSERT_EQ(0, guest_io(g, BACKEND_READ, 99, &r, 1));
		EXPECT_EQ(0, guest_find(g, &r, 1, i));
		r.gpa = gm_gpa(gm_gpa_raw(r.gpa) + 12);
	}
	EXPECT_EQ(variant->bounce ? g->b->stats.bytes : 0, g->b->stats.copied);
}

/* Ranges whose lengths are anything, but for the sum; each with a gap after it. */
static size_t scatter(struct gm_range *ranges, uint64_t base, uint32_t *seed, int kind)
{
	size_t n = 2 + rand_r(seed) % (RANGES_MAX - 2);
	uint64_t at = base, sum = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t len = 1 + rand_r(seed) % (kind == 0 ? 40 : 3000);

		if (kind == 2)
			len = (1 + rand_r(seed) % 6) * 512;
		if (kind == 3)
			len = 4096 * (1 + rand_r(seed) % 3);
		if (i == n - 1)
			len = 512 + (512 - (sum + 512) % 512) % 512;
		ranges[i] = (struct gm_range) { gm_gpa(at), len };
		sum += len;
		at += len + (kind < 2 ? rand_r(seed) % 9 : 0);
		if (kind == 3)
			at += 4096;
	}
	return n;
}

/* Can no command express this block? By the rules, and not as the driver goes about it. */
static bool block_is_hard(const struct gm_range *ranges, size_t n, uint64_t off)
{
	uint64_t done = 0, last = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t start = gm_gpa_raw(ranges[i].gpa);

		for (uint64_t j = 0; j < ranges[i].len; j++, done++) {
			if (done < off || done >= off + 512)
				continue;
			if (done == off ? (start + j) % 4 : start + j != last + 1 &&
			    ((start + j) % 4096 || (last + 1) % 4096))
				return true;
			last = start + j;
		}
	}
	return false;
}

TEST_F(nvme, scattered)
{
	struct gm_range from[RANGES_MAX], to[RANGES_MAX];
	struct guest *g = &self->g;
	uint32_t seed = 4711;

	for (uint32_t i = 0; i < 48; i++) {
		size_t n = scatter(from, HIGH_BASE + rand_r(&seed) % 5000, &seed, i % 4);
		uint64_t len = 0, before = g->b->stats.copied, hard = 0;
		struct gm_range one = { gm_gpa(0x3000), 0 };

		for (size_t r = 0; r < n; r++)
			len += from[r].len;
		for (uint64_t off = 0; off < len; off += 512)
			hard += variant->bounce || block_is_hard(from, n, off) ? 512 : 0;
		one.len = len;
		memcpy(to, from, sizeof(to));
		for (size_t r = 0; r < n; r++)
			to[r].gpa = gm_gpa(gm_gpa_raw(to[r].gpa) - HIGH_BASE + MIB);
		ASSERT_EQ(0, guest_fill(g, from, n, i));
		ASSERT_EQ(0, guest_io(g, BACKEND_WRITE, 5000, from, n));
		EXPECT_EQ(hard, g->b->stats.copied - before);
		ASSERT_EQ(0, guest_io(g, BACKEND_READ, 5000, to, n));
		ASSERT_EQ(0, guest_find(g, to, n, i));
		EXPECT_EQ(2 * hard, g->b->stats.copied - before);
		ASSERT_EQ(0, guest_io(g, BACKEND_READ, 5000, &one, 1));
		ASSERT_EQ(0, guest_find(g, &one, 1, i));
	}
}

/*
 * The address is marked when it is given away. When the data has come, a copy of the CPU's
 * is marked by the library; what the controller has written is blk.c's to mark, once.
 */
TEST_F(nvme, dirty)
{
	struct guest *g = &self->g;
	const struct gm_range r = { gm_gpa(HIGH_BASE + 4096), 8192 };
	struct gm_bitmap *bm = gm_map_region(g->map, 3)->ext.dirty;
	struct backend_io io;

	gm_bitmap_reset(bm);
	ASSERT_EQ(0, io_init(g, &io, BACKEND_READ, 0, &r, 1));
	ASSERT_EQ(0, g->b->ops->submit(g->b, &io));
	EXPECT_EQ(variant->bounce ? 0 : 2, gm_bitmap_count(bm));
	gm_bitmap_reset(bm);
	ASSERT_EQ(&io, guest_wait(g));
	EXPECT_EQ(0, io.result);
	EXPECT_EQ(variant->bounce ? 2 : 0, gm_bitmap_count(bm));
	gm_bitmap_reset(bm);
	EXPECT_EQ(0, guest_io(g, BACKEND_WRITE, 0, &r, 1));
	EXPECT_EQ(0, gm_bitmap_count(bm));
}

/* As many as it takes, of different sizes; how they end is another order. */
TEST_F(nvme, many)
{
	static struct backend_io io[DISK_REQUESTS + 1];
	static struct gm_range ranges[DISK_REQUESTS];
	struct guest *g = &self->g;
	bool done[DISK_REQUESTS] = { false };
	struct backend_io *one;
	size_t n, i;
	int ret;

	for (int op = BACKEND_WRITE; op >= BACKEND_READ; op--) {
		uint64_t base = op == BACKEND_WRITE ? HIGH_BASE : HIGH_BASE + 8 * MIB;

		for (n = 0; n < DISK_REQUESTS; n++) {
			ranges[n].gpa = gm_gpa(base + n * 65536 + n * 4);
			ranges[n].len = sizes[n % 7];
			done[n] = false;
			if (op == BACKEND_WRITE)
				ASSERT_EQ(0, guest_fill(g, &ranges[n], 1, (uint32_t)n));
			ASSERT_EQ(0, io_init(g, &io[n], op, n * 200, &ranges[n], 1));
			ret = g->b->ops->submit(g->b, &io[n]);
			if (ret)
				break;
		}
		ASSERT_LE(64, n);
		io[n] = io[0];
		EXPECT_EQ(-EBUSY, g->b->ops->submit(g->b, &io[n]));
		for (i = 0; i < n; i++) {
			one = guest_wait(g);
			ASSERT_NE(NULL, one);
			ASSERT_TRUE(one >= io && one < io + n);
			EXPECT_EQ(0, one->result);
			EXPECT_FALSE(done[one - io]);
			done[one - io] = true;
		}
		EXPECT_EQ(NULL, g->b->ops->reap(g->b));
	}
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, guest_find(g, &ranges[i], 1, (uint32_t)i));
}

TEST_HARNESS_MAIN
