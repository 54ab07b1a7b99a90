/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* fault_file.h - mapped files, to be truncated. After the harness. */
#ifndef SELFTESTS_UNIT_FAULT_FILE_H
#define SELFTESTS_UNIT_FAULT_FILE_H

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/mmap.h>
#include "expect.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define PAGES 4

/* A shared mapping of a new file of PAGES pages, all bytes 0x5a. */
struct mapped {
	struct gm_file *file;
	struct gm_region *r;
};

static inline void map_file(struct __test_metadata *_metadata, struct mapped *m, uint64_t gpa)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts) };
	int fd = memfd_create("fault", MFD_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, (off_t)(PAGES * PAGE)));
	ASSERT_OK(gm_file_new(fd, &m->file));
	opts.file = m->file;
	ASSERT_OK(gm_region_new_mmap(gm_gpa(gpa), PAGES * PAGE, &opts, &m->r));
	memset(m->r->ext.host, 0x5a, PAGES * PAGE);
}

static inline void unmap_file(struct mapped *m)
{
	gm_region_put(m->r);
	gm_file_put(m->file);
}

static inline int truncate_to(const struct mapped *m, uint64_t pages)
{
	return ftruncate(gm_file_fd(m->file), (off_t)(pages * PAGE));
}

#endif /* SELFTESTS_UNIT_FAULT_FILE_H */
