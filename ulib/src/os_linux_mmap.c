/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_linux_mmap.c - Linux: a mapping as struct gm_mmap_opts asks for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#ifdef GM_HAVE_NUMA
#include <numaif.h>
#endif
#include <linux/magic.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "internal.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define OPTS struct gm_mmap_opts

/* Huge pages that THP makes: where they can start. */
#define THP_SIZE (UINT64_C(2) << 20)

static int huge_error(int err, enum gm_error_kind kind, uint64_t len)
{
	/* No hstate of this size, or no hugetlb at all. */
	if (err == EINVAL || err == ENODEV || err == ENOENT || err == ENOSYS)
		return gm_option_error(-EOPNOTSUPP, OPTS, huge_size);
	if (err == ENOMEM || err == ENOSPC)
		return gm_error_set(-ENOMEM, GM_ERR_HUGE, 0, len);
	return gm_error_set(-err, kind, 0, len);
}

static unsigned int log2_of(uint64_t n)
{
	return (unsigned int)__builtin_ctzll(n);
}

/* A memfd of exactly @len bytes that nobody can make shorter or longer. */
static int make_memfd(const struct gm_mmap_opts *o, uint64_t len,
		      struct gm_file **out)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	char name[128] = "guestmem";
	int fd, ret;

	if (o->huge_size)
		flags |= MFD_HUGETLB |
			 (log2_of(o->huge_size) << MAP_HUGE_SHIFT);
	if (o->name) {
		strncpy(name, o->name, sizeof(name) - 1);
		name[sizeof(name) - 1] = 0;
	}
	fd = memfd_create(name, flags);
	if (fd < 0)
		return o->huge_size ? huge_error(errno, GM_ERR_IO, len) :
				      gm_error_set(-errno, GM_ERR_IO, 0, len);
	if (ftruncate(fd, (off_t)len) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		ret = gm_error_set(-errno, GM_ERR_IO, 0, len);
		close(fd);
		return ret;
	}
	ret = gm_file_new(fd, out);
	if (ret)
		close(fd);
	return ret;
}

static enum gm_tristate is_hugetlbfs(int fd)
{
	struct statfs sf;

	if (fstatfs(fd, &sf))
		return GM_UNKNOWN;
	return (uint64_t)sf.f_type == HUGETLBFS_MAGIC ? GM_YES : GM_NO;
}

/* Is the file long enough now, and the offset one that it can be mapped at? */
static int check_file(const struct gm_mmap_opts *o, struct gm_mapping *m)
{
	int fd = gm_file_fd(o->file);
	struct statfs sf = { .f_type = 0 };
	struct stat st;
	uint64_t end;

	if (fstat(fd, &st))
		return gm_error_set(-errno, GM_ERR_IO, 0, 0);
	m->hugetlbfs = is_hugetlbfs(fd);
	if (!fstatfs(fd, &sf) && m->hugetlbfs == GM_YES)
		m->page_size = (uint64_t)sf.f_bsize;
	/* A driver may keep its mapping from children: the module does. */
	if (!S_ISREG(st.st_mode) || sf.f_type == DMA_BUF_MAGIC)
		m->process = gm_os_process();
	if (o->file_off & (m->page_size - 1))
		return gm_error_set(-EINVAL, GM_ERR_MISALIGNED, o->file_off,
				    m->page_size);
	if (__builtin_add_overflow(o->file_off, m->len, &end) ||
	    end > INT64_MAX)
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, o->file_off,
				    m->len);
	/* Devices have no length to compare with. */
	if (S_ISREG(st.st_mode) && end > (uint64_t)st.st_size)
		return gm_error_set_counts(-ERANGE, GM_ERR_FILE_RANGE,
					   o->file_off, m->len,
					   (uint64_t)st.st_size, 0);
	return 0;
}

static int map_flags(const struct gm_mmap_opts *o, bool file)
{
	int flags = o->map_flags;

	if (!(flags & MAP_TYPE))
		flags |= file && !(o->flags & GM_MMAP_PRIVATE) ? MAP_SHARED :
								  MAP_PRIVATE;
	if (!file)
		flags |= MAP_ANONYMOUS;
	if (o->huge_size && !file)
		flags |= MAP_HUGETLB |
			 (int)(log2_of(o->huge_size) << MAP_HUGE_SHIFT);
	return flags;
}

/* Address space with room for guard pages, and for alignment. */
static int reserve(struct gm_mapping *m, uint64_t guard, uint64_t align)
{
	uint64_t len, slack = align > gm_os_page_size() ? align : 0;
	uintptr_t start;
	void *p;

	if (__builtin_mul_overflow(guard, 2, &len) ||
	    __builtin_add_overflow(len, m->len, &len) ||
	    __builtin_add_overflow(len, slack, &len))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, m->len,
				    guard);
	p = mmap(NULL, len, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return gm_error_set(-errno, GM_ERR_MMAP, 0, len);
	m->reserve = p;
	m->reserve_len = len;
	start = (uintptr_t)p + guard;
	if (slack)
		start = (start + (align - 1)) & ~(uintptr_t)(align - 1);
	m->addr = (void *)start;
	return 0;
}

