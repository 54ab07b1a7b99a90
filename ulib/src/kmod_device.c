/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kmod_device.c - PCI devices that are bound to the module's driver, and what
 * is mapped for their DMA.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmod_private.h"

GM_KMOD_SAME(GM_KMOD_MAP_TRANSLATED, GUESTMEM_MAP_TRANSLATED);
GM_KMOD_SAME(GM_KMOD_MAP_STRICT, GUESTMEM_MAP_STRICT);
GM_KMOD_SAME(GM_KMOD_MAP_COHERENT, GUESTMEM_MAP_COHERENT);

struct gm_kmod_device {
	struct gm_file *file;
	uint32_t refs;
	unsigned int address_bits;
	char name[GM_NAME_SIZE];
};

/* What gm_dma_map has of ours. */
struct mapping {
	struct gm_kmod_device *device;
	uint32_t id;
	uint32_t properties;
	uint32_t process;	/* whose it is */
	uint64_t file_off;	/* of the region's first byte */
	struct gm_hold *hold;
};

static int no_device(int err, const char *name)
{
	return gm_error_set_name(err, GM_ERR_NO_DEVICE, 0, 0, name);
}

/* Is it a device, and bound? No map has the id 0: that is ENOENT then. */
static int check(int fd, const char *name)
{
	struct guestmem_query arg = { .size = sizeof(arg) };
	int ret = gm_kmod_ioctl(fd, GUESTMEM_QUERY, &arg);

	if (ret == -ENOENT)
		return 0;
	if (ret == -ENODEV)
		return no_device(ret, name);
	return gm_kmod_probe_error(ret, -ENOENT, GM_ERR_NO_DEVICE, name);
}

int gm_kmod_device_new(int fd, const char *name, unsigned int address_bits,
		       struct gm_kmod_device **out)
{
	struct gm_kmod_device *d;
	int ret;

	if (address_bits && (address_bits < 12 || address_bits > 64))
		return gm_error_set(-EINVAL, GM_ERR_SIZE, address_bits, 0);
	ret = check(fd, name);
	if (ret)
		return ret;
	d = calloc(1, sizeof(*d));
	if (!d)
		return gm_error_memory(sizeof(*d));
	ret = gm_file_new(fd, &d->file);
	if (ret) {
		free(d);
		return ret;
	}
	d->refs = 1;
	d->address_bits = address_bits;
	gm_name_copy(d->name, name);
	*out = d;
	return 0;
}

/* Digits, colons and a dot: nothing that leads out of the directory. */
static bool is_pci_address(const char *s)
{
	size_t n = strspn(s, "0123456789abcdefABCDEF:.");

	return n && n < GM_NAME_SIZE && !s[n] && strchr(s, ':') &&
	       s[0] != '.';
}

int gm_kmod_device_open(const char *address, unsigned int address_bits,
			struct gm_kmod_device **out)
{
	char path[sizeof(GM_KMOD_DEVICES) + GM_NAME_SIZE];
	int fd, ret;

	if (!is_pci_address(address))
		return gm_error_set_name(-EINVAL, GM_ERR_OPTION, 0, 0,
					 address);
	snprintf(path, sizeof(path), "%s%s", GM_KMOD_DEVICES, address);
	ret = gm_kmod_open_node(path, GM_ERR_NO_DEVICE, address, &fd);
	if (ret) {
		if (gm_error_last()->kind == GM_ERR_NO_DEVICE &&
		    access(GM_KMOD_CONTROL, F_OK))
			gm_error_set_name(ret, GM_ERR_NO_MODULE, 0, 0,
					  GM_KMOD_CONTROL);
		return ret;
	}
	ret = gm_kmod_device_new(fd, address, address_bits, out);
	if (ret)
		close(fd);
	return ret;
}

struct gm_kmod_device *gm_kmod_device_get(struct gm_kmod_device *d)
{
	gm_ref_inc(&d->refs);
	return d;
}

void gm_kmod_device_put(struct gm_kmod_device *d)
{
	if (!d || !gm_ref_dec_is_last(&d->refs))
		return;
	gm_file_put(d->file);
	free(d);
}

