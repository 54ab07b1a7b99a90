/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_posix_mmap.c - POSIX.1-2008: a mapping as struct gm_mmap_opts asks for it, as far as
 * it can be had.
 *
 * POSIX.1-2008 has no anonymous memory. A shared memory object without a name is the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os_posix.h"

/* An object that has no name any more, of @len bytes; or a negative errno. */
static int make_object(uint64_t len)
{
	static uint32_t count;
	char name[40];
	int fd, err;

	if (len > INT64_MAX)
		return -ENOMEM;
	do {
		snprintf(name, sizeof(name), "/guestmem-%" PRIu32 "-%" PRIu32, gm_os_process(),
			 __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED));
		fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	} while (fd < 0 && (errno == EEXIST || errno == EINTR));
	if (fd < 0)
		return -errno;
	shm_unlink(name);
	if (!ftruncate(fd, (off_t)len))
		return fd;
	err = -errno;
	close(fd);
	return err == -EFBIG || err == -EINVAL ? -ENOMEM : err;
}

int gm_posix_map_zeros(void *addr, uint64_t len, int prot, int kind, void **out)
{
	int fd = make_object(len), err = 0;
	void *p;

	if (fd < 0)
		return fd;
	p = mmap(addr, len, prot, kind, fd, 0);
	if (p == MAP_FAILED)
		err = -errno;
	else
		*out = p;
	close(fd);
	return err;
}

/* Is the file long enough now, and the offset one that it can be mapped at? */
static int check_file(const struct gm_mmap_opts *o, struct gm_mapping *m)
{
	struct stat st;
	uint64_t end;

	if (fstat(gm_file_fd(o->file), &st))
		return gm_error_set(-errno, GM_ERR_IO, 0, 0);
	m->hugetlbfs = GM_UNKNOWN;
	/* A driver may keep its mapping from children. */
	if (!S_ISREG(st.st_mode))
		m->process = gm_os_process();
	if (o->file_off & (m->page_size - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, o->file_off, m->page_size);
	if (__builtin_add_overflow(o->file_off, m->len, &end) || end > INT64_MAX)
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, o->file_off, m->len);
	/* Others have no length to compare with. */
	if (S_ISREG(st.st_mode) && end > (uint64_t)st.st_size)
		return gm_error_set_counts(-ERANGE, GM_ERR_FILE_RANGE, o->file_off, m->len,
					   (uint64_t)st.st_size, 0);
	return 0;
}

/* Address space with room for guard pages. */
static int reserve(struct gm_mapping *m, uint64_t guard)
{
	uint64_t len;
	void *p;
	int ret;

	if (__builtin_mul_overflow(guard, 2, &len) ||
	    __builtin_add_overflow(len, m->len, &len))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, m->len, guard);
	ret = gm_posix_map_zeros(NULL, len, PROT_NONE, MAP_PRIVATE, &p);
	if (ret)
		return gm_error_set(ret, GM_ERR_MMAP, 0, len);
	m->reserve = p;
	m->reserve_len = len;
	m->addr = (uint8_t *)p + guard;
	return 0;
}

/* At m->addr if that is free, or anywhere. */
static int map_once(const struct gm_mapping *m, void **out)
{
	void *p;

	if (!m->file)
		return gm_posix_map_zeros(m->addr, m->len, m->prot, m->flags, out);
	p = mmap(m->addr, m->len, m->prot, m->flags, gm_file_fd(m->file), (off_t)m->file_off);
	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static int map_reserved(struct gm_mapping *m, uint64_t guard)
{
	int ret, tries = GM_UNIX_TRIES;

	do {
		ret = reserve(m, guard);
		if (ret)
			return ret;
		ret = gm_unix_map_inside(m, map_once);
	} while (ret == -EEXIST && --tries);
	return ret ? gm_error_set(ret, GM_ERR_MMAP, 0, m->len) : 0;
}

static int map_at(struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	int ret;

	if (!m->flags)
		m->flags = m->file && !(o->flags & GM_MMAP_PRIVATE) ? MAP_SHARED : MAP_PRIVATE;
	if (o->guard_size)
		return map_reserved(m, o->guard_size);
	ret = map_once(m, &m->addr);
	if (ret)
		return gm_error_set(ret, GM_ERR_MMAP, 0, m->len);
	m->reserve = m->addr;
	m->reserve_len = m->len;
	return 0;
}

int gm_os_map(struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	uint64_t rounded;
	int ret = gm_absent_opts(o);

	m->page_size = gm_os_page_size();
	m->hugetlbfs = GM_NO;
	m->flags = o->map_flags;
	if (!ret && o->file)
		ret = check_file(o, m);
	if (ret)
		return ret;
	if (__builtin_add_overflow(m->len, m->page_size - 1, &rounded))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, m->len, m->page_size - 1);
	m->len = rounded & ~(m->page_size - 1);
	if (o->file) {
		m->file = gm_file_get(o->file);
		m->file_off = o->file_off;
	}
	ret = map_at(m, o);
	if (ret)
		gm_file_put(m->file);
	return ret;
}

int gm_os_map_advise(struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	(void)m;
	(void)o;
	return 0;
}

void gm_os_unmap(const struct gm_mapping *m)
{
	/* A child has something else there by now. */
	if (m->process && m->process != gm_os_process())
		return;
	munmap(m->reserve, m->reserve_len);
}

int gm_os_discard(const struct gm_mapping *m, uint64_t off, uint64_t len)
{
	(void)m;
	(void)off;
	(void)len;
	return gm_error_set(-EOPNOTSUPP, GM_ERR_SYSTEM, 0, 0);
}

int gm_os_populate(void *addr, uint64_t len, bool write)
{
	(void)addr;
	(void)len;
	(void)write;
	return -EOPNOTSUPP;
}
