/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_log_busy.c - the log while rings run: each place in a ring, requests under way,
 * a device that was killed.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "area.h"
#include "log.h"

/* A ring whose used index, entries and event field are in pages of their own. */
#define LARGE_NUM 1024u
#define LARGE_BASE 600u

static void large_ring(struct session *s, struct world *w)
{
	struct vring_avail *avail;
	struct vring_used *used;

	conn_open_hello(&s->c, w);
	s->c.features |= F_RING_EVENT_IDX;
	expect(log_switch(&s->c, false) == ANSWER_OK, "no event index");
	guest_share(w->guest, &s->c);
	ring_init(&s->r, w->guest, &s->c, 0, LARGE_NUM);
	s->r.used = guest_alloc(w->guest, 2, 6 + LARGE_NUM * sizeof(struct vring_used_elem), PAGE);
	avail = guest_ptr(w->guest, s->r.avail);
	used = guest_ptr(w->guest, s->r.used);
	avail->idx = LARGE_BASE;
	used->idx = LARGE_BASE;
	s->r.base = LARGE_BASE;
	s->r.avail_idx = LARGE_BASE;
	s->r.used_idx = LARGE_BASE;
}

/* Each of the places that the device writes of a ring. */
static void whole_ring(struct world *w)
{
	struct session s;
	struct request q;
	struct log l;

	log_init(&l);
	large_ring(&s, w);
	expect(log_set(&s.c, &whole_log, l.fd), "the log is refused");
	expect(log_switch(&s.c, true) == ANSWER_OK, "it does not log");
	ring_start(&s.r);
	request_add(&q, &s.r, VIRTIO_BLK_T_GET_ID, 0, 20);
	ring_offer(&s.r, q.head);
	request_must(&q, &s.r, 21);
	expect(log_has(&l, q.data) && log_has(&l, q.status), "an ID is not marked");
	/* The ring is written before it is marked, and once more when it is empty. */
	expect(log_switch(&s.c, true) == ANSWER_OK, "no answer");
	expect(log_has(&l, s.r.used), "the used index is not marked");
	expect(log_has(&l, s.r.used + PAGE), "a used entry is not marked");
	expect(log_has(&l, s.r.used + 2 * PAGE), "an event index is not marked");
	session_close(&s);
	log_exit(&l);
}

/*
 * A device was killed when it had written the used index, before that was marked. The
 * log is told after the ring, as QEMU does it; and then the ring has nothing to do.
 */
static void killed_before_mark(struct world *w)
{
	struct wire_inflight wire = whole_area;
	struct session s;
	struct area a;
	struct log l;

	log_init(&l);
	area_init(&a);
	large_ring(&s, w);
	a.first->version = 1;
	a.first->desc_num = LARGE_NUM;
	a.first->used_idx = LARGE_BASE - 1;
	wire.num = LARGE_NUM;
	expect(area_set(&s.c, &wire, a.fd) == ANSWER_OK, "the area is refused");
	ring_start_disabled(&s.r);
	expect(log_switch(&s.c, true) == ANSWER_OK, "it does not log");
	expect(log_set(&s.c, &whole_log, l.fd), "the log is refused");
	expect(msg_ask_state(&s.c, SET_VRING_ENABLE, 0, 1) == ANSWER_OK, "no start");
	expect(log_has(&l, s.r.used), "the used index is not marked");
	session_close(&s);
	area_exit(&a);
	log_exit(&l);
}

/* What changes while requests are under way. */
enum change { BEGIN, REPLACE, STOP };

static enum answer change_log(struct session *s, enum change change, int fd)
{
	uint32_t base;

	if (change == BEGIN)
		return log_switch(&s->c, true);
	if (change == REPLACE)
		return log_set(&s->c, &whole_log, fd) ? ANSWER_OK : ANSWER_CLOSED;
	return msg_get_base(&s->c, 0, &base);
}

/* Each page that is not as it was must be marked. @l NULL: none may be so. */
static void check_changes(const struct world *w, const uint8_t *before, const uint8_t *now,
			  const struct log *l)
{
	uint64_t off;

	for (off = 0; off < REGION_SIZE; off += PAGE)
		expect(!memcmp(before + off, now + off, PAGE) ||
		       (l && log_has(l, w->guest->regions[2].gpa + off)),
		       "page %#llx was written, not marked", (unsigned long long)off);
}

/*
 * From the answer on, the new log has all that is written; or, if the ring was
 * stopped, nothing is. Before that the old log had it.
 */
static void under_way(struct world *w, enum change change)
{
	static uint8_t before[REGION_SIZE], after[REGION_SIZE];
	const uint8_t *memory = guest_ptr(w->guest, w->guest->regions[2].gpa);
	unsigned int round, i;

	for (round = 0; round < 30; round++) {
		struct log l[2], *new = &l[change == REPLACE];
		struct request q[8];
		struct session s;

		guest_renew(w);
		log_init(&l[0]);
		log_init(&l[1]);
		session_open(&s, w);
		expect(log_set(&s.c, &whole_log, l[0].fd), "the log is refused");
		expect(log_switch(&s.c, change != BEGIN) == ANSWER_OK, "it does not log");
		for (i = 0; i < 8; i++) {
			request_add(&q[i], &s.r, VIRTIO_BLK_T_IN, i * 128, 16 * PAGE);
			ring_offer(&s.r, q[i].head);
		}
		memcpy(before, memory, sizeof(before));
		/* What is not in the page cache takes its time. */
		image_evict(w);
		ring_kick(&s.r);
		/* Begun, but not done: at another moment in each round. */
		usleep(round * 40);
		expect(change_log(&s, change, l[1].fd) == ANSWER_OK, "no change");
		memcpy(after, memory, sizeof(after));
		/* A device that goes on meanwhile could have written more by now. */
		if (change == STOP)
			check_changes(w, before, after, &l[0]);
		sleep_ms(10);
		check_changes(w, after, memory, change == STOP ? NULL : new);
		session_close(&s);
		log_exit(&l[0]);
		log_exit(&l[1]);
	}
}

static void begins_under_way(struct world *w)
{
	under_way(w, BEGIN);
}

static void replaced_under_way(struct world *w)
{
	under_way(w, REPLACE);
}

static void stopped_under_way(struct world *w)
{
	under_way(w, STOP);
}

const struct hostile_case log_busy_cases[] = {
	CASE("legal-log-whole-ring", whole_ring),
	CASE("legal-log-killed-before-mark", killed_before_mark),
	CASE("legal-log-begins-under-way", begins_under_way),
	CASE("legal-log-replaced-under-way", replaced_under_way),
	CASE("legal-log-stopped-under-way", stopped_under_way),
	CASES_END
};
