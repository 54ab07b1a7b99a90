/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: linux */
/* gm-test: tsan */
/*
 * test_vmm_device.c - the disk's thread of a sample, while its backend has to wait for the
 * medium: the virtual CPU accesses registers as ever, and who takes memory back waits. And
 * with work without end, which does not keep others out.
 */
#define _GNU_SOURCE
#include <semaphore.h>
#include "../../ulib/samples/virtio/reason.c"
#include "../../ulib/samples/virtio/status.c"
#include "../../ulib/samples/virtio/inflight.c"
#include "../../ulib/samples/virtio/virtqueue.c"
#include "../../ulib/samples/zero-copy-vmm/blk.c"
#include "../../ulib/samples/zero-copy-vmm/blk_run.c"
#include "../../ulib/samples/zero-copy-vmm/device.c"
#undef VERSION
#include "../../ulib/samples/zero-copy-vmm/registers.c"
#include <guestmem.h>
#include "kselftest_harness.h"
#include "expect.h"

#define RAM (UINT64_C(1) << 20)
#define NUM 8
#define DESC 0x1000u
#define AVAIL 0x2000u
#define USED 0x3000u
#define HEADER 0x4000u
#define STATUS 0x5000u
#define DATA 0x6000u
#define SECTORS 77
#define NONE 0xff

/* It loses each request, and needs to be mended, for as long as the test likes. */
struct slow {
	struct backend base;
	struct backend_io *held;
	bool mended;
	struct gm_map *map;
	bool busy;		/* it was called when it may not be */
	bool wild;		/* it is to find that it must be mended */
	bool mending;
	sem_t began;
	sem_t go;
};

static int slow_submit(struct backend *b, struct backend_io *io)
{
	((struct slow *)b)->held = io;
	b->stuck = true;
	return 0;
}

static struct backend_io *slow_reap(struct backend *b)
{
	struct slow *s = (struct slow *)b;
	struct backend_io *io = s->mended ? s->held : NULL;

	if (s->wild) {
		s->wild = false;
		b->stuck = true;
	}
	if (io) {
		io->result = -ETIMEDOUT;
		s->held = NULL;
		s->mended = false;
	}
	return io;
}

static void slow_mend(struct backend *b)
{
	struct slow *s = (struct slow *)b;

	__atomic_store_n(&s->mending, true, __ATOMIC_SEQ_CST);
	sem_post(&s->began);
	sem_wait(&s->go);
	__atomic_store_n(&s->mending, false, __ATOMIC_SEQ_CST);
	b->stuck = false;
	s->mended = true;
}

static int slow_poll_fd(const struct backend *b)
{
	(void)b;
	return -1;
}

/* Nothing may be in flight. */
static int slow_memory_changed(struct backend *b, struct gm_map *map)
{
	struct slow *s = (struct slow *)b;

	s->map = map;
	s->busy = s->held || __atomic_load_n(&s->mending, __ATOMIC_SEQ_CST);
	return 0;
}

static const struct backend_ops slow_ops = {
	.submit = slow_submit, .reap = slow_reap, .mend = slow_mend, .poll_fd = slow_poll_fd,
	.memory_changed = slow_memory_changed,
};

FIXTURE(device) {
	struct gm_region *ram;
	struct gm_map *map;
	struct slow slow;
	struct device device;
	uint8_t *host;
	bool reset;
};

static void put(FIXTURE_DATA(device) *t, uint32_t reg, uint32_t value)
{
	device_write(&t->device, reg, &value, sizeof(value));
}

static uint32_t get(FIXTURE_DATA(device) *t, uint32_t reg)
{
	uint32_t value;

	device_read(&t->device, reg, &value, sizeof(value));
	return value;
}

/* One request in three descriptors. */
static void offer(FIXTURE_DATA(device) *t)
{
	const struct desc descs[] = {
		{ gm_cpu_to_le64(HEADER), gm_cpu_to_le32(16),
		  gm_cpu_to_le16(VRING_DESC_F_NEXT), gm_cpu_to_le16(1) },
		{ gm_cpu_to_le64(DATA), gm_cpu_to_le32(512),
		  gm_cpu_to_le16(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE), gm_cpu_to_le16(2) },
		{ gm_cpu_to_le64(STATUS), gm_cpu_to_le32(1),
		  gm_cpu_to_le16(VRING_DESC_F_WRITE), gm_cpu_to_le16(0) },
	};
	const gm_le16_t idx = gm_cpu_to_le16(1);

	memset(t->host + AVAIL, 0, 4096);
	memset(t->host + USED, 0, 4096);
	memset(t->host + HEADER, 0, 16);
	t->host[STATUS] = NONE;
	memcpy(t->host + DESC, descs, sizeof(descs));
	memcpy(t->host + AVAIL + RING_IDX, &idx, sizeof(idx));
}

