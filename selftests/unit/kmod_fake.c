/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* kmod_fake.c - see kmod_fake.h. Each file of the module's is a memfd here. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kmod_fake.h"
#include "kvm_fake.h"
#include "xen_fake.h"

struct kmod_fake kmod_fake = {
	.map_properties = GUESTMEM_MAP_TRANSLATED | GUESTMEM_MAP_STRICT |
			  GUESTMEM_MAP_COHERENT,
};

enum kind { NONE, CONTROL, DEVICE, ALLOCATED, PINNED };

static struct file {
	enum kind kind;
	ino_t ino;
	uint64_t len;
} files[64];

static struct map {
	bool live;
	uint64_t off;
	uint64_t len;
} maps[64];

static unsigned int file_count, map_count;

static int file_new(enum kind kind, uint64_t len)
{
	int fd = memfd_create("kmod_fake", MFD_CLOEXEC);
	struct stat st;

	if (fd < 0 || ftruncate(fd, (off_t)len) || fstat(fd, &st) ||
	    file_count == 64)
		return -1;
	files[file_count++] = (struct file){ kind, st.st_ino, len };
	return fd;
}

int kmod_fake_control(void)
{
	return file_new(CONTROL, 0);
}

int kmod_fake_device(void)
{
	return file_new(DEVICE, 0);
}

int kmod_fake_maps(void)
{
	int n = 0;

	for (unsigned int i = 0; i < map_count; i++)
		n += maps[i].live;
	return n;
}

static const struct file *file_of(int fd)
{
	static const struct file none;
	struct stat st;

	if (!fstat(fd, &st))
		for (unsigned int i = 0; i < file_count; i++)
			if (files[i].ino == st.st_ino)
				return &files[i];
	return &none;
}

static int fake_info(struct guestmem_info *arg)
{
	arg->capabilities = 0x1f;
	arg->page_sizes = 1 << 12 | 1 << 21;
	arg->max_length = UINT64_C(1) << 40;
	arg->locked = 0;
	arg->locked_limit = UINT64_MAX;
	return 0;
}

static int fake_alloc(struct guestmem_alloc *arg)
{
	arg->out_fd = file_new(ALLOCATED, arg->length);
	return arg->out_fd < 0 ? ENOMEM : 0;
}

static int fake_pin(struct guestmem_pin *arg)
{
	arg->out_fd = file_new(PINNED, arg->length);
	return arg->out_fd < 0 ? ENOMEM : 0;
}

static int fake_region_info(struct guestmem_region_info *arg)
{
	const struct file *f = file_of(arg->fd);

	if (f->kind < ALLOCATED)
		return EINVAL;
	arg->length = f->len;
	arg->kind = f->kind == PINNED ? GUESTMEM_REGION_PIN :
					GUESTMEM_REGION_ALLOC;
	arg->properties = kmod_fake.region_properties;
	return 0;
}

static int fake_map(struct guestmem_map *arg)
{
	const struct file *f = file_of(arg->fd);
	uint64_t piece = kmod_fake.piece ? kmod_fake.piece : arg->length;

	if (kmod_fake.gone)
		return ENODEV;
	if (f->kind < ALLOCATED || (arg->offset | arg->length) & 4095 ||
	    !arg->length)
		return EINVAL;
	if (arg->offset > f->len || arg->length > f->len - arg->offset)
		return ERANGE;
	if (map_count == 64)
		return ENOSPC;
	maps[map_count] = (struct map){ true, arg->offset, arg->length };
	arg->map_id = ++map_count;
	arg->properties = kmod_fake.map_properties;
	arg->segments = (uint32_t)((arg->length + piece - 1) / piece);
	if (kmod_fake.segments)
		arg->segments = kmod_fake.segments;
	return 0;
}

static struct map *map_of(uint32_t id)
{
	return id && id <= map_count && maps[id - 1].live ? &maps[id - 1] :
							     NULL;
}

