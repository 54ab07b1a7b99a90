/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * snapshot_lazy.c - a snapshot that comes as it is touched: userfaultfd.
 *
 * One thread takes the faults. It and gm_lazy_fill() may bring the same group at
 * once: the kernel lets the first one put a page there and tells the other
 * EEXIST, so nothing that was written since is overwritten.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <guestmem/hold.h>

#include "snapshot_private.h"

#define OPTS struct gm_snapshot_opts

struct gm_lazy {
	struct gm_snapshot *s;
	uint32_t process;	/* whose memory and thread it is */
	uint8_t **host;		/* for each region of the snapshot that is watched */
	struct gm_hold **holds;	/* likewise: what is discarded would come again */
	int uffd;
	int stop;		/* an eventfd */
	pthread_t thread;
	uint8_t *buf;		/* the thread's own, of SNAP_GROUP bytes */
	uint64_t page;		/* the system's */
	pthread_mutex_t lock;	/* of failure */
	struct gm_error failure;
};

static void fail(struct gm_lazy *l)
{
	pthread_mutex_lock(&l->lock);
	if (!l->failure.err)
		l->failure = *gm_error_last();
	pthread_mutex_unlock(&l->lock);
}

int gm_lazy_error(struct gm_lazy *l)
{
	int ret;

	pthread_mutex_lock(&l->lock);
	ret = l->failure.err;
	if (ret)
		gm_error_restore(&l->failure);
	pthread_mutex_unlock(&l->lock);
	return ret;
}

/*
 * The page is there already. Whoever waits for it has not been woken, if it came
 * through another mapping of the same memory.
 */
static void wake(const struct gm_lazy *l, uint64_t at)
{
	struct uffdio_range range = { .start = at, .len = l->page };

	ioctl(l->uffd, UFFDIO_WAKE, &range);
}

/* Put pages at @to, but where there are some already. Whoever waits goes on. */
static int put(const struct gm_lazy *l, uint8_t *to, const uint8_t *from,
	       uint64_t n)
{
	uint64_t done = 0;

	while (done < n) {
		struct uffdio_copy c = {
			.dst = (uintptr_t)to + done,
			.src = (uintptr_t)from + done,
			.len = n - done,
		};

		if (!ioctl(l->uffd, UFFDIO_COPY, &c))
			return 0;
		if (c.copy > 0) {
			done += (uint64_t)c.copy;
		} else if (errno == EEXIST) {
			wake(l, c.dst);
			done += l->page;
		} else if (errno != EAGAIN && errno != EINTR) {
			/* ENOENT, ESRCH: the memory has gone. */
			return gm_error_set(-errno, GM_ERR_IO, 0, n);
		}
	}
	return 0;
}

/* What is watched of region @i: whole pages, also the last one. */
static uint64_t watched_len(const struct gm_lazy *l, size_t i)
{
	return (l->s->regions[i].len + (l->page - 1)) & ~(l->page - 1);
}

/* Whoever waits goes on, and gets what there is without us. */
static void unwatch(const struct gm_lazy *l, uint8_t *at, uint64_t n)
{
	struct uffdio_range range = { .start = (uintptr_t)at, .len = n };

	/* What fails is memory that has gone, where nobody waits. */
	ioctl(l->uffd, UFFDIO_UNREGISTER, &range);
}

/* Bring group @g of region @i. */
static int bring(struct gm_lazy *l, size_t i, uint64_t g, uint8_t *buf)
{
	const struct snap_region *r = &l->s->regions[i];
	uint64_t n = snap_group_len(r->len, g), pages;
	int ret, put_ret;

	ret = gm_snap_read_group(l->s, r, g, buf, &pages);
	if (ret) {
		fail(l);
		memset(buf, 0, SNAP_GROUP);
	} else if (n < SNAP_GROUP) {
		/* The last page is whole in memory. */
		memset(buf + n, 0, SNAP_GROUP - n);
	}
	n = (n + (l->page - 1)) & ~(l->page - 1);
	put_ret = put(l, l->host[i] + g * SNAP_GROUP, buf, n);
	if (put_ret) {
		fail(l);
		unwatch(l, l->host[i] + g * SNAP_GROUP, n);
	}
	return ret ? ret : put_ret;
}

static void take_fault(struct gm_lazy *l, uint64_t addr)
{
	size_t i;

	for (i = 0; i < l->s->count; i++) {
		uint64_t off = addr - (uintptr_t)l->host[i];

		if (addr >= (uintptr_t)l->host[i] && off < watched_len(l, i)) {
			bring(l, i, off / SNAP_GROUP, l->buf);
			return;
		}
	}
}

static void *serve(void *arg)
{
	struct gm_lazy *l = arg;
	struct pollfd fds[] = {
		{ .fd = l->uffd, .events = POLLIN },
		{ .fd = l->stop, .events = POLLIN },
	};
	struct uffd_msg msg;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (fds[1].revents)
			return NULL;
		while (read(l->uffd, &msg, sizeof(msg)) == (ssize_t)sizeof(msg))
			if (msg.event == UFFD_EVENT_PAGEFAULT)
				take_fault(l, msg.arg.pagefault.address);
	}
}

static int open_uffd(struct gm_lazy *l)
{
	struct uffdio_api api = { .api = UFFD_API };

	l->uffd = (int)syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (l->uffd < 0 && errno == EPERM)
		return gm_error_set_name(-EPERM, GM_ERR_NOT_PERMITTED, 0, 0,
					 "userfaultfd");
	if (l->uffd < 0 && errno != ENOSYS)
		return gm_error_set(-errno, GM_ERR_IO, 0, 0);
	if (l->uffd < 0 || ioctl(l->uffd, UFFDIO_API, &api))
		return gm_option_error(-EOPNOTSUPP, OPTS, sz);
	l->stop = eventfd(0, EFD_CLOEXEC);
	if (l->stop < 0)
		return gm_error_set(-errno, GM_ERR_IO, 0, 0);
	return 0;
}

