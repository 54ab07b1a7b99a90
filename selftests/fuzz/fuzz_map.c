/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fuzz_map.c - the input makes a map of any ranges, changes it and asks it
 * questions; a search through all regions knows the answers.
 */
#include <errno.h>
#include <string.h>
#include <guestmem/view.h>
#include "input.h"

#define MAX 24

/* Regions of the fuzzer's own kind. Longer ones have no host address. */
static uint8_t memory[256];
static int live;

static void release(struct gm_region *r)
{
	gm_region_exit(r);
	free(r);
	live--;
}

static const struct gm_region_ops ops = {
	.begin = gm_region_no_begin,
	.end = gm_region_no_end,
	.release = release,
};

struct state {
	struct input in;
	struct gm_map *map;
	struct gm_region *regions[MAX];	/* those in the map, any order */
	size_t count;
};

static struct gm_region *make(uint64_t base, uint64_t len)
{
	struct gm_region *r = malloc(sizeof(*r));
	int ret;

	if (!r)
		return NULL;
	ret = gm_region_init(r, gm_gpa(base), len,
			     len <= sizeof(memory) ? memory : NULL, NULL, &ops);
	if (ret) {
		CHECK(ret == (len ? -EOVERFLOW : -EINVAL));
		CHECK(!len || (unsigned __int128)base + len >
				      (unsigned __int128)1 << 64);
		free(r);
		return NULL;
	}
	live++;
	return r;
}

static bool overlaps(const struct gm_region *a, const struct gm_region *b)
{
	return gm_gpa_raw(gm_region_start(a)) <= gm_gpa_raw(gm_region_last(b)) &&
	       gm_gpa_raw(gm_region_start(b)) <= gm_gpa_raw(gm_region_last(a));
}

static struct gm_region *find(const struct state *st, uint64_t gpa)
{
	size_t i;

	for (i = 0; i < st->count; i++)
		if (gpa >= gm_gpa_raw(gm_region_start(st->regions[i])) &&
		    gpa <= gm_gpa_raw(gm_region_last(st->regions[i])))
			return st->regions[i];
	return NULL;
}

/* The first address of [gpa, gpa + len), which does not wrap, in no region. */
static bool first_hole(const struct state *st, uint64_t gpa, uint64_t len,
		       uint64_t *hole)
{
	struct gm_region *r;
	uint64_t last;

	while (len) {
		r = find(st, gpa);
		*hole = gpa;
		if (!r)
			return true;
		last = gm_gpa_raw(gm_region_last(r));
		if (last - gpa >= len - 1)
			return false;
		len -= last - gpa + 1;
		gpa = last + 1;
	}
	return false;
}

static uint64_t address(struct state *st)
{
	uint64_t how = input_u8(&st->in);
	struct gm_region *r;

	if (!st->count || how & 1)
		return input_number(&st->in);
	r = st->regions[(how >> 1) % st->count];
	how = input_u8(&st->in);
	return gm_gpa_raw(how & 1 ? gm_region_start(r) : gm_region_last(r)) +
	       (how >> 1 & 3) - 1;
}

static void replace(struct state *st, struct gm_map *m)
{
	gm_map_put(st->map);
	st->map = m;
	CHECK(gm_map_count(m) == st->count);
}

static void op_insert(struct state *st)
{
	uint64_t base = address(st), len = input_number(&st->in);
	struct gm_region *r = make(base, len);
	struct gm_map *m = NULL;
	bool meets = false;
	size_t i;
	int ret;

	if (!r)
		return;
	for (i = 0; i < st->count; i++)
		meets |= overlaps(r, st->regions[i]);
	ret = gm_map_insert(st->map, r, &m);
	CHECK(ret == (meets ? -EEXIST : 0));
	if (!ret && st->count < MAX) {
		st->regions[st->count++] = r;
		replace(st, m);
	} else {
		gm_map_put(m);
	}
	gm_region_put(r);
}

static void op_remove(struct state *st)
{
	uint64_t base = address(st), len = input_number(&st->in);
	struct gm_region *removed = NULL, *r = find(st, base);
	struct gm_map *m = NULL;
	size_t i;
	int ret;

	/* Mostly the right length. */
	if (r && input_u8(&st->in) & 3)
		len = gm_region_len(r);
	ret = gm_map_remove(st->map, gm_gpa(base), len, &m, &removed);
	if (!r || gm_gpa_raw(gm_region_start(r)) != base ||
	    gm_region_len(r) != len) {
		CHECK(ret == -ENOENT && !m && !removed);
		return;
	}
	CHECK(!ret && removed == r);
	for (i = 0; st->regions[i] != r; i++)
		;
	st->regions[i] = st->regions[--st->count];
	CHECK(gm_map_find(st->map, gm_gpa(base)) == r);
	replace(st, m);
	gm_region_put(removed);
}

