/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_iommu.c - a device behind an IOMMU: translations that come, don't come, are
 * taken back, and are wrong.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iommu.h"

/* All is told beforehand, so that nothing need be asked. */
static void preloaded(struct world *w)
{
	struct iommu_session s;

	iommu_open(&s, w);
	iommu_tell_all(&s);
	ring_start_by_iova(&s.s.r);
	session_use(&s.s, w, 8, 9);
	expect(!iommu_is_asked(&s), "it asks what it knows");
	iommu_close(&s);
}

static void missed(struct world *w)
{
	struct iommu_session s;

	iommu_open(&s, w);
	ring_start_by_iova(&s.s.r);
	iommu_serve_begin(&s);
	session_use(&s.s, w, 8, 40);
	/* Header, data, status; three parts of a ring. */
	expect(s.served >= 6, "only %u questions", s.served);
	iommu_serve_end(&s);
	iommu_close(&s);
}

/* The same IOVA is another page after an invalidation, for a write and for a read. */
static void moved(struct world *w)
{
	static uint8_t have[SECTOR];
	uint64_t there, iova;
	struct iommu_session s;
	struct request q;
	unsigned int i;

	iommu_open(&s, w);
	iommu_tell_all(&s);
	ring_start_by_iova(&s.s.r);
	there = guest_alloc(w->guest, 2, 2 * PAGE, PAGE);
	for (i = 0; i < 2; i++) {
		request_add(&q, &s.s.r, VIRTIO_BLK_T_OUT, 3, SECTOR);
		memset(guest_ptr(w->guest, there + i * PAGE), 0x41 + (int)i, SECTOR);
		iova = BIAS + (1ull << 30);
		expect(iommu_invalidate(&s, iova, PAGE) == ANSWER_OK, "no invalidation");
		expect(iommu_update(&s, iova, PAGE, guest_user(w->guest, there + i * PAGE),
				    IOTLB_RO) == ANSWER_OK, "no update");
		ring_set_desc(&s.s.r, q.head + 1, iova - BIAS, SECTOR, VRING_DESC_F_NEXT,
			      q.head + 2);
		ring_offer(&s.s.r, q.head);
		request_must(&q, &s.s.r, 1);
		image_read(w, have, SECTOR, 3);
		expect(have[0] == 0x41 + i && have[SECTOR - 1] == 0x41 + i,
		       "page %u is not what is written, but %#x", i, have[0]);
	}
	/* It may be read only: a request that writes there is asked about. */
	s.deny = iova;
	iommu_serve_begin(&s);
	request_add(&q, &s.s.r, VIRTIO_BLK_T_IN, 3, SECTOR);
	ring_set_desc(&s.s.r, q.head + 1, iova - BIAS, SECTOR,
		      VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, q.head + 2);
	ring_offer(&s.s.r, q.head);
	request_must_be(&q, &s.s.r, VIRTIO_BLK_S_IOERR);
	iommu_serve_end(&s);
	iommu_close(&s);
}

/* There is no translation: that request fails, and the next one does not. */
static void denied(struct world *w)
{
	struct iommu_session s;
	struct request q;

	iommu_open(&s, w);
	ring_start_by_iova(&s.s.r);
	iommu_serve_begin(&s);
	session_use(&s.s, w, 8, 1);
	request_add(&q, &s.s.r, VIRTIO_BLK_T_IN, 0, SECTOR);
	s.deny = BIAS + NOWHERE_GPA;
	ring_set_desc(&s.s.r, q.head + 1, NOWHERE_GPA, SECTOR,
		      VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, q.head + 2);
	ring_offer(&s.s.r, q.head);
	request_must_be(&q, &s.s.r, VIRTIO_BLK_S_IOERR);
	session_use(&s.s, w, 8, 1);
	iommu_serve_end(&s);
	iommu_close(&s);
}

static enum answer invalidate_data(struct iommu_session *s, const struct request *q)
{
	return iommu_invalidate(s, BIAS + q->data, q->len);
}

