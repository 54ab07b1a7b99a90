/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_log.c - the log that vhost and vhost-user share with a front-end.
 */
#include <errno.h>
#include <stdlib.h>

#include <guestmem/alias.h>
#include <guestmem/vhost_log.h>

#include "bitmap_private.h"

#define SHIFT 12	/* of GM_VHOST_LOG_PAGE */

struct gm_vhost_log {
	struct gm_region *region;	/* its mapping */
	uint64_t *words;
	uint64_t size;
	uint64_t pages;		/* bits that it has, and guest addresses have */
	uint32_t refs;
};

int gm_vhost_log_new(struct gm_file *file, uint64_t off, uint64_t size,
		     struct gm_vhost_log **out)
{
	struct gm_mmap_opts opts = {
		.sz = sizeof(opts),
		.flags = GM_MMAP_NO_DUMP,
		.file = file,
		.file_off = off,
	};
	struct gm_vhost_log *log;
	int ret;

	log = calloc(1, sizeof(*log));
	if (!log)
		return gm_error_memory(sizeof(*log));
	ret = gm_region_new_mmap(gm_gpa(0), size, &opts, &log->region);
	if (ret) {
		free(log);
		return ret;
	}
	log->words = (uint64_t *)log->region->ext.host;
	log->size = size;
	log->pages = UINT64_C(1) << (64 - SHIFT);
	log->pages = gm_min(size, log->pages / 8) * 8;
	log->refs = 1;
	*out = log;
	return 0;
}

struct gm_vhost_log *gm_vhost_log_get(struct gm_vhost_log *log)
{
	gm_ref_inc(&log->refs);
	return log;
}

void gm_vhost_log_put(struct gm_vhost_log *log)
{
	if (!log || !gm_ref_dec_is_last(&log->refs))
		return;
	gm_region_put(log->region);
	free(log);
}

struct gm_region *gm_vhost_log_region(const struct gm_vhost_log *log)
{
	return log->region;
}

/* The log's last bytes may be no whole word; what follows is not ours. */
static void mark_bytes(uint8_t *p, uint64_t mask)
{
	for (; mask; mask >>= 8, p++)
		if (mask & 0xff)
			__atomic_fetch_or(p, (uint8_t)mask, __ATOMIC_SEQ_CST);
}

void gm_vhost_log_mark(struct gm_vhost_log *log, gm_gpa_t gpa, uint64_t len)
{
	uint64_t first = gm_gpa_raw(gpa) >> SHIFT, last, w, mask;

	if (!len)
		return;
	if (__builtin_add_overflow(gm_gpa_raw(gpa), len - 1, &last))
		last = UINT64_MAX;
	last >>= SHIFT;
	if (first >= log->pages)
		return;
	last = gm_min(last, log->pages - 1);
	for (w = first >> 6; w <= last >> 6; w++) {
		mask = gm_bitmap_mask(w, first, last);
		if (w < log->size / 8)
			__atomic_fetch_or(&log->words[w], gm_swap_le64(mask),
					  __ATOMIC_SEQ_CST);
		else
			mark_bytes((uint8_t *)&log->words[w], mask);
	}
}

bool gm_vhost_log_test(const struct gm_vhost_log *log, gm_gpa_t gpa)
{
	uint64_t page = gm_gpa_raw(gpa) >> SHIFT;
	const uint8_t *bytes = (const uint8_t *)log->words;

	if (page >= log->pages)
		return false;
	return __atomic_load_n(&bytes[page / 8], __ATOMIC_ACQUIRE) >>
	       (page % 8) & 1;
}

/* A region's part of a log. */
struct part {
	struct gm_bitmap bm;
	struct gm_vhost_log *log;	/* a reference */
	uint64_t gpa;
};

static const struct part *part_of(const struct gm_bitmap *bm)
{
	return (const struct part *)bm;
}

static void part_mark(struct gm_bitmap *bm, uint64_t off, uint64_t len)
{
	const struct part *p = part_of(bm);

	if (off < bm->bytes)
		gm_vhost_log_mark(p->log, gm_gpa(p->gpa + off),
				  gm_min(len, bm->bytes - off));
}

static bool part_test(const struct gm_bitmap *bm, uint64_t off)
{
	const struct part *p = part_of(bm);

	return off < bm->bytes &&
	       gm_vhost_log_test(p->log, gm_gpa(p->gpa + off));
}

static void part_release(struct gm_bitmap *bm)
{
	struct part *p = (struct part *)bm;

	gm_vhost_log_put(p->log);
	free(p);
}

static const struct gm_bitmap_ops part_ops = {
	.mark = part_mark,
	.test = part_test,
	.release = part_release,
};

int gm_vhost_log_bitmap(struct gm_vhost_log *log, gm_gpa_t gpa, gm_size_t len,
			struct gm_bitmap **out)
{
	uint64_t first = gm_gpa_raw(gpa) >> SHIFT, last;
	struct part *p;

	if (!len)
		return gm_error_set(-EINVAL, GM_ERR_ZERO_LENGTH,
				    gm_gpa_raw(gpa), 0);
	if (__builtin_add_overflow(gm_gpa_raw(gpa), len - 1, &last))
		return gm_error_set(-EOVERFLOW, GM_ERR_GUEST_OVERFLOW,
				    gm_gpa_raw(gpa), len);
	last >>= SHIFT;
	if (last >= log->pages)
		return gm_error_set_counts(-ERANGE, GM_ERR_OUT_OF_BOUNDS,
					   first / 8, last / 8 - first / 8 + 1,
					   log->size, 0);
	p = calloc(1, sizeof(*p));
	if (!p)
		return gm_error_memory(sizeof(*p));
	gm_bitmap_init_ops(&p->bm, &part_ops, len, NULL);
	p->log = gm_vhost_log_get(log);
	p->gpa = gm_gpa_raw(gpa);
	*out = &p->bm;
	return 0;
}

static int track(void *log, struct gm_region *r, struct gm_bitmap **dirty)
{
	return gm_vhost_log_bitmap(log, gm_region_start(r), r->ext.len, dirty);
}

int gm_vhost_log_map(struct gm_vhost_log *log, const struct gm_map *m,
		     struct gm_map **out)
{
	return gm_map_new_alias(m, track, log, out);
}
