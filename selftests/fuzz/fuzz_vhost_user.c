/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fuzz_vhost_user.c - the input is what a front-end does to the vhost-user-blk
 * sample: messages with real file descriptors, changes of the guest's memory
 * between them, answers to what the device asks, and the end of that memory.
 *
 * Whatever it does, no descriptor may be left behind, and a reply is well-formed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../ulib/samples/vhost-user-blk/backend.h"
#include "input.h"

#define PAGE 4096
#define GUEST_PAGES 64
#define IMAGE_SIZE (64 * 1024)
#define QUEUES 3

int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* What a step of the input does: this byte or more. Below, it is a message. */
enum {
	STEP_STORE = 0xc0,	/* to the guest's memory */
	STEP_ANSWER = 0xd8,	/* to the device's questions */
	STEP_RUN = 0xe0,	/* the device looks at its queues */
	STEP_TRUNCATE = 0xf0,	/* the guest's memory goes */
};

/* Bits of a message's second byte; the upper four are the descriptors' count. */
#define HOW_RAW		0x1	/* the payload is the input's bytes */
#define HOW_ACK		0x2	/* the front-end wants an acknowledgement */
#define HOW_FLAGS	0x4	/* a byte of flags follows */
#define HOW_PAGES	0x8	/* addresses count pages */

static struct blk blk;
static struct disk disk;
static struct stats stats;
static struct viommu viommu;
static struct backend backend;
static int guest = -1;
static int event = -1;
static int pipe_end = -1;
static int channel[2] = { -1, -1 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int image = memfd_create("image", MFD_CLOEXEC), ends[2];
	char path[64];

	(void)argc;
	(void)argv;
	guest = memfd_create("guest", MFD_CLOEXEC);
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(image >= 0 && guest >= 0 && event >= 0 && !pipe(ends));
	pipe_end = ends[1];
	CHECK(!ftruncate(image, IMAGE_SIZE));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	CHECK(!disk_open(&disk, path, false, DISK_SYNC));
	stats.queues = QUEUES;
	CHECK(!viommu_init(&viommu, &stats));
	CHECK(!blk_init(&blk, &disk, &stats, &viommu, QUEUES, "fuzz"));
	CHECK(!backend_init(&backend, &blk));
	return 0;
}

static int make_fd(uint8_t kind)
{
	switch (kind % 9) {
	case 6:
		return dup(pipe_end);
	case 7:
		return dup(STDIN_FILENO);
	case 8:
		return dup(channel[0]);
	case 1:
	case 3:
	case 5:
		return dup(event);
	default:
		return dup(guest);
	}
}

static uint64_t address(struct input *in, uint8_t how)
{
	return input_number(in) << (how & HOW_PAGES ? 12 : 0);
}

static void fill_region(struct input *in, uint8_t how, struct vu_region *r)
{
	r->gpa = address(in, how);
	r->size = address(in, how);
	r->user_addr = address(in, how);
	r->mmap_offset = address(in, how);
}

static void fill_addr(struct input *in, uint8_t how, struct vu_vring_addr *a)
{
	a->index = (uint32_t)input_number(in);
	a->flags = (uint32_t)input_number(in);
	a->desc = address(in, how);
	a->avail = address(in, how);
	a->used = address(in, how);
}

static void fill_iotlb(struct input *in, uint8_t how, struct vu_iotlb *m)
{
	m->iova = address(in, how);
	m->size = address(in, how);
	m->user_addr = address(in, how);
	m->perm = input_u8(in) % 5;
	m->type = input_u8(in) % 5;
}

static uint32_t fill_area(struct input *in, uint32_t request, uint8_t how, union vu_payload *p)
{
	if (request == VU_SET_LOG_BASE) {
		p->log.size = address(in, how);
		p->log.offset = address(in, how);
		return sizeof(p->log);
	}
	p->inflight.size = address(in, how);
	p->inflight.offset = address(in, how);
	p->inflight.queues = (uint16_t)input_number(in);
	p->inflight.num = (uint16_t)input_number(in);
	return sizeof(p->inflight);
}

/* A payload that is right in form. Return: its size. */
static uint32_t fill_payload(struct input *in, uint32_t request, uint8_t how,
			     union vu_payload *p)
{
	uint32_t i;

