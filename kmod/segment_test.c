/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KUnit tests of ranges and segments. The same file is also built for user
 * space, with the sanitizers, on the headers in selftests/kmod/kunit-user.
 */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/module.h>

/* It exports nothing: the tests have a copy of their own. */
#include "segment.c"

#define PAGE 0x1000ULL
#define TOP U64_MAX
/* The last page of the address space. */
#define LAST (TOP - (PAGE - 1))

struct range_case {
	const char *name;
	u64 offset, length, start, end;
	int want;
};

static const struct range_case range_cases[] = {
	{ "all of it", 0, 100, 0, 100, 0 },
	{ "first byte", 20, 1, 20, 100, 0 },
	{ "last byte", 99, 1, 20, 100, 0 },
	{ "one byte of one", 7, 1, 7, 8, 0 },
	{ "empty", 50, 0, 0, 100, -EINVAL },
	{ "empty and outside", 500, 0, 0, 100, -EINVAL },
	{ "empty at the top", TOP, 0, 0, TOP, -EINVAL },
	{ "starts one below", 19, 10, 20, 100, -ERANGE },
	{ "ends at the start", 10, 10, 20, 100, -ERANGE },
	{ "ends one above", 90, 11, 20, 100, -ERANGE },
	{ "starts at the end", 100, 1, 20, 100, -ERANGE },
	{ "is longer on both sides", 0, 200, 20, 100, -ERANGE },
	{ "inside nothing", 20, 1, 20, 20, -ERANGE },
	{ "wraps by one", TOP, 2, 0, 100, -EOVERFLOW },
	{ "wraps to the inside", TOP - 9, 30, 0, 100, -EOVERFLOW },
	{ "longest that wraps", 2, TOP, 0, TOP, -EOVERFLOW },
	{ "both largest", TOP, TOP, 0, TOP, -EOVERFLOW },
	{ "longest that does not wrap", 1, TOP, 0, TOP, -ERANGE },
	{ "longest that fits", 0, TOP, 0, TOP, 0 },
	{ "byte below the top", TOP - 1, 1, 0, TOP, 0 },
	{ "byte at the top", TOP, 1, 0, TOP, -ERANGE },
	{ "page below the top", LAST - 1, PAGE, LAST - 1, TOP, 0 },
	{ "page at the top", LAST, PAGE, LAST, TOP, -ERANGE },
};

static void range_desc(const struct range_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(range, range_cases, range_desc);

static void range_check(struct kunit *test)
{
	const struct range_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, c->want,
			guestmem_range_check(c->offset, c->length, c->start,
					     c->end));
}

struct pages_case {
	const char *name;
	u64 offset, length, page_size;
	int want;
};

static const struct pages_case pages_cases[] = {
	{ "one page", 0, PAGE, PAGE, 0 },
	{ "several", 3 * PAGE, 5 * PAGE, PAGE, 0 },
	{ "bytes", 3, 5, 1, 0 },
	{ "empty", 0, 0, PAGE, -EINVAL },
	{ "offset by one", 1, PAGE, PAGE, -EINVAL },
	{ "offset by one less", PAGE - 1, PAGE, PAGE, -EINVAL },
	{ "length by one", 0, PAGE + 1, PAGE, -EINVAL },
	{ "length by one less", 0, PAGE - 1, PAGE, -EINVAL },
	{ "both by a half", PAGE / 2, PAGE / 2, PAGE, -EINVAL },
	{ "of a smaller page", 0, PAGE, 512 * PAGE, -EINVAL },
	{ "of a larger page", 0, 512 * PAGE, PAGE, 0 },
	{ "last but one", LAST - PAGE, PAGE, PAGE, 0 },
	{ "ends where it wraps", LAST, PAGE, PAGE, -EOVERFLOW },
	{ "wraps", LAST, 2 * PAGE, PAGE, -EOVERFLOW },
	{ "two halves", 1ULL << 63, 1ULL << 63, PAGE, -EOVERFLOW },
	{ "longest", 0, LAST, PAGE, 0 },
	{ "longest and wraps", PAGE, LAST, PAGE, -EOVERFLOW },
	{ "wraps and is not aligned", LAST, 2 * PAGE + 1, PAGE, -EINVAL },
	{ "top", TOP, TOP, PAGE, -EINVAL },
};

static void pages_desc(const struct pages_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pages, pages_cases, pages_desc);

static void range_check_pages(struct kunit *test)
{
	const struct pages_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, c->want,
			guestmem_range_check_pages(c->offset, c->length,
						   c->page_size));
}