static void op_find(struct state *st)
{
	uint64_t gpa = address(st), n = input_number(&st->in);
	struct gm_region *got = NULL, *r = find(st, gpa);
	gm_gpa_t sum = gm_gpa(77);
	gm_roff_t off;
	int ret;

	CHECK(gm_map_find(st->map, gm_gpa(gpa)) == r);
	CHECK(gm_map_contains(st->map, gm_gpa(gpa)) == (r != NULL));
	ret = gm_map_to_offset(st->map, gm_gpa(gpa), &off, &got);
	CHECK(ret == (r ? 0 : -EFAULT) && got == r);
	CHECK(!r || gm_roff_raw(off) == gpa - gm_gpa_raw(gm_region_start(r)));
	ret = gm_map_offset_add(st->map, gm_gpa(gpa), n, &sum);
	if (n > UINT64_MAX - gpa)
		CHECK(ret == -EOVERFLOW);
	else
		CHECK(ret == (find(st, gpa + n) ? 0 : -EFAULT));
	CHECK(gm_gpa_raw(sum) == (ret ? 77 : gpa + n));
}

static void op_range(struct state *st)
{
	uint64_t gpa = address(st), len = input_number(&st->in), sum = 0, hole;
	bool wraps = len && len - 1 > UINT64_MAX - gpa;
	struct gm_slices it;
	struct gm_slice s;
	struct gm_view v;
	int ret, end;

	ret = gm_map_check_range(st->map, gm_gpa(gpa), len);
	if (wraps) {
		CHECK(ret == -EOVERFLOW);
	} else if (first_hole(st, gpa, len, &hole)) {
		CHECK(ret == -EFAULT && gm_error_last()->addr == hole);
	} else {
		CHECK(!ret);
	}
	gm_view_init(&v, st->map);
	gm_slices_init(&it, &v, gm_gpa(gpa), len, GM_PERM_READ);
	while ((end = gm_slices_next(&it, &s)) > 0) {
		CHECK(s.len && s.len <= len - sum);
		CHECK(find(st, gpa + sum));
		sum += s.len;
	}
	CHECK((end == 0) == (ret == 0) && (end || sum == len));
	end = gm_map_slice(st->map, gm_gpa(gpa), len, &s);
	if (!end)
		CHECK(s.len == len && find(st, gpa) &&
		      (!len || find(st, gpa) == find(st, gpa + (len - 1))));
	else if (!ret && len)
		CHECK(end == -EMSGSIZE);
}

/* A first map, of the ranges as they come: sorted or not. */
static bool first_map(struct state *st)
{
	size_t i, n = input_u8(&st->in) % MAX, made = 0;
	uint64_t at = 0;
	int want = 0, ret;

	for (i = 0; i < n; i++) {
		struct gm_region *prev = made ? st->regions[made - 1] : NULL;
		struct gm_region *r;

		/* Mostly behind the one before. */
		at = input_u8(&st->in) & 7 ? at + input_number(&st->in) :
					     input_number(&st->in);
		r = make(at, input_number(&st->in));
		if (!r)
			continue;
		if (!want && prev &&
		    gm_gpa_cmp(gm_region_start(r), gm_region_start(prev)) < 0)
			want = -EINVAL;
		else if (!want && prev && overlaps(r, prev))
			want = -EEXIST;
		st->regions[made++] = r;
		at = gm_gpa_raw(gm_region_last(r)) + 1;
	}
	ret = gm_map_new(st->regions, made, &st->map);
	CHECK(ret == (made ? want : -EINVAL));
	for (i = 0; i < made; i++)
		gm_region_put(st->regions[i]);
	st->count = made;
	return !ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const do_op[])(struct state *) = {
		op_insert, op_remove, op_find, op_range,
	};
	struct state st = { .in = { data, size } };
	size_t i;

	if (first_map(&st)) {
		while (!input_is_empty(&st.in))
			do_op[input_u8(&st.in) % 4](&st);
		for (i = 1; i < gm_map_count(st.map); i++)
			CHECK(gm_gpa_cmp(gm_region_last(gm_map_region(st.map, i - 1)),
					 gm_region_start(gm_map_region(st.map, i))) < 0);
		gm_map_put(st.map);
	}
	CHECK(!live);
	return 0;
}
