/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: linux */
/*
 * test_vhost_iommu.c - translations that come and go, or that the IOTLB loses, while a
 * request of the vhost-user-blk sample is under way, on a disk that does nothing before it
 * is waited for.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "../../ulib/samples/virtio/reason.c"
#include "../../ulib/samples/virtio/inflight.c"
#include "../../ulib/samples/virtio/virtqueue.c"
#include "../../ulib/samples/virtio/status.c"
#include "../../ulib/samples/vhost-user-blk/vhost_user.c"
#include "../../ulib/samples/vhost-user-blk/inflight_area.c"
#include "../../ulib/samples/vhost-user-blk/event.c"
#include "../../ulib/samples/vhost-user-blk/dirty.c"
#include "../../ulib/samples/vhost-user-blk/stats.c"
#include "../../ulib/samples/vhost-user-blk/viommu.c"
#include "../../ulib/samples/vhost-user-blk/blk.c"
#include "../../ulib/samples/vhost-user-blk/blk_config.c"
#include "../../ulib/samples/vhost-user-blk/blk_run.c"
/* A name that another of them has, too. */
#define print log_print
#include "../../ulib/samples/vhost-user-blk/log.c"
#undef print
#define meets memory_meets
#include "../../ulib/samples/vhost-user-blk/memory.c"
#undef meets
#include "../../ulib/samples/vhost-user-blk/rings.c"
#include "../../ulib/samples/vhost-user-blk/backend.c"
#include "kselftest_harness.h"
#include "expect.h"

#define RAM (UINT64_C(1) << 20)
#define USER (UINT64_C(7) << 40)
#define NUM 16
#define DEPTH 4
#define NONE 0xff	/* no status yet */
#define READ_BYTE 0x5a	/* all that the disk has */

/* Where it is in guest memory. */
#define DESC 0x1000u
#define AVAIL 0x2000u
#define USED 0x3000u
#define HEADER 0x4000u
#define STATUS 0x5000u
#define DATA 0x10000u
#define OTHER 0x20000u

/* The same of the second queue is behind it. */
#define SECOND 0x8000u

/* IOVAs: of all memory, of the data, and what nobody has a translation for. */
#define BIAS (UINT64_C(5) << 40)
#define ELSEWHERE (UINT64_C(1) << 30)
#define NOWHERE (UINT64_C(1) << 31)

/* All that was submitted waits here. */
static struct disk_io *held;

void disk_submit(struct disk *d, struct disk_io *io)
{
	d->in_flight++;
	io->next = held;
	held = io;
}

void disk_start(struct disk *d)
{
	(void)d;
}

struct disk_io *disk_reap(struct disk *d)
{
	struct disk_io *io = d->done;

	if (!io)
		return NULL;
	d->done = io->next;
	d->in_flight--;
	return io;
}

void disk_wait(struct disk *d)
{
	struct disk_io *io = held;
	int i;

	if (!io)
		return;
	held = io->next;
	io->result = 0;
	for (i = 0; i < io->iovcnt; i++) {
		memset(io->iov[i].iov_base, READ_BYTE, io->iov[i].iov_len);
		io->result += (int64_t)io->iov[i].iov_len;
	}
	io->next = d->done;
	d->done = io;
}

int disk_discard(struct disk *d, uint64_t off, uint64_t len)
{
	(void)d;
	(void)off;
	(void)len;
	return -EOPNOTSUPP;
}

int disk_write_zeroes(struct disk *d, uint64_t off, uint64_t len, bool may_unmap)
{
	(void)may_unmap;
	return disk_discard(d, off, len);
}

FIXTURE(iotlb) {
	struct disk disk;
	struct stats stats;
	struct viommu viommu;
	struct blk blk;
	struct backend backend;
	uint8_t *host;
	int channel;
};

/* Return: what the reply says; 0: yes, as a rule. */
static uint64_t tell(FIXTURE_DATA(iotlb) *t, uint32_t request, const void *payload,
		     uint32_t size, int fd)
{
	struct vu_msg m = { .header = { request, VU_VERSION | VU_NEED_REPLY, size } }, reply;
	int fds[VU_MAX_FDS] = { fd };

	if (size)
		memcpy(&m.payload, payload, size);
	reply.payload.u64 = 0;
	if (backend_handle(&t->backend, &m, fds, fd >= 0, &reply) < 0)
		return 1;
	if (fd >= 0 && fds[0] >= 0)
		close(fds[0]);
	return reply.payload.u64;
}

