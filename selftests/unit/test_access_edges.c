/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_access_edges.c - integers at each address around regions of odd sizes
 * and places, against the bytes as they are: whichever way an access takes
 * (table of direct granules, hint, call), it gives the same.
 */
/* gm-test: windows */
#include <errno.h>
#include <string.h>
#include <guestmem.h>
#include "kselftest_harness.h"
#include "expect.h"

#define GUEST 0x6000

static const struct gm_region_ops ops = {
	.begin = gm_region_no_begin,
	.end = gm_region_no_end,
	.release = gm_region_exit,
};

/*
 * Host addresses are apart, the third one's is odd: what is aligned in the
 * guest isn't in the host there.
 */
static const struct {
	uint64_t base, len, host;
	bool dirty;
} layout[] = {
	{ 0x0, 0x1005, 0x0, false },
	{ 0x1005, 0x3, 0x8000, false },
	{ 0x1008, 0xff8, 0xa001, true },
	{ 0x3000, 0x1000, 0xc000, true },
	{ 0x4000, 0x1000, 0x4000, false },
	{ 0x5000, 0x7, 0x6000, false },
};

#define COUNT (sizeof(layout) / sizeof(*layout))

FIXTURE(edges)
{
	struct gm_region region[COUNT];
	struct gm_bitmap *dirty[COUNT];
	struct gm_map *map;
	struct gm_view view;
};

static uint8_t host[0x10000] __attribute__((aligned(4096)));

FIXTURE_SETUP(edges)
{
	struct gm_region *regions[COUNT];
	size_t i;

	for (i = 0; i < sizeof(host); i++)
		host[i] = (uint8_t)(i * 7 + (i >> 8) * 31);
	for (i = 0; i < COUNT; i++) {
		self->dirty[i] = NULL;
		if (layout[i].dirty)
			ASSERT_EQ(0, gm_bitmap_new(layout[i].len, 16,
						   &self->dirty[i]));
		ASSERT_EQ(0, gm_region_init(&self->region[i],
					    gm_gpa(layout[i].base),
					    layout[i].len,
					    host + layout[i].host,
					    self->dirty[i], &ops));
		regions[i] = &self->region[i];
	}
	ASSERT_EQ(0, gm_map_new(regions, COUNT, &self->map));
	gm_view_init(&self->view, self->map);
}

FIXTURE_TEARDOWN(edges)
{
	size_t i;

	gm_map_put(self->map);
	for (i = 0; i < COUNT; i++) {
		gm_region_put(&self->region[i]);
		gm_bitmap_put(self->dirty[i]);
	}
}

/* Host byte of a guest byte, the slow and sure way; NULL: a hole. */
static uint8_t *byte_at(uint64_t gpa, size_t *region)
{
	size_t i;

	for (i = 0; i < COUNT; i++) {
		if (gpa >= layout[i].base &&
		    gpa < layout[i].base + layout[i].len) {
			*region = i;
			return host + layout[i].host + (gpa - layout[i].base);
		}
	}
	return NULL;
}

/* What an integer of @n bytes at @gpa is; false: not all there. */
static bool model(uint64_t gpa, size_t n, uint64_t *out)
{
	size_t i, region = 0;

	*out = 0;
	for (i = 0; i < n; i++) {
		uint8_t *p = byte_at(gpa + i, &region);

		if (!p)
			return false;
		memcpy((uint8_t *)out + i, p, 1);
	}
	return true;
}

/* The size is a constant in each call: that is what decides the way. */
static int view_read(struct gm_view *v, uint64_t gpa, size_t n, uint64_t *out)
{
	gm_gpa_t a = gm_gpa(gpa);

	*out = 0;
	switch (n) {
	case 1:
		return gm_view_read(v, a, out, 1);
	case 2:
		return gm_view_read(v, a, out, 2);
	case 4:
		return gm_view_read(v, a, out, 4);
	default:
		return gm_view_read(v, a, out, 8);
	}
}

static int view_write(struct gm_view *v, uint64_t gpa, size_t n, uint64_t x)
{
	gm_gpa_t a = gm_gpa(gpa);

	switch (n) {
	case 1:
		return gm_view_write(v, a, &x, 1);
	case 2:
		return gm_view_write(v, a, &x, 2);
	case 4:
		return gm_view_write(v, a, &x, 4);
	default:
		return gm_view_write(v, a, &x, 8);
	}
}

