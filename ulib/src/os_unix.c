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

int gm_os_lock(void *addr, uint64_t len)
{
	return mlock(addr, len) ? -errno : 0;
}
