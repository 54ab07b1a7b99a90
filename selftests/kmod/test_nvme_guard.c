/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=nvme boot=nvme-noiommu lib */
/*
 * test_nvme_guard.c - what a controller is told to reach: the guest's memory and the
 * driver's own. All else is refused before a command is sent, or by the IOMMU.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "fault_log.h"
#include "nvme_guest.h"

/* Nothing was sent, by the queue, and nothing was refused but by the lookup. */
#define EXPECT_NOT_SENT(code, call) do { \
	uint16_t tail_ = g->d->nvme.io.tail; \
	EXPECT_EQ(-(code), call); \
	EXPECT_EQ(tail_, g->d->nvme.io.tail); \
	EXPECT_EQ(0, nvme_queue_in_flight(&g->d->nvme.io)); \
} while (0)

TEST_F(nvme, addresses_of_no_memory)
{
	const struct gm_range bad[] = {
		{ gm_gpa(LOW_SIZE + NEXT_SIZE), 512 },
		{ gm_gpa(LOW_SIZE + NEXT_SIZE - 512), 1024 },
		{ gm_gpa(HIGH_BASE - 512), 1024 },
		{ gm_gpa(HIGH_BASE + HIGH_SIZE - 1), 512 },
		{ gm_gpa(UINT64_MAX - 511), 512 },
		{ gm_gpa(UINT64_MAX - 511), 1024 },
		{ gm_gpa(UINT64_C(1) << 63), 4096 },
	};
	struct guest *g = &self->g;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct gm_range list[] = { { gm_gpa(0), 4096 }, bad[i], { gm_gpa(0), 512 } };

		EXPECT_NOT_SENT(EFAULT, guest_io(g, BACKEND_READ, 0, &bad[i], 1));
		EXPECT_NOT_SENT(EFAULT, guest_io(g, BACKEND_WRITE, 0, &bad[i], 1));
		/* The first bytes are memory: also these are not written. */
		EXPECT_NOT_SENT(EFAULT, guest_io(g, BACKEND_READ, 0, list, 3));
	}
	EXPECT_NOT_SENT(EACCES, guest_io_range(g, BACKEND_READ, 0, ROM_BASE, 512));
	EXPECT_EQ(0, guest_io_range(g, BACKEND_WRITE, 0, ROM_BASE, 512));
	EXPECT_EQ(512, g->b->stats.bytes);
	EXPECT_EQ(0, g->d->nvme.guard.refused);
}

TEST_F(nvme, not_on_the_medium)
{
	struct guest *g = &self->g;

	EXPECT_NOT_SENT(EINVAL, guest_io_range(g, BACKEND_READ, g->b->sectors, 0, 512));
	EXPECT_NOT_SENT(EINVAL, guest_io_range(g, BACKEND_READ, g->b->sectors - 1, 0, 1024));
	EXPECT_NOT_SENT(EINVAL, guest_io_range(g, BACKEND_READ, UINT64_MAX, 0, 512));
	EXPECT_NOT_SENT(EINVAL, guest_io_range(g, BACKEND_WRITE, 0, 0, 511));
	EXPECT_NOT_SENT(0, guest_io_range(g, BACKEND_WRITE, 0, 0, 0));
	/* The controller itself says no: an error of a command, and only of that one. */
	g->b->sectors += 8;
	EXPECT_EQ(-ERANGE, guest_io_range(g, BACKEND_READ, g->b->sectors - 1, 0, 512));
	EXPECT_EQ(0, guest_io_range(g, BACKEND_READ, 0, 0, 512));
}

TEST_F(nvme, guard_refuses)
{
	struct guest *g = &self->g;
	struct nvme *c = &g->d->nvme;
	struct nvme_address out = { gm_cpu_to_le64(42) };
	uint64_t guest = HIGH_SIZE, ring = c->io.sq.address, planted[9];
	uint64_t buffer = g->d->slots[0].buffer.address, before = c->guard.refused;

	if (!variant->bounce)
		ASSERT_OK(gm_dma_address(g->d->dma, gm_gpa(0), 512, GM_PERM_RW, &guest));
	planted[0] = ring;
	planted[1] = c->admin.cq.address;
	planted[2] = g->d->slots[0].list.address;
	planted[3] = buffer;
	planted[4] = 0;
	planted[5] = UINT64_MAX;
	planted[6] = UINT64_MAX - 511;
	planted[7] = ring - 256;
	planted[8] = (uintptr_t)g;
	for (int i = 0; i < 9; i++)
		EXPECT_EQ(-EFAULT, nvme_guard_address(&c->guard, planted[i], 512, GM_PERM_READ,
						      NVME_GUEST, &out));
	EXPECT_EQ(-EFAULT, nvme_guard_address(&c->guard, ring, 64, GM_PERM_READ, NVME_BUFFER,
					      &out));
	EXPECT_EQ(-EFAULT, nvme_guard_address(&c->guard, ring, 0, GM_PERM_READ, NVME_RINGS,
					      &out));
	EXPECT_EQ(-EFAULT, nvme_guard_address(&c->guard, ring, UINT64_MAX, GM_PERM_READ,
					      NVME_RINGS, &out));
	EXPECT_EQ(-EFAULT, nvme_guard_address(&c->guard, ring, 64, GM_PERM_NONE, NVME_RINGS,
					      &out));
	EXPECT_EQ(13, c->guard.refused - before);
	EXPECT_TRUE(gm_le64_eq(out.raw, 42));
	EXPECT_EQ(0, nvme_guard_address(&c->guard, ring, 64, GM_PERM_READ, NVME_RINGS, &out));
	EXPECT_TRUE(gm_le64_eq(out.raw, ring));
	/* Memory that is there is not added as another class. */
	EXPECT_EQ(-EEXIST, nvme_guard_add(&c->guard, c->rings.map, NVME_GUEST));
	EXPECT_EQ(0, nvme_guard_address(&c->guard, ring, 64, GM_PERM_READ, NVME_RINGS, &out));
	if (variant->bounce)
		return;
	EXPECT_EQ(0, nvme_guard_address(&c->guard, guest, 4096, GM_PERM_RW, NVME_GUEST, &out));
	ASSERT_OK(gm_dma_address(g->d->dma, gm_gpa(ROM_BASE), 512, GM_PERM_READ, &guest));
	EXPECT_EQ(0, nvme_guard_address(&c->guard, guest, 512, GM_PERM_READ, NVME_GUEST, &out));
	EXPECT_EQ(-EFAULT, nvme_guard_address(&c->guard, guest, 512, GM_PERM_WRITE, NVME_GUEST,
					      &out));
}

