/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * tests.c - data as any driver may ask for it: sizes, addresses, pieces. Each byte is
 * compared, and so are the bytes around that nobody may touch.
 */
#include "guest.h"

#define GUARD		64u
#define GUARD_SEED	77u
#define SCRATCH		(DATA + 0x400000u)	/* what is written comes from here */

static uint64_t seeds = 1000;

/* Write a pattern to @sector and read it to @at, between guards. */
static bool round_trip(struct dev *d, uint64_t sector, uint64_t from, uint64_t at, uint32_t len)
{
	uint64_t seed = seeds++;

	fill(from, len, seed);
	if (blk_rw(d, REQ_OUT, sector, from, len) != S_OK)
		return false;
	if (differs(from, len, seed) != len)
		return false;
	fill(at - GUARD, GUARD, GUARD_SEED);
	fill(at + len, GUARD, GUARD_SEED);
	fill(at, len, seeds++);
	if (blk_rw(d, REQ_IN, sector, at, len) != S_OK)
		return false;
	return differs(at, len, seed) == len &&
	       differs(at - GUARD, GUARD, GUARD_SEED) == GUARD &&
	       differs(at + len, GUARD, GUARD_SEED) == GUARD;
}

static void test_sizes(struct dev *d)
{
	static const uint32_t blocks[] = { 1, 2, 3, 7, 8, 9, 16, 63, 127, 128, 129 };
	uint32_t per_mib = (1u << 20) / d->block, i;
	bool ok = true;

	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		ok &= round_trip(d, 0, SCRATCH, DATA + 0x1000, blocks[i] * d->block);
	result(ok, "sizes");
	ok = round_trip(d, 8, SCRATCH, DATA + 0x1000, per_mib * d->block);
	result(ok, "1 MiB");
}

static void test_addresses(struct dev *d)
{
	static const uint32_t offs[] = { 1, 3, 4, 511, 512, 2048, 3584, 4092, 4095 };
	bool ok = true;
	uint32_t i;

	for (i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		ok &= round_trip(d, 16, SCRATCH + offs[i], DATA + 0x1000 + offs[i], d->block);
		ok &= round_trip(d, 16, SCRATCH, DATA + 0x1000 + offs[i], 8 * 4096);
	}
	result(ok, "addresses that are not aligned, and cross pages");
}

static void test_regions(struct dev *d)
{
	const struct boot_region *r = d->info->regions;
	uint64_t border = r[0].base + r[0].len;
	const struct boot_region *high = &r[d->info->region_count - 1];

	result(border == r[1].base, "two regions are adjacent");
	result(round_trip(d, 0, SCRATCH, border - 4096, 16384) &&
	       round_trip(d, 0, border - 8192, SCRATCH, 16384) &&
	       round_trip(d, 0, SCRATCH, border - 520, 8 * 4096),
	       "buffers that cross from a region to the next");
	result(high->base >= 1ull << 32 &&
	       round_trip(d, 64, high->base + 4096, high->base + 0x200000, 65536) &&
	       round_trip(d, 64, SCRATCH, high->base + high->len - GUARD - 65536, 65536),
	       "buffers above 4 GiB");
}

/* Pieces of lengths that have nothing to do with sectors, which add up to @total. */
static unsigned int scatter(struct piece *p, uint64_t at, uint32_t total, uint32_t step)
{
	unsigned int n = 0;
	uint32_t len = 1;

	while (total) {
		if (len > total)
			len = total;
		p[n].addr = at;
		p[n++].len = len;
		/* A gap, which stays as it is. */
		at += len + 16;
		total -= len;
		len = (len * 5 + step) % 4099 + 1;
	}
	return n;
}

static bool check_scatter(struct dev *d, uint32_t total, uint32_t step, bool indirect)
{
	static struct piece p[QUEUE_MAX];
	unsigned int n = scatter(p, DATA, total, step), i;
	uint64_t seed = seeds++, off = 0;

	fill(SCRATCH, total, seed);
	for (i = 0; i < n; i++) {
		memcpy(ptr(p[i].addr), ptr(SCRATCH + off), p[i].len);
		fill(p[i].addr + p[i].len, 16, GUARD_SEED);
		off += p[i].len;
	}
	if (blk_do(d, REQ_OUT, 128, p, n, indirect) != S_OK)
		return false;
	for (i = 0; i < n; i++)
		memset(ptr(p[i].addr), 0x5a, p[i].len);
	if (blk_do(d, REQ_IN, 128, p, n, indirect) != S_OK)
		return false;
	/* Gather what has come. */
	memset(ptr(SCRATCH), 0, total);
	for (i = 0, off = 0; i < n; i++) {
		memcpy(ptr(SCRATCH + off), ptr(p[i].addr), p[i].len);
		if (differs(p[i].addr + p[i].len, 16, GUARD_SEED) != 16)
			return false;
		off += p[i].len;
	}
	return differs(SCRATCH, total, seed) == total;
}