/* At m->addr, or anywhere if that is NULL. */
static int map_once(const struct gm_mapping *m, void **out)
{
	/* Before Linux 4.17, it says nothing, and the address is a hint. */
	int flags = m->flags | (m->addr ? MAP_FIXED_NOREPLACE : 0);
	int fd = m->file ? gm_file_fd(m->file) : -1;
	void *p = mmap(m->addr, m->len, m->prot, flags, fd, (off_t)m->file_off);

	/* Valgrind 3.19 makes this of any error; with a hint, it is the kernel's. */
	if (p == MAP_FAILED && errno == EEXIST)
		p = mmap(m->addr, m->len, m->prot, m->flags, fd, (off_t)m->file_off);
	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static int map_error(const struct gm_mapping *m, int ret)
{
	return m->hugetlbfs == GM_YES ? huge_error(-ret, GM_ERR_MMAP, m->len) :
					gm_error_set(ret, GM_ERR_MMAP, 0, m->len);
}

static int map_reserved(struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	uint64_t align = o->flags & GM_MMAP_THP ? THP_SIZE : m->page_size;
	int ret, tries = GM_UNIX_TRIES;

	do {
		ret = reserve(m, o->guard_size, align);
		if (ret)
			return ret;
		ret = gm_unix_map_inside(m, map_once);
	} while (ret == -EEXIST && --tries);
	return ret ? map_error(m, ret) : 0;
}

static int map_at(struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	int ret;

	m->flags = map_flags(o, m->file);
	if (o->guard_size || (o->flags & GM_MMAP_THP))
		return map_reserved(m, o);
	ret = map_once(m, &m->addr);
	if (ret)
		return map_error(m, ret);
	m->reserve = m->addr;
	m->reserve_len = m->len;
	return 0;
}

int gm_os_map(struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	uint64_t rounded;
	int ret = 0;

	m->page_size = o->huge_size ? o->huge_size : gm_os_page_size();
	m->hugetlbfs = o->huge_size ? GM_YES : GM_NO;
	m->process = o->flags & GM_MMAP_NO_FORK ? gm_os_process() : 0;
	if (o->file)
		ret = check_file(o, m);
	if (ret)
		return ret;
	if (__builtin_add_overflow(m->len, m->page_size - 1, &rounded))
		return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW, m->len,
				    m->page_size - 1);
	m->len = rounded & ~(m->page_size - 1);
	if (o->file) {
		m->file = gm_file_get(o->file);
		m->file_off = o->file_off;
	} else if (o->flags & GM_MMAP_MEMFD) {
		if (m->len > INT64_MAX)
			return gm_error_set(-EOVERFLOW, GM_ERR_OVERFLOW,
					    m->len, 0);
		ret = make_memfd(o, m->len, &m->file);
		if (ret)
			return ret;
	}
	ret = map_at(m, o);
	if (ret)
		gm_file_put(m->file);
	return ret;
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
	/* Memory that others have too is given back for all of them. */
	int advice = (m->flags & MAP_TYPE) == MAP_PRIVATE ? MADV_DONTNEED :
							     MADV_REMOVE;

	if (!madvise((uint8_t *)m->addr + off, len, advice))
		return 0;
	/* Locked, or a file system or driver without holes. */
	if (errno == EINVAL || errno == ENODEV)
		errno = EOPNOTSUPP;
	return gm_error_set(-errno, GM_ERR_IO, off, len);
}

int gm_os_populate(void *addr, uint64_t len, bool write)
{
	int ret;

	do {
		ret = madvise(addr, len, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	if (!ret)
		return 0;
	/* Before Linux 5.14. */
	return errno == EINVAL ? -EOPNOTSUPP : -errno;
}

static int bind_node(void *addr, uint64_t len, unsigned int node)
{
#ifdef GM_HAVE_NUMA
	unsigned long mask[16] = { 0 };
	const unsigned int bits = 8 * sizeof(mask[0]);

	if (node >= GM_ARRAY_SIZE(mask) * bits)
		return gm_error_set(-ENODEV, GM_ERR_NUMA, node, 0);
	mask[node / bits] |= 1UL << (node % bits);
	if (!mbind(addr, len, MPOL_BIND, mask, GM_ARRAY_SIZE(mask) * bits + 1,
		   0))
		return 0;
	if (errno == EINVAL)
		return gm_error_set(-ENODEV, GM_ERR_NUMA, node, 0);
	if (errno == ENOSYS)
		return gm_option_error(-EOPNOTSUPP, OPTS, numa_node);
	return gm_error_set(-errno, GM_ERR_IO, 0, len);
#else
	(void)addr;
	(void)len;
	(void)node;
	return gm_option_error(-EOPNOTSUPP, OPTS, numa_node);
#endif
}

int gm_os_map_advise(struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	static const struct {
		uint32_t flag;
		int advice;
	} advices[] = {
		{ GM_MMAP_THP, MADV_HUGEPAGE },
		{ GM_MMAP_NO_THP, MADV_NOHUGEPAGE },
		{ GM_MMAP_NO_DUMP, MADV_DONTDUMP },
		{ GM_MMAP_NO_FORK, MADV_DONTFORK },
		{ GM_MMAP_MERGEABLE, MADV_MERGEABLE },
	};
	size_t i;

	for (i = 0; i < GM_ARRAY_SIZE(advices); i++) {
		if (!(o->flags & advices[i].flag) ||
		    !madvise(m->addr, m->len, advices[i].advice))
			continue;
		/* EINVAL: this kernel was built without it. */
		if (errno == EINVAL)
			return gm_option_error(-EOPNOTSUPP, OPTS, flags);
		return gm_error_set(-errno, GM_ERR_IO, 0, m->len);
	}
	/* A name is a courtesy to who reads maps: no failure of ours. */
	if (o->name && !m->file)
		prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, m->addr, m->len,
		      o->name);
	if (o->numa_node)
		return bind_node(m->addr, m->len, o->numa_node - 1);
	return 0;
}