const char *gm_kmod_device_name(const struct gm_kmod_device *d)
{
	return d->name;
}

int gm_kmod_device_fd(const struct gm_kmod_device *d)
{
	return gm_file_fd(d->file);
}

int gm_kmod_device_check(const struct gm_kmod_device *d)
{
	return check(gm_kmod_device_fd(d), d->name);
}

static int mapping_sync(void *ctx, uint64_t off, uint64_t len,
			enum gm_dma_owner owner)
{
	const struct mapping *m = ctx;
	struct guestmem_sync arg = {
		.size = sizeof(arg),
		.flags = owner == GM_DMA_FOR_CPU ? GUESTMEM_SYNC_CPU :
						   GUESTMEM_SYNC_DEVICE,
		.map_id = m->id,
		.offset = m->file_off + off,
		.length = len,
	};
	int ret = gm_kmod_ioctl(gm_kmod_device_fd(m->device), GUESTMEM_SYNC, &arg);

	if (ret == -ENODEV)
		return no_device(ret, m->device->name);
	return ret ? gm_error_set_name(ret, GM_ERR_IO, off, len,
				       m->device->name) : 0;
}

/*
 * Does the device not reach the memory any more? It may have been unbound
 * (ENODEV), or the map be gone; all else, such as a jail that refuses the call,
 * leaves it there.
 */
static bool unmap(const struct gm_kmod_device *d, uint32_t id)
{
	struct guestmem_unmap arg = { .size = sizeof(arg), .map_id = id };
	int ret = gm_kmod_ioctl(gm_kmod_device_fd(d), GUESTMEM_UNMAP, &arg);

	return !ret || ret == -ENODEV || ret == -ENOENT;
}

/*
 * In a forked child the map is the parent's: they share the open file. A hold
 * that stays keeps the region, so that its memory is never somebody else's.
 */
static void mapping_release(void *ctx)
{
	struct mapping *m = ctx;

	if (m->process != gm_os_process() || unmap(m->device, m->id))
		gm_hold_end(m->hold);
	gm_kmod_device_put(m->device);
	free(m);
}

static const struct gm_dma_map_ops coherent_ops = {
	.release = mapping_release,
};

static const struct gm_dma_map_ops sync_ops = {
	.sync = mapping_sync,
	.release = mapping_release,
};

/* How many bytes the device can address, if that is a number. */
static uint64_t address_space(const struct gm_kmod_device *d)
{
	return d->address_bits % 64 ? UINT64_C(1) << d->address_bits :
				      UINT64_MAX;
}

/* What of GUESTMEM_MAP is more than a system call that failed. */
static int map_error(const struct gm_kmod_device *d,
		     const struct gm_region *r, int ret,
		     const struct guestmem_map *arg)
{
	uint64_t base = r->ext.base, len = r->ext.len;

	switch (ret) {
	case -EINVAL:
		return gm_error_set(ret, GM_ERR_NOT_PINNED, base, len);
	case -EACCES:
		return gm_error_set(ret, GM_ERR_PERMISSION, base, len);
	case -ERANGE:
		return gm_error_set_counts(ret, GM_ERR_OUT_OF_BOUNDS, 0,
					   arg->length, address_space(d), 0);
	case -EPERM:
	case -EOPNOTSUPP:
		return gm_error_set_name(ret, GM_ERR_POLICY, arg->offset,
					 arg->length, d->name);
	case -ENOMEM:
		return gm_error_set_name(ret, GM_ERR_MEMORY, 0, arg->length,
					 d->name);
	case -ENODEV:
		if (check(gm_kmod_device_fd(d), d->name) == -ENODEV)
			return ret;
		return gm_error_set(ret, GM_ERR_REVOKED, base, len);
	default:
		return gm_error_set_name(ret, GM_ERR_IO, arg->offset,
					 arg->length, d->name);
	}
}

/* Where a range of a region is in the module's file. */
static int file_range(uint64_t file_off, uint64_t off, uint64_t len,
		      struct guestmem_map *arg)
{
	uint64_t page = gm_os_page_size(), end;

