/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_unix.c - what Linux and other Unix systems do in the same way.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

uint64_t gm_os_page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

void gm_os_free(void *p, uint64_t bytes)
{
	if (p)
		munmap(p, bytes);
}

uint32_t gm_os_process(void)
{
	return (uint32_t)getpid();
}

int gm_os_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	return pthread_atfork(prepare, parent, child);
}

gm_os_file gm_os_file_of(int fd)
{
	return fd;
}

int gm_os_file_identify(gm_os_file file, struct gm_file_id *out)
{
	struct stat st;

	if (fstat((int)file, &st))
		return -errno;
	*out = (struct gm_file_id){
		.dev = st.st_dev, .ino = { st.st_ino }, .is_chr = S_ISCHR(st.st_mode),
	};
	return 0;
}

void gm_os_file_close(gm_os_file file, int fd)
{
	(void)fd;
	close((int)file);
}

/* What is left of a reservation without its middle. */
static void unmap_guards(const struct gm_mapping *m)
{
	uint64_t before = (uint64_t)((uint8_t *)m->addr - (uint8_t *)m->reserve);
	uint64_t after = m->reserve_len - before - m->len;

	if (before)
		munmap(m->reserve, before);
	if (after)
		munmap((uint8_t *)m->addr + m->len, after);
}

int gm_unix_map_inside(const struct gm_mapping *m,
		       int (*map)(const struct gm_mapping *m, void **out))
{
	void *p;
	int ret;

	if (munmap(m->addr, m->len)) {
		ret = -errno;
		munmap(m->reserve, m->reserve_len);
		return ret;
	}
	ret = map(m, &p);
	if (!ret && p != m->addr) {
		munmap(p, m->len);
		ret = -EEXIST;
	}
	if (ret)
		unmap_guards(m);
	return ret;
}

int gm_os_lock(void *addr, uint64_t len)
{
	return mlock(addr, len) ? -errno : 0;
}
