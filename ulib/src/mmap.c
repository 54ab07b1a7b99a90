/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * mmap.c - regions of mapped memory: options checked, region made and freed.
 *
 * The mapping itself is the system's affair: os_linux_mmap.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "os_mman.h"

#define OPTS struct gm_mmap_opts

#define KNOWN_FLAGS \
	(GM_MMAP_READ_ONLY | GM_MMAP_MEMFD | GM_MMAP_THP | GM_MMAP_NO_THP | \
	 GM_MMAP_LOCK | GM_MMAP_NO_DUMP | GM_MMAP_NO_FORK | GM_MMAP_DIRTY | \
	 GM_MMAP_PREFAULT | GM_MMAP_PRIVATE | GM_MMAP_MERGEABLE)

/* A region and what it takes to undo its mapping. */
struct gm_mmap_region {
	struct gm_region region;
	struct gm_mapping mapping;
	struct gm_bitmap rdonly;	/* the mark of read-only memory */
};

static void mmap_release(struct gm_region *r)
{
	struct gm_mmap_region *mr = (struct gm_mmap_region *)r;

	if (r->owned) {
		gm_mapping_unwatch(&mr->mapping);
		gm_os_unmap(&mr->mapping);
	}
	gm_file_put(r->file);
	gm_region_exit(r);
	free(mr);
}

static const struct gm_region_ops mmap_ops = {
	.begin = gm_region_no_begin,
	.end = gm_region_no_end,
	.release = mmap_release,
};

struct gm_mapping *gm_region_mapping(struct gm_region *r)
{
	r = gm_region_root(r);
	if (r->ops != &mmap_ops || !r->owned)
		return NULL;
	return &((struct gm_mmap_region *)r)->mapping;
}

static int check_addr(const struct gm_mmap_opts *o)
{
	const uint32_t usable = GM_MMAP_READ_ONLY | GM_MMAP_DIRTY;

	if ((uintptr_t)o->addr & (gm_os_page_size() - 1))
		return gm_error_set(-EINVAL, GM_ERR_POINTER,
				    (uintptr_t)o->addr, 0);
	if (o->flags & ~usable)
		return gm_option_error(-EINVAL, OPTS, flags);
	if (o->huge_size)
		return gm_option_error(-EINVAL, OPTS, huge_size);
	if (o->numa_node)
		return gm_option_error(-EINVAL, OPTS, numa_node);
	if (o->guard_size)
		return gm_option_error(-EINVAL, OPTS, guard_size);
	if (o->name)
		return gm_option_error(-EINVAL, OPTS, name);
	return 0;
}

static int check_flags(const struct gm_mmap_opts *o)
{
	uint32_t f = o->flags;

	if (f & ~KNOWN_FLAGS)
		return gm_option_error(-EINVAL, OPTS, flags);
	if ((f & GM_MMAP_THP) && ((f & GM_MMAP_NO_THP) || o->huge_size))
		return gm_option_error(-EINVAL, OPTS, flags);
	if ((f & GM_MMAP_MEMFD) && (o->file || (f & GM_MMAP_PRIVATE)))
		return gm_option_error(-EINVAL, OPTS, flags);
	if ((f & GM_MMAP_PRIVATE) && !o->file)
		return gm_option_error(-EINVAL, OPTS, flags);
	if ((f & GM_MMAP_DIRTY) && o->dirty)
		return gm_option_error(-EINVAL, OPTS, dirty);
	if ((f & GM_MMAP_READ_ONLY) && (o->dirty || (f & GM_MMAP_DIRTY)))
		return gm_option_error(-EINVAL, OPTS, dirty);
	if (o->dirty_page_size &&
	    (!(f & GM_MMAP_DIRTY) || !gm_is_power_of_two(o->dirty_page_size)))
		return gm_option_error(-EINVAL, OPTS, dirty_page_size);
	return 0;
}

static int check_prot(struct gm_mmap_opts *o)
{
	bool rdonly = o->flags & GM_MMAP_READ_ONLY;

	if (!o->prot)
		o->prot = rdonly ? PROT_READ : PROT_READ | PROT_WRITE;
	if (!(o->prot & PROT_READ) || (o->prot & ~(PROT_READ | PROT_WRITE)))
		return gm_option_error(-EINVAL, OPTS, prot);
	/* The caller's own mapping may be writable, for the caller. */
	if (rdonly && (o->prot & PROT_WRITE) && !o->addr)
		return gm_option_error(-EINVAL, OPTS, prot);
	if (!(o->prot & PROT_WRITE)) {
		if (o->dirty || (o->flags & GM_MMAP_DIRTY))
			return gm_option_error(-EINVAL, OPTS, dirty);
		o->flags |= GM_MMAP_READ_ONLY;
	}
	return 0;
}

