/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_slots.c - memory that is added and removed piece by piece.
 */
#include <stdlib.h>
#include <string.h>

#include "ring.h"

static enum answer add(struct world *w, struct conn *c, const struct wire_region *r)
{
	struct wire_slot s = { .region = *r };

	return msg_ask(c, ADD_MEM_REG, &s, sizeof(s), &w->guest->fd, 1);
}

static enum answer take_away(struct conn *c, const struct wire_region *r)
{
	struct wire_slot s = { .region = *r };

	return msg_ask(c, REM_MEM_REG, &s, sizeof(s), NULL, 0);
}

static void add_all(struct world *w, struct conn *c)
{
	unsigned int i;

	for (i = 0; i < REGIONS; i++)
		expect(add(w, c, &w->guest->regions[i]) == ANSWER_OK, "slot %u is refused", i);
}

static void slots_one_by_one(struct world *w)
{
	struct session s;

	conn_open_hello(&s.c, w);
	add_all(w, &s.c);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	ring_start(&s.r);
	session_use(&s, w, 50, 4);
	session_close(&s);
}

static void duplicates(struct world *w)
{
	struct wire_region r;
	struct conn c;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		conn_open_hello(&c, w);
		add_all(w, &c);
		r = w->guest->regions[1];
		if (i == 1)
			r.user += 1ull << 30;
		if (i == 2)
			r.gpa += 1ull << 36;
		if (i == 3)
			r.size = 4096;
		expect(add(w, &c, &r) != ANSWER_OK, "a slot is taken twice (%u)", i);
		conn_close(&c);
	}
}

/* As many as the device says, and one more. */
static void too_many(struct world *w)
{
	struct wire_region r = { 0, 4096, 0x10000000, 0 };
	struct wire_table t = { .count = 1 };
	enum answer a = ANSWER_OK;
	uint64_t slots, i;
	struct conn c;

	conn_open_hello(&c, w);
	slots = msg_get_u64(&c, GET_MAX_MEM_SLOTS);
	expect(slots >= 8 && slots <= 4096, "%llu slots", (unsigned long long)slots);
	for (i = 0; i <= slots && a == ANSWER_OK; i++) {
		a = add(w, &c, &r);
		r.gpa += 0x2000;
		r.user += 0x2000;
	}
	expect(i == slots + 1 && a != ANSWER_OK, "%llu slots are taken, %llu promised",
	       (unsigned long long)i - (a != ANSWER_OK), (unsigned long long)slots);
	/* Full is not the end: a table takes the place of all. */
	if (a == ANSWER_ERROR) {
		t.regions[0] = w->guest->regions[0];
		msg_must(&c, SET_MEM_TABLE, &t, TABLE_SIZE(1), &w->guest->fd, 1);
	}
	conn_close(&c);
}

static void remove_nothing(struct world *w)
{
	struct wire_region r;
	struct conn c;
	unsigned int i;

	conn_open_hello(&c, w);
	expect(take_away(&c, &w->guest->regions[0]) != ANSWER_OK, "nothing was removed");
	conn_close(&c);
	for (i = 0; i < 8; i++) {
		conn_open_hello(&c, w);
		add_all(w, &c);
		r = w->guest->regions[1];
		if (i == 0)
			r.size -= 4096;
		if (i == 1)
			r.size += 4096;
		if (i == 2)
			r.size = 0;
		if (i == 3)
			r.size = UINT64_MAX;
		if (i == 4)
			r.gpa += 4096;
		if (i == 5)
			r.gpa = UINT64_MAX;
		if (i == 6)
			r.user += 4096;
		if (i == 7)
			r.gpa = NOWHERE_GPA;
		expect(take_away(&c, &r) != ANSWER_OK, "a slot that is not there is removed (%u)",
		       i);
		conn_close(&c);
	}
}

static void remove_twice(struct world *w)
{
	struct conn c;

	conn_open_hello(&c, w);
	add_all(w, &c);
	expect(take_away(&c, &w->guest->regions[1]) == ANSWER_OK, "a slot can't be removed");
	expect(take_away(&c, &w->guest->regions[1]) != ANSWER_OK, "a slot is removed twice");
	conn_close(&c);
}