static uint64_t tell_u64(FIXTURE_DATA(iotlb) *t, uint32_t request, uint64_t value)
{
	return tell(t, request, &value, sizeof(value), -1);
}

static uint64_t tell_state(FIXTURE_DATA(iotlb) *t, uint32_t request, uint32_t queue,
			   uint32_t num)
{
	struct vu_vring_state s = { queue, num };

	return tell(t, request, &s, sizeof(s), -1);
}

static uint64_t update(FIXTURE_DATA(iotlb) *t, uint64_t iova, uint64_t gpa, uint64_t size,
		       uint8_t perm)
{
	struct vu_iotlb m = {
		.iova = iova, .size = size, .user_addr = USER + gpa, .perm = perm,
		.type = VU_IOTLB_UPDATE,
	};

	return tell(t, VU_IOTLB_MSG, &m, sizeof(m), -1);
}

static uint64_t invalidate(FIXTURE_DATA(iotlb) *t, uint64_t iova, uint64_t size)
{
	struct vu_iotlb m = { .iova = iova, .size = size, .type = VU_IOTLB_INVALIDATE };

	return tell(t, VU_IOTLB_MSG, &m, sizeof(m), -1);
}

/* As if it had gone to make room for others. */
static void lose(FIXTURE_DATA(iotlb) *t, uint64_t iova, uint64_t size)
{
	gm_iommu_invalidate(t->viommu.iommu, gm_iova(iova), size);
}

/* @at is 0 or SECOND, as below. */
static void put_desc(FIXTURE_DATA(iotlb) *t, uint64_t at, uint16_t i, uint64_t iova,
		     uint32_t len, uint16_t flags)
{
	const struct desc d = {
		gm_cpu_to_le64(iova), gm_cpu_to_le32(len), gm_cpu_to_le16(flags),
		gm_cpu_to_le16((uint16_t)(i + 1)),
	};

	memcpy(t->host + at + DESC + i * sizeof(d), &d, sizeof(d));
}

static void set_avail(FIXTURE_DATA(iotlb) *t, uint64_t at, uint16_t count)
{
	const gm_le16_t idx = gm_cpu_to_le16(count);

	memcpy(t->host + at + AVAIL + RING_IDX, &idx, sizeof(idx));
}

