/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iotlb.h: mappings, lookups, errors, counts. test_iotlb_model.c compares random
 * operations with a model, test_iotlb_race.c has threads.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/iotlb.h>
#include "expect.h"

#define LAST UINT64_MAX

FIXTURE(iotlb) {
	struct gm_iotlb *t;
};

FIXTURE_SETUP(iotlb)
{
	ASSERT_OK(gm_iotlb_new(64, &self->t));
}

FIXTURE_TEARDOWN(iotlb)
{
	gm_iotlb_free(self->t);
}

#define SET(iova, len, target, perm) \
	gm_iotlb_set_mapping(self->t, gm_iova(iova), len, gm_gpa(target), perm)
#define INVALIDATE(iova, len) \
	gm_iotlb_invalidate(self->t, gm_iova(iova), len)

/* The first piece of [iova, iova + len) is @n bytes at @gpa. */
#define EXPECT_HIT(iova, len_, perm, gpa_, n) do { \
	struct gm_range r_; \
	EXPECT_EQ(0, gm_iotlb_lookup(self->t, gm_iova(iova), len_, perm, &r_)); \
	EXPECT_EQ((uint64_t)(gpa_), gm_gpa_raw(r_.gpa)); \
	EXPECT_EQ((uint64_t)(n), r_.len); \
} while (0)

#define EXPECT_MISS(iova, len_, perm) do { \
	struct gm_range r_ = { gm_gpa(7), 7 }; \
	EXPECT_FAIL(gm_iotlb_lookup(self->t, gm_iova(iova), len_, perm, &r_), \
		    ENOENT, GM_ERR_IOTLB_MISS, iova, len_, 0, 0); \
	EXPECT_EQ(7, gm_gpa_raw(r_.gpa)); \
	EXPECT_EQ(7, r_.len); \
} while (0)

#define EXPECT_DENIED(iova, len_, perm) do { \
	struct gm_range r_; \
	EXPECT_FAIL(gm_iotlb_lookup(self->t, gm_iova(iova), len_, perm, &r_), \
		    EACCES, GM_ERR_PERMISSION, iova, len_, 0, 0); \
} while (0)

static uint64_t mappings(struct gm_iotlb *t)
{
	struct gm_iotlb_stats s;

	gm_iotlb_stats(t, &s);
	return s.mappings;
}

TEST(capacity_is_at_least_1_and_not_absurd)
{
	struct gm_iotlb *t = NULL;

	EXPECT_FAIL(gm_iotlb_new(0, &t), EINVAL, GM_ERR_SIZE, 0, 0, 0, 0);
	EXPECT_FAIL(gm_iotlb_new(GM_IOTLB_CAPACITY_MAX + 1, &t), EINVAL,
		    GM_ERR_SIZE, GM_IOTLB_CAPACITY_MAX + 1, 0, 0, 0);
	EXPECT_EQ(NULL, t);
	ASSERT_OK(gm_iotlb_new(1, &t));
	gm_iotlb_free(t);
	gm_iotlb_free(NULL);
}

TEST_F(iotlb, mapping_translates_each_of_its_bytes)
{
	ASSERT_OK(SET(0x1003, 0x2001, 0x777000, GM_PERM_RW));
	EXPECT_HIT(0x1003, 1, GM_PERM_READ, 0x777000, 1);
	EXPECT_HIT(0x1003, 0x2001, GM_PERM_WRITE, 0x777000, 0x2001);
	EXPECT_HIT(0x2000, 0x10, GM_PERM_RW, 0x777ffd, 0x10);
	EXPECT_HIT(0x2000, 0x10, GM_PERM_RW, 0x777ffd, 0x10);
	EXPECT_HIT(0x3003, 100, GM_PERM_NONE, 0x779000, 1);
	EXPECT_MISS(0x3004, 1, GM_PERM_READ);
	EXPECT_MISS(0x1002, 2, GM_PERM_READ);
}

TEST_F(iotlb, piece_ends_where_its_mapping_does_whatever_was_asked_before)
{
	ASSERT_OK(SET(0x10000, 0x30000, 0x500000, GM_PERM_RW));
	EXPECT_HIT(0x10000, 4, GM_PERM_READ, 0x500000, 4);
	EXPECT_HIT(0x10000, 4, GM_PERM_READ, 0x500000, 4);
	EXPECT_HIT(0x10ffc, 0x100000, GM_PERM_READ, 0x500ffc, 0x2f004);
	EXPECT_HIT(0x1fffc, 8, GM_PERM_READ, 0x50fffc, 8);
}

