/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=nvme boot=nvme-noiommu lib */
/*
 * test_nvme_dead.c - a controller that stops, fails, goes, lies; and a process that is
 * killed: requests fail and do not hang, memory is left alone, and the next one works.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include "kselftest_harness.h"
#include "nvme_guest.h"

#define COUNT 100

/**
 * struct load - requests that are in flight
 * @io: the requests
 * @ranges: their memory
 */
struct load {
	struct backend_io io[COUNT];
	struct gm_range ranges[COUNT];
};

static struct load load;

static int load_start(struct guest *g, uint64_t len)
{
	int ret = 0;

	for (int i = 0; i < COUNT && !ret; i++) {
		load.ranges[i] = (struct gm_range) { gm_gpa(HIGH_BASE + i * len), len };
		ret = io_init(g, &load.io[i], BACKEND_READ, i * len / 512, &load.ranges[i], 1);
		if (!ret)
			ret = g->b->ops->submit(g->b, &load.io[i]);
	}
	return ret;
}

/* All come back; how many have failed, with one of two errors only. Or -ETIME. */
static int load_end(struct guest *g, int err)
{
	int failed = 0;

	for (int i = 0; i < COUNT; i++) {
		struct backend_io *io = guest_wait(g);

		if (!io)
			return -ETIME;
		if (io->result && io->result != err)
			return io->result;
		failed += io->result != 0;
	}
	return failed;
}

/* Whatever has happened, a new open works. */
#define EXPECT_WORKS_AGAIN() do { \
	ASSERT_OK(guest_disk(g, variant->bounce)); \
	EXPECT_EQ(0, guest_io_range(g, BACKEND_READ, 5, 0, 4096)); \
} while (0)

/* Somebody has stopped it. */
TEST_F(nvme, stopped)
{
	struct guest *g = &self->g;

	nvme_write32(&g->d->nvme.bar, NVME_CC, 0);
	ASSERT_EQ(0, load_start(g, 4096));
	EXPECT_EQ(COUNT, load_end(g, -EIO));
	/* All the rest fails as well, at once. */
	EXPECT_EQ(-EIO, guest_io_range(g, BACKEND_WRITE, 0, 0, 512));
	EXPECT_EQ(-EIO, guest_io(g, BACKEND_FLUSH, 0, NULL, 0));
	EXPECT_WORKS_AGAIN();
}

/* It is told to start with a queue that it can't use, and says that it has failed. */
TEST_F(nvme, failed)
{
	struct guest *g = &self->g;
	const struct nvme_bar *bar = &g->d->nvme.bar;

	nvme_write32(bar, NVME_CC, 0);
	nvme_write32(bar, NVME_ASQ, 0x10);
	nvme_write32(bar, NVME_CC, NVME_CC_EN | NVME_CC_IOSQES | NVME_CC_IOCQES);
	EXPECT_NE(0, nvme_read32(bar, NVME_CSTS) & NVME_CSTS_CFS);
	/* Before it fails would be better: QEMU does not survive that. */
	ASSERT_EQ(0, load_start(g, 65536));
	EXPECT_EQ(COUNT, load_end(g, -EIO));
	EXPECT_EQ(-EIO, guest_io_range(g, BACKEND_WRITE, 0, 0, 512));
	EXPECT_WORKS_AGAIN();
}

/* A controller whose registers are all ones: it was pulled out. */
TEST_F(nvme, gone)
{
	struct guest *g = &self->g;
	volatile uint8_t *regs = g->d->nvme.bar.regs;
	uint8_t *ones = malloc(g->d->nvme.bar.len);

	memset(ones, 0xff, g->d->nvme.bar.len);
	g->d->nvme.bar.regs = ones;
	ASSERT_EQ(0, load_start(g, 4096));
	EXPECT_EQ(COUNT, load_end(g, -ENODEV));
	EXPECT_EQ(-ENODEV, guest_io_range(g, BACKEND_READ, 0, 0, 512));
	g->d->nvme.bar.regs = regs;
	free(ones);
	EXPECT_WORKS_AGAIN();
}

/* The administrator takes it away: registers are not touched any more. */
TEST_F(nvme, unbound)
{
	struct guest *g = &self->g;

	ASSERT_EQ(0, load_start(g, 65536));
	ASSERT_EQ(0, device_unbind(g->address));
	EXPECT_LE(0, load_end(g, -ENODEV));
	EXPECT_EQ(-ENODEV, guest_io_range(g, BACKEND_READ, 0, 0, 512));
	g->b->ops->close(g->b);
	g->b = NULL;
	ASSERT_EQ(0, device_bind(g->address));
	EXPECT_WORKS_AGAIN();
}