static void test_scatter(struct dev *d)
{
	result(check_scatter(d, 64 * 1024, 7, false) && check_scatter(d, 128 * 1024, 1001, false),
	       "many pieces of odd lengths");
	result(check_scatter(d, 64 * 1024, 7, true) && check_scatter(d, 128 * 1024, 1001, true),
	       "the same in an indirect table");
}

static void test_errors(struct dev *d)
{
	uint32_t b = d->block;

	result(blk_rw(d, REQ_IN, d->sectors, DATA, b) == S_IOERR &&
	       blk_rw(d, REQ_OUT, d->sectors - 1, DATA, 2 * b) == S_IOERR &&
	       blk_rw(d, REQ_IN, UINT64_MAX, DATA, b) == S_IOERR &&
	       blk_rw(d, REQ_IN, UINT64_MAX - b / 512 + 1, DATA, b) == S_IOERR,
	       "sectors that the disk does not have");
	result(blk_rw(d, REQ_IN, 0, DATA, b - 1) == S_IOERR &&
	       blk_rw(d, REQ_OUT, 0, DATA, b + 511) == S_IOERR, "lengths that are no sectors");
	result(blk_rw(d, 99, 0, DATA, b) == S_UNSUPP, "a kind of request that is unknown");
}

/*
 * Blocks that are larger than sectors: parts of them fail, and nothing is moved, also if
 * the VMM would do the request in several goes and the first ones were good.
 */
static void test_parts(struct dev *d)
{
	const uint32_t b = d->block, large = (4u << 20) + 512;
	uint64_t seed = seeds++, other = seeds++;
	bool ok = true;

	if (b == 512)
		return;
	fill(SCRATCH, 2 * b, seed);
	ok &= blk_rw(d, REQ_OUT, 0, SCRATCH, 2 * b) == S_OK;
	fill(DATA, 2 * b, other);
	ok &= blk_rw(d, REQ_IN, 0, DATA, 512) == S_IOERR;
	ok &= blk_rw(d, REQ_IN, 1, DATA, b) == S_IOERR;
	ok &= blk_rw(d, REQ_IN, 0, DATA, b + 512) == S_IOERR;
	ok &= blk_rw(d, REQ_IN, 0, DATA, large) == S_IOERR;
	ok &= differs(DATA, 2 * b, other) == 2 * b;
	ok &= blk_rw(d, REQ_OUT, 0, DATA, 512) == S_IOERR;
	ok &= blk_rw(d, REQ_OUT, b / 512 - 1, DATA, b) == S_IOERR;
	ok &= blk_rw(d, REQ_OUT, 0, DATA, large) == S_IOERR;
	ok &= blk_rw(d, REQ_IN, 0, DATA, 2 * b) == S_OK && differs(DATA, 2 * b, seed) == 2 * b;
	result(ok, "parts of a block");
}

static void test_others(struct dev *d)
{
	struct piece id = { DATA, 20 };

	result(blk_do(d, REQ_FLUSH, 0, NULL, 0, false) == S_OK, "flush");
	memset(ptr(DATA), 0x5a, 21);
	result(blk_do(d, REQ_GET_ID, 0, &id, 1, false) == S_OK &&
	       text_equal(ptr(DATA), "guestmem-zero-copy") && *(uint8_t *)ptr(DATA + 20) == 0x5a,
	       "the disk's name");
}

/* What the host finds in the image afterwards: word i of sector n is n << 8 | i. */
static void leave_image(struct dev *d)
{
	uint64_t sectors = d->sectors < 4096 ? d->sectors : 4096, n, i;
	bool ok = true;

	for (n = 0; n < sectors * 64; n++)
		((uint64_t *)ptr(DATA))[n] = (n / 64) << 8 | n % 64;
	for (i = 0; i < sectors * 512; i += 1u << 20)
		ok &= blk_rw(d, REQ_OUT, i / 512, DATA + i, 1u << 20) == S_OK;
	ok &= blk_do(d, REQ_FLUSH, 0, NULL, 0, false) == S_OK;
	result(ok, "the image is left in a known state");
	print("image sectors ");
	print_number(sectors);
	print("\n");
}

void run_tests(struct dev *d)
{
	if (d->sectors < 16384) {
		result(false, "a disk of 8 MiB at least");
		return;
	}
	test_sizes(d);
	test_addresses(d);
	test_regions(d);
	test_scatter(d);
	run_queue_tests(d);
	test_errors(d);
	test_parts(d);
	test_others(d);
	leave_image(d);
}
