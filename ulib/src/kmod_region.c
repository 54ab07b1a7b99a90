/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kmod_region.c - regions of memory that the module allocates or pins.
 *
 * Allocated memory is a file of the module's that is mapped: mmap.c makes the
 * region. Pinned memory keeps the mapping that it has; its region adds the
 * module's file, which lasts as long as the pin.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmod_private.h"

#define OPTS struct gm_mmap_opts

#define PIN_HOLDER "guestmem pin"

GM_KMOD_SAME(GM_KMOD_REGION_READ_ONLY, GUESTMEM_REGION_READ_ONLY);
GM_KMOD_SAME(GM_KMOD_REGION_REVOKED, GUESTMEM_REGION_REVOKED);

/* A region over the memory of another one. */
struct pin_region {
	struct gm_region region;
	struct gm_file *pin;
	struct gm_hold *hold;	/* has a reference to the other one */
};

static void pin_release(struct gm_region *r)
{
	struct pin_region *p = (struct pin_region *)r;

	gm_file_put(p->pin);
	gm_file_put(r->file);
	/* The bitmap may be a part of the other one. */
	gm_region_exit(r);
	gm_hold_end(p->hold);
	free(p);
}

static const struct gm_region_ops pin_ops = {
	.begin = gm_region_no_begin,
	.end = gm_region_no_end,
	.release = pin_release,
};

static int not_pinned(const struct gm_region *r)
{
	return gm_error_set(-EINVAL, GM_ERR_NOT_PINNED, r->ext.base,
			    r->ext.len);
}

int gm_kmod_region_fd(const struct gm_region *r, int *fd, uint64_t *off)
{
	/* An alias has the file that is behind the memory: not the pin's. */
	r = gm_region_alias_of(r);
	if (r->ops == &pin_ops) {
		*fd = gm_file_fd(((const struct pin_region *)r)->pin);
		*off = 0;
	} else if (r->file) {
		*fd = gm_file_fd(r->file);
		*off = r->file_off;
	} else {
		return not_pinned(r);
	}
	return 0;
}

int gm_kmod_round_up(uint64_t len, uint64_t page, uint64_t *out)
{
	uint64_t sum;

	if (__builtin_add_overflow(len, page - 1, &sum))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, len,
				    page - 1);
	*out = sum & ~(page - 1);
	return 0;
}

/* ALLOC and PIN say ENOMEM for the user's limit, and for want of memory. */
static int memory_error(const struct gm_kmod *k, enum gm_error_kind kind,
			uint64_t len)
{
	struct gm_kmod_info info;

	if (!gm_kmod_query(k, &info) &&
	    (info.locked > info.locked_limit ||
	     len > info.locked_limit - info.locked))
		return gm_error_set_counts(-ENOMEM, GM_ERR_MEMLOCK, 0, len,
					   info.locked_limit, info.locked);
	return gm_error_set(-ENOMEM, kind, 0, len);
}

static int file_of(int fd, struct gm_file **out)
{
	int ret = gm_file_new(fd, out);

	if (ret)
		close(fd);
	return ret;
}

static int alloc_error(const struct gm_kmod *k, const struct gm_mmap_opts *o,
		       int ret, uint64_t len)
{
	switch (ret) {
	case -ENOMEM:
		return memory_error(k, o->huge_size ? GM_ERR_HUGE :
						      GM_ERR_MEMORY, len);
	case -ENODEV:
		return gm_error_set(ret, GM_ERR_NUMA, o->numa_node - 1, 0);
	case -EOVERFLOW:
		return gm_error_set(ret, GM_ERR_OVERFLOW, 0, len);
	default:
		return gm_error_set(ret, GM_ERR_IO, 0, len);
	}
}

static int alloc(const struct gm_kmod *k, const struct gm_mmap_opts *o,
		 uint64_t len, struct gm_file **out)
{
	bool read_only = o->flags & GM_MMAP_READ_ONLY;
	struct guestmem_alloc arg = {
		.size = sizeof(arg),
		.flags = o->huge_size ? GUESTMEM_ALLOC_HUGE : 0,
		.node = o->numa_node ? (int32_t)(o->numa_node - 1) :
				       GUESTMEM_NODE_ANY,
		.fd_flags = O_CLOEXEC | (read_only ? O_RDONLY : O_RDWR),
	};
	uint64_t rounded = 0;
	int ret;

	ret = gm_kmod_round_up(len, o->huge_size ? o->huge_size :
						   gm_os_page_size(), &rounded);
	if (ret)
		return ret;
	arg.length = rounded;
	ret = gm_kmod_ioctl(gm_kmod_fd(k), GUESTMEM_ALLOC, &arg);
	if (ret)
		return alloc_error(k, o, ret, rounded);
	return file_of(arg.out_fd, out);
}