static int watch_region(struct gm_lazy *l, const struct gm_map *m, size_t i)
{
	const struct snap_region *r = &l->s->regions[i];
	struct gm_region *there = gm_map_find(m, gm_gpa(r->gpa));
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int ret;

	if (!there || there->ext.base != r->gpa || there->ext.len < r->len)
		return gm_error_set(-ENOENT, GM_ERR_NO_REGION, r->gpa, r->len);
	if (!there->ext.host)
		return gm_error_set(-EOPNOTSUPP, GM_ERR_NO_HOST_ADDR, r->gpa,
				    r->len);
	/* These come as a whole, and a group is less. */
	if (there->hugetlbfs == GM_YES)
		return gm_option_error(-EOPNOTSUPP, struct gm_region, hugetlbfs);
	ret = gm_region_hold(there, gm_roff(0), r->len, GM_HOLD_DISCARD,
			     "lazy snapshot", &l->holds[i]);
	if (ret)
		return ret;
	reg.range.start = (uintptr_t)there->ext.host;
	reg.range.len = watched_len(l, i);
	if (ioctl(l->uffd, UFFDIO_REGISTER, &reg))
		return gm_error_set(-errno, GM_ERR_IO, r->gpa, r->len);
	l->host[i] = there->ext.host;
	/* A caller's own mapping, of which nobody has said so. */
	if (!(reg.ioctls & (UINT64_C(1) << _UFFDIO_ZEROPAGE)))
		return gm_option_error(-EOPNOTSUPP, struct gm_region, hugetlbfs);
	return 0;
}

/*
 * No signal is for this thread: a handler that touches memory which has not come
 * yet would wait for it, and so for ever.
 */
static int start_thread(struct gm_lazy *l)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&l->thread, NULL, serve, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret ? gm_error_set(-ret, GM_ERR_IO, 0, 0) : 0;
}

static int start(struct gm_lazy *l, const struct gm_map *m)
{
	size_t i;
	int ret;

	l->host = calloc(l->s->count + 1, sizeof(l->host[0]));
	l->holds = calloc(l->s->count + 1, sizeof(l->holds[0]));
	l->buf = malloc(SNAP_GROUP);
	if (!l->host || !l->holds || !l->buf)
		return gm_error_memory(SNAP_GROUP);
	ret = open_uffd(l);
	for (i = 0; !ret && i < l->s->count; i++)
		ret = watch_region(l, m, i);
	if (ret)
		return ret;
	return start_thread(l);
}

/*
 * Pages come as zeros from now on. To close the descriptor is not enough: a forked
 * child may have it, too.
 */
static void unwatch_all(const struct gm_lazy *l)
{
	size_t i;

	for (i = 0; l->host && i < l->s->count; i++)
		if (l->host[i])
			unwatch(l, l->host[i], watched_len(l, i));
}

/* The descriptors and the holds, of which a forked child has its own. */
static void release(struct gm_lazy *l)
{
	size_t i;

	if (l->uffd >= 0)
		close(l->uffd);
	if (l->stop >= 0)
		close(l->stop);
	for (i = 0; l->holds && i < l->s->count; i++)
		gm_hold_end(l->holds[i]);
	pthread_mutex_destroy(&l->lock);
	free(l->holds);
	free(l->host);
	free(l->buf);
	free(l);
}

int gm_lazy_new(struct gm_snapshot *s, const struct gm_map *m,
		struct gm_lazy **out)
{
	struct gm_lazy *l;
	int ret;

	ret = gm_snap_refuse_diff(s);
	if (ret)
		return ret;
	l = calloc(1, sizeof(*l));
	if (!l)
		return gm_error_memory(sizeof(*l));
	l->s = s;
	l->process = gm_os_process();
	l->uffd = -1;
	l->stop = -1;
	l->page = gm_os_page_size();
	pthread_mutex_init(&l->lock, NULL);
	ret = start(l, m);
	if (ret) {
		unwatch_all(l);
		release(l);
		return ret;
	}
	*out = l;
	return 0;
}

int gm_lazy_fill(struct gm_lazy *l, gm_snapshot_progress progress, void *ctx)
{
	const struct gm_snapshot *s = l->s;
	uint64_t done = 0, g;
	uint8_t *buf;
	int ret = 0;
	size_t i;

	buf = malloc(SNAP_GROUP);
	if (!buf)
		return gm_error_memory(SNAP_GROUP);
	for (i = 0; i < s->count && !ret; i++) {
		for (g = 0; g < snap_groups(s->regions[i].len) && !ret; g++) {
			/* What fails is noted; the rest is wanted all the same. */
			bring(l, i, g, buf);
			done += snap_group_len(s->regions[i].len, g);
			ret = gm_snap_tell(progress, ctx, done, s->memory);
		}
	}
	free(buf);
	return ret ? ret : gm_lazy_error(l);
}

static void stop(struct gm_lazy *l)
{
	uint64_t one = 1;

	/* It can't fail: the counter is 0. */
	while (write(l->stop, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(l->thread, NULL);
	unwatch_all(l);
}

void gm_lazy_free(struct gm_lazy *l)
{
	if (!l)
		return;
	/* What a forked child would stop is its parent's. */
	if (l->process == gm_os_process())
		stop(l);
	release(l);
}