/* A queue has one request, a read of one page. */
static void offer_read(FIXTURE_DATA(iotlb) *t, uint64_t at, uint64_t data)
{
	t->host[at + STATUS] = NONE;
	put_desc(t, at, 0, BIAS + at + HEADER, sizeof(struct header), VRING_DESC_F_NEXT);
	put_desc(t, at, 1, data, PAGE_SIZE, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	put_desc(t, at, 2, BIAS + at + STATUS, 1, VRING_DESC_F_WRITE);
	set_avail(t, at, 1);
}

static uint64_t start_queue(FIXTURE_DATA(iotlb) *t, uint32_t queue, uint64_t at)
{
	const struct vu_vring_addr addr = {
		.index = queue, .desc = BIAS + at + DESC, .avail = BIAS + at + AVAIL,
		.used = BIAS + at + USED,
	};

	return tell_state(t, VU_SET_VRING_NUM, queue, NUM) |
	       tell(t, VU_SET_VRING_ADDR, &addr, sizeof(addr), -1) |
	       tell_u64(t, VU_SET_VRING_KICK, VU_VRING_NOFD | queue) |
	       tell_state(t, VU_SET_VRING_ENABLE, queue, 1);
}

/* It has come to its end, where its data was. */
static bool is_done(const FIXTURE_DATA(iotlb) *t)
{
	return !t->disk.in_flight && t->host[STATUS] == VIRTIO_BLK_S_OK &&
	       t->host[DATA] == READ_BYTE && !t->host[OTHER];
}

FIXTURE_SETUP(iotlb)
{
	struct vu_mem_table table = { .count = 1, .regions = { { 0, RAM, USER, 0 } } };
	int fd = memfd_create("ram", MFD_CLOEXEC), pair[2];

	ASSERT_EQ(0, ftruncate(fd, RAM));
	self->host = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->host);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	self->channel = pair[0];
	self->disk.depth = DEPTH;
	self->disk.sectors = 1024;
	held = NULL;
	ASSERT_EQ(0, viommu_init(&self->viommu, &self->stats));
	ASSERT_EQ(0, blk_init(&self->blk, &self->disk, &self->stats, &self->viommu, 2, "test"));
	ASSERT_EQ(0, backend_init(&self->backend, &self->blk));
	ASSERT_EQ(0, tell_u64(self, VU_SET_PROTOCOL_FEATURES,
			      VU_PROTOCOL_F_REPLY_ACK | VU_PROTOCOL_F_BACKEND_REQ));
	ASSERT_EQ(0, tell(self, VU_SET_BACKEND_REQ_FD, NULL, 0, pair[1]));
	ASSERT_EQ(0, tell_u64(self, VU_SET_FEATURES, VU_F_PROTOCOL_FEATURES |
			      UINT64_C(1) << VIRTIO_F_ACCESS_PLATFORM |
			      UINT64_C(1) << VIRTIO_BLK_F_FLUSH));
	ASSERT_EQ(0, tell(self, VU_SET_MEM_TABLE, &table,
			  offsetof(struct vu_mem_table, regions[1]), fd));
	ASSERT_EQ(0, update(self, BIAS, 0, RAM, VU_IOTLB_RW));
	ASSERT_EQ(0, update(self, ELSEWHERE, DATA, PAGE_SIZE, VU_IOTLB_RW));
	ASSERT_EQ(0, start_queue(self, 0, 0));
	offer_read(self, 0, ELSEWHERE);
	ASSERT_EQ(0, backend_run(&self->backend));
	ASSERT_EQ(1, self->disk.in_flight);
}

FIXTURE_TEARDOWN(iotlb)
{
	backend_reset(&self->backend);
	blk_exit(&self->blk);
	viommu_exit(&self->viommu);
	munmap(self->host, RAM);
	close(self->channel);
}

TEST_F(iotlb, data_elsewhere)
{
	lose(self, ELSEWHERE, PAGE_SIZE);
	EXPECT_EQ(0, update(self, ELSEWHERE, OTHER, PAGE_SIZE, VU_IOTLB_RW));
	EXPECT_TRUE(is_done(self));
}

TEST_F(iotlb, data_without_right)
{
	lose(self, ELSEWHERE, PAGE_SIZE);
	EXPECT_EQ(0, update(self, ELSEWHERE, DATA, PAGE_SIZE, VU_IOTLB_RO));
	EXPECT_TRUE(is_done(self));
}

TEST_F(iotlb, status_elsewhere)
{
	lose(self, BIAS + STATUS, PAGE_SIZE);
	EXPECT_EQ(0, update(self, BIAS + STATUS, OTHER, PAGE_SIZE, VU_IOTLB_RW));
	EXPECT_TRUE(is_done(self));
}

/* The request goes back to the ring that it came from, and then the ring is another. */
TEST_F(iotlb, ring_elsewhere)
{
	const gm_le16_t one = gm_cpu_to_le16(1);

	lose(self, BIAS + USED, PAGE_SIZE);
	EXPECT_EQ(0, update(self, BIAS + USED, OTHER, PAGE_SIZE, VU_IOTLB_RW));
	EXPECT_TRUE(is_done(self));
	EXPECT_EQ(0, memcmp(self->host + USED + RING_IDX, &one, sizeof(one)));
	EXPECT_TRUE(self->backend.rings[0].later);
}