	/* Of a mapping of the caller's, @file_off is what the caller says. */
	if (file_off & (page - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, file_off, page);
	if (__builtin_add_overflow(file_off, off, &arg->offset) ||
	    __builtin_add_overflow(arg->offset, len, &end))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, file_off,
				    off);
	arg->length = len;
	return 0;
}

/* Checked here: then EINVAL has one meaning. */
static int check_map(const struct gm_region *r, uint64_t off, uint64_t *len,
		     enum gm_perm perm)
{
	uint64_t page = gm_os_page_size(), end;

	if (!*len)
		return gm_error_set(-EINVAL, GM_ERR_ZERO_LENGTH, off, 0);
	if (perm == GM_PERM_NONE)
		return gm_error_set(-EINVAL, GM_ERR_PERMISSION,
				    r->ext.base + off, *len);
	if (!gm_perm_allows(gm_region_perm(r), perm))
		return gm_error_set(-EACCES, GM_ERR_PERMISSION,
				    r->ext.base + off, *len);
	if (__builtin_add_overflow(off, *len, &end))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, off, *len);
	if (end > r->ext.len)
		return gm_bounds_error(off, *len, r->ext.len);
	if (off & (page - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, off, page);
	/* The module's memory is whole pages, the region may be less. */
	if (end == r->ext.len)
		return gm_kmod_round_up(*len, page, len);
	if (*len & (page - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, *len, page);
	return 0;
}

/* What the kernel told, in order and without gaps; cut to @len in all. */
static int take_segs(const struct guestmem_segment *from, uint32_t count,
		     uint64_t off, uint64_t len, struct gm_dma_seg *to)
{
	uint64_t left = len;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (from[i].offset != off + (len - left) || !left)
			break;
		to[i].address = from[i].address;
		to[i].len = gm_min(from[i].length, left);
		left -= to[i].len;
	}
	if (i < count || left)
		return gm_error_set_counts(-EIO, GM_ERR_BACKEND_RANGE, off,
					   len, len, len - left);
	return 0;
}

/* The segments of a new map, of which @len bytes count. */
static int query(const struct gm_kmod_device *d,
		 const struct guestmem_map *map, uint64_t len,
		 struct gm_dma_seg *segs)
{
	struct guestmem_query arg = {
		.size = sizeof(arg),
		.map_id = map->map_id,
		.count = map->segments,
		.offset = map->offset,
	};
	struct guestmem_segment *from;
	int ret;

	from = calloc(map->segments + (size_t)1, sizeof(*from));
	if (!from)
		return gm_error_memory(map->segments * sizeof(*from));
	arg.segments = (uintptr_t)from;
	ret = gm_kmod_ioctl(gm_kmod_device_fd(d), GUESTMEM_QUERY, &arg);
	if (ret)
		gm_error_set_name(ret, GM_ERR_IO, map->offset, map->length,
				  d->name);
	else
		ret = take_segs(from, map->segments, map->offset, len, segs);
	free(from);
	return ret;
}

/* From here on the map exists, and is undone on failure. @hold goes with it. */
static int wrap_map(struct gm_kmod_device *d, struct gm_region *r,
		    uint64_t off, uint64_t len, enum gm_perm perm,
		    const struct guestmem_map *map, struct gm_hold *hold,
		    struct gm_dma_map **out)
{
	const struct gm_dma_map_ops *ops = &coherent_ops;
	struct gm_dma_seg *segs;
	struct mapping *m;
	int ret;

	if (!(map->properties & GUESTMEM_MAP_COHERENT))
		ops = &sync_ops;
	segs = calloc(map->segments + (size_t)1, sizeof(*segs));
	m = calloc(1, sizeof(*m));
	if (!m || !segs) {
		if (unmap(d, map->map_id))
			gm_hold_end(hold);
		free(segs);
		free(m);
		return gm_error_memory(map->segments * sizeof(*segs));
	}
	m->device = gm_kmod_device_get(d);
	m->id = map->map_id;
	m->properties = map->properties;
	m->process = gm_os_process();
	m->hold = hold;
	m->file_off = map->offset - off;
	ret = query(d, map, len, segs);
	if (!ret)
		ret = gm_dma_map_new(r, gm_roff(off), perm, segs,
				     map->segments, d->name, ops, m, out);
	if (ret)
		mapping_release(m);
	free(segs);
	return ret;
}

