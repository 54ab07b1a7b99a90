/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users */
/*
 * test_users_uring.c - io_uring takes a region's mmap as fixed buffers, where
 * the kernel takes any mapping of a file: 6.1 refuses all but shmem's.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/io_uring.h>
#include "kselftest_harness.h"
#include "users.h"

#define LENGTH (4 * MIB)
#define ENTRIES 4

/**
 * struct ring - an io_uring, for one request at a time
 * @fd: its file descriptor
 * @ring: both of its rings
 * @sqes: its requests
 * @params: what it is like
 */
struct ring {
	int fd;
	uint8_t *ring;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

static int ring_open(struct ring *r)
{
	*r = (struct ring) {};
	r->fd = syscall(SYS_io_uring_setup, ENTRIES, &r->params);
	if (r->fd < 0)
		return -errno;
	r->ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	return r->ring == MAP_FAILED || r->sqes == MAP_FAILED ? -errno : 0;
}

static void ring_close(struct ring *r)
{
	munmap(r->ring, PAGE);
	munmap(r->sqes, PAGE);
	close(r->fd);
}

static uint32_t *ring_word(struct ring *r, uint32_t offset)
{
	return (uint32_t *)(r->ring + offset);
}

/* One read or write from the disk's start; gives what it returned. */
static int ring_do(struct ring *r, uint8_t opcode, int disk, void *p,
		   uint32_t n)
{
	uint32_t *tail = ring_word(r, r->params.sq_off.tail);
	uint32_t *head = ring_word(r, r->params.cq_off.head);
	uint32_t slot = *tail & (r->params.sq_entries - 1);
	struct io_uring_cqe *cqe;
	int ret;

	r->sqes[slot] = (struct io_uring_sqe) {
		.opcode = opcode,
		.fd = disk,
		.addr = to_user(p),
		.len = n,
		.buf_index = 0,
	};
	ring_word(r, r->params.sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -errno;
	cqe = (struct io_uring_cqe *)(r->ring + r->params.cq_off.cqes) +
	      (*head & (r->params.cq_entries - 1));
	ret = cqe->res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return ret;
}

FIXTURE(uring) {
	struct users u;
	struct ring ring;
	int disk;
};

FIXTURE_SETUP(uring)
{
	users_start_disk(_metadata, &self->u, LENGTH, &self->disk);
	ASSERT_EQ(0, ring_open(&self->ring));
}

FIXTURE_TEARDOWN(uring)
{
	ring_close(&self->ring);
	users_end(_metadata, &self->u);
}

static int register_buffer(struct ring *r, void *p, uint64_t n)
{
	struct iovec iov = { p, n };

	return syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS,
		       &iov, 1) ? -errno : 0;
}

TEST_F(uring, fixed_buffer)
{
	int err = register_buffer(&self->ring, self->u.p, LENGTH);
	uint8_t *p = self->u.p;

	if (kernel_before(6, 5)) {
		EXPECT_EQ(-EOPNOTSUPP, err);
		result("io_uring-fixed-buffer", "EOPNOTSUPP: as before 6.5");
		return;
	}
	ASSERT_EQ(0, err)
		result("io_uring-fixed-buffer", strerror(-err));
	/* Out of one half, and into the other. */
	pattern_fill(p, HUGE, 4);
	ASSERT_EQ(HUGE, ring_do(&self->ring, IORING_OP_WRITE_FIXED, self->disk,
				p, HUGE));
	ASSERT_EQ(HUGE, ring_do(&self->ring, IORING_OP_READ_FIXED, self->disk,
				p + HUGE, HUGE));
	EXPECT_TRUE(pattern_is(p + HUGE, HUGE, 4));
	EXPECT_TRUE(pattern_is(p, HUGE, 4));
	result("io_uring-fixed-buffer", "works: write and read");
}

/* Without registering, on every kernel. */
TEST_F(uring, plain_buffer)
{
	uint8_t *p = self->u.p;

	pattern_fill(p, HUGE, 5);
	ASSERT_EQ(HUGE, ring_do(&self->ring, IORING_OP_WRITE, self->disk, p,
				HUGE))
		result("io_uring", "FAILED");
	ASSERT_EQ(HUGE, ring_do(&self->ring, IORING_OP_READ, self->disk,
				p + HUGE, HUGE))
		result("io_uring", "FAILED");
	EXPECT_TRUE(pattern_is(p + HUGE, HUGE, 5));
	result("io_uring", "works: write and read");
}

/*
 * Memory that the caller had before is what 6.1 takes: pinned for the module
 * and registered with io_uring at once.
 */
TEST_F(uring, fixed_buffer_pinned)
{
	uint8_t *p = map_anonymous(LENGTH);
	int fd;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_FD(&fd, region_pin(self->u.s.control, p, LENGTH));
	ASSERT_EQ(0, register_buffer(&self->ring, p, LENGTH));
	pattern_fill(p, HUGE, 6);
	ASSERT_EQ(HUGE, ring_do(&self->ring, IORING_OP_WRITE_FIXED, self->disk,
				p, HUGE));
	ASSERT_EQ(HUGE, ring_do(&self->ring, IORING_OP_READ_FIXED, self->disk,
				p + HUGE, HUGE));
	EXPECT_TRUE(pattern_is(p + HUGE, HUGE, 6));
	munmap(p, LENGTH);
	result("io_uring-fixed-buffer-of-PIN", "works: write and read");
}

TEST_HARNESS_MAIN
