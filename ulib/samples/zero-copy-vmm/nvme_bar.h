/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nvme_bar.h - the controller's registers.
 */
#ifndef NVME_BAR_H
#define NVME_BAR_H

#include <guestmem.h>

/**
 * struct nvme_bar - registers and interrupt of a controller
 * @regs: the first BAR
 * @len: bytes of it
 * @interrupt: eventfd that is signalled when there are completions, or -1
 * @mapped: to unmap it
 */
struct nvme_bar {
	volatile uint8_t *regs;
	uint64_t len;
	int interrupt;
	struct gm_kmod_bar mapped;
};

/* @interrupt: have it signal an eventfd. 0 or a negative errno. */
int nvme_bar_open(struct nvme_bar *bar, struct gm_kmod_device *device, bool interrupt);
/* Has it been signalled since this was asked last? */
bool nvme_bar_interrupted(struct nvme_bar *bar);
void nvme_bar_close(struct nvme_bar *bar);

static inline uint32_t nvme_read32(const struct nvme_bar *bar, uint32_t at)
{
	const volatile void *p = bar->regs + at;

	return gm_le32_to_cpu(*(const volatile gm_le32_t *)p);
}

static inline void nvme_write32(const struct nvme_bar *bar, uint32_t at, uint32_t value)
{
	volatile void *p = bar->regs + at;

	*(volatile gm_le32_t *)p = gm_cpu_to_le32(value);
}

/* By halves: not all controllers take an access of 8 bytes. */
static inline uint64_t nvme_read64(const struct nvme_bar *bar, uint32_t at)
{
	uint64_t low = nvme_read32(bar, at);

	return low | (uint64_t)nvme_read32(bar, at + 4) << 32;
}

#endif /* NVME_BAR_H */