	switch (request) {
	case VU_SET_MEM_TABLE:
		p->table.count = input_u8(in) % (VU_MAX_FDS + 1);
		for (i = 0; i < p->table.count; i++)
			fill_region(in, how, &p->table.regions[i]);
		return (uint32_t)(offsetof(struct vu_mem_table, regions) +
				  i * sizeof(struct vu_region));
	case VU_ADD_MEM_REG:
	case VU_REM_MEM_REG:
		fill_region(in, how, &p->mem_reg.region);
		return sizeof(p->mem_reg);
	case VU_SET_LOG_BASE:
	case VU_GET_INFLIGHT_FD:
	case VU_SET_INFLIGHT_FD:
		return fill_area(in, request, how, p);
	case VU_IOTLB_MSG:
		fill_iotlb(in, how, &p->iotlb);
		return sizeof(p->iotlb);
	case VU_SET_VRING_ADDR:
		fill_addr(in, how, &p->addr);
		return sizeof(p->addr);
	case VU_SET_VRING_NUM:
	case VU_SET_VRING_BASE:
	case VU_GET_VRING_BASE:
	case VU_SET_VRING_ENABLE:
		p->state.index = (uint32_t)input_number(in);
		p->state.num = (uint32_t)input_number(in);
		return sizeof(p->state);
	case VU_GET_CONFIG:
	case VU_SET_CONFIG:
		p->config.offset = (uint32_t)input_number(in);
		p->config.size = input_u8(in);
		return (uint32_t)VU_CONFIG_HEADER + p->config.size;
	case VU_SET_FEATURES:
	case VU_SET_PROTOCOL_FEATURES:
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
	case VU_SET_VRING_ERR:
		p->u64 = input_number(in);
		return sizeof(p->u64);
	}
	return 0;
}

static uint32_t copy_payload(struct input *in, union vu_payload *p)
{
	uint32_t size = (uint32_t)input_bytes(in, 2) % (sizeof(*p) + 8), i;

	for (i = 0; i < size && i < sizeof(*p); i++)
		((uint8_t *)p)[i] = input_u8(in);
	return size;
}

static void check_reply(const struct vu_msg *m, const struct vu_msg *reply)
{
	CHECK(reply->header.request == m->header.request);
	CHECK(reply->header.flags == (VU_VERSION | VU_REPLY));
	CHECK(reply->header.size <= sizeof(reply->payload));
}

/* Return: as backend_handle(). */
static int message(struct input *in, uint8_t op)
{
	static struct vu_msg m, reply;
	uint8_t how = input_u8(in);
	int fds[VU_MAX_FDS], nfds = how >> 4, i, ret;

	memset(&m, 0, sizeof(m));
	memset(&reply, 0, sizeof(reply));
	m.header.request = op % 48;
	m.header.flags = how & HOW_FLAGS ? input_u8(in) : VU_VERSION;
	if (how & HOW_ACK)
		m.header.flags |= VU_NEED_REPLY;
	if (nfds > VU_MAX_FDS)
		nfds = VU_MAX_FDS;
	for (i = 0; i < nfds; i++)
		fds[i] = make_fd(input_u8(in));
	m.header.size = how & HOW_RAW ? copy_payload(in, &m.payload) :
			fill_payload(in, m.header.request, how, &m.payload);
	ret = backend_handle(&backend, &m, fds, nfds, &reply);
	if (ret > 0) {
		check_reply(&m, &reply);
		if (reply.fd >= 0)
			close(reply.fd);
	}
	for (i = 0; i < nfds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return ret < 0 ? ret : 0;
}

static void store(struct input *in)
{
	off_t off = (off_t)input_bytes(in, 2);
	uint8_t n = input_u8(in), i, bytes[256];

	for (i = 0; i < n; i++)
		bytes[i] = input_u8(in);
	CHECK(pwrite(guest, bytes, n, off) == n);
}

/* As the event loop does when something has come. Return: as viommu_receive(). */
static int answer(struct input *in)
{
	struct {
		struct vu_header header;
		uint64_t value;
	} __attribute__((packed)) a = {
		{ VU_BACKEND_IOTLB_MSG, VU_VERSION | VU_REPLY, sizeof(uint64_t) },
		input_u8(in) & 1,
	};
	uint8_t n = input_u8(in);

	/* Whole and right, as a rule. */
	if (n >= 0x80)
		a.header.flags = n;
	/* Too much of it is lost. */
	(void)!send(channel[1], &a, n < 0x60 ? sizeof(a) : n % sizeof(a), MSG_DONTWAIT);
	return viommu.channel < 0 ? 0 : viommu_receive(&viommu);
}

/* Return: 0; a negative errno, after which the peer is gone. */
static int step(struct input *in)
{
	uint8_t op = input_u8(in);
	int ret;

	if (op < STEP_STORE)
		return message(in, op);
	if (op < STEP_ANSWER) {
		store(in);
		return 0;
	}
	if (op < STEP_RUN)
		return answer(in);
	if (op >= STEP_TRUNCATE)
		CHECK(!ftruncate(guest, input_u8(in) % (GUEST_PAGES + 1) * PAGE));
	ret = backend_run(&backend);
	return ret < 0 ? ret : 0;
}

/* The lowest number that is free: higher, if a descriptor was left behind. */
static int free_fd(void)
{
	int fd = dup(event);

	CHECK(fd >= 0);
	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	int before, ret = 0;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel));
	before = free_fd();
	CHECK(!ftruncate(guest, 0) && !ftruncate(guest, GUEST_PAGES * PAGE));
	while (!input_is_empty(&in) && !ret)
		ret = step(&in);
	backend_reset(&backend);
	CHECK(!backend.memory.map && !disk.in_flight);
	CHECK(lseek(disk.fd, 0, SEEK_END) == IMAGE_SIZE);
	CHECK(free_fd() == before);
	close(channel[0]);
	close(channel[1]);
	return 0;
}

