/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: linux */
/*
 * test_nvme_deadline.c - the NVMe backend of a sample and a controller that loses commands,
 * does not abort, stop or start: with a controller, and a clock, that are made up.
 */
#include <time.h>
#include <guestmem.h>
#include "../../ulib/samples/zero-copy-vmm/nvme.h"

static void fake_write32(const struct nvme_bar *bar, uint32_t at, uint32_t value);
static int fake_clock(clockid_t clock, struct timespec *t);
static int fake_sleep(const struct timespec *t, struct timespec *left);

/* The register itself. */
static void store32(const struct nvme_bar *bar, uint32_t at, uint32_t value)
{
	nvme_write32(bar, at, value);
}

#define nvme_write32 fake_write32
#define clock_gettime fake_clock
#define nanosleep fake_sleep
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
#undef nvme_write32
#undef clock_gettime
#undef nanosleep

#include "kselftest_harness.h"
#include "expect.h"
#include "kmod_fake.h"

#define RAM (UINT64_C(4) << 20)
#define BLOCKS 2048
#define REGS_SIZE (2 * NVME_PAGE_SIZE)
#define REQUESTS 8
#define NONE UINT32_MAX

/**
 * struct fake - the controller
 * @now_us: what time it is
 * @sq_head: of both submission queues
 * @cq_tail: of both completion queues
 * @phase: of both
 * @lose: I/O commands from this one on are lost, counted from 0,
 * @until: up to this one
 * @seen: I/O commands so far
 * @ids: of lost ones
 * @lost: how many
 * @starts: how often it was started
 * @aborts: how often it was told to abort
 * @aborts_work: and does it
 * @does_not_stop: it stays as it is
 * @does_not_start: it is never ready
 * @other_disk: after that, it is of another size
 */
static struct fake {
	uint64_t now_us;
	uint16_t sq_head[2];
	uint16_t cq_tail[2];
	uint16_t phase[2];
	unsigned int lose;
	unsigned int until;
	unsigned int seen;
	uint16_t ids[REQUESTS];
	unsigned int lost;
	unsigned int starts;
	unsigned int aborts;
	bool aborts_work;
	bool holds;		/* an abort waits: this command, to abort that one */
	uint16_t held_admin;
	uint16_t held_id;
	bool does_not_stop;
	bool does_not_start;
	bool other_disk;
} fake;

static struct nvme_disk *disk;

static int fake_clock(clockid_t clock, struct timespec *t)
{
	(void)clock;
	t->tv_sec = (time_t)(fake.now_us / 1000000);
	t->tv_nsec = (long)(fake.now_us % 1000000 * 1000);
	return 0;
}

static int fake_sleep(const struct timespec *t, struct timespec *left)
{
	(void)left;
	fake.now_us += (uint64_t)t->tv_nsec / 1000 + 1;
	return 0;
}

static void complete(unsigned int q, uint16_t id, uint16_t status)
{
	const struct nvme_queue *queue = q ? &disk->nvme.io : &disk->nvme.admin;
	struct nvme_completion *cq = queue->cq.host;
	uint32_t tail = id | (uint32_t)fake.phase[q] << 16 | (uint32_t)status << 17;

	cq[fake.cq_tail[q]] = (struct nvme_completion) {
		.sq_head = gm_cpu_to_le16(fake.sq_head[q]),
		.sq_id = gm_cpu_to_le16((uint16_t)q),
		.tail = gm_cpu_to_le32(tail),
	};
	fake.cq_tail[q]++;
	if (fake.cq_tail[q] == queue->entries) {
		fake.cq_tail[q] = 0;
		fake.phase[q] ^= 1;
	}
}

static void admin_command(const struct nvme_command *c)
{
	uint16_t id = (uint16_t)(gm_le32_to_cpu(c->cdw10) >> 16);
	uint8_t *answer = disk->nvme.answer.host;
	unsigned int i;

	if (c->opcode == NVME_IDENTIFY) {
		memset(answer, 0, NVME_IDENTIFY_SIZE);
		if (gm_le32_to_cpu(c->cdw10) == NVME_CNS_NAMESPACE) {
			answer[NVME_ID_NS_NSZE + 1] = BLOCKS >> 8;
			answer[NVME_ID_NS_NSZE] = fake.other_disk;
			answer[NVME_ID_NS_LBAF + 2] = 9;
		}
	}
	if (c->opcode == NVME_ABORT && fake.holds) {
		fake.aborts++;
		fake.held_admin = gm_le16_to_cpu(c->id);
		fake.held_id = id;
		return;
	}
	if (c->opcode == NVME_ABORT) {
		fake.aborts++;
		for (i = 0; fake.aborts_work && i < fake.lost; i++)
			if (fake.ids[i] == id)
				complete(1, id, NVME_STATUS_ABORTED);
	}
	complete(0, gm_le16_to_cpu(c->id), 0);
}