TEST_F(iotlb, rights_are_asked_for)
{
	ASSERT_OK(SET(0x1000, 0x1000, 0, GM_PERM_READ));
	ASSERT_OK(SET(0x3000, 0x1000, 0x1000, GM_PERM_WRITE));
	ASSERT_OK(SET(0x5000, 0x1000, 0x2000, GM_PERM_NONE));
	EXPECT_HIT(0x1000, 8, GM_PERM_READ, 0, 8);
	EXPECT_DENIED(0x1000, 8, GM_PERM_WRITE);
	EXPECT_DENIED(0x1000, 8, GM_PERM_RW);
	EXPECT_HIT(0x3000, 8, GM_PERM_WRITE, 0x1000, 8);
	EXPECT_DENIED(0x3000, 8, GM_PERM_READ);
	EXPECT_HIT(0x5000, 8, GM_PERM_NONE, 0x2000, 8);
	EXPECT_DENIED(0x5000, 8, GM_PERM_READ);
}

TEST_F(iotlb, consecutive_mappings_join_if_target_and_rights_go_on)
{
	struct gm_range out[2];

	ASSERT_OK(SET(0x1000, 0x1000, 0x81000, GM_PERM_RW));
	ASSERT_OK(SET(0x3000, 0x1000, 0x83000, GM_PERM_RW));
	EXPECT_EQ(2, mappings(self->t));
	ASSERT_OK(SET(0x2000, 0x1000, 0x82000, GM_PERM_RW));
	EXPECT_EQ(1, mappings(self->t));
	EXPECT_EQ(1, gm_iotlb_translate(self->t, gm_iova(0x1800), 0x2000,
					GM_PERM_RW, out, 2));
	EXPECT_EQ(0x81800, gm_gpa_raw(out[0].gpa));
	EXPECT_EQ(0x2000, out[0].len);
	ASSERT_OK(SET(0x4000, 0x1000, 0x84000, GM_PERM_READ));
	EXPECT_EQ(2, mappings(self->t));
}

/* Mistake 5: two entries side by side, each right, read as one range. */
TEST_F(iotlb, adjacent_iovas_with_unrelated_targets_stay_apart)
{
	struct gm_range out[3];

	ASSERT_OK(SET(0x1000, 0x1000, 0x80000, GM_PERM_RW));
	ASSERT_OK(SET(0x2000, 0x1000, 0x40000, GM_PERM_RW));
	/* The same target again: its start is not what follows the first. */
	ASSERT_OK(SET(0x3000, 0x1000, 0x40000, GM_PERM_RW));
	EXPECT_EQ(3, mappings(self->t));
	EXPECT_HIT(0x1ffc, 8, GM_PERM_READ, 0x80ffc, 4);
	EXPECT_EQ(3, gm_iotlb_translate(self->t, gm_iova(0x1ffc), 0x1008,
					GM_PERM_RW, out, 3));
	EXPECT_EQ(0x80ffc, gm_gpa_raw(out[0].gpa));
	EXPECT_EQ(4, out[0].len);
	EXPECT_EQ(0x40000, gm_gpa_raw(out[1].gpa));
	EXPECT_EQ(0x1000, out[1].len);
	EXPECT_EQ(0x40000, gm_gpa_raw(out[2].gpa));
	EXPECT_EQ(4, out[2].len);
}

TEST_F(iotlb, target_that_would_wrap_joins_nothing)
{
	ASSERT_OK(SET(0x1000, 0x1000, LAST - 0xfff, GM_PERM_RW));
	ASSERT_OK(SET(0x2000, 0x1000, 0, GM_PERM_RW));
	EXPECT_EQ(2, mappings(self->t));
	EXPECT_HIT(0x1ff8, 16, GM_PERM_READ, LAST - 7, 8);
}

