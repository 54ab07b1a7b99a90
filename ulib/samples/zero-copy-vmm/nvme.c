/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme.c - an NVMe controller: start, stop, and how it is.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "../dma/barrier.h"
#include "nvme.h"

#define ADMIN_ENTRIES 16
#define ADMIN_MS 10000
/* A device that is not there any more is not waited for this long; see wait_ready(). */
#define SHUTDOWN_MS 5000

uint64_t nvme_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void pause_us(long us)
{
	const struct timespec t = { .tv_nsec = us * 1000 };

	nanosleep(&t, NULL);
}

int nvme_health(const struct nvme *c)
{
	uint32_t status;

	/* First of all: the registers may be another driver's by now. */
	if (gm_kmod_device_check(c->device))
		return -ENODEV;
	status = nvme_read32(&c->bar, NVME_CSTS);
	if (status == NVME_GONE)
		return -ENODEV;
	return (status & NVME_CSTS_CFS) || !(status & NVME_CSTS_RDY) ? -EIO : 0;
}

int nvme_status_error(uint16_t status)
{
	switch (status) {
	case 0:
		return 0;
	case NVME_STATUS_ABORTED:
		return -ECANCELED;
	case NVME_STATUS_WRITE_PROTECTED:
		return -EROFS;
	case NVME_STATUS_LBA_RANGE:
		return -ERANGE;
	case NVME_STATUS_CAPACITY:
		return -ENOSPC;
	case NVME_STATUS_ACCESS_DENIED:
		return -EPERM;
	default:
		return -EIO;
	}
}

/* Until CSTS.RDY is @ready, or as long as the controller says that it may take. */
static int wait_ready(const struct nvme *c, uint32_t ready)
{
	uint64_t end = nvme_now_ms() + (NVME_CAP_TO(c->cap) + 1) * 500;
	uint32_t status;

	for (;;) {
		status = nvme_read32(&c->bar, NVME_CSTS);
		if (status == NVME_GONE)
			return -ENODEV;
		if ((status & NVME_CSTS_RDY) == ready)
			return 0;
		if (ready && (status & NVME_CSTS_CFS))
			return -EIO;
		if (nvme_now_ms() > end)
			return -ETIMEDOUT;
		pause_us(100);
	}
}

int nvme_stop(struct nvme *c)
{
	int ret;

	if (gm_kmod_device_check(c->device))
		return -ENODEV;
	nvme_write32(&c->bar, NVME_CC, nvme_read32(&c->bar, NVME_CC) & ~NVME_CC_EN);
	ret = wait_ready(c, 0);
	c->stuck = ret == -ETIMEDOUT;
	return ret;
}

int nvme_abandon(struct nvme *c)
{
	struct nvme_command command = {
		.opcode = NVME_DELETE_SQ,
		.cdw10 = gm_cpu_to_le32(c->io.id),
	};

	/* It aborts what is in flight. Not all survive a stop in the midst of it. */
	if (!nvme_health(c))
		nvme_admin(c, &command);
	return nvme_stop(c);
}

static void shut_down(struct nvme *c)
{
	uint64_t end = nvme_now_ms() + SHUTDOWN_MS;
	uint32_t status;

	if (nvme_health(c))
		return;
	nvme_write32(&c->bar, NVME_CC, nvme_read32(&c->bar, NVME_CC) | NVME_CC_SHN_NORMAL);
	do {
		status = nvme_read32(&c->bar, NVME_CSTS);
		if (status == NVME_GONE ||
		    (status & NVME_CSTS_SHST) == NVME_CSTS_SHST_COMPLETE)
			return;
		pause_us(100);
	} while (nvme_now_ms() < end);
}

int nvme_admin(struct nvme *c, struct nvme_command *command)
{
	uint64_t end = nvme_now_ms() + ADMIN_MS;
	struct nvme_done done;
	int ret;

	if (nvme_queue_is_full(&c->admin))
		return -EBUSY;
	nvme_queue_put(&c->admin, command);
	nvme_queue_ring(&c->admin);
	do {
		ret = nvme_queue_take(&c->admin, &done);
		nvme_queue_taken(&c->admin);
		if (ret < 0)
			return ret;
		/* One that has timed out before may be first. */
		if (ret && done.id == gm_le16_to_cpu(command->id) % NVME_QUEUE_MAX)
			return nvme_status_error(done.status);
		ret = nvme_health(c);
		if (ret)
			return ret;
		pause_us(50);
	} while (nvme_now_ms() < end);
	return -ETIMEDOUT;
}

/* A queue's address for a register; the controller writes there, or reads. */
static int write_address(struct nvme *c, uint32_t at, const struct nvme_piece *queue,
			 enum gm_perm perm)
{
	struct nvme_address address;
	int ret;