static void io_command(const struct nvme_command *c)
{
	unsigned int n = fake.seen++;

	if (n < fake.lose || n >= fake.until)
		complete(1, gm_le16_to_cpu(c->id), 0);
	else
		fake.ids[fake.lost++] = gm_le16_to_cpu(c->id);
}

static void doorbell(unsigned int q, uint16_t tail)
{
	const struct nvme_queue *queue = q ? &disk->nvme.io : &disk->nvme.admin;
	const struct nvme_command *sq = queue->sq.host;

	while (fake.sq_head[q] != tail) {
		const struct nvme_command *c = &sq[fake.sq_head[q]];

		fake.sq_head[q] = (uint16_t)((fake.sq_head[q] + 1) % queue->entries);
		if (q)
			io_command(c);
		else
			admin_command(c);
	}
}

static void control(const struct nvme_bar *bar, uint32_t cc)
{
	uint32_t was = nvme_read32(bar, NVME_CSTS) & NVME_CSTS_RDY, status = 0;

	if (!(cc & NVME_CC_EN) && was && fake.does_not_stop)
		status = NVME_CSTS_RDY;
	if ((cc & NVME_CC_EN) && (was || !fake.does_not_start))
		status = NVME_CSTS_RDY;
	if (cc & NVME_CC_SHN_NORMAL)
		status |= NVME_CSTS_SHST_COMPLETE;
	if ((status & NVME_CSTS_RDY) && !was)
		fake.starts++;
	/* It has forgotten all. */
	if (!(status & NVME_CSTS_RDY)) {
		memset(fake.sq_head, 0, sizeof(fake.sq_head));
		memset(fake.cq_tail, 0, sizeof(fake.cq_tail));
		fake.phase[0] = 1;
		fake.phase[1] = 1;
	}
	store32(bar, NVME_CSTS, status);
}

static void fake_write32(const struct nvme_bar *bar, uint32_t at, uint32_t value)
{
	unsigned int index = (at - NVME_DOORBELLS) / 4;

	store32(bar, at, value);
	if (at == NVME_CC)
		control(bar, value);
	else if (at >= NVME_DOORBELLS && !(index % 2))
		doorbell(index / 2, (uint16_t)value);
}

FIXTURE(deadline) {
	struct gm_kmod *module;
	struct gm_map *map;
	struct gm_view view;
	struct backend_io io[REQUESTS];
	struct gm_range ranges[REQUESTS];
	bool back[REQUESTS];
	unsigned int count;
};

/* Of each map elsewhere: the guard does not have two at the same addresses. */
static void move_apart(struct guestmem_segment *segs, uint32_t count)
{
	static uint64_t maps;
	uint32_t i;

	maps++;
	for (i = 0; i < count; i++)
		segs[i].address += maps << 32;
}

/* As nvme_open() and backend_nvme_open() do, without the module's files of a device. */
FIXTURE_SETUP(deadline)
{
	const struct gm_range ram = { gm_gpa(0), RAM };
	struct nvme *c;
	void *regs;

	kmod_fake.map_properties = GUESTMEM_MAP_COHERENT | GUESTMEM_MAP_TRANSLATED;
	ASSERT_OK(gm_kmod_new(kmod_fake_control(), &self->module));
	ASSERT_OK(gm_map_new_kmod(self->module, &ram, NULL, 1, &self->map));
	gm_view_init(&self->view, self->map);
	disk = calloc(1, sizeof(*disk));
	ASSERT_NE(NULL, disk);
	c = &disk->nvme;
	kmod_fake.edit = move_apart;
	ASSERT_OK(gm_kmod_device_new(kmod_fake_device(), "0000:00:04.0", 0, &c->device));
	ASSERT_EQ(0, nvme_memory_init(&c->rings, self->module, c->device,
				      (NVME_QUEUE_MAX * NVME_LIST_PAGES + 16) * NVME_PAGE_SIZE));
	ASSERT_EQ(0, nvme_guard_add(&c->guard, c->rings.map, NVME_RINGS));
	regs = mmap(NULL, REGS_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, regs);
	c->bar = (struct nvme_bar) { .regs = regs, .len = REGS_SIZE, .interrupt = -1 };
	store32(&c->bar, NVME_CAP, (NVME_QUEUE_MAX - 1) | 1u << 24);
	store32(&c->bar, NVME_CAP + 4, 1u << 5);
	fake.now_us = 1000000;
	fake.lose = NONE;
	fake.until = NONE;
	ASSERT_EQ(0, check_capabilities(c));
	ASSERT_EQ(0, nvme_start(c));
	nvme_disk_init_requests(disk);
	ASSERT_EQ(0, slots_init(disk, self->module));
	ASSERT_EQ(0, memory_changed(&disk->base, self->map));
	describe(disk);
	EXPECT_EQ(BLOCKS, disk->base.sectors);
	EXPECT_EQ(1, fake.starts);
}