TEST_F(iotlb, new_mapping_replaces_what_it_covers)
{
	ASSERT_OK(SET(0, 0x10000, 0x100000, GM_PERM_RW));
	EXPECT_HIT(0x5000, 8, GM_PERM_RW, 0x105000, 8);
	ASSERT_OK(SET(0x4000, 0x2000, 0x900000, GM_PERM_READ));
	EXPECT_EQ(3, mappings(self->t));
	EXPECT_HIT(0x3ff8, 16, GM_PERM_RW, 0x103ff8, 8);
	EXPECT_HIT(0x5000, 8, GM_PERM_READ, 0x901000, 8);
	EXPECT_DENIED(0x5000, 8, GM_PERM_WRITE);
	EXPECT_HIT(0x6000, 8, GM_PERM_RW, 0x106000, 8);
	/* The same again changes nothing. */
	ASSERT_OK(SET(0x4800, 0x800, 0x900800, GM_PERM_READ));
	EXPECT_EQ(3, mappings(self->t));
}

TEST_F(iotlb, invalidated_range_is_cut_out)
{
	struct gm_iotlb_stats s;

	ASSERT_OK(SET(0, 0x10000, 0x100000, GM_PERM_RW));
	EXPECT_HIT(0x8000, 8, GM_PERM_RW, 0x108000, 8);
	ASSERT_OK(INVALIDATE(0x7fff, 2));
	EXPECT_HIT(0x7ff8, 16, GM_PERM_RW, 0x107ff8, 7);
	EXPECT_MISS(0x7fff, 1, GM_PERM_READ);
	EXPECT_MISS(0x8000, 1, GM_PERM_READ);
	EXPECT_HIT(0x8001, 8, GM_PERM_RW, 0x108001, 8);
	/* Where there is nothing, and twice. */
	ASSERT_OK(INVALIDATE(0x7fff, 2));
	ASSERT_OK(INVALIDATE(0x100000, LAST - 0x100000));
	EXPECT_EQ(2, mappings(self->t));
	gm_iotlb_invalidate_all(self->t);
	EXPECT_EQ(0, mappings(self->t));
	EXPECT_MISS(0, 1, GM_PERM_READ);
	gm_iotlb_stats(self->t, &s);
	EXPECT_EQ(4, s.invalidations);
}

/* Mistake 2: panics and wrong answers at the ends of the 64-bit space. */
TEST_F(iotlb, length_0_is_an_error)
{
	struct gm_range r;

	EXPECT_FAIL(SET(0x1000, 0, 0, GM_PERM_RW), EINVAL, GM_ERR_ZERO_LENGTH,
		    0x1000, 0, 0, 0);
	EXPECT_FAIL(INVALIDATE(0x1000, 0), EINVAL, GM_ERR_ZERO_LENGTH, 0x1000,
		    0, 0, 0);
	EXPECT_FAIL(gm_iotlb_lookup(self->t, gm_iova(5), 0, GM_PERM_READ, &r),
		    EINVAL, GM_ERR_ZERO_LENGTH, 5, 0, 0, 0);
	/* To ask about no bytes is fine. */
	EXPECT_EQ(0, gm_iotlb_check_range(self->t, gm_iova(5), 0, GM_PERM_RW));
	EXPECT_EQ(0, gm_iotlb_translate(self->t, gm_iova(5), 0, GM_PERM_RW, &r,
					1));
}

TEST_F(iotlb, last_page_of_the_64_bit_space)
{
	ASSERT_OK(SET(LAST - 0xfff, 0x1000, 0x5000, GM_PERM_RW));
	EXPECT_HIT(LAST, 1, GM_PERM_RW, 0x5fff, 1);
	EXPECT_HIT(LAST - 7, 8, GM_PERM_RW, 0x5ff8, 8);
	EXPECT_EQ(0, gm_iotlb_check_range(self->t, gm_iova(LAST - 0xfff),
					  0x1000, GM_PERM_RW));
	ASSERT_OK(INVALIDATE(LAST - 3, 4));
	EXPECT_MISS(LAST, 1, GM_PERM_RW);
	EXPECT_HIT(LAST - 7, 8, GM_PERM_RW, 0x5ff8, 4);
}