/* An answer to an invalidation is a promise: no byte is written after it. */
static void taken_back(struct world *w)
{
	iommu_take_back(w, invalidate_data);
}

/* Requests under way lose the ring that they came from, and it comes back. */
static void ring_taken_back(struct world *w)
{
	struct vring_used_elem e;
	struct iommu_session s;
	struct request q;
	unsigned int i;

	iommu_open(&s, w);
	ring_start_by_iova(&s.s.r);
	iommu_serve_begin(&s);
	session_use(&s.s, w, 8, 1);
	iommu_serve_end(&s);
	for (i = 0; i < 10; i++) {
		request_add(&q, &s.s.r, VIRTIO_BLK_T_IN, 0, 16 * PAGE);
		ring_offer(&s.s.r, q.head);
		ring_kick(&s.s.r);
		expect(iommu_invalidate(&s, 0, 0) == ANSWER_OK, "no invalidation");
		iommu_serve_begin(&s);
		expect(ring_wait(&s.s.r) == OUTCOME_DONE, "a request is lost");
		iommu_serve_end(&s);
		ring_take(&s.s.r, &e);
		expect(e.id == q.head && e.len == q.len + 1, "request %u, %u bytes", e.id,
		       e.len);
		expect(request_status(&q, w->guest) == VIRTIO_BLK_S_OK, "status %#x",
		       request_status(&q, w->guest));
		s.s.r.next_desc = 0;
	}
	iommu_close(&s);
}

/* With other memory, what was told before is not true any more. */
static void new_table(struct world *w)
{
	struct iommu_session s;

	iommu_open(&s, w);
	iommu_tell_all(&s);
	ring_start_by_iova(&s.s.r);
	session_use(&s.s, w, 8, 1);
	expect(!iommu_is_asked(&s), "it asks what it knows");
	guest_share(w->guest, &s.s.c);
	iommu_must_ask(&s);
	iommu_serve_begin(&s);
	session_use(&s.s, w, 8, 1);
	iommu_serve_end(&s);
	iommu_close(&s);
}

static void bad_messages(struct world *w)
{
	static const struct wire_iotlb bad[] = {
		{ BIAS, 0, 0, IOTLB_RW, IOTLB_UPDATE, { 0 } },
		{ BIAS, PAGE, 0, 0, IOTLB_UPDATE, { 0 } },
		{ BIAS, PAGE, 0, 4, IOTLB_UPDATE, { 0 } },
		{ BIAS, PAGE, 0, UINT8_MAX, IOTLB_UPDATE, { 0 } },
		{ BIAS, REGION_SIZE + 1, 0, IOTLB_RW, IOTLB_UPDATE, { 0 } },
		{ BIAS, UINT64_MAX, 0, IOTLB_RW, IOTLB_UPDATE, { 0 } },
		{ BIAS, PAGE, REGION_SIZE, IOTLB_RW, IOTLB_UPDATE, { 0 } },
		{ BIAS, PAGE, UINT64_MAX, IOTLB_RW, IOTLB_UPDATE, { 0 } },
		{ BIAS, PAGE, REGION_SIZE - 1, IOTLB_RW, IOTLB_UPDATE, { 0 } },
		{ UINT64_MAX - 1, PAGE, 0, IOTLB_RW, IOTLB_UPDATE, { 0 } },
		{ BIAS, PAGE, 0, IOTLB_RW, IOTLB_MISS, { 0 } },
		{ BIAS, PAGE, 0, IOTLB_RW, 0, { 0 } },
		{ BIAS, PAGE, 0, IOTLB_RW, UINT8_MAX, { 0 } },
		{ BIAS, 0, 0, 0, IOTLB_INVALIDATE, { 0 } },
		{ UINT64_MAX, PAGE, 0, 0, IOTLB_INVALIDATE, { 0 } },
		{ BIAS, UINT64_MAX, 0, 0, IOTLB_INVALIDATE, { 0 } },
	};
	struct iommu_session s;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wire_iotlb m = bad[i];

		guest_renew(w);
		iommu_open(&s, w);
		/* Relative to the first region. */
		m.user += guest_user(w->guest, 0);
		msg_must_not(&s.s.c, IOTLB_MSG, &m, sizeof(m), NULL, 0);
		iommu_close(&s);
	}
	guest_renew(w);
	iommu_open(&s, w);
	msg_must_not(&s.s.c, IOTLB_MSG, &bad[0], sizeof(bad[0]) - 8, NULL, 0);
	iommu_close(&s);
	guest_renew(w);
	iommu_open(&s, w);
	msg_must_not(&s.s.c, IOTLB_MSG, &bad[0], sizeof(bad[0]), &s.channel, 1);
	iommu_close(&s);
}

