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

#endif /* SELFTESTS_KMOD_EDU_H */