/* Pieces that are added one after the other, and the segments they become. */
#define PIECES 5

struct add_case {
	const char *name;
	u64 start;
	u32 max;
	struct {
		u64 address, length;
		int want;
	} piece[PIECES];
	u32 count;
	struct guestmem_segment seg[PIECES];
};

static const struct add_case add_cases[] = {
	{
		.name = "one",
		.start = 7 * PAGE, .max = 4,
		.piece = { { 0x5000, PAGE } },
		.count = 1, .seg = { { 7 * PAGE, 0x5000, PAGE } },
	}, {
		.name = "adjacent",
		.start = PAGE, .max = 4,
		.piece = { { 0x5000, PAGE }, { 0x6000, 2 * PAGE },
			   { 0x8000, PAGE } },
		.count = 1, .seg = { { PAGE, 0x5000, 4 * PAGE } },
	}, {
		.name = "a gap of one byte",
		.max = 4,
		.piece = { { 0x5000, PAGE }, { 0x6001, PAGE } },
		.count = 2, .seg = { { 0, 0x5000, PAGE },
				     { PAGE, 0x6001, PAGE } },
	}, {
		.name = "one byte twice",
		.max = 4,
		.piece = { { 0x5000, PAGE }, { 0x5fff, PAGE } },
		.count = 2, .seg = { { 0, 0x5000, PAGE },
				     { PAGE, 0x5fff, PAGE } },
	}, {
		.name = "all twice",
		.max = 4,
		.piece = { { 0x5000, PAGE }, { 0x5000, PAGE } },
		.count = 2, .seg = { { 0, 0x5000, PAGE },
				     { PAGE, 0x5000, PAGE } },
	}, {
		.name = "descending",
		.max = 4,
		.piece = { { 0x6000, PAGE }, { 0x5000, PAGE } },
		.count = 2, .seg = { { 0, 0x6000, PAGE },
				     { PAGE, 0x5000, PAGE } },
	}, {
		.name = "adjacent to an earlier one",
		.max = 4,
		.piece = { { 0x5000, PAGE }, { 0x9000, PAGE },
			   { 0x6000, PAGE } },
		.count = 3, .seg = { { 0, 0x5000, PAGE },
				     { PAGE, 0x9000, PAGE },
				     { 2 * PAGE, 0x6000, PAGE } },
	}, {
		.name = "adjacent to the second",
		.max = 4,
		.piece = { { 0x5000, PAGE }, { 0x9000, PAGE },
			   { 0xa000, PAGE } },
		.count = 2, .seg = { { 0, 0x5000, PAGE },
				     { PAGE, 0x9000, 2 * PAGE } },
	}, {
		.name = "from address 0",
		.max = 4,
		.piece = { { 0, PAGE }, { PAGE, PAGE } },
		.count = 1, .seg = { { 0, 0, 2 * PAGE } },
	}, {
		.name = "to the end of the address space",
		.max = 4,
		.piece = { { LAST - PAGE, PAGE }, { LAST, PAGE } },
		.count = 1, .seg = { { 0, LAST - PAGE, 2 * PAGE } },
	}, {
		.name = "around the end of the address space",
		.max = 4,
		.piece = { { LAST, PAGE }, { 0, PAGE } },
		.count = 2, .seg = { { 0, LAST, PAGE }, { PAGE, 0, PAGE } },
	}, {
		.name = "address wraps",
		.max = 4,
		.piece = { { 0x5000, PAGE }, { LAST + 1, PAGE, -EOVERFLOW },
			   { TOP, 2, -EOVERFLOW }, { 2, TOP, -EOVERFLOW },
			   { 0x6000, PAGE } },
		.count = 1, .seg = { { 0, 0x5000, 2 * PAGE } },
	}, {
		.name = "region offset wraps",
		.start = LAST - PAGE, .max = 4,
		.piece = { { 0x5000, 2 * PAGE, -EOVERFLOW },
			   { 0x5000, 2 * PAGE - 1 },
			   { 0x5000 + 2 * PAGE - 1, 1, -EOVERFLOW } },
		.count = 1, .seg = { { LAST - PAGE, 0x5000, 2 * PAGE - 1 } },
	}, {
		.name = "longest",
		.max = 4,
		.piece = { { 0, TOP }, { TOP, 1, -EOVERFLOW } },
		.count = 1, .seg = { { 0, 0, TOP } },
	}, {
		.name = "empty",
		.start = PAGE, .max = 4,
		.piece = { { 0x5000, 0, -EINVAL }, { 0x5000, PAGE },
			   { 0x6000, 0, -EINVAL }, { TOP, 0, -EINVAL } },
		.count = 1, .seg = { { PAGE, 0x5000, PAGE } },
	}, {
		.name = "no room",
		.max = 2,
		.piece = { { 0x5000, PAGE }, { 0x9000, PAGE },
			   { 0x1000, PAGE, -ENOSPC } },
		.count = 2, .seg = { { 0, 0x5000, PAGE },
				     { PAGE, 0x9000, PAGE } },
	}, {
		.name = "adjacent needs no room",
		.max = 1,
		.piece = { { 0x5000, PAGE }, { 0x9000, PAGE, -ENOSPC },
			   { 0x6000, PAGE }, { 0x9000, PAGE, -ENOSPC } },
		.count = 1, .seg = { { 0, 0x5000, 2 * PAGE } },
	}, {
		.name = "no room at all",
		.start = PAGE, .max = 0,
		.piece = { { 0x5000, PAGE, -ENOSPC } },
	},
};

