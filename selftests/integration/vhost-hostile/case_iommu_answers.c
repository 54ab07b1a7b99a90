/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_iommu_answers.c - whom an answer of the IOMMU is for, and what becomes of those
 * who wait for one that does not come.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iommu.h"

/* IOVAs that nothing else has. */
#define ELSEWHERE (1ull << 30)

static void second_ring(struct iommu_session *s, struct ring *r, struct world *w)
{
	iommu_tell_all(s);
	ring_start_by_iova(&s->s.r);
	ring_init(r, w->guest, &s->s.c, 1, RING_NUM);
	ring_start_by_iova(r);
}

static void second_ring_close(struct ring *r)
{
	close(r->kick);
	close(r->call);
	close(r->err);
}

/* The next question must be this one. */
static void take_question(struct iommu_session *s, uint64_t iova, uint8_t perm)
{
	struct wire_iotlb m;

	iommu_take_question(s, &m);
	expect(m.iova == iova && m.perm == perm, "asked for %#llx, rights %u",
	       (unsigned long long)m.iova, m.perm);
}

/* One page of data is at another IOVA. */
static void put_data(struct request *q, struct ring *r, uint64_t gpa, uint16_t flags)
{
	ring_set_desc(r, (uint16_t)(q->head + 1), gpa, SECTOR, VRING_DESC_F_NEXT | flags,
		      (uint16_t)(q->head + 2));
}

