/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fault_log.h - what the kernel's log says. Of the IOMMU it says less when much
 * happens: assert on data first.
 */
#ifndef SELFTESTS_KMOD_FAULT_LOG_H
#define SELFTESTS_KMOD_FAULT_LOG_H

#include "util.h"

/* The log from now on; a file descriptor or a negative errno. */
static inline int fault_log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* Is there a line since that has both? Reads all that there is. */
static inline bool log_has(int log, const char *wanted, const char *too)
{
	char record[1024];
	bool found = false;
	ssize_t n;

	for (;;) {
		n = read(log, record, sizeof(record) - 1);
		/* EPIPE: older records were lost meanwhile. */
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return found;
		record[n] = '\0';
		if (strstr(record, wanted) && strstr(record, too))
			found = true;
	}
}

/* Its interrupt may come after the device's own answer. */
#define FAULT_LOG_MS 2000

/* Has the IOMMU refused a device a page since? */
static inline bool fault_log_has(int log, uint64_t address)
{
#ifdef __aarch64__
	const char *name = "arm-smmu-v3";
#else
	const char *name = "DMAR:";
#endif
	char wanted[64];
	int ms;

#ifdef __aarch64__
	/* An event is several lines; one is the address. */
	snprintf(wanted, sizeof(wanted), "0x%016llx", (unsigned long long)address);
#else
	snprintf(wanted, sizeof(wanted), "fault addr 0x%llx ",
		 (unsigned long long)(address / PAGE * PAGE));
#endif
	for (ms = 0; ms < FAULT_LOG_MS; ms += 10) {
		if (log_has(log, name, wanted))
			return true;
		usleep(10000);
	}
	return false;
}

#endif /* SELFTESTS_KMOD_FAULT_LOG_H */
