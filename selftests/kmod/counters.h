/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * counters.h - what the module and the kernel count: the same before a test
 * and after it, or something was left behind.
 */
#ifndef SELFTESTS_KMOD_COUNTERS_H
#define SELFTESTS_KMOD_COUNTERS_H

#include <stdint.h>

/**
 * enum counter - what is counted
 * @COUNTER_REGIONS: regions, by the module's debugfs file, as the next seven
 * @COUNTER_ALLOC_BYTES: memory of GUESTMEM_ALLOC
 * @COUNTER_PIN_BYTES: memory of GUESTMEM_PIN
 * @COUNTER_MAPS: maps for devices
 * @COUNTER_MAP_BYTES: memory that is mapped for devices
 * @COUNTER_DEVICES: bound devices
 * @COUNTER_OPENS: open device files
 * @COUNTER_INTERRUPTS: interrupts that eventfds are signalled for
 * @COUNTER_PINNED: pages that anyone has pinned, by /proc/vmstat
 * @COUNTER_VM_PIN: KiB pinned in the name of this process
 * @COUNTER_LOCKED: bytes locked in the name of this user, by GUESTMEM_INFO
 * @COUNTER_IOVA: ranges of IOMMU address space, by the slab allocator; -1 if it
 *	does not tell
 * @COUNTER_FREE: pages that are free; others allocate, too
 * @COUNTER_COUNT: how many there are
 */
enum counter {
	COUNTER_REGIONS,
	COUNTER_ALLOC_BYTES,
	COUNTER_PIN_BYTES,
	COUNTER_MAPS,
	COUNTER_MAP_BYTES,
	COUNTER_DEVICES,
	COUNTER_OPENS,
	COUNTER_INTERRUPTS,
	COUNTER_PINNED,
	COUNTER_VM_PIN,
	COUNTER_LOCKED,
	COUNTER_IOVA,
	COUNTER_FREE,
	COUNTER_COUNT,
};

/* So many pages may come and go by themselves. */
#define COUNTERS_FREE_PAGES 2048
/* So many small ranges of address space may be kept to be used again. */
#define COUNTERS_IOVA_CACHED 32
/* For a test that can't count them: any number is the same. */
#define COUNTERS_IOVA_ANY (INT64_MAX - COUNTERS_IOVA_CACHED)

struct counters {
	int64_t value[COUNTER_COUNT];
};

int counters_read(struct counters *counters);
int counters_differ(const struct counters *before, const struct counters *now);
int counters_settle(const struct counters *before);

#endif /* SELFTESTS_KMOD_COUNTERS_H */