TEST_F(iotlb, whole_64_bit_space)
{
	ASSERT_OK(SET(0, LAST, 0, GM_PERM_RW));
	ASSERT_OK(SET(LAST, 1, LAST, GM_PERM_RW));
	EXPECT_EQ(1, mappings(self->t));
	EXPECT_HIT(0, LAST, GM_PERM_RW, 0, LAST);
	EXPECT_HIT(LAST - 1, 2, GM_PERM_RW, LAST - 1, 2);
	EXPECT_HIT(0x123456789abc, 8, GM_PERM_RW, 0x123456789abc, 8);
	ASSERT_OK(INVALIDATE(1, LAST - 1));
	EXPECT_EQ(2, mappings(self->t));
	EXPECT_HIT(0, 8, GM_PERM_RW, 0, 1);
	EXPECT_HIT(LAST, 1, GM_PERM_RW, LAST, 1);
}

TEST_F(iotlb, range_that_wraps_is_an_error)
{
	struct gm_range r;

	EXPECT_FAIL(SET(LAST - 3, 8, 0, GM_PERM_RW), EOVERFLOW,
		    GM_ERR_OVERFLOW, LAST - 3, 8, 0, 0);
	EXPECT_FAIL(SET(1, LAST, 0, GM_PERM_RW) ?: SET(2, LAST, 0, GM_PERM_RW),
		    EOVERFLOW, GM_ERR_OVERFLOW, 2, LAST, 0, 0);
	EXPECT_FAIL(SET(0, 8, LAST - 3, GM_PERM_RW), EOVERFLOW,
		    GM_ERR_GUEST_OVERFLOW, LAST - 3, 8, 0, 0);
	EXPECT_HIT(0x1000, 1, GM_PERM_RW, 0xfff, 1);
	EXPECT_FAIL(INVALIDATE(LAST - 3, 8), EOVERFLOW, GM_ERR_OVERFLOW,
		    LAST - 3, 8, 0, 0);
	/* Nothing is forgotten then. */
	EXPECT_HIT(LAST - 3, 4, GM_PERM_RW, LAST - 4, 4);
	EXPECT_FAIL(gm_iotlb_lookup(self->t, gm_iova(LAST), 2, GM_PERM_READ,
				    &r),
		    EOVERFLOW, GM_ERR_OVERFLOW, LAST, 2, 0, 0);
}

TEST_F(iotlb, empty_one_answers_no_where_the_range_wraps)
{
	struct gm_iotlb_fails f = { .miss_room = 0 };
	struct gm_range r;

	EXPECT_FAIL(gm_iotlb_check_range(self->t, gm_iova(LAST - 3), 8,
					 GM_PERM_READ),
		    EOVERFLOW, GM_ERR_OVERFLOW, LAST - 3, 8, 0, 0);
	EXPECT_FAIL(gm_iotlb_translate(self->t, gm_iova(LAST - 3), 8,
				       GM_PERM_READ, &r, 1),
		    EOVERFLOW, GM_ERR_OVERFLOW, LAST - 3, 8, 0, 0);
	EXPECT_FAIL(gm_iotlb_fails(self->t, gm_iova(LAST - 3), 8, GM_PERM_READ,
				   &f),
		    EOVERFLOW, GM_ERR_OVERFLOW, LAST - 3, 8, 0, 0);
	EXPECT_FAIL(gm_iotlb_check_range(self->t, gm_iova(LAST - 3), 4,
					 GM_PERM_READ),
		    ENOENT, GM_ERR_IOTLB_MISS, LAST - 3, 4, 0, 0);
}

