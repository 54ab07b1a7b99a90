/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_guest.h - what tests of the NVMe backend begin with: a guest, and its disk on a
 * real controller. Include after kselftest_harness.h.
 */
#ifndef SELFTESTS_KMOD_NVME_GUEST_H
#define SELFTESTS_KMOD_NVME_GUEST_H

#include <malloc.h>
#include <guestmem.h>
#include "../../ulib/samples/zero-copy-vmm/backend_nvme.h"
#include "../unit/expect.h"
#include "bind.h"
#include "pattern.h"
#include "session.h"

/* Two regions that meet, one of them read-only after a hole, and one far above. */
#define LOW_SIZE (8 * MIB)
#define NEXT_SIZE (4 * MIB)
#define ROM_BASE (32 * MIB)
#define ROM_SIZE MIB
#define HIGH_BASE (UINT64_C(4) << 30)
#define HIGH_SIZE (16 * MIB)
#define RANGES_MAX 64
#define IO_SECONDS 60

/**
 * struct guest - a guest
 * @address: of the controller
 * @module: the module
 * @map: memory
 * @view: a window on it
 * @b: the disk
 * @d: the same
 */
struct guest {
	char address[ADDRESS_MAX];
	struct gm_kmod *module;
	struct gm_map *map;
	struct gm_view view;
	struct backend *b;
	struct nvme_disk *d;
};

static inline bool guest_has_iommu(const struct guest *g)
{
	char type[32];

	group_type(g->address, type);
	return type[0];
}

static inline int guest_memory(struct guest *g)
{
	const struct gm_range ranges[] = {
		{ gm_gpa(0), LOW_SIZE },
		{ gm_gpa(LOW_SIZE), NEXT_SIZE },
		{ gm_gpa(ROM_BASE), ROM_SIZE },
		{ gm_gpa(HIGH_BASE), HIGH_SIZE },
	};
	struct gm_mmap_opts opts[4] = { 0 };
	int ret;

	for (int i = 0; i < 4; i++)
		opts[i].sz = sizeof(opts[i]);
	opts[0].flags = GM_MMAP_DIRTY;
	opts[2].flags = GM_MMAP_READ_ONLY;
	opts[3].flags = GM_MMAP_DIRTY;
	ret = gm_map_new_kmod(g->module, ranges, opts, 4, &g->map);
	if (!ret)
		gm_view_init(&g->view, g->map);
	return ret;
}

/* @flags: BACKEND_NVME_* */
static inline int guest_disk(struct guest *g, uint32_t flags)
{
	int ret;

	if (g->b)
		g->b->ops->close(g->b);
	g->b = NULL;
	ret = backend_nvme_open(g->module, g->address, g->map, flags, &g->b);
	g->d = (struct nvme_disk *)g->b;
	return ret;
}

static inline int guest_init(struct guest *g, uint32_t flags)
{
	int ret;

	memset(g, 0, sizeof(*g));
	ret = device_address(g->address);
	if (!ret)
		ret = gm_kmod_open(NULL, &g->module);
	if (!ret)
		ret = guest_memory(g);
	return ret ? ret : guest_disk(g, flags);
}

static inline void guest_exit(struct guest *g)
{
	if (g->b)
		g->b->ops->close(g->b);
	gm_map_put(g->map);
	gm_kmod_put(g->module);
}

/* A request that is done, or NULL; as the device's thread asks. */
static inline struct backend_io *guest_reap(struct guest *g)
{
	if (g->b->stuck)
		g->b->ops->mend(g->b);
	return g->b->ops->reap(g->b);
}

/* A request that is done, or NULL if there is none for a long time. */
static inline struct backend_io *guest_wait(struct guest *g)
{
	struct backend_io *io = guest_reap(g);
	uint64_t end;

	if (io)
		return io;
	end = nvme_now_ms() + IO_SECONDS * 1000;
	/* Here the time is a register of the machine's, for which QEMU has to be asked. */
	do {
		for (int spins = 0; spins < 1000; spins++) {
			io = guest_reap(g);
			if (io)
				return io;
		}
	} while (nvme_now_ms() < end);
	return NULL;
}

static inline int io_init(struct guest *g, struct backend_io *io, enum backend_op op,
			  uint64_t sector, const struct gm_range *ranges, size_t count)
{
	*io = (struct backend_io) { .op = op, .sector = sector, .view = &g->view, .result = -1 };
	return gm_iov_init(&io->data, ranges, count);
}

/* One request to its end: its result. */
static inline int guest_io(struct guest *g, enum backend_op op, uint64_t sector,
			   const struct gm_range *ranges, size_t count)
{
	struct backend_io io;
	int ret = io_init(g, &io, op, sector, ranges, count);

	if (!ret)
		ret = g->b->ops->submit(g->b, &io);
	if (ret)
		return ret;
	return guest_wait(g) == &io ? io.result : -ETIME;
}

static inline int guest_io_range(struct guest *g, enum backend_op op, uint64_t sector,
				 uint64_t gpa, uint64_t len)
{
	const struct gm_range range = { gm_gpa(gpa), len };

	return guest_io(g, op, sector, &range, 1);
}

/* The guest's CPU fills ranges, or finds in them what it has filled others with. */
static inline int guest_fill(struct guest *g, const struct gm_range *ranges, size_t count,
			     uint32_t seed)
{
	struct gm_iov_cursor c;
	uint8_t *buf;
	int ret;

	ret = gm_iov_init(&c, ranges, count);
	buf = malloc(c.left + 1);
	pattern_fill(buf, c.left, seed);
	if (!ret)
		ret = gm_iov_write(&g->view, &c, buf, c.left);
	free(buf);
	return ret;
}

static inline int guest_find(struct guest *g, const struct gm_range *ranges, size_t count,
			     uint32_t seed)
{
	struct gm_iov_cursor c;
	uint64_t len;
	uint8_t *buf;
	int ret;

	ret = gm_iov_init(&c, ranges, count);
	len = c.left;
	buf = malloc(len + 1);
	if (!ret)
		ret = gm_iov_read(&g->view, &c, buf, len);
	if (!ret && !pattern_is(buf, len, seed))
		ret = -EILSEQ;
	free(buf);
	return ret;
}

FIXTURE(nvme) {
	struct session s;
	struct guest g;
};

FIXTURE_VARIANT(nvme) {
	uint32_t bounce;
};

FIXTURE_VARIANT_ADD(nvme, zero_copy) { .bounce = 0 };
FIXTURE_VARIANT_ADD(nvme, bounce) { .bounce = BACKEND_NVME_BOUNCE };

FIXTURE_SETUP(nvme)
{
	session_start(_metadata, &self->s, false);
	close(self->s.control);
	/* Lists and pages are many: how many ranges it keeps for later is its affair. */
	self->s.before.value[COUNTER_IOVA] = COUNTERS_IOVA_ANY;
	ASSERT_OK(guest_init(&self->g, variant->bounce));
}

FIXTURE_TEARDOWN(nvme)
{
	guest_exit(&self->g);
	/* What malloc() keeps is no leak. */
	malloc_trim(0);
	session_end(_metadata, &self->s);
}

#endif /* SELFTESTS_KMOD_NVME_GUEST_H */
