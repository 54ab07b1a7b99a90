/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest.c - memory with canaries around each piece of it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

/* Bytes between two pieces. */
#define FENCE 64

/* What the file is before anybody has touched it: no two places look alike. */
static uint8_t untouched[FILE_SIZE];

static void fill_untouched(void)
{
	uint64_t off;

	for (off = 0; off < FILE_SIZE; off++)
		untouched[off] = (uint8_t)((off * 167 + (off >> 8) * 13 + (off >> 16) * 59) | 1);
}

struct guest *guest_new(void)
{
	struct guest *g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	expect(g != MAP_FAILED, "mmap: %m");
	g->fd = memfd_create("hostile-guest", MFD_CLOEXEC);
	expect(g->fd >= 0 && !ftruncate(g->fd, FILE_SIZE), "memfd: %m");
	g->file = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
	expect(g->file != MAP_FAILED, "mmap: %m");
	fill_untouched();
	guest_reset(g);
	return g;
}

void guest_reset(struct guest *g)
{
	static const uint64_t gpas[REGIONS] = { 0, REGION_SIZE, 256 * MIB };
	unsigned int i;

	memcpy(g->file, untouched, FILE_SIZE);
	for (i = 0; i < REGIONS; i++) {
		g->regions[i].gpa = gpas[i];
		g->regions[i].size = REGION_SIZE;
		g->regions[i].user = (0x7f00ull + i * 0x11) << 32;
		g->regions[i].offset = GAP_SIZE + i * (REGION_SIZE + GAP_SIZE);
		g->next[i] = FENCE;
	}
	g->owned_count = 0;
}

static const struct wire_region *region_of(const struct guest *g, uint64_t gpa)
{
	unsigned int i;

	for (i = 0; i < REGIONS; i++)
		if (gpa - g->regions[i].gpa < g->regions[i].size)
			return &g->regions[i];
	fail("guest address %#llx is nowhere", (unsigned long long)gpa);
}

void *guest_ptr(const struct guest *g, uint64_t gpa)
{
	const struct wire_region *r = region_of(g, gpa);

	return g->file + r->offset + (gpa - r->gpa);
}

uint64_t guest_user(const struct guest *g, uint64_t gpa)
{
	const struct wire_region *r = region_of(g, gpa);

	return r->user + (gpa - r->gpa);
}

void guest_own(struct guest *g, uint64_t gpa, uint64_t len)
{
	while (len) {
		const struct wire_region *r = region_of(g, gpa);
		uint64_t off = gpa - r->gpa;
		uint64_t n = len < r->size - off ? len : r->size - off;

		expect(g->owned_count < sizeof(g->owned) / sizeof(g->owned[0]), "too many pieces");
		g->owned[g->owned_count].off = r->offset + off;
		g->owned[g->owned_count].len = n;
		g->owned_count++;
		memset(g->file + r->offset + off, 0, n);
		gpa += n;
		len -= n;
	}
}

uint64_t guest_alloc(struct guest *g, unsigned int region, uint64_t len, uint64_t align)
{
	const struct wire_region *r = &g->regions[region];
	uint64_t off = (g->next[region] + align - 1) & ~(align - 1);

	expect(off < r->size && len <= r->size - off, "region %u is full", region);
	g->next[region] = off + len + FENCE;
	guest_own(g, r->gpa + off, len);
	return r->gpa + off;
}

bool guest_is_intact(const struct guest *g)
{
	static uint8_t now[FILE_SIZE];
	unsigned int i;
	uint64_t off = 0;

	memcpy(now, g->file, FILE_SIZE);
	for (i = 0; i < g->owned_count; i++)
		memcpy(now + g->owned[i].off, untouched + g->owned[i].off, g->owned[i].len);
	if (!memcmp(now, untouched, FILE_SIZE))
		return true;
	while (now[off] == untouched[off])
		off++;
	printf("# byte %#llx of the guest's file is %#x, was %#x\n", (unsigned long long)off,
	       now[off], untouched[off]);
	return false;
}

void guest_renew(struct world *w)
{
	struct conn c;

	/* To be served is to know that whoever was before has been dealt with. */
	conn_open_hello(&c, w);
	conn_close(&c);
	expect(guest_is_intact(w->guest), "the device has touched what is not its own");
	guest_reset(w->guest);
}

void guest_share(struct guest *g, struct conn *c)
{
	struct wire_table t = { .count = REGIONS };
	int fds[REGIONS];
	unsigned int i;

	memcpy(t.regions, g->regions, sizeof(g->regions));
	for (i = 0; i < REGIONS; i++)
		fds[i] = g->fd;
	msg_must(c, SET_MEM_TABLE, &t, TABLE_SIZE(REGIONS), fds, REGIONS);
}