#define READY (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
	       VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)

/* The queue is set up, and what is in it begins at once. */
static void run_queue(FIXTURE_DATA(device) *t, uint32_t num)
{
	put(t, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	put(t, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(t, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	put(t, VIRTIO_MMIO_STATUS, READY & ~VIRTIO_CONFIG_S_DRIVER_OK);
	put(t, VIRTIO_MMIO_QUEUE_NUM, num);
	put(t, VIRTIO_MMIO_QUEUE_DESC_LOW, DESC);
	put(t, VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL);
	put(t, VIRTIO_MMIO_QUEUE_USED_LOW, USED);
	put(t, VIRTIO_MMIO_QUEUE_READY, 1);
	put(t, VIRTIO_MMIO_STATUS, READY);
}

static void set_up(FIXTURE_DATA(device) *t)
{
	offer(t);
	run_queue(t, NUM);
}

static void ram_new(struct __test_metadata *_metadata, FIXTURE_DATA(device) *t)
{
	void *host;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), RAM, NULL, &t->ram));
	ASSERT_OK(gm_map_new(&t->ram, 1, &t->map));
	ASSERT_OK(gm_region_host(t->ram, gm_roff(0), &host));
	t->host = host;
}

static void stop(FIXTURE_DATA(device) *t)
{
	device_stop(&t->device);
	device_exit(&t->device);
	gm_map_put(t->map);
	gm_region_put(t->ram);
}

FIXTURE_SETUP(device)
{
	ram_new(_metadata, self);
	self->slow.base.ops = &slow_ops;
	self->slow.base.sectors = SECTORS;
	self->slow.base.block_size = SECTOR_SIZE;
	self->slow.base.max_bytes = 4096;
	ASSERT_EQ(0, sem_init(&self->slow.began, 0, 0));
	ASSERT_EQ(0, sem_init(&self->slow.go, 0, 0));
	ASSERT_EQ(0, device_start(&self->device, &self->slow.base, self->map));
	set_up(self);
	ASSERT_EQ(0, sem_wait(&self->slow.began));
}

FIXTURE_TEARDOWN(device)
{
	stop(self);
}

TEST_F(device, no_shared_memory)
{
	for (uint32_t region = 0; region < 2; region++) {
		put(self, VIRTIO_MMIO_SHM_SEL, region);
		EXPECT_EQ(UINT32_MAX, get(self, VIRTIO_MMIO_SHM_LEN_LOW));
		EXPECT_EQ(UINT32_MAX, get(self, VIRTIO_MMIO_SHM_LEN_HIGH));
		EXPECT_EQ(UINT32_MAX, get(self, VIRTIO_MMIO_SHM_BASE_LOW));
		EXPECT_EQ(UINT32_MAX, get(self, VIRTIO_MMIO_SHM_BASE_HIGH));
	}
	sem_post(&self->slow.go);
}

/* With the lock held meanwhile none of these would return. */
TEST_F(device, registers_do_not_wait)
{
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(READY, get(self, VIRTIO_MMIO_STATUS));
		EXPECT_EQ(SECTORS, get(self, VIRTIO_MMIO_CONFIG));
		put(self, VIRTIO_MMIO_QUEUE_SEL, 1);
		EXPECT_EQ(0, get(self, VIRTIO_MMIO_QUEUE_NUM_MAX));
		put(self, VIRTIO_MMIO_QUEUE_SEL, 0);
		device_kick(&self->device);
	}
	EXPECT_EQ(NONE, self->host[STATUS]);
	sem_post(&self->slow.go);
	/* Its driver asks for the interrupt: the answer is there then. */
	while (!get(self, VIRTIO_MMIO_INTERRUPT_STATUS))
		sched_yield();
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, self->host[STATUS]);
}

static void *reset_thread(void *arg)
{
	FIXTURE_DATA(device) *t = arg;

	put(t, VIRTIO_MMIO_STATUS, 0);
	__atomic_store_n(&t->reset, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Its memory is the driver's again when a reset is over, and not before. */
TEST_F(device, reset_waits)
{
	const struct timespec some = { .tv_nsec = 20000000 };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, reset_thread, self));
	nanosleep(&some, NULL);
	EXPECT_FALSE(__atomic_load_n(&self->reset, __ATOMIC_SEQ_CST));
	/* And others do not wait for it. */
	EXPECT_EQ(SECTORS, get(self, VIRTIO_MMIO_CONFIG));
	sem_post(&self->slow.go);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, get(self, VIRTIO_MMIO_STATUS));
	EXPECT_EQ(NONE, self->host[STATUS]);
	/* It goes on. */
	set_up(self);
	ASSERT_EQ(0, sem_wait(&self->slow.began));
	sem_post(&self->slow.go);
	while (!get(self, VIRTIO_MMIO_INTERRUPT_STATUS))
		sched_yield();
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, self->host[STATUS]);
}