static int check_map_flags(const struct gm_mmap_opts *o)
{
	int type = o->map_flags & MAP_TYPE;

	if (o->map_flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return gm_error_set(-EINVAL, GM_ERR_MAP_FIXED, 0, 0);
	if (o->addr)
		return 0;
	/* Page size, reserve and kind have options of their own. */
	if (o->map_flags & (MAP_HUGETLB | MAP_GROWSDOWN))
		return gm_option_error(-EINVAL, OPTS, map_flags);
	if ((o->map_flags & MAP_ANONYMOUS) &&
	    (o->file || (o->flags & GM_MMAP_MEMFD)))
		return gm_option_error(-EINVAL, OPTS, map_flags);
	if (o->huge_size && (o->map_flags & MAP_NORESERVE))
		return gm_option_error(-EINVAL, OPTS, map_flags);
	if (type && type != MAP_SHARED && type != MAP_PRIVATE)
		return gm_option_error(-EINVAL, OPTS, map_flags);
	if (type == MAP_SHARED && (o->flags & GM_MMAP_PRIVATE))
		return gm_option_error(-EINVAL, OPTS, map_flags);
	if (type == MAP_PRIVATE && (o->flags & GM_MMAP_MEMFD))
		return gm_option_error(-EINVAL, OPTS, map_flags);
	return 0;
}

int gm_mmap_check_opts(const struct gm_mmap_opts *in,
		       struct gm_mmap_opts *out)
{
	uint64_t page = gm_os_page_size();
	int ret;

	ret = gm_opts_copy(in, offsetof(OPTS, prot), out, sizeof(*out));
	if (!ret)
		ret = check_flags(out);
	if (!ret)
		ret = check_prot(out);
	if (!ret)
		ret = check_map_flags(out);
	if (!ret && out->addr)
		ret = check_addr(out);
	if (ret)
		return ret;
	if (out->reserved)
		return gm_option_error(-EINVAL, OPTS, reserved);
	if (out->huge_size &&
	    (!gm_is_power_of_two(out->huge_size) || out->huge_size <= page ||
	     out->file))
		return gm_option_error(-EINVAL, OPTS, huge_size);
	if (out->guard_size & (page - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED,
				    out->guard_size, page);
	return 0;
}

int gm_mmap_check_array(const struct gm_mmap_opts *opts, size_t count)
{
	size_t i;

	if (!opts || !count)
		return 0;
	if (opts->sz < offsetof(OPTS, prot) || opts->sz % __alignof__(*opts))
		return gm_option_error(-EINVAL, OPTS, sz);
	for (i = 1; i < count; i++)
		if (gm_mmap_opts_at(opts, i)->sz != opts->sz)
			return gm_option_error(-EINVAL, OPTS, sz);
	return 0;
}

int gm_mmap_bitmap(struct gm_bitmap *rdonly, const struct gm_mmap_opts *o,
		   uint64_t len, struct gm_bitmap **out)
{
	*out = NULL;
	if (o->flags & GM_MMAP_READ_ONLY) {
		rdonly->flags = GM_BITMAP_RDONLY;
		rdonly->refs = 1;
		*out = rdonly;
		return 0;
	}
	if (o->flags & GM_MMAP_DIRTY)
		return gm_bitmap_new(len, o->dirty_page_size, out);
	/* A bitmap that ends before the region would lose marks. */
	if (o->dirty && gm_bitmap_bytes(o->dirty) < len)
		return gm_option_error(-EINVAL, OPTS, dirty);
	*out = gm_bitmap_get(o->dirty);
	return 0;
}

/* The mapping: the caller's, or a new one with all that was asked of it. */
static int make_mapping(struct gm_mapping *m, const struct gm_mmap_opts *o,
			uint64_t len)
{
	int ret;

	m->len = len;
	m->prot = o->prot;
	if (o->addr) {
		m->addr = o->addr;
		m->flags = o->map_flags;
		m->file = gm_file_get(o->file);
		m->file_off = o->file_off;
		return 0;
	}
	ret = gm_os_map(m, o);
	if (ret)
		return ret;
	ret = gm_os_map_advise(m, o);
	if (!ret && (o->flags & GM_MMAP_PREFAULT))
		ret = gm_mapping_prefault(m, o);
	if (!ret && (o->flags & GM_MMAP_LOCK)) {
		ret = gm_os_lock(m->addr, m->len);
		if (ret)
			gm_error_set(ret, GM_ERR_IO, 0, m->len);
	}
	if (ret) {
		gm_os_unmap(m);
		gm_file_put(m->file);
	}
	return ret;
}

static int build(struct gm_mmap_region *mr, gm_gpa_t gpa, uint64_t len,
		 const struct gm_mmap_opts *o)
{
	struct gm_region *r = &mr->region;
	struct gm_mapping *m = &mr->mapping;
	struct gm_bitmap *dirty;
	int ret;

	/* Base and length first: they are the cheapest to refuse. */
	ret = gm_region_init(r, gpa, len, o->addr, NULL, &mmap_ops);
	if (ret)
		return ret;
	ret = gm_mmap_bitmap(&mr->rdonly, o, len, &dirty);
	if (ret)
		return ret;
	ret = make_mapping(m, o, len);
	if (ret) {
		gm_bitmap_put(dirty);
		return ret;
	}
	r->ext.host = m->addr;
	r->ext.dirty = dirty;
	r->prot = m->prot;
	r->flags = m->flags;
	r->owned = !o->addr;
	r->hugetlbfs = m->hugetlbfs;
	r->file = m->file;
	r->file_off = m->file_off;
	return 0;
}

int gm_region_new_mmap(gm_gpa_t gpa, gm_size_t len,
		       const struct gm_mmap_opts *opts,
		       struct gm_region **out)
{
	struct gm_mmap_region *mr;
	struct gm_mmap_opts o;
	int ret;

	ret = gm_mmap_check_opts(opts, &o);
	if (ret)
		return ret;
	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return gm_error_memory(sizeof(*mr));
	ret = build(mr, gpa, len, &o);
	if (ret) {
		free(mr);
		return ret;
	}
	*out = &mr->region;
	return 0;
}