TEST_F(edges, reads_what_is_there)
{
	uint64_t gpa, want, got;
	size_t n;

	for (n = 1; n <= 8; n *= 2) {
		for (gpa = 0; gpa < GUEST; gpa++) {
			bool there = model(gpa, n, &want);
			int ret = view_read(&self->view, gpa, n, &got);

			ASSERT_EQ(there ? 0 : -EFAULT, ret)
				TH_LOG("%zu bytes at %llx", n,
				       (unsigned long long)gpa);
			if (there)
				ASSERT_EQ(want, got)
					TH_LOG("%zu bytes at %llx", n,
					       (unsigned long long)gpa);
		}
	}
}

TEST_F(edges, writes_what_is_there_and_marks_it)
{
	uint64_t gpa, old, now, x = 0x0123456789abcdef;
	size_t n, i, region = 0;

	for (n = 1; n <= 8; n *= 2) {
		uint64_t mask = n < 8 ? (UINT64_C(1) << 8 * n) - 1 : UINT64_MAX;

		for (gpa = 0; gpa < GUEST; gpa++) {
			bool there = model(gpa, n, &old);

			for (i = 0; i < COUNT; i++)
				if (self->dirty[i])
					gm_bitmap_clear(self->dirty[i], 0,
							UINT64_MAX);
			x = x * 6364136223846793005 + 1442695040888963407;
			ASSERT_EQ(there ? 0 : -EFAULT,
				  view_write(&self->view, gpa, n, x))
				TH_LOG("%zu bytes at %llx", n,
				       (unsigned long long)gpa);
			if (!there)
				continue;
			ASSERT_EQ(true, model(gpa, n, &now));
			ASSERT_EQ(x & mask, now);
			for (i = 0; i < n; i++) {
				byte_at(gpa + i, &region);
				if (!self->dirty[region])
					continue;
				ASSERT_EQ(true, gm_bitmap_test(self->dirty[region],
							       gpa + i - layout[region].base))
					TH_LOG("%zu bytes at %llx", n,
					       (unsigned long long)gpa);
			}
		}
	}
}

static void count_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	(*(int *)bm->ctx)++;
}

static bool never_marked(const struct gm_bitmap *bm, uint64_t off)
{
	return false;
}

/* There is memory at address 0 too, which is not what follows. */
TEST_F(edges, write_that_passes_2_64_is_made_once)
{
	static const struct gm_bitmap_ops counting = {
		.mark = count_mark,
		.test = never_marked,
	};
	struct gm_region *regions[] = { &self->region[0], NULL };
	uint8_t buf[100] = { 0 };
	struct gm_region top;
	struct gm_bitmap bm;
	struct gm_map *map;
	int marks = 0;

	regions[1] = &top;
	gm_bitmap_init_ops(&bm, &counting, 64, &marks);
	ASSERT_EQ(0, gm_region_init(&top, gm_gpa(UINT64_MAX - 63), 64,
				    host + 0xe000, &bm, &ops));
	ASSERT_EQ(0, gm_map_new(regions, 2, &map));
	gm_view_init(&self->view, map);
	EXPECT_FAIL(gm_view_write(&self->view, gm_gpa(UINT64_MAX - 63), buf,
				  sizeof(buf)),
		    EOVERFLOW, GM_ERR_PARTIAL, 0, 0, 100, 64);
	EXPECT_EQ(1, marks);
	memset(buf, 0x77, sizeof(buf));
	EXPECT_FAIL(gm_view_read(&self->view, gm_gpa(UINT64_MAX - 63), buf,
				 sizeof(buf)),
		    EOVERFLOW, GM_ERR_PARTIAL, 0, 0, 100, 64);
	EXPECT_EQ(0x77, buf[64]);
	gm_map_put(map);
	gm_region_put(&top);
}

TEST_F(edges, loads_only_what_is_aligned_in_the_host)
{
	uint64_t gpa, want;
	uint32_t got;
	size_t region = 0;

	for (gpa = 0; gpa < GUEST; gpa++) {
		uint8_t *p = byte_at(gpa, &region);
		bool fits = p && gpa + 4 <= layout[region].base + layout[region].len;
		int ret = gm_view_load_u32(&self->view, gm_gpa(gpa), GM_RELAXED,
					   &got);

		if (!fits) {
			ASSERT_NE(0, ret);
		} else if ((uintptr_t)p % 4) {
			ASSERT_EQ(-EINVAL, ret);
		} else {
			ASSERT_EQ(0, ret);
			model(gpa, 4, &want);
			ASSERT_EQ(want, got);
		}
	}
}

TEST_HARNESS_MAIN