TEST_F(iotlb, fails_are_listed_apart_and_cut_to_the_request)
{
	struct gm_iova_range miss[4], denied[4];
	struct gm_iotlb_fails f = {
		.misses = miss, .miss_room = 4,
		.denied = denied, .denied_room = 4,
	};

	ASSERT_OK(SET(0x2000, 0x1000, 0, GM_PERM_RW));
	ASSERT_OK(SET(0x3000, 0x1000, 0x10000, GM_PERM_READ));
	ASSERT_OK(SET(0x4000, 0x1000, 0x20000, GM_PERM_READ));
	ASSERT_OK(SET(0x6000, 0x1000, 0x30000, GM_PERM_NONE));
	EXPECT_EQ(1, gm_iotlb_fails(self->t, gm_iova(0x1ff0), 0x4ff8,
				    GM_PERM_WRITE, &f));
	ASSERT_EQ(2, f.miss_count);
	EXPECT_EQ(0x1ff0, gm_iova_raw(miss[0].iova));
	EXPECT_EQ(0x10, miss[0].len);
	EXPECT_EQ(0x5000, gm_iova_raw(miss[1].iova));
	EXPECT_EQ(0x1000, miss[1].len);
	ASSERT_EQ(3, f.denied_count);
	EXPECT_EQ(0x3000, gm_iova_raw(denied[0].iova));
	EXPECT_EQ(0x1000, denied[0].len);
	EXPECT_EQ(0x4000, gm_iova_raw(denied[1].iova));
	EXPECT_EQ(0x6000, gm_iova_raw(denied[2].iova));
	EXPECT_EQ(0xfe8, denied[2].len);
	EXPECT_EQ(0, gm_iotlb_fails(self->t, gm_iova(0x2000), 0x3000,
				    GM_PERM_READ, &f));
	EXPECT_EQ(0, f.miss_count + f.denied_count);
	EXPECT_EQ(0, gm_iotlb_fails(self->t, gm_iova(0), 0, GM_PERM_RW, &f));
	/* Too little room: the counts are right. */
	f.miss_room = 1;
	f.denied_room = 0;
	EXPECT_FAIL(gm_iotlb_fails(self->t, gm_iova(0x1ff0), 0x4ff8,
				   GM_PERM_WRITE, &f),
		    EMSGSIZE, GM_ERR_ARRAY_SMALL, 0x1ff0, 0x4ff8, 5, 1);
	EXPECT_EQ(2, f.miss_count);
	EXPECT_EQ(3, f.denied_count);
}

TEST_F(iotlb, translate_gives_all_pieces_or_the_first_that_fails)
{
	struct gm_range out[2];

	ASSERT_OK(SET(0x1000, 0x1000, 0x5000, GM_PERM_RW));
	ASSERT_OK(SET(0x2000, 0x1000, 0x1000, GM_PERM_READ));
	EXPECT_FAIL(gm_iotlb_translate(self->t, gm_iova(0x1800), 0x1000,
				       GM_PERM_READ, out, 1),
		    EMSGSIZE, GM_ERR_ARRAY_SMALL, 0x1800, 0x1000, 2, 1);
	EXPECT_FAIL(gm_iotlb_translate(self->t, gm_iova(0x1800), 0x1000,
				       GM_PERM_WRITE, out, 2),
		    EACCES, GM_ERR_PERMISSION, 0x2000, 0x800, 0, 0);
	EXPECT_FAIL(gm_iotlb_check_range(self->t, gm_iova(0x2800), 0x1000,
					 GM_PERM_READ),
		    ENOENT, GM_ERR_IOTLB_MISS, 0x3000, 0x800, 0, 0);
	EXPECT_EQ(0, gm_iotlb_check_range(self->t, gm_iova(0x1800), 0x1000,
					  GM_PERM_READ));
}

TEST_F(iotlb, full_one_evicts_and_counts)
{
	struct gm_iotlb_stats s;
	struct gm_range r;
	uint64_t i, there = 0;

	/* Every second page: nothing joins. */
	for (i = 0; i < 200; i++) {
		ASSERT_OK(SET(i * 0x2000, 0x1000, i * 0x1000, GM_PERM_RW));
		EXPECT_HIT(i * 0x2000, 8, GM_PERM_RW, i * 0x1000, 8);
	}
	gm_iotlb_stats(self->t, &s);
	EXPECT_EQ(64, s.mappings);
	EXPECT_EQ(64, s.capacity);
	EXPECT_EQ(136, s.evictions);
	EXPECT_EQ(200, s.hits);
	EXPECT_EQ(0, s.misses);
	for (i = 0; i < 200; i++)
		there += !gm_iotlb_lookup(self->t, gm_iova(i * 0x2000), 8,
					  GM_PERM_RW, &r);
	EXPECT_EQ(64, there);
	gm_iotlb_stats(self->t, &s);
	EXPECT_EQ(264, s.hits);
	EXPECT_EQ(136, s.misses);
}