/* It says nothing for too long. */
TEST_F(nvme, silent)
{
	struct guest *g = &self->g;
	uint32_t doorbell = g->d->nvme.io.sq_doorbell;

	g->d->timeout_ms = 1000;
	g->d->abort_ms = 500;
	/* Nobody tells it of the commands. */
	g->d->nvme.io.sq_doorbell = g->d->nvme.io.cq_doorbell + 4096;
	ASSERT_EQ(0, load_start(g, 512));
	/* By copies not all are sent: those that were not are done after a reset. */
	EXPECT_EQ(g->d->commands < COUNT ? (int)g->d->commands : COUNT, load_end(g, -ETIMEDOUT));
	EXPECT_EQ(doorbell, g->d->nvme.io.sq_doorbell);
	EXPECT_EQ(0, guest_io_range(g, BACKEND_READ, 5, 0, 4096));
	EXPECT_WORKS_AGAIN();
}

/* A command that the controller is never told of, while it has all those that follow. */
static int lose_one(struct guest *g, struct backend_io *io, const struct gm_range *r)
{
	struct nvme_queue *q = &g->d->nvme.io;
	uint32_t doorbell = q->sq_doorbell;
	uint16_t tail = q->tail;
	int ret = io_init(g, io, BACKEND_READ, 0, r, 1);

	q->sq_doorbell = q->cq_doorbell + 4096;
	if (!ret)
		ret = g->b->ops->submit(g->b, io);
	q->sq_doorbell = doorbell;
	q->tail = tail;
	q->rung = tail;
	return ret;
}

/* The next completion wakes who sleeps. */
static void expect_interrupt(struct __test_metadata *_metadata, struct guest *g)
{
	const struct gm_range r = { gm_gpa(0), 4096 };
	struct pollfd p = { .fd = g->b->ops->poll_fd(g->b), .events = POLLIN };
	struct backend_io io;

	while (nvme_bar_interrupted(&g->d->nvme.bar))
		;
	ASSERT_EQ(0, io_init(g, &io, BACKEND_READ, 0, &r, 1));
	ASSERT_EQ(0, g->b->ops->submit(g->b, &io));
	EXPECT_EQ(1, poll(&p, 1, IO_SECONDS * 1000));
	EXPECT_EQ(&io, guest_wait(g));
	EXPECT_EQ(0, io.result);
}

/*
 * One command is lost, and others come back all the time. That one fails, no other does,
 * also of those that are in flight when the controller is reset; and the disk goes on.
 */
TEST_F(nvme, lost)
{
	struct guest *g = &self->g;
	const struct gm_range r = { gm_gpa(0), 4096 };
	struct backend_io lost, *io;
	unsigned int busy = 0, done = 0;

	for (uint32_t irq = 0; irq <= BACKEND_NVME_INTERRUPT; irq += BACKEND_NVME_INTERRUPT) {
		ASSERT_OK(guest_disk(g, variant->bounce | irq));
		ASSERT_EQ(0, guest_fill(g, &r, 1, 8));
		ASSERT_EQ(0, guest_io(g, BACKEND_WRITE, 0, &r, 1));
		ASSERT_EQ(0, guest_fill(g, &r, 1, 9));
		/* Less than the others take, however busy the machine is. */
		g->d->timeout_ms = 1000;
		g->d->abort_ms = 500;
		ASSERT_EQ(0, lose_one(g, &lost, &r));
		ASSERT_EQ(0, load_start(g, 4096));
		for (busy = COUNT, done = 0; busy || lost.result == -1; done++) {
			io = guest_wait(g);
			ASSERT_NE(NULL, io);
			if (io == &lost)
				continue;
			ASSERT_EQ(0, io->result);
			busy--;
			if (lost.result != -1 && lost.result)
				continue;
			/* The controller has something to do at any time. */
			ASSERT_EQ(0, io_init(g, io, BACKEND_READ, 0, io->data.ranges, 1));
			ASSERT_EQ(0, g->b->ops->submit(g->b, io));
			busy++;
		}
		EXPECT_EQ(-ETIMEDOUT, lost.result);
		EXPECT_LT(COUNT, done);
		/* Of what is lost nothing comes. */
		EXPECT_EQ(0, guest_find(g, &r, 1, 9));
		EXPECT_EQ(0, guest_io(g, BACKEND_READ, 0, &r, 1));
		EXPECT_EQ(0, guest_find(g, &r, 1, 8));
		EXPECT_EQ(0, g->d->dead);
		if (irq)
			expect_interrupt(_metadata, g);
	}
}