FIXTURE_TEARDOWN(deadline)
{
	disk_close(&disk->base);
	gm_map_put(self->map);
	gm_kmod_put(self->module);
	EXPECT_EQ(0, kmod_fake_maps());
}

static int begin(FIXTURE_DATA(deadline) *t)
{
	unsigned int n = t->count++;
	struct backend_io *io = &t->io[n];

	t->ranges[n] = (struct gm_range) { gm_gpa(n * 4096), 4096 };
	*io = (struct backend_io) {
		.op = n % 2 ? BACKEND_WRITE : BACKEND_READ, .sector = n * 8, .view = &t->view,
		.result = 1,
	};
	return gm_iov_init(&io->data, &t->ranges[n], 1) || disk->base.ops->submit(&disk->base, io);
}

/* Time goes by, and the disk is asked as often as it takes to have a look. */
static unsigned int pass(FIXTURE_DATA(deadline) *t, unsigned int ms)
{
	unsigned int spins, back = 0;
	struct backend_io *io;

	fake.now_us += ms * UINT64_C(1000);
	for (spins = 0; spins < 2 * DISK_SPINS; spins++) {
		io = nvme_disk_reap(&disk->base);
		if (!io)
			continue;
		t->back[io - t->io] = true;
		back++;
	}
	return back;
}

/* The one at @lost is lost; all others come back at once. */
static bool lose_one(FIXTURE_DATA(deadline) *t, unsigned int lost)
{
	unsigned int i;

	fake.lose = lost;
	fake.until = lost + 1;
	for (i = 0; i < REQUESTS / 2; i++)
		if (begin(t))
			return false;
	return pass(t, 0) == REQUESTS / 2 - 1 && !t->back[lost];
}

/* Not before its deadline, though others come and go; then it is over at once. */
TEST_F(deadline, aborted)
{
	uint64_t ms;

	fake.aborts_work = true;
	ASSERT_TRUE(lose_one(self, 2));
	for (ms = 0; ms < DISK_TIMEOUT_MS; ms += DISK_TIMEOUT_MS / 3) {
		EXPECT_EQ(0, fake.aborts);
		EXPECT_FALSE(self->back[2]);
		ASSERT_EQ(0, begin(self));
		EXPECT_EQ(1, pass(self, DISK_TIMEOUT_MS / 3));
	}
	EXPECT_EQ(0, fake.aborts);
	pass(self, DISK_LOOK_MS);
	pass(self, DISK_LOOK_MS);
	EXPECT_EQ(1, fake.aborts);
	EXPECT_TRUE(self->back[2]);
	EXPECT_EQ(-ECANCELED, self->io[2].result);
	EXPECT_FALSE(disk->base.stuck);
	EXPECT_EQ(1, fake.starts);
	ASSERT_EQ(0, begin(self));
	EXPECT_EQ(1, pass(self, 0));
	for (unsigned int i = 0; i < self->count; i++)
		EXPECT_EQ(i == 2 ? -ECANCELED : 0, self->io[i].result);
}

