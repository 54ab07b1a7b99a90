/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* domain.c - see domain.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "hypercall.h"
#include <xen/grant_table.h>
#include <xen/hvm/save.h>
#include <xen/privcmd.h>

#include "domain.h"

#define ORDER_2M 9
#define HAP_MIB 4
#define GRANTS_A_FRAME (PAGE / sizeof(struct grant_entry_v1))

static int domctl(struct domain *d, uint32_t cmd, struct xen_domctl *op)
{
	op->cmd = cmd;
	op->domain = d->id;
	return hypercall_domctl(op);
}

static int create(struct domain *d, uint32_t flags, uint32_t emulated, uint32_t frames)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain };
	struct xen_domctl_createdomain *c = &op.u.createdomain;
	int ret;

	c->flags = flags;
	c->max_vcpus = 1;
	c->max_evtchn_port = 127;
	c->max_grant_frames = (int32_t)frames;
	c->max_maptrack_frames = 0;
	c->grant_opts = XEN_DOMCTL_GRANT_version(1);
	c->arch.emulation_flags = emulated;
	ret = hypercall_domctl(&op);
	if (!ret)
		d->id = op.domain;
	return ret;
}

static int set_max_memory(struct domain *d, uint64_t pages)
{
	struct xen_domctl op = { 0 };

	/* Some for what the hypervisor has of it. */
	op.u.max_mem.max_memkb = (pages + 1024) * 4;
	return domctl(d, XEN_DOMCTL_max_mem, &op);
}

static int set_vcpus(struct domain *d)
{
	struct xen_domctl op = { 0 };

	op.u.max_vcpus.max = 1;
	return domctl(d, XEN_DOMCTL_max_vcpus, &op);
}

/* Memory for its nested page tables. */
static int set_paging_memory(struct domain *d, uint64_t pages)
{
	struct xen_domctl op = { 0 };

	op.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION;
	op.u.shadow_op.mb = HAP_MIB + (uint32_t)(pages >> 18);
	return domctl(d, XEN_DOMCTL_shadow_op, &op);
}

/* @frames: numbers of extents, in the room; the hypervisor may put others there. */
static int populate(struct domain *d, uint64_t *frames, uint64_t count, unsigned int order)
{
	struct xen_memory_reservation *r = (void *)((uint8_t *)hypercall_room() +
						    HYPERCALL_ROOM - PAGE);
	int ret;

	memset(r, 0, sizeof(*r));
	set_xen_guest_handle(r->extent_start, frames);
	r->nr_extents = count;
	r->extent_order = order;
	r->domid = d->id;
	ret = hypercall_memory(XENMEM_populate_physmap, r);
	return ret < 0 ? ret : (uint64_t)ret == count ? 0 : -ENOMEM;
}

static int populate_hvm(struct domain *d, uint64_t pages)
{
	uint64_t *frames = hypercall_room(), i, large = pages >> ORDER_2M, rest;
	int ret = 0;

	if (!frames)
		return -ENOMEM;
	for (i = 0; i < large; i++)
		frames[i] = i << ORDER_2M;
	if (large)
		ret = populate(d, frames, large, ORDER_2M);
	rest = pages - (large << ORDER_2M);
	for (i = 0; i < rest; i++)
		frames[i] = (large << ORDER_2M) + i;
	if (!ret && rest)
		ret = populate(d, frames, rest, 0);
	d->first = 0;
	d->pages = pages;
	return ret;
}

/* One extent, so that the machine's pages are in a row. */
static int populate_pv(struct domain *d, uint64_t pages)
{
	uint64_t *frames = hypercall_room();
	unsigned int order = 0;
	int ret;

	if (!frames)
		return -ENOMEM;
	while ((1ull << order) < pages)
		order++;
	frames[0] = 0;
	ret = populate(d, frames, 1, order);
	d->first = frames[0];
	d->pages = pages;
	return ret;
}

static int map_grant_table(struct domain *d, uint32_t frames)
{
	struct privcmd_mmap_resource r = {
		.dom = d->id, .type = XENMEM_resource_grant_table,
		.id = XENMEM_resource_grant_table_id_shared, .num = frames,
	};
	void *p;

	if (!frames)
		return 0;
	p = mmap(NULL, frames * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd(), 0);
	if (p == MAP_FAILED)
		return -errno;
	r.addr = (uintptr_t)p;
	if (ioctl(privcmd(), IOCTL_PRIVCMD_MMAP_RESOURCE, &r)) {
		int err = -errno;

		munmap(p, frames * PAGE);
		return err;
	}
	d->grants = p;
	d->grant_count = (uint32_t)(frames * GRANTS_A_FRAME);
	return 0;
}

int domain_new_hvm(struct domain *d, uint64_t pages, uint32_t frames)
{
	int ret;

	memset(d, 0, sizeof(*d));
	ret = create(d, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, XEN_X86_EMU_LAPIC,
		     frames ? frames : 1);
	if (ret)
		return ret;
	ret = set_max_memory(d, pages);
	if (!ret)
		ret = set_vcpus(d);
	if (!ret)
		ret = set_paging_memory(d, pages);
	if (!ret)
		ret = populate_hvm(d, pages);
	if (!ret)
		ret = map_grant_table(d, frames);
	if (ret)
		domain_destroy(d);
	return ret;
}