/* Is it memory as the module allocates it? */
static bool allocates(const struct gm_kmod *k, const struct gm_mmap_opts *o)
{
	const uint32_t others = GM_MMAP_MEMFD | GM_MMAP_PRIVATE |
				GM_MMAP_MERGEABLE | GM_MMAP_NO_THP;
	struct gm_kmod_info info;

	if (o->file || o->addr || o->map_flags || (o->flags & others))
		return false;
	if (!o->huge_size)
		return true;
	return !gm_kmod_query(k, &info) && (info.caps & GM_KMOD_CAP_HUGE) &&
	       (info.page_sizes & o->huge_size);
}

static int new_allocated(const struct gm_kmod *k, gm_gpa_t gpa, uint64_t len,
			 const struct gm_mmap_opts *o, struct gm_region **out)
{
	const uint32_t passed = GM_MMAP_READ_ONLY | GM_MMAP_NO_DUMP |
				GM_MMAP_DIRTY;
	struct gm_mmap_opts m = {
		.sz = sizeof(m),
		.flags = o->flags & passed,
		.prot = o->prot,
		.guard_size = o->guard_size,
		.dirty = o->dirty,
		.dirty_page_size = o->dirty_page_size,
		.name = o->name,
	};
	struct gm_region *r;
	int ret;

	/* As gm_region_new_mmap() has it: no memory for what makes no sense. */
	if (!len)
		return gm_error_set(-EINVAL, GM_ERR_ZERO_LENGTH,
				    gm_gpa_raw(gpa), 0);
	ret = alloc(k, o, len, &m.file);
	if (ret)
		return ret;
	ret = gm_region_new_mmap(gpa, len, &m, &r);
	gm_file_put(m.file);
	if (ret)
		return ret;
	if ((o->flags & GM_MMAP_PREFAULT) && o->progress &&
	    o->progress(o->progress_ctx, len, len)) {
		gm_region_put(r);
		return gm_option_error(-ECANCELED, OPTS, progress);
	}
	*out = r;
	return 0;
}

int gm_region_new_kmod(struct gm_kmod *k, gm_gpa_t gpa, gm_size_t len,
		       const struct gm_mmap_opts *opts,
		       struct gm_region **out)
{
	struct gm_mmap_opts o;
	struct gm_region *base;
	int ret;

	ret = gm_mmap_check_opts(opts, &o);
	if (ret)
		return ret;
	if (allocates(k, &o))
		return new_allocated(k, gpa, len, &o, out);
	ret = gm_region_new_mmap(gpa, len, opts, &base);
	if (ret)
		return ret;
	ret = gm_region_new_pinned(k, base, out);
	gm_region_put(base);
	return ret;
}