/* Who uses nothing of a range is not waited for, be it told of, told again, or taken back. */
TEST_F(iotlb, not_used)
{
	EXPECT_EQ(0, update(self, ELSEWHERE + PAGE_SIZE, OTHER, PAGE_SIZE, VU_IOTLB_RW));
	EXPECT_EQ(0, update(self, ELSEWHERE - PAGE_SIZE, OTHER, PAGE_SIZE, VU_IOTLB_RW));
	EXPECT_EQ(0, update(self, ELSEWHERE, DATA, PAGE_SIZE, VU_IOTLB_RW));
	EXPECT_EQ(0, update(self, BIAS, 0, RAM, VU_IOTLB_RW));
	EXPECT_EQ(0, invalidate(self, ELSEWHERE + PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(0, invalidate(self, ELSEWHERE - PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(0, invalidate(self, BIAS + STATUS + 1, PAGE_SIZE - 1));
	EXPECT_EQ(0, invalidate(self, BIAS + STATUS - 1, 1));
	EXPECT_EQ(1, self->disk.in_flight);
	EXPECT_EQ(NONE, self->host[STATUS]);
	EXPECT_TRUE(self->backend.rings[0].mapped);
}

/* The last byte of what is used, and the status byte, are. */
TEST_F(iotlb, last_byte)
{
	EXPECT_EQ(0, invalidate(self, ELSEWHERE + PAGE_SIZE - 1, 1));
	EXPECT_TRUE(is_done(self));
}

TEST_F(iotlb, status_byte)
{
	EXPECT_EQ(0, invalidate(self, BIAS + STATUS, 1));
	EXPECT_TRUE(is_done(self));
}

/* The front-end's answer to a question: no. */
static bool deny(FIXTURE_DATA(iotlb) *t)
{
	struct {
		struct vu_header header;
		uint64_t value;
	} __attribute__((packed)) no = {
		{ VU_BACKEND_IOTLB_MSG, VU_VERSION | VU_REPLY, sizeof(no.value) }, 1,
	};

	return send(t->channel, &no, sizeof(no), 0) == sizeof(no) &&
	       !viommu_receive(&t->viommu);
}

/* An answer is kept for who waits for it, until there is room for the request. */
TEST_F(iotlb, denied_without_room)
{
	ASSERT_EQ(0, start_queue(self, 1, SECOND));
	offer_read(self, SECOND, NOWHERE);
	EXPECT_EQ(0, backend_run(&self->backend));
	EXPECT_EQ(1, self->stats.iotlb_asked);
	/* The other queue has all the room. */
	set_avail(self, 0, DEPTH);
	EXPECT_EQ(0, backend_run(&self->backend));
	ASSERT_EQ(DEPTH, self->disk.in_flight);
	ASSERT_TRUE(deny(self));
	EXPECT_EQ(0, backend_run(&self->backend));
	EXPECT_EQ(NONE, self->host[SECOND + STATUS]);
	disk_wait(&self->disk);
	EXPECT_EQ(0, backend_run(&self->backend));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, self->host[SECOND + STATUS]);
	EXPECT_EQ(1, self->stats.iotlb_asked);
	/* And no longer: the next one asks. */
	set_avail(self, SECOND, 2);
	EXPECT_EQ(0, backend_run(&self->backend));
	EXPECT_EQ(2, self->stats.iotlb_asked);
}

/* But not if the page is there by then, for what was asked, be it lost again or not. */
static void deny_and_map(struct __test_metadata *_metadata, FIXTURE_DATA(iotlb) *self,
			 uint8_t perm)
{
	ASSERT_EQ(0, start_queue(self, 1, SECOND));
	offer_read(self, SECOND, NOWHERE);
	set_avail(self, 0, DEPTH);
	EXPECT_EQ(0, backend_run(&self->backend));
	ASSERT_EQ(DEPTH, self->disk.in_flight);
	EXPECT_EQ(1, self->stats.iotlb_asked);
	ASSERT_TRUE(deny(self));
	EXPECT_EQ(0, update(self, NOWHERE, OTHER, PAGE_SIZE, perm));
	lose(self, NOWHERE, PAGE_SIZE);
	disk_wait(&self->disk);
	EXPECT_EQ(0, backend_run(&self->backend));
}

TEST_F(iotlb, denied_and_mapped)
{
	deny_and_map(_metadata, self, VU_IOTLB_RW);
	EXPECT_EQ(NONE, self->host[SECOND + STATUS]);
	EXPECT_EQ(2, self->stats.iotlb_asked);
}

TEST_F(iotlb, denied_and_mapped_to_be_read)
{
	deny_and_map(_metadata, self, VU_IOTLB_RO);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, self->host[SECOND + STATUS]);
	EXPECT_EQ(1, self->stats.iotlb_asked);
}

TEST_HARNESS_MAIN
