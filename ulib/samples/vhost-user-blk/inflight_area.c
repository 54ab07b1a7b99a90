/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * inflight_area.c - the memory for what is under way: made, or taken from the front-end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../virtio/virtqueue.h"
#include "inflight_area.h"
#include "log.h"

void inflight_init(struct inflight *f)
{
	memset(f, 0, sizeof(*f));
}

void inflight_exit(struct inflight *f)
{
	gm_region_put(f->region);
	inflight_init(f);
}

static int check_counts(const struct vu_inflight *wire)
{
	if (!wire->queues || !wire->num || wire->num > VIRTQ_MAX)
		return because(-EINVAL, "an inflight area for %u queues of %u entries",
			       wire->queues, wire->num);
	return 0;
}

int inflight_new(struct inflight *f, struct vu_inflight *wire)
{
	int err, fd, ours;

	err = check_counts(wire);
	if (err)
		return err;
	wire->offset = 0;
	wire->size = wire->queues * inflight_stride(wire->num);
	fd = memfd_create("inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return because(-errno, "memfd: %s", strerror(errno));
	ours = -1;
	if (!ftruncate(fd, (off_t)wire->size) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		ours = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (ours < 0)
		err = because(-errno, "memfd: %s", strerror(errno));
	else
		err = inflight_set(f, wire, &ours);
	if (!err)
		return fd;
	close(fd);
	if (ours >= 0)
		close(ours);
	return err;
}

/* Map the area, with what is before it on its first page. */
static int map_area(const struct vu_inflight *wire, uint64_t skip, struct gm_file *file,
		    struct gm_region **out)
{
	struct gm_mmap_opts opts = {
		.sz = sizeof(opts),
		.flags = GM_MMAP_NO_DUMP | GM_MMAP_NO_FORK,
		.file = file,
		.file_off = wire->offset - skip,
	};
	int err = gm_region_new_mmap(gm_gpa(0), wire->size + skip, &opts, out);

	if (err)
		return because_gm(err, "inflight area");
	err = gm_region_watch(*out);
	if (!err)
		return 0;
	gm_region_put(*out);
	return because_gm(err, "inflight area");
}

int inflight_set(struct inflight *f, const struct vu_inflight *wire, int *fd)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t skip = wire->offset & (page - 1);
	struct gm_region *region;
	struct gm_file *file;
	int err;

	err = check_counts(wire);
	if (err)
		return err;
	if (wire->size < wire->queues * inflight_stride(wire->num) ||
	    wire->size > UINT64_MAX - skip || skip % sizeof(uint64_t))
		return because(-EINVAL, "an inflight area of %#llx bytes at %#llx",
			       (unsigned long long)wire->size, (unsigned long long)wire->offset);
	err = gm_file_new(*fd, &file);
	if (err)
		return because_gm(err, "inflight area");
	*fd = -1;
	err = map_area(wire, skip, file, &region);
	gm_file_put(file);
	if (err)
		return err;
	inflight_exit(f);
	f->region = region;
	f->start = skip;
	f->queues = wire->queues;
	f->num = wire->num;
	return 0;
}

int inflight_fault(const struct inflight *f)
{
	if (f->region && gm_region_fault(f->region))
		return because(-EIO, "the inflight area was taken away");
	return 0;
}