/* To abort does not help: a reset does, and who is in flight then is done again. */
TEST_F(deadline, reset)
{
	uint64_t seen, before;

	ASSERT_TRUE(lose_one(self, 1));
	pass(self, DISK_TIMEOUT_MS + DISK_LOOK_MS);
	EXPECT_EQ(1, fake.aborts);
	EXPECT_FALSE(disk->base.stuck);
	/* Young ones that don't come back before the reset. */
	fake.lose = 0;
	fake.until = NONE;
	ASSERT_EQ(0, begin(self));
	ASSERT_EQ(0, begin(self));
	before = fake.now_us + (DISK_ABORT_MS + DISK_LOOK_MS) * UINT64_C(1000);
	EXPECT_EQ(0, pass(self, DISK_ABORT_MS + DISK_LOOK_MS));
	EXPECT_TRUE(disk->base.stuck);
	EXPECT_EQ(1, fake.aborts);
	/* No time has passed but the time that was let pass: nobody has waited. */
	EXPECT_EQ(before, fake.now_us);
	fake.lose = NONE;
	seen = fake.seen;
	disk->base.ops->mend(&disk->base);
	EXPECT_FALSE(disk->base.stuck);
	EXPECT_EQ(2, fake.starts);
	EXPECT_EQ(seen + 2, fake.seen);
	EXPECT_EQ(3, pass(self, 0));
	for (unsigned int i = 0; i < self->count; i++)
		EXPECT_EQ(i == 1 ? -ETIMEDOUT : 0, self->io[i].result);
	EXPECT_EQ(0, disk->dead);
	EXPECT_EQ(0, nvme_queue_in_flight(&disk->nvme.io));
	ASSERT_EQ(0, begin(self));
	EXPECT_EQ(1, pass(self, 0));
	EXPECT_EQ(0, self->io[6].result);
}

/* All that is in flight fails, what comes later too, and the controller is stopped. */
#define EXPECT_DEAD() do { \
	pass(self, DISK_TIMEOUT_MS + DISK_LOOK_MS); \
	ASSERT_EQ(0, begin(self)); \
	fake.until = NONE; \
	pass(self, DISK_ABORT_MS + DISK_LOOK_MS); \
	ASSERT_TRUE(disk->base.stuck); \
	disk->base.ops->mend(&disk->base); \
	EXPECT_FALSE(disk->base.stuck); \
	pass(self, 0); \
	EXPECT_EQ(-ETIMEDOUT, self->io[0].result); \
	EXPECT_EQ(-ETIMEDOUT, disk->dead); \
	ASSERT_EQ(0, begin(self)); \
	EXPECT_EQ(1, pass(self, 0)); \
	EXPECT_EQ(-ETIMEDOUT, self->io[5].result); \
	EXPECT_EQ(NULL, nvme_disk_reap(&disk->base)); \
} while (0)

TEST_F(deadline, does_not_start)
{
	ASSERT_TRUE(lose_one(self, 0));
	fake.does_not_start = true;
	EXPECT_DEAD();
	EXPECT_EQ(0, nvme_read32(&disk->nvme.bar, NVME_CC) & NVME_CC_EN);
}

TEST_F(deadline, another_disk)
{
	ASSERT_TRUE(lose_one(self, 0));
	fake.other_disk = true;
	EXPECT_DEAD();
	EXPECT_EQ(2, fake.starts);
	EXPECT_EQ(0, nvme_read32(&disk->nvme.bar, NVME_CSTS) & NVME_CSTS_RDY);
}

/* Whoever does not stop is waited for once, and then the module resets it. */
TEST_F(deadline, does_not_stop)
{
	uint64_t before;

	ASSERT_TRUE(lose_one(self, 0));
	fake.does_not_stop = true;
	before = fake.now_us;
	EXPECT_DEAD();
	before += (DISK_TIMEOUT_MS + DISK_ABORT_MS + 2 * DISK_LOOK_MS) * UINT64_C(1000);
	/* The capabilities say 500 ms; the driver adds as much. */
	EXPECT_LE(before + 1000000, fake.now_us);
	EXPECT_GT(before + 1100000, fake.now_us);
	EXPECT_EQ(NULL, disk->nvme.device);
}

/*
 * The command was only slow, and is done before the controller looks at the abort. Another
 * one has its place by then, and is not what was meant.
 */
TEST_F(deadline, abort_is_late)
{
	fake.holds = true;
	ASSERT_TRUE(lose_one(self, 2));
	pass(self, DISK_TIMEOUT_MS + DISK_LOOK_MS);
	EXPECT_EQ(1, fake.aborts);
	complete(1, fake.held_id, 0);
	EXPECT_EQ(1, pass(self, 0));
	EXPECT_EQ(0, self->io[2].result);
	fake.lose = 0;
	fake.until = NONE;
	fake.lost = 0;
	ASSERT_EQ(0, begin(self));
	EXPECT_EQ(fake.held_id % NVME_QUEUE_MAX, fake.ids[0] % NVME_QUEUE_MAX);
	EXPECT_NE(fake.held_id, fake.ids[0]);
	complete(1, fake.ids[0], fake.ids[0] == fake.held_id ? NVME_STATUS_ABORTED : 0);
	complete(0, fake.held_admin, 0);
	EXPECT_EQ(1, pass(self, 0));
	EXPECT_EQ(0, self->io[4].result);
}

TEST_HARNESS_MAIN