int gm_kmod_map_new(struct gm_kmod_device *d, struct gm_region *r,
		    gm_roff_t roff, gm_size_t len, enum gm_perm perm,
		    struct gm_dma_map **out)
{
	struct guestmem_map arg = {
		.size = sizeof(arg),
		.address_bits = d->address_bits,
	};
	uint64_t off = gm_roff_raw(roff), rounded = len, file_off;
	struct gm_hold *hold;
	int ret;

	/* First of all: what has no file can't be the module's. */
	ret = gm_kmod_region_fd(r, &arg.fd, &file_off);
	if (!ret)
		ret = check_map(r, off, &rounded, perm);
	if (!ret)
		ret = file_range(file_off, off, rounded, &arg);
	if (ret)
		return ret;
	if (perm & GM_PERM_READ)
		arg.flags |= GUESTMEM_MAP_READ;
	if (perm & GM_PERM_WRITE)
		arg.flags |= GUESTMEM_MAP_WRITE;
	/* Held before the device can reach it, and until it can't any more. */
	ret = gm_region_hold(r, roff, len, GM_HOLD_DISCARD | GM_HOLD_REMOVE,
			     d->name, &hold);
	if (ret)
		return ret;
	ret = gm_kmod_ioctl(gm_kmod_device_fd(d), GUESTMEM_MAP, &arg);
	if (!ret)
		return wrap_map(d, r, off, len, perm, &arg, hold, out);
	gm_hold_end(hold);
	return map_error(d, r, ret, &arg);
}

uint32_t gm_kmod_map_properties(const struct gm_dma_map *m)
{
	const struct mapping *map = gm_dma_map_ctx(m, &coherent_ops);

	if (!map)
		map = gm_dma_map_ctx(m, &sync_ops);
	return map ? map->properties : 0;
}

/* Maps what can be mapped of each region. Returns how many maps, or an error. */
static int64_t map_all(struct gm_kmod_device *d, struct gm_map *m,
		       enum gm_perm perm, bool skip, struct gm_dma_map **maps)
{
	struct gm_error before = *gm_error_last();
	uint32_t i;
	size_t n = 0;

	for (i = 0; i < m->count; i++) {
		struct gm_region *r = m->regions[i];
		enum gm_perm p = gm_perm_and(perm, gm_region_perm(r));
		int ret;

		/* Read-only, and the device is to write alone. */
		if (p == GM_PERM_NONE)
			continue;
		ret = gm_kmod_map_new(d, r, gm_roff(0), r->ext.len, p,
				      &maps[n]);
		if (!ret) {
			n++;
		} else if (skip && gm_error_last()->kind == GM_ERR_NOT_PINNED) {
			gm_error_restore(&before);
		} else {
			while (n--)
				gm_dma_map_put(maps[n]);
			return ret;
		}
	}
	return (int64_t)n;
}

int gm_dma_new_kmod(struct gm_kmod_device *d, struct gm_map *m,
		    enum gm_perm perm, uint32_t flags, struct gm_dma **out)
{
	struct gm_dma_map **maps;
	int64_t n;
	int ret;

	if (flags & ~GM_KMOD_DMA_SKIP)
		return gm_error_set(-EINVAL, GM_ERR_OPTION, 0, flags);
	if (perm == GM_PERM_NONE)
		return gm_error_set(-EINVAL, GM_ERR_PERMISSION, 0, 0);
	maps = calloc(m->count + (size_t)1, sizeof(maps[0]));
	if (!maps)
		return gm_error_memory(m->count * sizeof(maps[0]));
	n = map_all(d, m, perm, flags & GM_KMOD_DMA_SKIP, maps);
	ret = (int)gm_min(n, 0);
	if (n >= 0) {
		ret = gm_dma_new(m, maps, (size_t)n, out);
		while (n--)
			gm_dma_map_put(maps[n]);
	}
	free(maps);
	return ret;
}