int domain_new_pv(struct domain *d, uint64_t pages, uint32_t frames)
{
	int ret;

	memset(d, 0, sizeof(*d));
	ret = create(d, 0, 0, frames ? frames : 1);
	if (ret)
		return ret;
	ret = set_max_memory(d, 2 * pages);
	if (!ret)
		ret = set_vcpus(d);
	if (!ret)
		ret = populate_pv(d, pages);
	if (!ret)
		ret = map_grant_table(d, frames);
	if (ret)
		domain_destroy(d);
	return ret;
}

int domain_make_hole(struct domain *d, uint64_t page)
{
	uint64_t *frames = hypercall_room();
	struct xen_memory_reservation *r = (void *)((uint8_t *)frames + HYPERCALL_ROOM - PAGE);
	int ret;

	memset(r, 0, sizeof(*r));
	frames[0] = page;
	set_xen_guest_handle(r->extent_start, frames);
	r->nr_extents = 1;
	r->domid = d->id;
	ret = hypercall_memory(XENMEM_decrease_reservation, r);
	return ret < 0 ? ret : ret == 1 ? 0 : -EINVAL;
}

static struct grant_entry_v1 *entry(const struct domain *d, uint32_t ref)
{
	return (struct grant_entry_v1 *)d->grants + ref;
}

void domain_grant(struct domain *d, uint32_t ref, uint64_t gfn, bool read_only)
{
	struct grant_entry_v1 *e = entry(d, ref);

	e->domid = 0;
	e->frame = (uint32_t)gfn;
	/* The hypervisor believes the rest once it sees the flags. */
	__atomic_store_n(&e->flags, GTF_permit_access | (read_only ? GTF_readonly : 0),
			 __ATOMIC_RELEASE);
}

bool domain_grant_is_mapped(const struct domain *d, uint32_t ref)
{
	return __atomic_load_n(&entry(d, ref)->flags, __ATOMIC_ACQUIRE) &
	       (GTF_reading | GTF_writing);
}

uint32_t domain_grants_mapped(const struct domain *d, uint32_t count)
{
	uint32_t i, n = 0;

	for (i = 0; i < count; i++)
		n += domain_grant_is_mapped(d, i);
	return n;
}

/* The state that the virtual CPU begins with, as the hypervisor's save format has it. */
struct context {
	struct hvm_save_descriptor header_d;
	HVM_SAVE_TYPE(HEADER) header;
	struct hvm_save_descriptor cpu_d;
	HVM_SAVE_TYPE(CPU) cpu;
	struct hvm_save_descriptor end_d;
};

static int get_header(struct domain *d, struct context *c)
{
	struct xen_domctl op = { 0 };
	int ret;

	/* All of the domain's state; the header is the first of it. */
	op.u.hvmcontext.size = HYPERCALL_ROOM;
	set_xen_guest_handle(op.u.hvmcontext.buffer, hypercall_room());
	ret = domctl(d, XEN_DOMCTL_gethvmcontext, &op);
	if (!ret)
		memcpy(c, hypercall_room(), sizeof(c->header_d) + sizeof(c->header));
	return ret;
}

/* Flat protected mode. */
static void set_cpu(HVM_SAVE_TYPE(CPU) *cpu, uint32_t address)
{
	const uint32_t code = 0xc9b, data = 0xc93, task = 0x8b;

	cpu->cr0 = 0x11;
	cpu->rip = address;
	cpu->rflags = 2;
	cpu->cs_limit = cpu->ds_limit = cpu->es_limit = cpu->ss_limit = ~0u;
	cpu->fs_limit = cpu->gs_limit = ~0u;
	cpu->tr_limit = 0x67;
	cpu->cs_arbytes = code;
	cpu->ds_arbytes = cpu->es_arbytes = cpu->ss_arbytes = data;
	cpu->fs_arbytes = cpu->gs_arbytes = data;
	cpu->tr_arbytes = task;
	cpu->dr6 = 0xffff0ff0;
	cpu->dr7 = 0x400;
}

int domain_run(struct domain *d, uint32_t address)
{
	struct xen_domctl op = { 0 };
	struct context c;
	int ret;

	memset(&c, 0, sizeof(c));
	ret = get_header(d, &c);
	if (ret)
		return ret;
	c.cpu_d.typecode = HVM_SAVE_CODE(CPU);
	c.cpu_d.length = HVM_SAVE_LENGTH(CPU);
	set_cpu(&c.cpu, address);
	c.end_d.typecode = HVM_SAVE_CODE(END);
	memcpy(hypercall_room(), &c, sizeof(c));
	op.u.hvmcontext.size = sizeof(c);
	set_xen_guest_handle(op.u.hvmcontext.buffer, hypercall_room());
	ret = domctl(d, XEN_DOMCTL_sethvmcontext, &op);
	if (ret)
		return ret;
	memset(&op, 0, sizeof(op));
	return domctl(d, XEN_DOMCTL_unpausedomain, &op);
}

int domain_destroy(struct domain *d)
{
	struct xen_domctl op = { 0 };

	if (d->grants)
		munmap(d->grants, d->grant_count / GRANTS_A_FRAME * PAGE);
	d->grants = NULL;
	return domctl(d, XEN_DOMCTL_destroydomain, &op);
}

bool domain_is_there(const struct domain *d)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_getdomaininfo, .domain = d->id };

	/* It tells of the next one, if there is none of this number. */
	return !hypercall_domctl(&op) && op.u.getdomaininfo.domain == d->id;
}
