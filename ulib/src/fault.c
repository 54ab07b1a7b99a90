/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fault.c - SIGBUS in guest memory becomes a mark on its region.
 *
 * The handler may run in any thread at any instruction, so it takes no lock: it
 * looks through a table of slots, each with a sequence number that is odd while
 * the slot changes. The slot of the region that this thread touches doesn't
 * change meanwhile; one that does belongs to another region and is no match.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "internal.h"

#define SLOTS 1024

/*
 * Pages that are mended one by one. Each can cost two mappings, of which a
 * process has no more than 65,530 as a rule; a peer that takes memory away could
 * use them up. All watched regions together stay well below.
 */
#define PAGES_MAX 16

struct slot {
	uint32_t seq;
	int prot;
	uintptr_t start;
	uint64_t len;
	uint64_t page_size;
	uint32_t process;	/* as struct gm_mapping has it */
	struct gm_region *region;	/* NULL: free */
};

static struct slot slots[SLOTS];
static uint32_t slots_used;	/* none at or past this number */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction earlier;
static bool enabled;

static void fork_prepare(void)
{
	pthread_mutex_lock(&lock);
}

static void fork_done(void)
{
	pthread_mutex_unlock(&lock);
}

gm_at_load static void set_up(void)
{
	gm_os_atfork(fork_prepare, fork_done, fork_done);
}

/* A consistent copy of a slot; false: it is changing, or free. */
static bool read_slot(const struct slot *s, struct slot *out)
{
	uint32_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);

	if (seq & 1)
		return false;
	out->prot = __atomic_load_n(&s->prot, __ATOMIC_RELAXED);
	out->start = __atomic_load_n(&s->start, __ATOMIC_RELAXED);
	out->len = __atomic_load_n(&s->len, __ATOMIC_RELAXED);
	out->page_size = __atomic_load_n(&s->page_size, __ATOMIC_RELAXED);
	out->process = __atomic_load_n(&s->process, __ATOMIC_RELAXED);
	out->region = __atomic_load_n(&s->region, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return out->region &&
	       seq == __atomic_load_n(&s->seq, __ATOMIC_RELAXED);
}

/* Under the lock. */
static void write_slot(struct slot *s, const struct slot *from)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&s->prot, from->prot, __ATOMIC_RELAXED);
	__atomic_store_n(&s->start, from->start, __ATOMIC_RELAXED);
	__atomic_store_n(&s->len, from->len, __ATOMIC_RELAXED);
	__atomic_store_n(&s->page_size, from->page_size, __ATOMIC_RELAXED);
	__atomic_store_n(&s->process, from->process, __ATOMIC_RELAXED);
	__atomic_store_n(&s->region, from->region, __ATOMIC_RELAXED);
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

static bool put_zeros(uintptr_t start, uint64_t len, int prot)
{
	return mmap((void *)start, len, prot,
		    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0) != MAP_FAILED;
}

/*
 * Put zeros of our own where the fault was, or over the whole region if there
 * were many. False: not our memory.
 */
static bool recover(uintptr_t addr)
{
	uint32_t i, used = __atomic_load_n(&slots_used, __ATOMIC_ACQUIRE);
	struct slot s;

	for (i = 0; i < used; i++) {
		uint32_t before;
		uintptr_t page;

		if (!read_slot(&slots[i], &s) || addr - s.start >= s.len)
			continue;
		/* A child has something else there. */
		if (s.process && s.process != gm_os_process())
			continue;
		page = addr & ~(uintptr_t)(s.page_size - 1);
		before = __atomic_fetch_add(&s.region->faulted, 1,
					    __ATOMIC_ACQ_REL);
		return (before < PAGES_MAX &&
			put_zeros(page, s.page_size, s.prot)) ||
		       put_zeros(s.start, s.len, s.prot);
	}
	return false;
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	if (earlier.sa_flags & SA_SIGINFO) {
		earlier.sa_sigaction(sig, info, context);
	} else if (earlier.sa_handler != SIG_DFL &&
		   earlier.sa_handler != SIG_IGN) {
		earlier.sa_handler(sig);
	} else if (earlier.sa_handler == SIG_DFL || info->si_code > 0) {
		/* The fault comes again and kills, also where a sent signal
		 * is ignored; a sent signal is resent.
		 */
		sigaction(sig, &dfl, NULL);
		if (info->si_code <= 0)
			raise(sig);
	}
}

static void handler(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	/*
	 * These two are about memory that this thread touches now, and so keeps.
	 * A misaligned access would come again; word of poison that nobody has
	 * touched (BUS_MCEERR_AO) may come to a thread that has no part in it.
	 */
	if ((info->si_code != BUS_ADRERR && info->si_code != BUS_MCEERR_AR) ||
	    !recover((uintptr_t)info->si_addr))
		pass_on(sig, info, context);
	errno = saved;
}

int gm_fault_enable(void)
{
	struct sigaction sa = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	int ret = 0;

	sigemptyset(&sa.sa_mask);
	pthread_mutex_lock(&lock);
	if (!enabled) {
		/* What was there must be known before the first signal. */
		if (sigaction(SIGBUS, NULL, &earlier) ||
		    sigaction(SIGBUS, &sa, NULL))
			ret = gm_error_set(-errno, GM_ERR_IO, 0, 0);
		else
			enabled = true;
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

/* Under the lock. */
static int take_slot(struct gm_region *r, struct gm_mapping *m)
{
	struct slot s = {
		.prot = m->prot,
		.start = (uintptr_t)m->addr,
		.len = m->len,
		.page_size = m->page_size,
		.process = m->process,
		.region = r,
	};
	uint32_t i;

	if (!enabled)
		return gm_option_error(-EINVAL, struct gm_region, faulted);
	if (m->watch)
		return 0;
	for (i = 0; i < SLOTS; i++) {
		if (slots[i].region)
			continue;
		write_slot(&slots[i], &s);
		m->watch = i + 1;
		if (i >= slots_used)
			__atomic_store_n(&slots_used, i + 1, __ATOMIC_RELEASE);
		return 0;
	}
	return gm_option_error(-ENOSPC, struct gm_region, faulted);
}

int gm_region_watch(struct gm_region *r)
{
	struct gm_mapping *m = gm_region_mapping(r);
	int ret;

	if (!m)
		return gm_error_set(-EOPNOTSUPP, GM_ERR_NO_HOST_ADDR,
				    r->ext.base, r->ext.len);
	pthread_mutex_lock(&lock);
	ret = take_slot(gm_region_root(r), m);
	pthread_mutex_unlock(&lock);
	return ret;
}

void gm_mapping_unwatch(struct gm_mapping *m)
{
	static const struct slot empty = { .region = NULL };

	if (!m->watch)
		return;
	pthread_mutex_lock(&lock);
	write_slot(&slots[m->watch - 1], &empty);
	pthread_mutex_unlock(&lock);
	m->watch = 0;
}

int gm_region_fault(const struct gm_region *r)
{
	const struct gm_region *root = gm_region_root_const(r);

	if (gm_likely(!__atomic_load_n(&root->faulted, __ATOMIC_ACQUIRE)))
		return 0;
	return gm_error_set(-EIO, GM_ERR_FAULT, r->ext.base, r->ext.len);
}