static void add_and_remove(struct world *w)
{
	struct wire_region r = { 64 * MIB, 4096, 0x10000000, 0 };
	struct session s;
	unsigned int i;

	conn_open_hello(&s.c, w);
	add_all(w, &s.c);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	ring_start(&s.r);
	for (i = 0; i < 300; i++) {
		expect(add(w, &s.c, &r) == ANSWER_OK, "the slot is refused");
		expect(take_away(&s.c, &r) == ANSWER_OK, "the slot can't be removed");
	}
	session_use(&s, w, 60, 2);
	session_close(&s);
}

/*
 * What was removed is the front-end's again: not a byte of it changes from the
 * moment that the device has said so, whatever was in flight.
 */
static void remove_under_load(struct world *w)
{
	struct wire_region *r = &w->guest->regions[2];
	uint8_t *memory = w->guest->file + r->offset, *copy = malloc(r->size);
	unsigned int round, i;

	expect(copy, "no memory");
	for (round = 0; round < 30; round++) {
		struct request q[32], late;
		struct session s;

		guest_renew(w);
		session_open(&s, w);
		/* The used ring is in region 2: here, it must not be. */
		conn_close(&s.c);
		conn_open_hello(&s.c, w);
		add_all(w, &s.c);
		s.r.used = guest_alloc(w->guest, 1, 6 + RING_NUM * 8, 4);
		ring_start(&s.r);
		for (i = 0; i < 32; i++) {
			request_add(&q[i], &s.r, VIRTIO_BLK_T_IN, i * 8, 8 * SECTOR);
			ring_offer(&s.r, q[i].head);
		}
		request_add(&late, &s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
		/* What is not in the page cache takes its time. */
		image_evict(w);
		ring_kick(&s.r);
		if (take_away(&s.c, r) == ANSWER_OK) {
			memcpy(copy, memory, r->size);
			sleep_ms(5);
			expect(!memcmp(copy, memory, r->size),
			       "memory changes after it was removed");
			/* It is gone for the requests too. */
			ring_offer(&s.r, late.head);
			ring_kick(&s.r);
			for (i = 0; i < 33; i++) {
				struct vring_used_elem e;

				if (ring_wait(&s.r) != OUTCOME_DONE)
					break;
				ring_take(&s.r, &e);
			}
			expect(i == 33 || conn_is_closed(&s.c), "a request is lost");
			expect(request_status(&late, w->guest) != VIRTIO_BLK_S_OK,
			       "reads into memory that was removed");
			expect(!memcmp(copy, memory, r->size), "memory was removed, yet changes");
		}
		session_close(&s);
	}
	free(copy);
}

/* The rings themselves go. */
static void remove_rings(struct world *w)
{
	unsigned int i;

	for (i = 0; i < REGIONS; i++) {
		struct session s;
		struct request q;

		guest_renew(w);
		conn_open_hello(&s.c, w);
		add_all(w, &s.c);
		ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
		ring_start(&s.r);
		request_add(&q, &s.r, VIRTIO_BLK_T_FLUSH, 0, 0);
		if (take_away(&s.c, &w->guest->regions[i]) == ANSWER_OK) {
			ring_offer(&s.r, q.head);
			ring_must_fail(&s.r);
		}
		session_close(&s);
	}
}

const struct hostile_case slot_cases[] = {
	CASE("legal-slots-one-by-one", slots_one_by_one, .writes = true),
	CASE("slots-duplicate", duplicates),
	CASE("slots-too-many", too_many),
	CASE("slots-remove-nothing", remove_nothing),
	CASE("slots-remove-twice", remove_twice),
	CASE("legal-slots-add-and-remove", add_and_remove, .writes = true),
	CASE("slots-remove-under-load", remove_under_load),
	CASE("slots-remove-rings", remove_rings),
	CASES_END
};
