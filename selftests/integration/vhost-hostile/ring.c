/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * ring.c - a split virtqueue as a driver fills it.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring.h"
#include "watch.h"

static int event_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	expect(fd >= 0, "eventfd: %m");
	return fd;
}

void ring_init(struct ring *r, struct guest *g, struct conn *c, uint32_t index, uint32_t num)
{
	memset(r, 0, sizeof(*r));
	r->g = g;
	r->c = c;
	r->index = index;
	r->num = num;
	/* Apart from each other, so that all lie between canaries. */
	r->desc = guest_alloc(g, 0, num * sizeof(struct vring_desc), 16);
	r->avail = guest_alloc(g, 1, 6 + num * sizeof(uint16_t), 2);
	r->used = guest_alloc(g, 2, 6 + num * sizeof(struct vring_used_elem), 4);
	r->kick = event_new();
	r->call = event_new();
	r->err = event_new();
}

void ring_exit(struct ring *r)
{
	close(r->kick);
	if (r->call >= 0)
		close(r->call);
	if (r->err >= 0)
		close(r->err);
}

void ring_wire_addr(const struct ring *r, struct wire_addr *a)
{
	memset(a, 0, sizeof(*a));
	a->index = r->index;
	a->desc = guest_user(r->g, r->desc);
	a->avail = guest_user(r->g, r->avail);
	a->used = guest_user(r->g, r->used);
}

static enum answer set_event(struct ring *r, uint32_t request, int fd)
{
	return msg_ask_u64(r->c, request, r->index | (fd < 0 ? VRING_NOFD : 0), fd);
}

/* All but to enable it. */
static enum answer tell(struct ring *r, const struct wire_addr *addr)
{
	enum answer a;

	a = msg_ask_state(r->c, SET_VRING_NUM, r->index, r->num);
	if (a == ANSWER_OK)
		a = msg_ask_state(r->c, SET_VRING_BASE, r->index, r->base);
	if (a == ANSWER_OK)
		a = msg_ask(r->c, SET_VRING_ADDR, addr, sizeof(*addr), NULL, 0);
	if (a == ANSWER_OK)
		a = set_event(r, SET_VRING_ERR, r->err);
	if (a == ANSWER_OK)
		a = set_event(r, SET_VRING_CALL, r->call);
	if (a == ANSWER_OK)
		a = set_event(r, SET_VRING_KICK, r->kick);
	return a;
}

enum answer ring_try_start_at(struct ring *r, const struct wire_addr *addr)
{
	enum answer a = tell(r, addr);

	if (a == ANSWER_OK)
		a = msg_ask_state(r->c, SET_VRING_ENABLE, r->index, 1);
	return a;
}

enum answer ring_try_start(struct ring *r)
{
	struct wire_addr addr;

	ring_wire_addr(r, &addr);
	return ring_try_start_at(r, &addr);
}

void ring_start(struct ring *r)
{
	expect(ring_try_start(r) == ANSWER_OK, "the ring is refused");
}

void ring_start_disabled(struct ring *r)
{
	struct wire_addr addr;

	ring_wire_addr(r, &addr);
	expect(tell(r, &addr) == ANSWER_OK, "the ring is refused");
}

void ring_set_desc(struct ring *r, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		   uint16_t next)
{
	struct vring_desc *d = guest_ptr(r->g, r->desc + i * sizeof(*d));

	d->addr = htole64(addr + r->bias);
	d->len = htole32(len);
	d->flags = htole16(flags);
	d->next = htole16(next);
}

void ring_offer(struct ring *r, uint16_t head)
{
	struct vring_avail *a = guest_ptr(r->g, r->avail);

	a->ring[r->avail_idx & (r->num - 1)] = htole16(head);
	r->avail_idx++;
	__atomic_store_n(&a->idx, htole16(r->avail_idx), __ATOMIC_SEQ_CST);
}

void ring_kick(struct ring *r)
{
	uint64_t one = 1;

	expect(write(r->kick, &one, sizeof(one)) == sizeof(one), "kick: %m");
}

static bool has_used(const struct ring *r)
{
	const struct vring_used *u = guest_ptr(r->g, r->used);

	return le16toh(__atomic_load_n(&u->idx, __ATOMIC_ACQUIRE)) != r->used_idx;
}

bool ring_take(struct ring *r, struct vring_used_elem *e)
{
	const struct vring_used *u = guest_ptr(r->g, r->used);
	const struct vring_used_elem *from = &u->ring[r->used_idx & (r->num - 1)];

	if (!has_used(r))
		return false;
	e->id = le32toh(from->id);
	e->len = le32toh(from->len);
	r->used_idx++;
	return true;
}

enum outcome ring_wait(struct ring *r)
{
	struct patience patience = { .pid = r->c->pid };
	uint64_t count;

	do {
		/* The used ring is what counts: a call may come late or never. */
		struct pollfd p[] = {
			{ .fd = r->c->fd, .events = POLLRDHUP },
			{ .fd = r->err, .events = POLLIN },
			{ .fd = r->call, .events = POLLIN },
		};

		if (has_used(r))
			return OUTCOME_DONE;
		if (poll(p, 3, r->call < 0 ? 1 : 20) <= 0)
			continue;
		if (has_used(r))
			return OUTCOME_DONE;
		if (p[1].revents & POLLIN)
			return OUTCOME_BROKEN;
		if (p[0].revents)
			return OUTCOME_CLOSED;
		if (p[2].revents & POLLIN)
			expect(read(r->call, &count, sizeof(count)) == sizeof(count), "call: %m");
	} while (!patience_is_over(&patience));
	return OUTCOME_SILENCE;
}

void ring_must_fail(struct ring *r)
{
	enum outcome o;

	ring_kick(r);
	o = ring_wait(r);
	expect(o != OUTCOME_SILENCE, "no reaction");
	expect(o != OUTCOME_DONE, "a request is done that nobody could find");
}

void session_open(struct session *s, struct world *w)
{
	conn_open_hello(&s->c, w);
	guest_share(w->guest, &s->c);
	ring_init(&s->r, w->guest, &s->c, 0, RING_NUM);
	ring_start(&s->r);
}

void session_close(struct session *s)
{
	conn_close(&s->c);
	ring_exit(&s->r);
}