/* The guest starts anew without an IOMMU, before a question has its answer. */
static void toggled(struct world *w)
{
	uint64_t features;
	struct iommu_session s;
	struct request q;
	uint32_t base;

	iommu_open(&s, w);
	iommu_tell_all(&s);
	ring_start_by_iova(&s.s.r);
	session_use(&s.s, w, 8, 1);
	request_add(&q, &s.s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
	put_data(&q, &s.s.r, ELSEWHERE, VRING_DESC_F_WRITE);
	ring_offer(&s.s.r, q.head);
	ring_kick(&s.s.r);
	take_question(&s, BIAS + ELSEWHERE, IOTLB_RW);
	expect(msg_get_base(&s.s.c, 0, &base) == ANSWER_OK, "the ring does not stop");
	expect(base == (uint16_t)(s.s.r.avail_idx - 1), "a request is lost: %u", base);
	features = s.s.c.features & ~F_ACCESS_PLATFORM;
	msg_must(&s.s.c, SET_FEATURES, &features, sizeof(features), NULL, 0);
	s.s.r.bias = 0;
	s.s.r.base = base;
	ring_set_desc(&s.s.r, q.head, q.header, sizeof(struct virtio_blk_outhdr),
		      VRING_DESC_F_NEXT, (uint16_t)(q.head + 1));
	put_data(&q, &s.s.r, q.data, VRING_DESC_F_WRITE);
	ring_set_desc(&s.s.r, (uint16_t)(q.head + 2), q.status, 1, VRING_DESC_F_WRITE, 0);
	ring_start(&s.s.r);
	request_must(&q, &s.s.r, SECTOR + 1);
	session_use(&s.s, w, 8, 1);
	iommu_close(&s);
}

/* Questions that went over a channel that is no more are asked over the next one. */
static void other_channel(struct world *w)
{
	struct iommu_session s;
	unsigned int closed;
	int pair[2];

	for (closed = 0; closed < 2; closed++) {
		guest_renew(w);
		iommu_open(&s, w);
		ring_start_by_iova(&s.s.r);
		iommu_must_ask(&s);
		if (closed) {
			shutdown(s.channel, SHUT_RDWR);
			conn_settle(&s.s.c);
		}
		expect(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		       "socketpair: %m");
		msg_must(&s.s.c, SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1);
		close(s.channel);
		close(s.theirs);
		s.channel = pair[0];
		s.theirs = pair[1];
		iommu_serve_begin(&s);
		session_use(&s.s, w, 8, 1);
		iommu_serve_end(&s);
		iommu_close(&s);
	}
}

/* A ring that the front-end knows nothing of is given up, and so is one alone. */
static void denied_ring(struct world *w)
{
	struct iommu_session s;

	iommu_open(&s, w);
	s.deny = BIAS + (s.s.r.desc & ~(uint64_t)(PAGE - 1));
	iommu_serve_begin(&s);
	ring_start_by_iova(&s.s.r);
	ring_kick(&s.s.r);
	expect(ring_wait(&s.s.r) == OUTCOME_BROKEN, "nobody is told that a ring is nowhere");
	iommu_serve_end(&s);
	iommu_close(&s);
}

/* One queue has a request that is denied, while another has questions all the time. */
static void denied_among_others(struct world *w)
{
	struct iommu_session s;
	struct vring_used_elem e;
	struct request bad, good;
	uint64_t user, iova;
	struct ring r;
	unsigned int i;

	iommu_open(&s, w);
	second_ring(&s, &r, w);
	user = guest_user(w->guest, guest_alloc(w->guest, 2, PAGE, PAGE));
	request_add(&bad, &s.s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
	put_data(&bad, &s.s.r, NOWHERE_GPA, VRING_DESC_F_WRITE);
	ring_offer(&s.s.r, bad.head);
	ring_kick(&s.s.r);
	for (i = 0; i < 8 && request_status(&bad, w->guest) == STATUS_NONE; i++) {
		take_question(&s, BIAS + NOWHERE_GPA, IOTLB_RW);
		iova = BIAS + ELSEWHERE + i * PAGE;
		request_add(&good, &r, VIRTIO_BLK_T_IN, 0, SECTOR);
		put_data(&good, &r, iova - BIAS, VRING_DESC_F_WRITE);
		ring_offer(&r, good.head);
		ring_kick(&r);
		take_question(&s, iova, IOTLB_RW);
		iommu_answer(&s, 1);
		conn_settle(&s.s.c);
		expect(iommu_update(&s, iova, PAGE, user, IOTLB_RW) == ANSWER_OK, "no update");
		iommu_answer(&s, 0);
		expect(ring_wait(&r) == OUTCOME_DONE, "a request is lost");
		ring_take(&r, &e);
	}
	expect(request_status(&bad, w->guest) == VIRTIO_BLK_S_IOERR,
	       "denied %u times, and not told", i);
	second_ring_close(&r);
	iommu_close(&s);
}

/* A page may be read. That one may not write there is no matter of who reads. */
static void denied_writer(struct world *w)
{
	uint64_t page, iova;
	struct request in, out;
	struct iommu_session s;
	struct wire_iotlb m;
	struct ring r;
	unsigned int i;

	iommu_open(&s, w);
	second_ring(&s, &r, w);
	for (i = 0; i < 6; i++) {
		struct ring *writer = i % 2 ? &r : &s.s.r, *reader = i % 2 ? &s.s.r : &r;

		page = guest_alloc(w->guest, 2, PAGE, PAGE);
		iova = BIAS + ELSEWHERE + i * PAGE;
		request_add(&in, writer, VIRTIO_BLK_T_IN, 0, SECTOR);
		put_data(&in, writer, iova - BIAS, VRING_DESC_F_WRITE);
		ring_offer(writer, in.head);
		ring_kick(writer);
		take_question(&s, iova, IOTLB_RW);
		request_add(&out, reader, VIRTIO_BLK_T_OUT, 3, SECTOR);
		memcpy(guest_ptr(w->guest, page), guest_ptr(w->guest, out.header),
		       sizeof(struct virtio_blk_outhdr));
		ring_set_desc(reader, out.head, iova - BIAS, sizeof(struct virtio_blk_outhdr),
			      VRING_DESC_F_NEXT, (uint16_t)(out.head + 1));
		ring_offer(reader, out.head);
		ring_kick(reader);
		conn_settle(&s.s.c);
		iommu_answer(&s, 1);
		while (request_status(&in, w->guest) == STATUS_NONE ||
		       request_status(&out, w->guest) == STATUS_NONE) {
			if (!iommu_is_asked(&s))
				continue;
			iommu_take_question(&s, &m);
			expect(m.iova == iova, "asked for %#llx", (unsigned long long)m.iova);
			if (m.perm == IOTLB_RO)
				expect(iommu_update(&s, iova, PAGE, guest_user(w->guest, page),
						    IOTLB_RO) == ANSWER_OK, "no update");
			iommu_answer(&s, m.perm != IOTLB_RO);
		}
		request_must(&out, reader, 1);
		request_must_be(&in, writer, VIRTIO_BLK_S_IOERR);
	}
	second_ring_close(&r);
	iommu_close(&s);
}

static enum answer make_data_read_only(struct iommu_session *s, const struct request *q)
{
	return iommu_update(s, BIAS + q->data, q->len, guest_user(s->s.r.g, q->data), IOTLB_RO);
}

/* Fewer rights are rights that were taken back: no byte is written after the answer. */
static void narrowed(struct world *w)
{
	iommu_take_back(w, make_data_read_only);
}

const struct hostile_case iommu_answer_cases[] = {
	CASE("legal-iommu-toggled", toggled, .writes = true),
	CASE("legal-iommu-other-channel", other_channel, .writes = true),
	CASE("iommu-denied-ring", denied_ring),
	CASE("iommu-denied-among-others", denied_among_others),
	CASE("iommu-denied-writer", denied_writer, .writes = true),
	CASE("iommu-narrowed", narrowed),
	CASES_END
};