/* Translations without end: there is room for so many. */
static void many_translations(struct world *w)
{
	uint64_t user = guest_user(w->guest, 0), i;
	struct iommu_session s;

	iommu_open(&s, w);
	for (i = 0; i < 200000; i++) {
		struct wire_iotlb m = {
			.iova = BIAS * 2 + i * 2 * PAGE, .size = PAGE, .user = user,
			.perm = IOTLB_RW, .type = IOTLB_UPDATE,
		};

		expect(msg_send(&s.s.c, IOTLB_MSG, 0, &m, sizeof(m), NULL, 0), "hangs up");
	}
	ring_start_by_iova(&s.s.r);
	iommu_serve_begin(&s);
	session_use(&s.s, w, 8, 2);
	iommu_serve_end(&s);
	iommu_close(&s);
}

static void bad_channels(struct world *w)
{
	struct conn c;
	int pipes[2], pair[2], i;

	expect(!pipe2(pipes, O_CLOEXEC), "pipe: %m");
	expect(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), "socketpair: %m");
	conn_open_hello(&c, w);
	msg_must_not(&c, SET_BACKEND_REQ_FD, NULL, 0, &pipes[0], 1);
	conn_close(&c);
	conn_open_hello(&c, w);
	msg_must_not(&c, SET_BACKEND_REQ_FD, NULL, 0, &w->guest->fd, 1);
	conn_close(&c);
	conn_open_hello(&c, w);
	msg_must_not(&c, SET_BACKEND_REQ_FD, NULL, 0, &pair[0], 1);
	conn_close(&c);
	for (i = 0; i < 3; i += 2) {
		conn_open_hello(&c, w);
		msg_must_not(&c, SET_BACKEND_REQ_FD, NULL, 0, pair, i);
		conn_close(&c);
	}
	for (i = 0; i < 2; i++) {
		close(pipes[i]);
		close(pair[i]);
	}
}

/* Nobody can be asked: the device waits, and does all else meanwhile. */
static void no_channel(struct world *w)
{
	struct session s;
	unsigned int i;

	conn_open_hello(&s.c, w);
	guest_share(w->guest, &s.c);
	ring_init(&s.r, w->guest, &s.c, 0, RING_NUM);
	msg_must(&s.c, SET_FEATURES, &(uint64_t){ s.c.features | F_ACCESS_PLATFORM }, 8, NULL, 0);
	ring_start_by_iova(&s.r);
	for (i = 0; i < 100; i++) {
		ring_kick(&s.r);
		msg_get_u64(&s.c, GET_FEATURES);
	}
	session_close(&s);
}

/* The device's own end is full before it has asked anything. */
static void full_channel(struct world *w)
{
	static const uint8_t zeroes[4096];
	struct iommu_session s;
	unsigned int i;

	iommu_open(&s, w);
	while (send(s.theirs, zeroes, sizeof(zeroes), MSG_DONTWAIT) > 0)
		continue;
	while (send(s.theirs, zeroes, 1, MSG_DONTWAIT) > 0)
		continue;
	ring_start_by_iova(&s.s.r);
	for (i = 0; i < 100; i++) {
		ring_kick(&s.s.r);
		msg_get_u64(&s.s.c, GET_FEATURES);
	}
	iommu_close(&s);
}