static void *map_thread(void *arg)
{
	FIXTURE_DATA(device) *t = arg;

	return device_set_map(&t->device, t->map) ? t : NULL;
}

/* Until it is there: it lets nothing begin. */
static void map_begin(struct __test_metadata *_metadata, FIXTURE_DATA(device) *t,
		      pthread_t *thread)
{
	bool live = true;

	ASSERT_EQ(0, pthread_create(thread, NULL, map_thread, t));
	while (live) {
		sched_yield();
		pthread_mutex_lock(&t->device.lock);
		live = t->device.blk.live;
		pthread_mutex_unlock(&t->device.lock);
	}
}

static void map_end(struct __test_metadata *_metadata, FIXTURE_DATA(device) *t,
		    pthread_t thread)
{
	void *failed;

	ASSERT_EQ(0, pthread_join(thread, &failed));
	EXPECT_EQ(NULL, failed);
	EXPECT_EQ(t->map, t->slow.map);
	EXPECT_FALSE(t->slow.busy);
}

/* Memory goes when what is in flight has ended, which is answered; and the queue goes on. */
TEST_F(device, memory_waits)
{
	pthread_t thread;

	map_begin(_metadata, self, &thread);
	EXPECT_EQ(SECTORS, get(self, VIRTIO_MMIO_CONFIG));
	sem_post(&self->slow.go);
	map_end(_metadata, self, thread);
	while (!get(self, VIRTIO_MMIO_INTERRUPT_STATUS))
		sched_yield();
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, self->host[STATUS]);
	EXPECT_EQ(READY, get(self, VIRTIO_MMIO_STATUS));
}

/* A backend may have to be mended with nothing in flight; memory waits for that as well. */
TEST_F(device, nothing_in_flight)
{
	const gm_le16_t idx = gm_cpu_to_le16(256);
	pthread_t thread;

	sem_post(&self->slow.go);
	while (!get(self, VIRTIO_MMIO_INTERRUPT_STATUS))
		sched_yield();
	put(self, VIRTIO_MMIO_STATUS, 0);
	offer(self);
	/* The same one again and again, of a type that there is not: no end of work. */
	self->host[HEADER] = 77;
	memcpy(self->host + AVAIL + RING_IDX, &idx, sizeof(idx));
	self->slow.wild = true;
	run_queue(self, 256);
	ASSERT_EQ(0, sem_wait(&self->slow.began));
	map_begin(_metadata, self, &thread);
	sem_post(&self->slow.go);
	map_end(_metadata, self, thread);
}

/* What it has read has come to where the ring is, and offers the next request. */
struct endless {
	struct backend base;
	struct backend_io *first;
	struct backend_io *last;
	uint8_t *idx;
	uint16_t offered;
	unsigned int looks;
	unsigned int done;
};

static int endless_submit(struct backend *b, struct backend_io *io)
{
	struct endless *e = (struct endless *)b;

	io->next = NULL;
	if (e->first)
		e->last->next = io;
	else
		e->first = io;
	e->last = io;
	return 0;
}

static void endless_offer(struct endless *e)
{
	const gm_le16_t idx = gm_cpu_to_le16(++e->offered);

	memcpy(e->idx, &idx, sizeof(idx));
}

/* Not at each look, or blk_run() would not end. */
static struct backend_io *endless_reap(struct backend *b)
{
	struct endless *e = (struct endless *)b;
	struct backend_io *io = e->first;

	if (!io || ++e->looks % 3)
		return NULL;
	e->first = io->next;
	io->result = 0;
	endless_offer(e);
	__atomic_add_fetch(&e->done, 1, __ATOMIC_SEQ_CST);
	return io;
}

static const struct backend_ops endless_ops = {
	.submit = endless_submit, .reap = endless_reap, .poll_fd = slow_poll_fd,
};

/* The thread never gets to a moment without work; without its leave, nobody else in. */
TEST(stop_with_requests_that_offer_others)
{
	FIXTURE_DATA(device) t = { .reset = false };
	struct endless e = {
		.base = {
			.ops = &endless_ops, .sectors = SECTORS, .block_size = SECTOR_SIZE,
			.max_bytes = 4096,
		},
	};

	ram_new(_metadata, &t);
	ASSERT_EQ(0, device_start(&t.device, &e.base, t.map));
	offer(&t);
	e.idx = t.host + AVAIL + RING_IDX;
	/* One of two is always under way when the other one has come back. */
	endless_offer(&e);
	endless_offer(&e);
	run_queue(&t, NUM);
	while (__atomic_load_n(&e.done, __ATOMIC_SEQ_CST) < 1000)
		sched_yield();
	stop(&t);
	EXPECT_EQ(NULL, e.first);
}

TEST_HARNESS_MAIN