/* Pieces are apart for the device, or they would be one. */
static int fake_query(struct guestmem_query *arg)
{
	struct guestmem_segment *segs = (void *)(uintptr_t)arg->segments;
	const struct map *m = map_of(arg->map_id);
	uint64_t piece, at = 0;
	uint32_t n;

	if (kmod_fake.gone)
		return ENODEV;
	if (!m)
		return ENOENT;
	piece = kmod_fake.piece ? kmod_fake.piece : m->len;
	for (n = 0; n < arg->count && at < m->len; n++, at += piece) {
		segs[n].offset = m->off + at;
		segs[n].address = KMOD_FAKE_ADDRESS + 2 * at;
		segs[n].length = m->len - at < piece ? m->len - at : piece;
	}
	if (kmod_fake.edit)
		kmod_fake.edit(segs, n);
	arg->count = n;
	return 0;
}

static int fake_unmap(const struct guestmem_unmap *arg)
{
	struct map *m = map_of(arg->map_id);

	if (kmod_fake.gone)
		return ENODEV;
	if (!m)
		return ENOENT;
	m->live = false;
	return 0;
}

static int fake_sync(const struct guestmem_sync *arg)
{
	if (kmod_fake.gone)
		return ENODEV;
	return map_of(arg->map_id) ? 0 : ENOENT;
}

/* Nobody touches it: the file is empty. */
static int fake_bar(struct guestmem_bar *arg)
{
	arg->length = KMOD_FAKE_BAR;
	arg->offset = 0;
	return 0;
}

static int on_control(unsigned int nr, void *arg)
{
	switch (nr) {
	case GUESTMEM_CMD_INFO:
		return fake_info(arg);
	case GUESTMEM_CMD_ALLOC:
		return fake_alloc(arg);
	case GUESTMEM_CMD_PIN:
		return fake_pin(arg);
	case GUESTMEM_CMD_REGION_INFO:
		return fake_region_info(arg);
	case GUESTMEM_CMD_REVOKE:
		return 0;
	default:
		return ENOTTY;
	}
}

static int on_device(unsigned int nr, void *arg)
{
	switch (nr) {
	case GUESTMEM_CMD_MAP:
		return fake_map(arg);
	case GUESTMEM_CMD_QUERY:
		return fake_query(arg);
	case GUESTMEM_CMD_SYNC:
		return fake_sync(arg);
	case GUESTMEM_CMD_UNMAP:
		return fake_unmap(arg);
	case GUESTMEM_CMD_BAR:
		return fake_bar(arg);
	default:
		return ENOTTY;
	}
}

int __real_ioctl(int fd, unsigned long cmd, void *arg);
int __wrap_ioctl(int fd, unsigned long cmd, ...);

int __wrap_ioctl(int fd, unsigned long cmd, ...)
{
	const struct file *f = file_of(fd);
	unsigned int nr = cmd & 0xff;
	va_list ap;
	void *arg;
	int err;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (xen_fake_ioctl(fd, cmd, arg, &err) || kvm_fake_ioctl(fd, cmd, &err)) {
		errno = err;
		return err ? -1 : 0;
	}
	if ((f->kind != CONTROL && f->kind != DEVICE) ||
	    nr >= KMOD_FAKE_COMMANDS) {
		if (kmod_fake.others)
			kmod_fake.others(cmd);
		return __real_ioctl(fd, cmd, arg);
	}
	kmod_fake.calls[nr]++;
	if (nr == GUESTMEM_CMD_MAP)
		kmod_fake.map = *(struct guestmem_map *)arg;
	if (nr == GUESTMEM_CMD_SYNC)
		kmod_fake.sync = *(struct guestmem_sync *)arg;
	err = kmod_fake.fail[nr];
	if (!err)
		err = f->kind == CONTROL ? on_control(nr, arg) :
					   on_device(nr, arg);
	if (!err)
		return 0;
	errno = err;
	return -1;
}