	ret = nvme_guard_address(&c->guard, queue->address, queue->len, perm, NVME_RINGS,
				 &address);
	if (ret)
		return ret;
	nvme_write32(&c->bar, at, (uint32_t)gm_le64_to_cpu(address.raw));
	nvme_write32(&c->bar, at + 4, (uint32_t)(gm_le64_to_cpu(address.raw) >> 32));
	return 0;
}

int nvme_abort(struct nvme *c, uint16_t id)
{
	struct nvme_command command = {
		.opcode = NVME_ABORT,
		.cdw10 = gm_cpu_to_le32(c->io.id | (uint32_t)c->io.cid[id] << 16),
	};
	struct nvme_done done;
	int ret;

	/* Whatever it says to the last one: the command itself says how it ended. */
	do {
		ret = nvme_queue_take(&c->admin, &done);
	} while (ret > 0);
	nvme_queue_taken(&c->admin);
	if (ret < 0 || nvme_queue_in_flight(&c->admin))
		return ret;
	nvme_queue_put(&c->admin, &command);
	nvme_queue_ring(&c->admin);
	return 1;
}

int nvme_start(struct nvme *c)
{
	int ret;

	/* The firmware, or who had it before, may have left it running. */
	ret = nvme_stop(c);
	if (!ret)
		ret = nvme_queue_init(&c->admin, &c->bar, &c->rings, 0, ADMIN_ENTRIES,
				      4u << NVME_CAP_DSTRD(c->cap));
	if (!ret && !c->answer.host)
		ret = nvme_memory_take(&c->rings, NVME_IDENTIFY_SIZE, &c->answer);
	if (!ret)
		ret = write_address(c, NVME_ASQ, &c->admin.sq, GM_PERM_READ);
	if (!ret)
		ret = write_address(c, NVME_ACQ, &c->admin.cq, GM_PERM_WRITE);
	if (ret)
		return ret;
	nvme_write32(&c->bar, NVME_AQA, (ADMIN_ENTRIES - 1) | (ADMIN_ENTRIES - 1) << 16);
	nvme_write32(&c->bar, NVME_CC, NVME_CC_IOSQES | NVME_CC_IOCQES);
	dma_write_barrier();
	nvme_write32(&c->bar, NVME_CC, NVME_CC_IOSQES | NVME_CC_IOCQES | NVME_CC_EN);
	ret = wait_ready(c, NVME_CSTS_RDY);
	if (!ret)
		ret = nvme_identify(c);
	return ret ? ret : nvme_queues_new(c);
}

static int check_capabilities(struct nvme *c)
{
	c->cap = nvme_read64(&c->bar, NVME_CAP);
	if (c->cap == UINT64_MAX)
		return -ENODEV;
	return NVME_CAP_NVM(c->cap) && !NVME_CAP_MPSMIN(c->cap) ? 0 : -EOPNOTSUPP;
}

/* Before a register is touched: another kind of device has others at the same place. */
static int check_class(const struct nvme *c)
{
	struct gm_kmod_device_info info;
	int ret = gm_kmod_device_query(c->device, &info);

	if (ret)
		return ret;
	return info.class_revision >> 8 == NVME_CLASS ? 0 : -EMEDIUMTYPE;
}

int nvme_open(struct nvme *c, struct gm_kmod *module, const char *address, uint64_t more,
	      bool interrupt)
{
	int ret;

	memset(c, 0, sizeof(*c));
	ret = gm_kmod_device_open(address, 0, &c->device);
	if (ret)
		return ret;
	ret = check_class(c);
	if (!ret)
		ret = nvme_bar_open(&c->bar, c->device, interrupt);
	/* A map is what makes the device master of its bus, too. */
	if (!ret)
		ret = nvme_memory_init(&c->rings, module, c->device,
				       more + 16 * NVME_PAGE_SIZE);
	if (!ret)
		ret = nvme_guard_add(&c->guard, c->rings.map, NVME_RINGS);
	if (!ret)
		ret = check_capabilities(c);
	if (!ret)
		ret = nvme_start(c);
	if (ret)
		nvme_close(c);
	return ret;
}

void nvme_close(struct nvme *c)
{
	if (c->bar.regs && !c->stuck) {
		shut_down(c);
		nvme_stop(c);
	}
	nvme_bar_close(&c->bar);
	nvme_guard_exit(&c->guard);
	nvme_memory_unmap(&c->rings);
	gm_kmod_device_put(c->device);
	c->device = NULL;
	/* One that did not obey has been reset by now: its file is closed. */
	nvme_memory_exit(&c->rings);
}