/* What the module is to pin; a mapping of the library's has whole pages. */
static int pin_length(struct gm_region *base, uint64_t *len)
{
	uint64_t page = gm_os_page_size();

	if (!base->ext.host)
		return gm_error_set(-EOPNOTSUPP, GM_ERR_NO_HOST_ADDR,
				    base->ext.base, base->ext.len);
	if (gm_region_mapping(base))
		return gm_kmod_round_up(base->ext.len, page, len);
	if ((uintptr_t)base->ext.host & (page - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED,
				    (uintptr_t)base->ext.host, page);
	if (base->ext.len & (page - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, base->ext.len,
				    page);
	*len = base->ext.len;
	return 0;
}

static int pin(const struct gm_kmod *k, struct gm_region *base,
	       struct gm_file **out)
{
	struct guestmem_pin arg = {
		.size = sizeof(arg),
		.fd_flags = O_CLOEXEC,
		.address = (uintptr_t)base->ext.host,
	};
	uint64_t len = 0;
	int ret;

	ret = pin_length(base, &len);
	if (ret)
		return ret;
	arg.length = len;
	if (gm_perm_has_write(gm_region_perm(base)))
		arg.flags = GUESTMEM_PIN_WRITE;
	ret = gm_kmod_ioctl(gm_kmod_fd(k), GUESTMEM_PIN, &arg);
	if (ret == -ENOMEM)
		return memory_error(k, GM_ERR_MEMORY, len);
	if (ret == -EOVERFLOW)
		return gm_error_set(ret, GM_ERR_OVERFLOW, 0, len);
	if (ret)
		return gm_error_set(ret, GM_ERR_IO, base->ext.base, len);
	return file_of(arg.out_fd, out);
}

/* All that @base is. */
static int pin_init(struct pin_region *p, struct gm_region *base)
{
	struct gm_region *r = &p->region;
	int ret;

	ret = gm_region_init(r, gm_region_start(base), base->ext.len,
			     base->ext.host, base->ext.dirty, &pin_ops);
	if (ret)
		return ret;
	r->hugetlbfs = base->hugetlbfs;
	r->prot = base->prot;
	r->flags = base->flags;
	r->owned = base->owned;
	r->file = gm_file_get(base->file);
	r->file_off = base->file_off;
	r->base = gm_region_root(base);
	return 0;
}

int gm_region_new_pinned(struct gm_kmod *k, struct gm_region *base,
			 struct gm_region **out)
{
	struct pin_region *p;
	int ret;

	p = calloc(1, sizeof(*p));
	if (!p)
		return gm_error_memory(sizeof(*p));
	/* First the hold: what is pinned then is what stays there. */
	ret = gm_region_hold(base, gm_roff(0), base->ext.len, GM_HOLD_DISCARD,
			     PIN_HOLDER, &p->hold);
	if (!ret)
		ret = pin(k, base, &p->pin);
	if (!ret)
		ret = pin_init(p, base);
	if (ret) {
		gm_file_put(p->pin);
		gm_hold_end(p->hold);
		free(p);
		return ret;
	}
	*out = &p->region;
	return 0;
}

static int region_info(const struct gm_kmod *k, const struct gm_region *r,
		       struct guestmem_region_info *arg)
{
	uint64_t off;
	int fd, ret;

	ret = gm_kmod_region_fd(r, &fd, &off);
	if (ret)
		return ret;
	memset(arg, 0, sizeof(*arg));
	arg->size = sizeof(*arg);
	arg->fd = fd;
	ret = gm_kmod_ioctl(gm_kmod_fd(k), GUESTMEM_REGION_INFO, arg);
	if (ret == -EINVAL)
		return not_pinned(r);
	return ret ? gm_error_set(ret, GM_ERR_IO, 0, 0) : 0;
}

int gm_kmod_region_query(const struct gm_kmod *k, const struct gm_region *r,
			 struct gm_kmod_region_info *out)
{
	struct guestmem_region_info arg;
	int ret = region_info(k, r, &arg);

	if (ret)
		return ret;
	memset(out, 0, sizeof(*out));
	out->length = arg.length;
	out->granule = arg.granule;
	out->numa_node = (uint32_t)(arg.node + 1);
	out->properties = arg.properties;
	out->maps = arg.maps;
	out->pinned = arg.kind == GUESTMEM_REGION_PIN;
	return 0;
}

int gm_kmod_revoke(struct gm_kmod *k, struct gm_region *r)
{
	struct guestmem_revoke arg = { .size = sizeof(arg) };
	uint64_t off;
	int ret;

	/* Of holders in this process the name is known. */
	ret = gm_region_check_held(r, gm_roff(0), r->ext.len, GM_HOLD_REMOVE);
	if (!ret)
		ret = gm_kmod_region_fd(r, &arg.fd, &off);
	if (ret)
		return ret;
	ret = gm_kmod_ioctl(gm_kmod_fd(k), GUESTMEM_REVOKE, &arg);
	if (ret == -EBUSY)
		return gm_error_set(ret, GM_ERR_HELD, 0, r->ext.len);
	if (ret == -EPERM)
		return gm_error_set(ret, GM_ERR_NOT_PERMITTED, 0, 0);
	if (ret == -EINVAL)
		return not_pinned(r);
	return ret ? gm_error_set(ret, GM_ERR_IO, 0, 0) : 0;
}
