/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: linux */
/*
 * test_nvme_close.c - the end of the NVMe backend of a sample: a controller that does not
 * stop when it is told is reset, by the end of its file, before any memory of it goes.
 */
#include <fcntl.h>
#include <guestmem.h>

static void watched_region_put(struct gm_region *r);

#define gm_region_put watched_region_put
#include "../../ulib/samples/zero-copy-vmm/nvme_bar.c"
#include "../../ulib/samples/zero-copy-vmm/nvme_guard.c"
#include "../../ulib/samples/zero-copy-vmm/nvme_memory.c"
#include "../../ulib/samples/zero-copy-vmm/nvme_prp.c"
#include "../../ulib/samples/zero-copy-vmm/nvme_queue.c"
#include "../../ulib/samples/zero-copy-vmm/nvme_identify.c"
#include "../../ulib/samples/zero-copy-vmm/nvme_command.c"
#include "../../ulib/samples/zero-copy-vmm/nvme_deadline.c"
#include "../../ulib/samples/zero-copy-vmm/nvme_request.c"
#include "../../ulib/samples/zero-copy-vmm/nvme.c"
#include "../../ulib/samples/zero-copy-vmm/backend_nvme.c"
#undef gm_region_put

#include "kselftest_harness.h"
#include "expect.h"
#include "kmod_fake.h"

static int device_fd;
static unsigned int puts_open, puts_closed;

static void watched_region_put(struct gm_region *r)
{
	if (r && fcntl(device_fd, F_GETFD) >= 0)
		puts_open++;
	else if (r)
		puts_closed++;
	gm_region_put(r);
}

FIXTURE(close) {
	struct gm_kmod *module;
	struct gm_map *map;
	struct nvme_disk *d;
};

/* As nvme_open() and backend_nvme_open() leave it, but for the controller itself. */
FIXTURE_SETUP(close)
{
	const struct gm_range ram = { gm_gpa(0), UINT64_C(4) << 20 };

	kmod_fake.map_properties = GUESTMEM_MAP_COHERENT | GUESTMEM_MAP_TRANSLATED;
	ASSERT_OK(gm_kmod_new(kmod_fake_control(), &self->module));
	ASSERT_OK(gm_map_new_kmod(self->module, &ram, NULL, 1, &self->map));
	self->d = calloc(1, sizeof(*self->d));
	ASSERT_NE(NULL, self->d);
	self->d->nvme.io.entries = 1;
	device_fd = kmod_fake_device();
	ASSERT_OK(gm_kmod_device_new(device_fd, "0000:00:04.0", 0, &self->d->nvme.device));
	ASSERT_EQ(0, nvme_memory_init(&self->d->nvme.rings, self->module,
				      self->d->nvme.device, NVME_PAGE_SIZE));
}

FIXTURE_TEARDOWN(close)
{
	gm_map_put(self->map);
	gm_kmod_put(self->module);
	EXPECT_EQ(0, kmod_fake_maps());
}

TEST_F(close, memory_goes_last)
{
	ASSERT_EQ(0, nvme_memory_init(&self->d->buffers, self->module, self->d->nvme.device,
				      NVME_PAGE_SIZE));
	self->d->maps = calloc(1, sizeof(*self->d->maps));
	ASSERT_NE(NULL, self->d->maps);
	ASSERT_OK(gm_kmod_map_new(self->d->nvme.device, gm_map_region(self->map, 0), gm_roff(0),
				  UINT64_C(4) << 20, GM_PERM_RW, &self->d->maps[0]));
	self->d->nmaps = 1;
	ASSERT_OK(gm_dma_new(self->map, self->d->maps, 1, &self->d->dma));
	disk_close(&self->d->base);
	EXPECT_EQ(0, puts_open);
	EXPECT_EQ(2, puts_closed);
	/* The guest's memory is the caller's: the file is closed by now. */
	EXPECT_EQ(-1, fcntl(device_fd, F_GETFD));
}

/*
 * One that has failed, and does not stop: when its request comes back, which is when the
 * memory is used again, it has been reset.
 */
TEST_F(close, does_not_obey)
{
	struct backend_io io = { .op = BACKEND_FLUSH };
	struct nvme_disk *d = self->d;
	struct nvme_request *r;
	gm_le32_t *regs;

	ASSERT_EQ(0, nvme_memory_init(&d->buffers, self->module, d->nvme.device,
				      NVME_PAGE_SIZE));
	regs = mmap(NULL, NVME_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, regs);
	regs[NVME_CSTS / 4] = gm_cpu_to_le32(NVME_CSTS_RDY | NVME_CSTS_CFS);
	d->nvme.bar = (struct nvme_bar) {
		.regs = (volatile uint8_t *)regs, .len = NVME_PAGE_SIZE, .interrupt = -1,
	};
	d->nvme.io.entries = 2;
	nvme_disk_init_requests(d);
	r = d->idle;
	d->idle = r->next;
	*r = (struct nvme_request) { .io = &io, .sent = true, .commands = 1 };
	d->slots[0].request = r;
	nvme_disk_trouble(d, -EIO);
	EXPECT_EQ(NULL, nvme_disk_reap(&d->base));
	EXPECT_TRUE(d->base.stuck);
	nvme_disk_mend(&d->base);
	EXPECT_FALSE(d->base.stuck);
	EXPECT_EQ(&io, nvme_disk_reap(&d->base));
	EXPECT_EQ(-EIO, io.result);
	EXPECT_EQ(-1, fcntl(device_fd, F_GETFD));
	EXPECT_EQ(0, puts_open);
	/* All else of it fails, and its end is an end. */
	EXPECT_EQ(0, nvme_disk_submit(&d->base, &io));
	EXPECT_EQ(&io, nvme_disk_reap(&d->base));
	EXPECT_EQ(-EIO, io.result);
	/* What is dead has nothing against other memory, and does not get it. */
	EXPECT_EQ(0, memory_changed(&d->base, self->map));
	EXPECT_EQ(NULL, d->maps);
	disk_close(&d->base);
	EXPECT_EQ(0, puts_open);
	EXPECT_EQ(2, puts_closed);
}

/* One that could not be opened as a whole has no other maps. */
TEST_F(close, half_open)
{
	nvme_close(&self->d->nvme);
	EXPECT_EQ(0, puts_open);
	EXPECT_EQ(1, puts_closed);
	EXPECT_EQ(-1, fcntl(device_fd, F_GETFD));
	free(self->d);
}

TEST_HARNESS_MAIN
