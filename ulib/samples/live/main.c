/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * main.c - the program of Documentation/live-tutorial.rst: what happens to a guest
 * while its network card works.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "live.h"

#define FEW_PAGES 64
#define ROUNDS_MAX 30

/* What the library knows of the last failure, in words. */
static void print_error(const char *what, int err)
{
	char text[200];

	if (gm_error_last()->err == err)
		gm_error_format(gm_error_last(), text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s", strerror(-err));
	fprintf(stderr, "%s: %s\n", what, text);
}

static int packets(struct driver *d, unsigned int rounds)
{
	int ret = 0;

	while (rounds-- && !ret) {
		ret = driver_offer(d, NIC_NUM);
		if (!ret)
			ret = driver_wait(d, NIC_NUM, NIC_FILLED);
	}
	return ret;
}

/* New memory, and buffer 0 in it. */
static int plug(struct guest *g, struct driver *d)
{
	int ret;

	ret = guest_plug(g);
	if (!ret)
		ret = driver_unmap(d, BUFFER_IOVA(0));
	if (!ret)
		ret = driver_map(d, BUFFER_IOVA(0), DIMM_BASE + 5 * PAGE);
	if (!ret)
		ret = packets(d, 100);
	if (!ret)
		printf("memory was plugged in, packets are there too\n");
	return ret;
}

/* All of a buffer but its second page. */
static int revoke(struct driver *d)
{
	uint64_t page = BUFFER_IOVA(d->offered % NIC_NUM) + PAGE;
	int ret;

	ret = driver_unmap(d, page);
	if (!ret)
		ret = driver_offer(d, 1);
	if (!ret)
		ret = driver_wait(d, 1, NIC_REFUSED);
	if (!ret)
		printf("what the driver has unmapped, the card can't write\n");
	if (!ret)
		ret = driver_map(d, page, RAM_SIZE - PAGE);
	return ret;
}

struct traffic {
	struct driver *driver;
	bool stop;
	int err;
};

static void *traffic(void *arg)
{
	struct traffic *t = arg;

	while (!t->err && !__atomic_load_n(&t->stop, __ATOMIC_RELAXED))
		t->err = packets(t->driver, 1);
	return NULL;
}

/* Copy until little is left. */
static int copy_while_running(struct migration *m)
{
	int64_t pages;
	int round = 0;

	do {
		pages = migration_round(m);
	} while (pages > FEW_PAGES && ++round < ROUNDS_MAX);
	return pages < 0 ? (int)pages : 0;
}

/* Rounds while packets come; then all stands still, and what is left is copied. */
static int move(struct migration *m, struct driver *d, struct nic *n)
{
	struct traffic t = { .driver = d };
	pthread_t thread;
	int ret, err;

	ret = -pthread_create(&thread, NULL, traffic, &t);
	if (ret)
		return ret;
	ret = copy_while_running(m);
	__atomic_store_n(&t.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	err = nic_stop(n);
	if (!ret)
		ret = t.err ? t.err : err;
	if (!ret)
		ret = (int)migration_round(m) < 0 ? -EIO : 0;
	return ret ? ret : migration_check(m);
}

/* The card and the driver go on there, with what they knew here. */
static int arrive(struct gm_map *map, const struct driver *old, const struct nic *before)
{
	struct driver d = *old;
	struct nic n = { .used = before->used, .packets = before->packets };
	struct guest g;
	int ret, err;

	ret = guest_init(&g, map);
	if (ret)
		return ret;
	d.guest = &g;
	ret = nic_start(&n, &g, gm_iova(RING_IOVA));
	if (!ret) {
		ret = packets(&d, 100);
		err = nic_stop(&n);
		if (!ret)
			ret = err;
	}
	if (!ret)
		printf("the guest was moved, packets come there\n");
	guest_exit(&g);
	return ret;
}

static int migrate(struct guest *g, struct driver *d, struct nic *n)
{
	struct migration *m;
	int ret, err;

	ret = migration_begin(g->space, &m);
	if (ret) {
		err = nic_stop(n);
		return err ? err : ret;
	}
	ret = move(m, d, n);
	if (!ret)
		ret = arrive(migration_target(m), d, n);
	migration_end(m);
	return ret;
}

static int live(struct guest *g)
{
	struct nic n = { 0 };
	struct driver d;
	int ret;

	ret = driver_init(&d, g);
	if (!ret)
		ret = nic_start(&n, g, gm_iova(RING_IOVA));
	if (ret)
		return ret;
	ret = packets(&d, 100);
	if (!ret) {
		printf("packets come: %" PRIu32 "\n", d.packets);
		ret = plug(g, &d);
	}
	if (!ret)
		ret = revoke(&d);
	if (!ret)
		return migrate(g, &d, &n);
	nic_stop(&n);
	return ret;
}

int main(void)
{
	struct gm_map *map;
	struct guest g;
	int ret;

	ret = guest_new_memory(&map);
	if (!ret) {
		ret = guest_init(&g, map);
		gm_map_put(map);
	}
	if (!ret) {
		ret = live(&g);
		guest_exit(&g);
	}
	if (ret)
		print_error("live", ret);
	return ret ? 1 : 0;
}