/* Requests of a terabyte each: the device must not count all of their pages. */
static void endless_ranges(struct world *w)
{
	struct iommu_session s;
	unsigned int i, channel;

	for (channel = 0; channel < 2; channel++) {
		guest_renew(w);
		iommu_open(&s, w);
		iommu_tell_all(&s);
		ring_start_by_iova(&s.s.r);
		for (i = 0; i < RING_NUM; i++)
			ring_set_desc(&s.s.r, (uint16_t)i, NOWHERE_GPA + ((uint64_t)i << 32),
				      UINT32_MAX, i + 1 < RING_NUM ? VRING_DESC_F_NEXT : 0,
				      (uint16_t)(i + 1));
		if (!channel)
			shutdown(s.channel, SHUT_RDWR);
		ring_offer(&s.s.r, 0);
		for (i = 0; i < 100; i++) {
			ring_kick(&s.s.r);
			msg_get_u64(&s.s.c, GET_FEATURES);
		}
		iommu_close(&s);
	}
}

/* What comes over the channel and is no answer. */
static void bad_answers(struct world *w)
{
	static const struct {
		struct wire_header h;
		uint64_t value;
	} __attribute__((packed)) bad[] = {
		{ { BACKEND_IOTLB_MSG, FLAG_VERSION, 8 }, 0 },
		{ { BACKEND_IOTLB_MSG + 1, FLAG_VERSION | FLAG_REPLY, 8 }, 0 },
		{ { BACKEND_IOTLB_MSG, FLAG_VERSION | FLAG_REPLY, UINT32_MAX }, 0 },
		{ { BACKEND_IOTLB_MSG, FLAG_VERSION | FLAG_REPLY, 0 }, 0 },
	};
	struct iommu_session s;
	unsigned int i, n;

	for (i = 0; i < 6; i++) {
		guest_renew(w);
		iommu_open(&s, w);
		ring_start_by_iova(&s.s.r);
		iommu_must_ask(&s);
		if (i < 4)
			send(s.channel, &bad[i], sizeof(bad[i]), MSG_NOSIGNAL);
		/* Answers, and more of them than there can be questions. */
		for (n = 0; i == 4 && n < 300; n++)
			iommu_answer(&s, 1);
		if (i == 5) {
			send(s.channel, &bad[0], 5, MSG_NOSIGNAL);
			close(s.channel);
			s.channel = -1;
			msg_get_u64(&s.s.c, GET_FEATURES);
		} else {
			conn_await_close(&s.s.c);
		}
		iommu_close(&s);
	}
}

/* Who can't say that there is no translation, can't have an IOMMU. */
static void no_acknowledgements(struct world *w)
{
	static const uint64_t protocols[] = { 0, PF_REPLY_ACK, PF_BACKEND_REQ };
	uint64_t features;
	struct conn c;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		conn_open(&c, w);
		features = F_PROTOCOL | F_VERSION_1 | F_ACCESS_PLATFORM;
		expect(msg_send(&c, SET_PROTOCOL_FEATURES, 0, &protocols[i], 8, NULL, 0) &&
		       msg_send(&c, SET_FEATURES, 0, &features, 8, NULL, 0), "hangs up");
		conn_await_close(&c);
		conn_close(&c);
	}
}

const struct hostile_case iommu_cases[] = {
	CASE("legal-iommu-preloaded", preloaded, .writes = true),
	CASE("legal-iommu-missed", missed, .writes = true),
	CASE("legal-iommu-moved", moved, .writes = true),
	CASE("legal-iommu-ring-taken-back", ring_taken_back, .writes = true),
	CASE("legal-iommu-new-table", new_table, .writes = true),
	CASE("iommu-denied", denied, .writes = true),
	CASE("iommu-taken-back", taken_back),
	CASE("iommu-messages", bad_messages),
	CASE("iommu-many-translations", many_translations, .writes = true),
	CASE("iommu-channels", bad_channels),
	CASE("iommu-no-channel", no_channel),
	CASE("iommu-full-channel", full_channel),
	CASE("iommu-endless-ranges", endless_ranges),
	CASE("iommu-answers", bad_answers),
	CASE("iommu-no-acknowledgements", no_acknowledgements),
	CASES_END
};
