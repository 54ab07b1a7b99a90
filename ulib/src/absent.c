/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * absent.c - what is Linux's alone, on other systems: EOPNOTSUPP.
 *
 * All functions are there, so that a program needs no conditions to be built. The
 * table is in Documentation/platforms.rst; tests compare both. What nobody can have
 * made is never passed to the others.
 */
#include <errno.h>

#include <guestmem/fault.h>
#include <guestmem/kmod_driver.h>
#include <guestmem/kvm.h>
#include <guestmem/snapshot.h>
#include <guestmem/vhost_log.h>

#include "os_mman.h"
#include "xen_private.h"

#define OPTS struct gm_mmap_opts

/* Flags that only Linux has a word for. */
#define ABSENT_FLAGS \
	(GM_MMAP_MEMFD | GM_MMAP_THP | GM_MMAP_NO_THP | GM_MMAP_NO_DUMP | \
	 GM_MMAP_NO_FORK | GM_MMAP_MERGEABLE)

int gm_absent_opts(const struct gm_mmap_opts *o)
{
	if (o->flags & ABSENT_FLAGS)
		return gm_option_error(-EOPNOTSUPP, OPTS, flags);
	if (o->map_flags & ~(MAP_SHARED | MAP_PRIVATE))
		return gm_option_error(-EOPNOTSUPP, OPTS, map_flags);
	if (o->huge_size)
		return gm_option_error(-EOPNOTSUPP, OPTS, huge_size);
	if (o->numa_node)
		return gm_option_error(-EOPNOTSUPP, OPTS, numa_node);
	return 0;
}

static int absent(void)
{
	return gm_error_set(-EOPNOTSUPP, GM_ERR_SYSTEM, 0, 0);
}

/* --- the kernel module --- */

int gm_kmod_open(const char *path, struct gm_kmod **out)
{
	(void)path;
	(void)out;
	return absent();
}

int gm_kmod_new(int fd, struct gm_kmod **out)
{
	(void)fd;
	(void)out;
	return absent();
}

struct gm_kmod *gm_kmod_get(struct gm_kmod *k)
{
	return k;
}

void gm_kmod_put(struct gm_kmod *k)
{
	(void)k;
}

int gm_kmod_query(const struct gm_kmod *k, struct gm_kmod_info *out)
{
	(void)k;
	(void)out;
	return absent();
}

int gm_region_new_kmod(struct gm_kmod *k, gm_gpa_t gpa, gm_size_t len,
		       const struct gm_mmap_opts *opts, struct gm_region **out)
{
	(void)k;
	(void)gpa;
	(void)len;
	(void)opts;
	(void)out;
	return absent();
}

int gm_region_new_pinned(struct gm_kmod *k, struct gm_region *base,
			 struct gm_region **out)
{
	(void)k;
	(void)base;
	(void)out;
	return absent();
}

int gm_kmod_region_query(const struct gm_kmod *k, const struct gm_region *r,
			 struct gm_kmod_region_info *out)
{
	(void)k;
	(void)r;
	(void)out;
	return absent();
}

int gm_kmod_revoke(struct gm_kmod *k, struct gm_region *r)
{
	(void)k;
	(void)r;
	return absent();
}

int gm_kmod_device_open(const char *address, unsigned int address_bits,
			struct gm_kmod_device **out)
{
	(void)address;
	(void)address_bits;
	(void)out;
	return absent();
}

int gm_kmod_device_new(int fd, const char *name, unsigned int address_bits,
		       struct gm_kmod_device **out)
{
	(void)fd;
	(void)name;
	(void)address_bits;
	(void)out;
	return absent();
}

struct gm_kmod_device *gm_kmod_device_get(struct gm_kmod_device *d)
{
	return d;
}

void gm_kmod_device_put(struct gm_kmod_device *d)
{
	(void)d;
}

const char *gm_kmod_device_name(const struct gm_kmod_device *d)
{
	(void)d;
	return "";
}

int gm_kmod_device_check(const struct gm_kmod_device *d)
{
	(void)d;
	return absent();
}

int gm_kmod_device_query(const struct gm_kmod_device *d, struct gm_kmod_device_info *out)
{
	(void)d;
	(void)out;
	return absent();
}

int gm_kmod_bar_map(struct gm_kmod_device *d, unsigned int bar, struct gm_kmod_bar *out)
{
	(void)d;
	(void)bar;
	(void)out;
	return absent();
}

void gm_kmod_bar_unmap(struct gm_kmod_bar *b)
{
	(void)b;
}

int gm_kmod_device_interrupts(struct gm_kmod_device *d, const int *eventfds, uint32_t count)
{
	(void)d;
	(void)eventfds;
	(void)count;
	return absent();
}