/* A table of addresses that is wrong: the lookup is right with it, and the guard is not. */
TEST_F(nvme, guard_stops_a_request)
{
	struct guest *g = &self->g;
	uint64_t refused = g->d->nvme.guard.refused;

	nvme_guard_forget(&g->d->nvme.guard, variant->bounce ? NVME_BUFFER : NVME_GUEST);
	EXPECT_NOT_SENT(EFAULT, guest_io_range(g, BACKEND_READ, 0, 0, 65536));
	EXPECT_EQ(1, g->d->nvme.guard.refused - refused);
}

/*
 * Memory that comes and goes. A region is held as long as the controller reaches it: so
 * the backend is given a map without it first.
 */
TEST_F(nvme, memory_changes)
{
	struct guest *g = &self->g;
	struct gm_map *less, *removed;
	struct gm_region *gone = NULL;

	if (!variant->bounce)
		EXPECT_EQ(-EBUSY, gm_map_remove(g->map, gm_gpa(HIGH_BASE), HIGH_SIZE, &removed,
						&gone));
	ASSERT_OK(gm_map_new(g->map->regions, 3, &less));
	ASSERT_EQ(0, g->b->ops->memory_changed(g->b, less));
	gm_view_init(&g->view, less);
	EXPECT_NOT_SENT(EFAULT, guest_io_range(g, BACKEND_READ, 0, HIGH_BASE, 512));
	EXPECT_EQ(0, guest_io_range(g, BACKEND_READ, 0, 0, 512));
	ASSERT_OK(gm_map_remove(g->map, gm_gpa(HIGH_BASE), HIGH_SIZE, &removed, &gone));
	gm_map_put(removed);
	gm_region_put(gone);
	/* And back. */
	ASSERT_EQ(0, g->b->ops->memory_changed(g->b, g->map));
	gm_view_init(&g->view, g->map);
	gm_map_put(less);
	EXPECT_EQ(0, guest_io_range(g, BACKEND_READ, 0, HIGH_BASE, 512));
}

/* By hand, past the guard: one read into @address. Its status, or a negative errno. */
static int read_by_hand(struct guest *g, uint64_t address)
{
	struct nvme_queue *q = &g->d->nvme.io;
	struct nvme_command command = {
		.opcode = NVME_READ,
		.nsid = gm_cpu_to_le32(1),
		.prp1 = { gm_cpu_to_le64(address) },
		.cdw12 = gm_cpu_to_le32(7),
	};
	struct nvme_done done;
	int ret;

	nvme_queue_put(q, &command);
	nvme_queue_ring(q);
	for (int ms = 0; ms < 10000; ms++) {
		ret = nvme_queue_take(q, &done);
		if (ret < 0)
			return ret;
		nvme_queue_taken(q);
		if (ret)
			return done.status;
		sleep_ms(1);
	}
	return -ETIMEDOUT;
}

static uint64_t physical_of(const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(fd, &entry, 8, (uintptr_t)p / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
}

/*
 * A driver that is wrong, and one page of this process: the IOMMU holds it. The log leaves
 * faults out that come soon after others: up to three tries.
 */
TEST_F_TIMEOUT(nvme, iommu_blocks, 60)
{
	struct guest *g = &self->g;
	bool logged = false;
	uint64_t physical;
	uint8_t *page;
	int log;

	if (!guest_has_iommu(g))
		SKIP(return, "no IOMMU");
	ASSERT_EQ(0, guest_fill(g, (struct gm_range[]) { { gm_gpa(0), 4096 } }, 1, 3));
	ASSERT_EQ(0, guest_io_range(g, BACKEND_WRITE, 0, 0, 4096));
	page = map_anonymous(PAGE);
	memset(page, 0xab, PAGE);
	physical = physical_of(page);
	ASSERT_NE(0, physical);
	ASSERT_FD(&log, fault_log_open());
	for (int i = 0; i < 3 && !logged; i++) {
		if (i)
			sleep_ms(6000);
		EXPECT_LE(0, read_by_hand(g, physical));
		for (uint64_t j = 0; j < PAGE; j++)
			ASSERT_EQ(0xab, page[j]);
		logged = fault_log_has(log, physical);
	}
	EXPECT_TRUE(logged);
	close(log);
	munmap(page, PAGE);
	/* And with the right address, the same command does. */
	EXPECT_EQ(0, read_by_hand(g, g->d->slots[0].buffer.address));
	EXPECT_TRUE(pattern_is(g->d->slots[0].buffer.host, 4096, 3));
}

TEST_HARNESS_MAIN
