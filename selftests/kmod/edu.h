/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * edu.h - QEMU's edu device, driven through its registers: a DMA engine with a
 * buffer of 4 KiB, which copies between the buffer and memory in both
 * directions. A transfer takes 100 ms. The device must have its whole address
 * width (dma_mask=0xffffffffffffffff), else it quietly changes addresses.
 *
 * Functions give 0 or a negative errno.
 */
#ifndef SELFTESTS_KMOD_EDU_H
#define SELFTESTS_KMOD_EDU_H

#include "bind.h"
#include "util.h"

#define EDU_IDENTITY 0x00
#define EDU_LIVE 0x04
#define EDU_IRQ_STATUS 0x24
#define EDU_IRQ_RAISE 0x60
#define EDU_IRQ_ACK 0x64
#define EDU_DMA_FROM 0x80
#define EDU_DMA_TO 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_COMMAND 0x98

#define EDU_RUN 1
#define EDU_TO_MEMORY 2
/* Where the device itself has its buffer. */
#define EDU_BUFFER 0x40000
/* QEMU takes the whole buffer for too much, and ends. */
#define EDU_BYTES 2048
#define EDU_TIMEOUT_MS 5000

/* The registers of the device at a PCI address, or MAP_FAILED. */
static inline volatile uint8_t *edu_registers(const char *address)
{
	char path[ADDRESS_MAX + 64];
	void *p = MAP_FAILED;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0",
		 address);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		p = map_shared(fd, PAGE);
		close(fd);
	}
	return p;
}

static inline uint32_t edu_read32(const volatile uint8_t *edu, int at)
{
	return *(const volatile uint32_t *)(edu + at);
}

static inline void edu_write32(volatile uint8_t *edu, int at, uint32_t value)
{
	*(volatile uint32_t *)(edu + at) = value;
}

/* An address is one register: two halves would be two addresses. */
static inline void edu_write(volatile uint8_t *edu, int at, uint64_t value)
{
#ifdef __LP64__
	*(volatile uint64_t *)(edu + at) = value;
#else
	*(volatile uint32_t *)(edu + at) = value;
#endif
}

/* Begins a transfer, which goes on whatever becomes of the caller. */
static inline void edu_start(volatile uint8_t *edu, uint64_t from, uint64_t to,
			     uint32_t n, uint32_t direction)
{
	edu_write(edu, EDU_DMA_FROM, from);
	edu_write(edu, EDU_DMA_TO, to);
	edu_write(edu, EDU_DMA_COUNT, n);
	edu_write(edu, EDU_DMA_COMMAND, EDU_RUN | direction);
}

static inline int edu_wait(volatile uint8_t *edu)
{
	volatile uint32_t *command = (volatile uint32_t *)(edu +
							   EDU_DMA_COMMAND);

	for (int ms = 0; ms < EDU_TIMEOUT_MS; ms += 5) {
		uint32_t value = *command;

		if (value == UINT32_MAX)
			return -ENODEV;
		if (!(value & EDU_RUN))
			return 0;
		sleep_ms(5);
	}
	return -ETIMEDOUT;
}

/* From memory, at the address where the device finds it, to its buffer. */
static inline int edu_load(volatile uint8_t *edu, uint64_t address, uint32_t at,
			   uint32_t n)
{
	edu_start(edu, address, EDU_BUFFER + at, n, 0);
	return edu_wait(edu);
}

/* From the device's buffer to memory. */
static inline int edu_store(volatile uint8_t *edu, uint32_t at,
			    uint64_t address, uint32_t n)
{
	edu_start(edu, EDU_BUFFER + at, address, n, EDU_TO_MEMORY);
	return edu_wait(edu);
}

/* Physical address of what is mapped at @p, or 0. */
static inline uint64_t physical(const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(fd, &entry, 8, (uintptr_t)p / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
}

/* Where the device finds byte @offset of a region, and how many from there. */
static inline int edu_find(int device, uint32_t id, uint64_t offset,
			   struct guestmem_segment *segment)
{
	struct guestmem_query query = query_arg(id, segment, 1);
	int err;

	query.offset = offset;
	err = do_ioctl(device, GUESTMEM_QUERY, &query);
	return err == -EMSGSIZE ? 0 : err;
}

/**
 * struct edu_map - a map that the device uses
 * @edu: the device's registers
 * @device: its device file
 * @id: the map
 */
struct edu_map {
	volatile uint8_t *edu;
	int device;
	uint32_t id;
};

static inline int edu_sync(const struct edu_map *map, uint32_t flags,
			   uint64_t offset, uint64_t n)
{
	struct guestmem_sync arg = sync_arg(map->id, n);

	arg.flags = flags;
	arg.offset = offset;
	return do_ioctl(map->device, GUESTMEM_SYNC, &arg);
}

/*
 * Has the device copy bytes from one offset of a region to another, by way of
 * its buffer, as a driver would.
 */
static inline int edu_copy(const struct edu_map *map, uint64_t from,
			   uint64_t to, uint32_t n)
{
	struct guestmem_segment source, target;
	int err;

	err = edu_find(map->device, map->id, from, &source);
	if (!err)
		err = edu_find(map->device, map->id, to, &target);
	if (err)
		return err;
	if (source.length < n || target.length < n)
		return -EMSGSIZE;
	err = edu_sync(map, GUESTMEM_SYNC_DEVICE, from, n);
	if (!err)
		err = edu_sync(map, GUESTMEM_SYNC_DEVICE, to, n);
	if (!err)
		err = edu_load(map->edu, source.address, 0, n);
	if (!err)
		err = edu_store(map->edu, 0, target.address, n);
	if (!err)
		err = edu_sync(map, GUESTMEM_SYNC_CPU, to, n);
	return err;
}

#endif /* SELFTESTS_KMOD_EDU_H */