TEST(mapping_that_falls_in_two_when_full_makes_room)
{
	struct gm_iotlb_stats s;
	struct gm_iotlb *t;
	struct gm_range r;

	ASSERT_OK(gm_iotlb_new(1, &t));
	ASSERT_OK(gm_iotlb_set_mapping(t, gm_iova(0), 0x3000, gm_gpa(0),
				       GM_PERM_RW));
	ASSERT_OK(gm_iotlb_invalidate(t, gm_iova(0x1000), 0x1000));
	gm_iotlb_stats(t, &s);
	EXPECT_EQ(1, s.evictions);
	EXPECT_LE(s.mappings, 1);
	EXPECT_EQ(-ENOENT, gm_iotlb_lookup(t, gm_iova(0x1000), 1, GM_PERM_READ,
					   &r));
	gm_iotlb_free(t);
}

TEST(mapping_that_joins_needs_no_room)
{
	struct gm_iotlb_stats s;
	struct gm_iotlb *t;

	ASSERT_OK(gm_iotlb_new(1, &t));
	ASSERT_OK(gm_iotlb_set_mapping(t, gm_iova(0x1000), 0x1000,
				       gm_gpa(0x5000), GM_PERM_RW));
	ASSERT_OK(gm_iotlb_set_mapping(t, gm_iova(0x2000), 0x1000,
				       gm_gpa(0x6000), GM_PERM_RW));
	ASSERT_OK(gm_iotlb_set_mapping(t, gm_iova(0), 0x1000, gm_gpa(0x4000),
				       GM_PERM_RW));
	ASSERT_OK(gm_iotlb_check_range(t, gm_iova(0), 0x3000, GM_PERM_RW));
	gm_iotlb_stats(t, &s);
	EXPECT_EQ(0, s.evictions);
	EXPECT_EQ(1, s.mappings);
	gm_iotlb_free(t);
}

#define SCATTERED 4096

/* So many pages, so far apart, that some have to share their place. */
static uint64_t scattered(uint64_t n)
{
	return n * n * UINT64_C(0x3779b97f4a7c15) << 12;
}

TEST(scattered_pages_are_there_until_they_are_invalidated)
{
	struct gm_range r;
	struct gm_iotlb *t;
	uint64_t n, again;

	ASSERT_OK(gm_iotlb_new(SCATTERED, &t));
	for (n = 1; n <= SCATTERED; n++)
		ASSERT_OK(gm_iotlb_set_mapping(t, gm_iova(scattered(n)), 0x1000,
					       gm_gpa(n << 12), GM_PERM_RW));
	for (again = 0; again < 2; again++) {
		for (n = 1; n <= SCATTERED; n++) {
			ASSERT_OK(gm_iotlb_lookup(t, gm_iova(scattered(n)), 8,
						  GM_PERM_RW, &r));
			ASSERT_EQ(n << 12, gm_gpa_raw(r.gpa));
		}
	}
	for (n = 1; n <= SCATTERED; n++) {
		ASSERT_OK(gm_iotlb_invalidate(t, gm_iova(scattered(n)), 1));
		ASSERT_EQ(-ENOENT, gm_iotlb_lookup(t, gm_iova(scattered(n)), 1,
						   GM_PERM_RW, &r));
		if (n < SCATTERED)
			ASSERT_OK(gm_iotlb_lookup(t, gm_iova(scattered(n + 1)),
						  8, GM_PERM_RW, &r));
	}
	gm_iotlb_free(t);
}

/* What is left of a page is told from later ones by a number that comes again. */
TEST(invalidated_long_ago_is_not_back)
{
	struct gm_iotlb *t;
	struct gm_range out;
	uint64_t n;

	ASSERT_OK(gm_iotlb_new(64, &t));
	ASSERT_OK(gm_iotlb_set_mapping(t, gm_iova(0), 0x1000, gm_gpa(0x1000),
				       GM_PERM_RW));
	ASSERT_OK(gm_iotlb_lookup(t, gm_iova(8), 8, GM_PERM_RW, &out));
	for (n = 1; n < 600; n++) {
		gm_iotlb_invalidate_all(t);
		/* Such a page is there, but another one. */
		ASSERT_OK(gm_iotlb_set_mapping(t, gm_iova(n * 0x1000), 0x1000,
					       gm_gpa(0), GM_PERM_RW));
		ASSERT_OK(gm_iotlb_lookup(t, gm_iova(n * 0x1000), 8, GM_PERM_RW,
					  &out));
		ASSERT_EQ(-ENOENT, gm_iotlb_lookup(t, gm_iova(8), 8,
						   GM_PERM_RW, &out));
	}
	gm_iotlb_free(t);
}

TEST_HARNESS_MAIN