/* A front-end that does all right: memory, a ring, a request to read. */
static const uint8_t good[] = {
	/* ADD_MEM_REG, counted in pages: 16 of them at 0, user address 0x10000 */
	VU_ADD_MEM_REG, 0x10 | HOW_PAGES, 0, 4, 0, 4, 16, 4, 16, 4, 0,
	VU_SET_VRING_NUM, 0, 4, 0, 4, 8,
	/* descriptors, available ring, used ring at 0x10000, 0x10100, 0x10200 */
	VU_SET_VRING_ADDR, 0, 4, 0, 4, 0, 0x43, 1, 0, 0x43, 1, 1, 0x43, 1, 2,
	VU_SET_VRING_CALL, 0x10, 1, 4, 0,
	VU_SET_VRING_KICK, 0x10, 1, 4, 0,
	STEP_STORE, 1, 0, 6, 0, 0, 1, 0, 0, 0,
	STEP_STORE, 0, 0, 48,
	0, 0x10, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0,
	0, 0x20, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 3, 0, 2, 0,
	0, 0x30, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
	STEP_RUN,
};

/* The same behind an IOMMU: what comes before it and behind it. */
static const uint8_t iommu_first[] = {
	VU_SET_PROTOCOL_FEATURES, 0, 4, VU_PROTOCOL_F_REPLY_ACK | VU_PROTOCOL_F_BACKEND_REQ,
	VU_SET_FEATURES, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0,
	VU_SET_BACKEND_REQ_FD, 0x10, 8,
};

/* IOVAs 0 to 0x10000 are the region, and 0x10000 is its first page. */
static const uint8_t iommu_last[] = {
	VU_IOTLB_MSG, HOW_PAGES, 4, 16, 4, 1, 4, 16, VU_IOTLB_RW, VU_IOTLB_UPDATE,
	STEP_ANSWER, 0, 0,
	VU_IOTLB_MSG, HOW_PAGES, 4, 0, 4, 16, 4, 16, VU_IOTLB_RW, VU_IOTLB_UPDATE,
	STEP_RUN,
};

/* Put @n bytes before the input. Return: its size, which may be the old one. */
static size_t put_before(uint8_t *data, size_t size, size_t max, const uint8_t *bytes, size_t n)
{
	if (size + n > max)
		return size;
	memmove(data + n, data, size);
	memcpy(data, bytes, n);
	return size + n;
}

/* Now and then begin with what a good front-end does, or a part of it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	bool iommu = seed % 16 == 8;

	if (seed % 8)
		return LLVMFuzzerMutate(data, size, max);
	if (iommu)
		size = put_before(data, size, max, iommu_last, sizeof(iommu_last));
	size = put_before(data, size, max, good, sizeof(good));
	if (iommu)
		size = put_before(data, size, max, iommu_first, sizeof(iommu_first));
	return size;
}