static void add_desc(const struct add_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(add, add_cases, add_desc);

/* With exactly as much memory as may be used, so that KASAN or ASan watches. */
static void segs_new(struct kunit *test, struct guestmem_segs *segs, u32 max,
		     u64 start)
{
	struct guestmem_segment *seg;

	seg = kunit_kzalloc(test, max * sizeof(*seg), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, !!seg);
	guestmem_segs_init(segs, seg, max, start);
}

static void segs_add(struct kunit *test)
{
	const struct add_case *c = test->param_value;
	struct guestmem_segs segs;
	u64 end = c->start;
	u32 i;

	segs_new(test, &segs, c->max, c->start);
	for (i = 0; i < PIECES && (c->piece[i].length || c->piece[i].want); i++) {
		KUNIT_EXPECT_EQ(test, c->piece[i].want,
				guestmem_segs_add(&segs, c->piece[i].address,
						  c->piece[i].length));
		/* What is refused changes nothing. */
		if (!c->piece[i].want)
			end += c->piece[i].length;
		KUNIT_EXPECT_EQ(test, end, segs.end);
	}
	KUNIT_EXPECT_EQ(test, c->start, segs.start);
	KUNIT_EXPECT_EQ(test, c->max, segs.max);
	KUNIT_ASSERT_EQ(test, c->count, segs.count);
	for (i = 0; i < c->count; i++) {
		KUNIT_EXPECT_EQ(test, c->seg[i].offset, segs.seg[i].offset);
		KUNIT_EXPECT_EQ(test, c->seg[i].address, segs.seg[i].address);
		KUNIT_EXPECT_EQ(test, c->seg[i].length, segs.seg[i].length);
	}
}

static void segs_init(struct kunit *test)
{
	struct guestmem_segment seg;
	struct guestmem_segs segs = { .count = 5, .end = 7 };

	guestmem_segs_init(&segs, &seg, 1, 3 * PAGE);
	KUNIT_EXPECT_EQ(test, 0, segs.count);
	KUNIT_EXPECT_EQ(test, 1, segs.max);
	KUNIT_EXPECT_EQ(test, 3 * PAGE, segs.start);
	KUNIT_EXPECT_EQ(test, 3 * PAGE, segs.end);
	KUNIT_EXPECT_TRUE(test, segs.seg == &seg);
}

/* Each offset, in each number of segments, whose lengths all differ. */
#define FIND_MAX 17

static void find_each(struct kunit *test, u64 start)
{
	struct guestmem_segs segs;
	u32 n, i, found;
	u64 offset;

	segs_new(test, &segs, FIND_MAX, start);
	for (n = 1; n <= FIND_MAX; n++) {
		/* The later, the lower: nothing is adjacent. */
		KUNIT_ASSERT_EQ(test, 0,
				guestmem_segs_add(&segs, (FIND_MAX - n) * PAGE,
						  (n * 5) % FIND_MAX + 1));
		i = 0;
		for (offset = start; offset < segs.end; offset++) {
			if (offset - segs.seg[i].offset == segs.seg[i].length)
				i++;
			found = guestmem_segs_find(&segs, offset);
			KUNIT_ASSERT_EQ(test, i, found);
		}
		KUNIT_EXPECT_EQ(test, n - 1, i);
	}
}

static void segs_find(struct kunit *test)
{
	find_each(test, 0);
	find_each(test, PAGE);
	/* The last offset that there is. */
	find_each(test, TOP - FIND_MAX * (FIND_MAX + 1) / 2);
}

struct tail_case {
	const char *name;
	u64 offset;
	struct guestmem_segment seg, want;
};

static const struct tail_case tail_cases[] = {
	{ "from its start", PAGE,
	  { PAGE, 0x5000, PAGE }, { PAGE, 0x5000, PAGE } },
	{ "from before it", 0,
	  { PAGE, 0x5000, PAGE }, { PAGE, 0x5000, PAGE } },
	{ "from amid it", PAGE + 1,
	  { PAGE, 0x5000, PAGE }, { PAGE + 1, 0x5001, PAGE - 1 } },
	{ "its last byte", 2 * PAGE - 1,
	  { PAGE, 0x5000, PAGE }, { 2 * PAGE - 1, 0x5fff, 1 } },
	{ "at the end of the address space", PAGE - 1,
	  { 0, LAST, PAGE }, { PAGE - 1, TOP, 1 } },
	{ "at the last offset", TOP - 1,
	  { LAST - 1, 0x5000, PAGE }, { TOP - 1, 0x5fff, 1 } },
	{ "longest", TOP - 1,
	  { 0, 1, TOP }, { TOP - 1, TOP, 1 } },
};

static void tail_desc(const struct tail_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(tail, tail_cases, tail_desc);

static void segs_tail(struct kunit *test)
{
	const struct tail_case *c = test->param_value;
	struct guestmem_segment seg[2] = { {}, c->seg };
	struct guestmem_segs segs = { .seg = seg, .max = 2, .count = 2 };
	struct guestmem_segment tail;

	tail = guestmem_segs_tail(&segs, 1, c->offset);
	KUNIT_EXPECT_EQ(test, c->want.offset, tail.offset);
	KUNIT_EXPECT_EQ(test, c->want.address, tail.address);
	KUNIT_EXPECT_EQ(test, c->want.length, tail.length);
	/* It is a copy. */
	KUNIT_EXPECT_EQ(test, c->seg.offset, seg[1].offset);
	KUNIT_EXPECT_EQ(test, c->seg.length, seg[1].length);
}

/*
 * Pages as a device might find them: each offset leads to the address that was
 * given, and there are no more segments than needed.
 */
#define WALK_PAGES 500

static u64 walk_address(u32 page)
{
	/* Runs of one to eight pages, somewhere. */
	u32 run = page / 8, in_run = page % 8;
	u64 base = ((u64)run * 0x9e3779b97f4a7c15ULL) & ~0xfffffULL;

	/* Two pages are swapped in every third run. */
	if (run % 3 == 0 && in_run < 2)
		in_run ^= 1;
	return base + in_run * PAGE;
}

static void segs_walk(struct kunit *test)
{
	struct guestmem_segment seg;
	struct guestmem_segs segs;
	u32 page, i, want = 1;

	segs_new(test, &segs, WALK_PAGES, PAGE);
	for (page = 0; page < WALK_PAGES; page++) {
		want += page &&
			walk_address(page) != walk_address(page - 1) + PAGE;
		KUNIT_ASSERT_EQ(test, 0,
				guestmem_segs_add(&segs, walk_address(page),
						  PAGE));
	}
	KUNIT_EXPECT_EQ(test, want, segs.count);
	for (page = 0; page < WALK_PAGES; page++) {
		u64 offset = (page + 1) * PAGE + page % PAGE;

		i = guestmem_segs_find(&segs, offset);
		KUNIT_ASSERT_TRUE(test, i < segs.count);
		seg = guestmem_segs_tail(&segs, i, offset);
		KUNIT_EXPECT_EQ(test, offset, seg.offset);
		KUNIT_EXPECT_EQ(test, walk_address(page) + page % PAGE,
				seg.address);
	}
}

static struct kunit_case segment_test_cases[] = {
	KUNIT_CASE_PARAM(range_check, range_gen_params),
	KUNIT_CASE_PARAM(range_check_pages, pages_gen_params),
	KUNIT_CASE(segs_init),
	KUNIT_CASE_PARAM(segs_add, add_gen_params),
	KUNIT_CASE(segs_find),
	KUNIT_CASE_PARAM(segs_tail, tail_gen_params),
	KUNIT_CASE(segs_walk),
	{}
};

static struct kunit_suite segment_test_suite = {
	.name = "guestmem_segment",
	.test_cases = segment_test_cases,
};

kunit_test_suite(segment_test_suite);

MODULE_DESCRIPTION("KUnit tests of guestmem's ranges and segments");
MODULE_LICENSE("GPL");