int gm_kmod_map_new(struct gm_kmod_device *d, struct gm_region *r,
		    gm_roff_t off, gm_size_t len, enum gm_perm perm,
		    struct gm_dma_map **out)
{
	(void)d;
	(void)r;
	(void)off;
	(void)len;
	(void)perm;
	(void)out;
	return absent();
}

uint32_t gm_kmod_map_properties(const struct gm_dma_map *m)
{
	(void)m;
	return 0;
}

int gm_dma_new_kmod(struct gm_kmod_device *d, struct gm_map *m,
		    enum gm_perm perm, uint32_t flags, struct gm_dma **out)
{
	(void)d;
	(void)m;
	(void)perm;
	(void)flags;
	(void)out;
	return absent();
}

/* --- KVM --- */

int64_t gm_kvm_import_log(int vm, const struct gm_kvm_slot *slot,
			  uint32_t flags)
{
	(void)vm;
	(void)slot;
	(void)flags;
	return absent();
}

int gm_kvm_rings_new(int vm, uint64_t size, struct gm_kvm_rings **out)
{
	(void)vm;
	(void)size;
	(void)out;
	return absent();
}

void gm_kvm_rings_free(struct gm_kvm_rings *rings)
{
	(void)rings;
}

int gm_kvm_rings_add(struct gm_kvm_rings *rings, int vcpu)
{
	(void)rings;
	(void)vcpu;
	return absent();
}

int64_t gm_kvm_rings_import(struct gm_kvm_rings *rings,
			    const struct gm_kvm_slot *slots, size_t count)
{
	(void)rings;
	(void)slots;
	(void)count;
	return absent();
}

/* --- the log of vhost and vhost-user --- */

int gm_vhost_log_new(struct gm_file *file, uint64_t off, uint64_t size,
		     struct gm_vhost_log **out)
{
	(void)file;
	(void)off;
	(void)size;
	(void)out;
	return absent();
}

struct gm_vhost_log *gm_vhost_log_get(struct gm_vhost_log *log)
{
	return log;
}

void gm_vhost_log_put(struct gm_vhost_log *log)
{
	(void)log;
}

struct gm_region *gm_vhost_log_region(const struct gm_vhost_log *log)
{
	(void)log;
	return NULL;
}

void gm_vhost_log_mark(struct gm_vhost_log *log, gm_gpa_t gpa, uint64_t len)
{
	(void)log;
	(void)gpa;
	(void)len;
}

bool gm_vhost_log_test(const struct gm_vhost_log *log, gm_gpa_t gpa)
{
	(void)log;
	(void)gpa;
	return false;
}

int gm_vhost_log_bitmap(struct gm_vhost_log *log, gm_gpa_t gpa, gm_size_t len,
			struct gm_bitmap **out)
{
	(void)log;
	(void)gpa;
	(void)len;
	(void)out;
	return absent();
}

int gm_vhost_log_map(struct gm_vhost_log *log, const struct gm_map *m,
		     struct gm_map **out)
{
	(void)log;
	(void)m;
	(void)out;
	return absent();
}

/* --- faults in guest memory --- */

int gm_fault_enable(void)
{
	return absent();
}

int gm_region_watch(struct gm_region *r)
{
	(void)r;
	return absent();
}

int gm_region_fault(const struct gm_region *r)
{
	(void)r;
	return 0;
}

void gm_mapping_unwatch(struct gm_mapping *m)
{
	(void)m;
}

/* --- snapshots that come as they are touched --- */

int gm_lazy_new(struct gm_snapshot *s, const struct gm_map *m,
		struct gm_lazy **out)
{
	(void)s;
	(void)m;
	(void)out;
	return absent();
}

int gm_lazy_fill(struct gm_lazy *l, gm_snapshot_progress progress, void *ctx)
{
	(void)l;
	(void)progress;
	(void)ctx;
	return absent();
}

int gm_lazy_error(struct gm_lazy *l)
{
	(void)l;
	return absent();
}

void gm_lazy_free(struct gm_lazy *l)
{
	(void)l;
}

/* --- Xen; nothing is ever mapped --- */

bool gm_os_has_xen(void)
{
	return false;
}

void gm_os_xen_unmap(uint8_t *host, uint64_t count)
{
	(void)host;
	(void)count;
}

int gm_os_xen_map_foreign(const struct gm_xen_region *x, int prot,
			  const uint64_t *gfns, int *errs, uint32_t count,
			  uint8_t **host)
{
	(void)x;
	(void)prot;
	(void)gfns;
	(void)errs;
	(void)count;
	(void)host;
	return -EOPNOTSUPP;
}

int gm_os_xen_map_grants(const struct gm_xen_region *x, int prot, uint32_t ref,
			 struct gm_xen_grants *g)
{
	(void)x;
	(void)prot;
	(void)ref;
	(void)g;
	return -EOPNOTSUPP;
}

void gm_os_xen_unmap_grants(const struct gm_xen_region *x,
			    const struct gm_xen_grants *g)
{
	(void)x;
	(void)g;
}