/* What the controller calls the one command that is in flight. */
static uint16_t flying(const struct nvme_queue *q)
{
	uint16_t id = 0;

	while (!q->in_flight[id])
		id++;
	return q->cid[id];
}

/* A completion of no command that is in flight, of each kind. */
TEST_F(nvme, lies)
{
	/* @flight: of the command that is in flight, or one that had its place before it */
	static const struct {
		uint16_t id;
		uint16_t sq_id;
		uint16_t sq_head;
		bool flight;
	} lies[] = {
		{ 5, 1, 0, false }, { 127, 1, 0, false }, { 0xffff, 1, 0, false },
		{ (uint16_t)-NVME_QUEUE_MAX, 1, 0, true }, { 0, 2, 0, true }, { 0, 1, 128, true },
	};
	struct guest *g = &self->g;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct nvme_queue *q = &g->d->nvme.io;
		struct nvme_completion *cq = q->cq.host;
		uint32_t doorbell = q->sq_doorbell;
		struct backend_io io;
		uint16_t id = lies[i].id;

		/* One is in flight, of which the controller knows nothing. */
		q->sq_doorbell = q->cq_doorbell + 4096;
		ASSERT_EQ(0, io_init(g, &io, BACKEND_READ, 0,
				     &(struct gm_range) { gm_gpa(0), 512 }, 1));
		ASSERT_EQ(0, g->b->ops->submit(g->b, &io));
		q->sq_doorbell = doorbell;
		if (lies[i].flight)
			id = (uint16_t)(id + flying(q));
		cq[q->head].sq_id = gm_cpu_to_le16(lies[i].sq_id);
		cq[q->head].sq_head = gm_cpu_to_le16(lies[i].sq_head);
		cq[q->head].tail = gm_cpu_to_le32(id | (uint32_t)q->phase << 16);
		ASSERT_EQ(&io, guest_wait(g));
		EXPECT_EQ(-EIO, io.result);
		EXPECT_EQ(-EIO, guest_io_range(g, BACKEND_READ, 0, 0, 512));
		EXPECT_WORKS_AGAIN();
	}
}

/* Closed with all that is in flight: memory is not touched when it returns. */
TEST_F(nvme, closed)
{
	struct guest *g = &self->g;
	struct gm_range all = { gm_gpa(HIGH_BASE), 8 * MIB };

	ASSERT_EQ(0, load_start(g, 65536));
	g->b->ops->close(g->b);
	g->b = NULL;
	ASSERT_EQ(0, guest_fill(g, &all, 1, 6));
	sleep_ms(100);
	EXPECT_EQ(0, guest_find(g, &all, 1, 6));
	EXPECT_WORKS_AGAIN();
}

/* Reads until it is killed. */
static void read_for_ever(struct guest *g, int ready)
{
	for (;;) {
		if (load_start(g, 65536) || write(ready, "", 1) != 1 || load_end(g, 0))
			_exit(1);
	}
}

/* A child has the region's file, and not its mapping: at the same place again. */
static int memory_inherit(struct guest *g)
{
	struct gm_region *r = gm_map_region(g->map, 3);
	struct gm_file *file;
	uint64_t off;
	void *p;

	file = gm_region_file(r, &off);
	if (!file || gm_region_host(r, gm_roff(0), &p))
		return -ENODEV;
	p = mmap(p, HIGH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 gm_file_fd(file), (off_t)off);
	return p == MAP_FAILED ? -errno : 0;
}

/* The memory is also the parent's: what is written there afterwards is seen. */
TEST_F(nvme, killed)
{
	struct gm_range all = { gm_gpa(HIGH_BASE), 8 * MIB };
	struct guest *g = &self->g;
	int ready[2];
	pid_t pid;
	char c;

	g->b->ops->close(g->b);
	g->b = NULL;
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			if (memory_inherit(g) || guest_disk(g, variant->bounce))
				_exit(2);
			read_for_ever(g, ready[1]);
		}
		close(ready[1]);
		ASSERT_EQ(1, read(ready[0], &c, 1));
		sleep_ms(i * 3);
		kill(pid, SIGKILL);
		EXPECT_EQ(-SIGKILL, child_wait(pid));
		close(ready[0]);
		ASSERT_EQ(0, guest_fill(g, &all, 1, 6));
		sleep_ms(150);
		EXPECT_EQ(0, guest_find(g, &all, 1, 6));
		EXPECT_WORKS_AGAIN();
		g->b->ops->close(g->b);
		g->b = NULL;
	}
}

TEST_HARNESS_MAIN
