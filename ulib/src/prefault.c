/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * prefault.c - have all pages of a mapping there, by several threads, with
 * progress.
 */
#include <errno.h>
#include <pthread.h>

#include "internal.h"
#include "os_mman.h"

#define MAX_THREADS 16

/* Shared by the threads; all but the constants at the top under the lock. */
struct prefault {
	const struct gm_mapping *m;
	const struct gm_mmap_opts *o;
	uint64_t chunk;
	bool write;
	pthread_mutex_t lock;
	uint64_t next;		/* offset that nobody works on yet */
	uint64_t done;
	int err;
	bool canceled;
};

/* A touch a page. Adding 0 writes without changing. */
static void touch(const struct prefault *p, uint64_t off, uint64_t len)
{
	volatile uint8_t *byte = (uint8_t *)p->m->addr + off;
	uint64_t i;

	for (i = 0; i < len; i += p->m->page_size) {
		if (p->write)
			__atomic_fetch_add(&byte[i], 0, __ATOMIC_RELAXED);
		else
			(void)byte[i];
	}
}

static int populate(const struct prefault *p, uint64_t off, uint64_t len)
{
	int ret = gm_os_populate((uint8_t *)p->m->addr + off, len, p->write);

	if (ret != -EOPNOTSUPP)
		return ret;
	touch(p, off, len);
	return 0;
}

static void *worker(void *arg)
{
	struct prefault *p = arg;
	uint64_t off, len;
	int err;

	pthread_mutex_lock(&p->lock);
	while (!p->err && !p->canceled && p->next < p->m->len) {
		off = p->next;
		len = gm_min(p->chunk, p->m->len - off);
		p->next += len;
		pthread_mutex_unlock(&p->lock);
		err = populate(p, off, len);
		pthread_mutex_lock(&p->lock);
		if (err) {
			p->err = err;
			break;
		}
		p->done += len;
		if (p->o->progress && !p->canceled &&
		    p->o->progress(p->o->progress_ctx, p->done, p->m->len))
			p->canceled = true;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static unsigned int thread_count(const struct gm_mmap_opts *o, uint64_t chunks)
{
	uint64_t n = o->prefault_threads ? o->prefault_threads : gm_os_cpu_count();

	n = gm_min(n, (uint64_t)MAX_THREADS);
	return (unsigned int)gm_min(n, chunks);
}

int gm_mapping_prefault(const struct gm_mapping *m, const struct gm_mmap_opts *o)
{
	struct prefault p = { .m = m, .o = o };
	pthread_t threads[MAX_THREADS];
	unsigned int i, n, started = 0;

	/* Copying all of a private file is not what anybody wants. */
	p.write = (m->prot & PROT_WRITE) &&
		  !(m->file && (m->flags & MAP_TYPE) == MAP_PRIVATE);
	p.chunk = m->page_size > (UINT64_C(16) << 20) ? m->page_size :
							UINT64_C(16) << 20;
	n = thread_count(o, (m->len + (p.chunk - 1)) / p.chunk);
	pthread_mutex_init(&p.lock, NULL);
	/* This thread is one of them: it works even if no other starts. */
	for (i = 0; i + 1 < n; i++) {
		if (pthread_create(&threads[started], NULL, worker, &p))
			break;
		started++;
	}
	worker(&p);
	for (i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&p.lock);
	if (p.canceled)
		return gm_option_error(-ECANCELED, struct gm_mmap_opts,
				       progress);
	if (p.err == -ENOMEM)
		return gm_error_memory(m->len);
	if (p.err)
		return gm_error_set(p.err, GM_ERR_IO, p.next, m->len);
	return 0;
}
