/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu.c - translations for a device, told or asked for.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iommu.h"
#include "watch.h"

void iommu_connect(struct iommu_session *s, struct world *w)
{
	conn_open_hello(&s->s.c, w);
	guest_share(w->guest, &s->s.c);
	msg_must(&s->s.c, SET_BACKEND_REQ_FD, NULL, 0, &s->theirs, 1);
	s->s.c.features |= F_ACCESS_PLATFORM;
	msg_must(&s->s.c, SET_FEATURES, &s->s.c.features, sizeof(s->s.c.features), NULL, 0);
}

void iommu_open(struct iommu_session *s, struct world *w)
{
	int pair[2];

	memset(s, 0, sizeof(*s));
	expect(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair: %m");
	s->channel = pair[0];
	s->theirs = pair[1];
	iommu_connect(s, w);
	ring_init(&s->s.r, w->guest, &s->s.c, 0, RING_NUM);
}

void iommu_close(struct iommu_session *s)
{
	session_close(&s->s);
	if (s->channel >= 0)
		close(s->channel);
	close(s->theirs);
}

void ring_start_by_iova(struct ring *r)
{
	struct wire_addr a = {
		.index = r->index,
		.desc = BIAS + r->desc,
		.avail = BIAS + r->avail,
		.used = BIAS + r->used,
	};

	r->bias = BIAS;
	expect(ring_try_start_at(r, &a) == ANSWER_OK, "the ring is refused");
}

static enum answer tell(struct iommu_session *s, const struct wire_iotlb *m)
{
	return msg_ask(&s->s.c, IOTLB_MSG, m, sizeof(*m), NULL, 0);
}

enum answer iommu_update(struct iommu_session *s, uint64_t iova, uint64_t size, uint64_t user,
			 uint8_t perm)
{
	struct wire_iotlb m = {
		.iova = iova, .size = size, .user = user, .perm = perm, .type = IOTLB_UPDATE,
	};

	return tell(s, &m);
}

enum answer iommu_invalidate(struct iommu_session *s, uint64_t iova, uint64_t size)
{
	struct wire_iotlb m = { .iova = iova, .size = size, .type = IOTLB_INVALIDATE };

	return tell(s, &m);
}

void iommu_tell_all(struct iommu_session *s)
{
	const struct guest *g = s->s.r.g;
	unsigned int i;

	for (i = 0; i < REGIONS; i++)
		expect(iommu_update(s, BIAS + g->regions[i].gpa, g->regions[i].size,
				    g->regions[i].user, IOTLB_RW) == ANSWER_OK,
		       "a translation is refused");
}

bool iommu_is_asked(struct iommu_session *s)
{
	struct pollfd p = { .fd = s->channel, .events = POLLIN };

	return poll(&p, 1, 50) == 1 && p.revents & POLLIN;
}

void iommu_must_ask(struct iommu_session *s)
{
	struct patience patience = { .pid = s->s.c.pid };

	while (!iommu_is_asked(s))
		expect(!patience_is_over(&patience), "nothing is asked");
}

bool iommu_answer(struct iommu_session *s, uint64_t value)
{
	struct {
		struct wire_header h;
		uint64_t value;
	} __attribute__((packed)) answer = {
		{ BACKEND_IOTLB_MSG, FLAG_VERSION | FLAG_REPLY, sizeof(value) }, value,
	};

	return send(s->channel, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       sizeof(answer);
}

void iommu_take_question(struct iommu_session *s, struct wire_iotlb *m)
{
	struct {
		struct wire_header h;
		struct wire_iotlb m;
	} __attribute__((packed)) ask;

	iommu_must_ask(s);
	expect(recv(s->channel, &ask, sizeof(ask), MSG_WAITALL) == sizeof(ask), "half a question");
	expect(ask.h.request == BACKEND_IOTLB_MSG && ask.h.size == sizeof(ask.m) &&
	       ask.h.flags == (FLAG_VERSION | FLAG_NEED_REPLY), "request %u, flags %#x",
	       ask.h.request, ask.h.flags);
	expect(ask.m.type == IOTLB_MISS && !(ask.m.iova % PAGE), "type %u at %#llx", ask.m.type,
	       (unsigned long long)ask.m.iova);
	*m = ask.m;
}

static void serve_one(struct iommu_session *s)
{
	const struct wire_region *r = s->s.r.g->regions;
	struct wire_iotlb m;
	uint64_t gpa;
	unsigned int i;

	iommu_take_question(s, &m);
	s->served++;
	gpa = m.iova - BIAS;
	for (i = 0; i < REGIONS && gpa - r[i].gpa >= r[i].size; i++)
		continue;
	if (m.iova == s->deny || i == REGIONS) {
		iommu_answer(s, 1);
		return;
	}
	expect(iommu_update(s, m.iova, PAGE, guest_user(s->s.r.g, gpa), m.perm) ==
	       ANSWER_OK, "a translation is refused");
	iommu_answer(s, 0);
}

static void *serve(void *arg)
{
	struct iommu_session *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		struct pollfd p = { .fd = s->channel, .events = POLLIN };

		if (poll(&p, 1, 5) == 1)
			serve_one(s);
	}
	return NULL;
}

void iommu_serve_begin(struct iommu_session *s)
{
	s->stop = false;
	expect(!pthread_create(&s->thread, NULL, serve, s), "no thread");
}

void iommu_serve_end(struct iommu_session *s)
{
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	pthread_join(s->thread, NULL);
}

void iommu_take_back(struct world *w, iommu_take_back_fn *take_back)
{
	static uint8_t before[64 * PAGE];
	struct iommu_session s;
	struct request q;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		guest_renew(w);
		iommu_open(&s, w);
		iommu_tell_all(&s);
		ring_start_by_iova(&s.s.r);
		image_evict(w);
		request_add(&q, &s.s.r, VIRTIO_BLK_T_IN, 0, sizeof(before));
		ring_offer(&s.s.r, q.head);
		ring_kick(&s.s.r);
		/* Now and then it has begun. */
		if (i % 2)
			msg_get_u64(&s.s.c, GET_FEATURES);
		expect(take_back(&s, &q) == ANSWER_OK, "it can't be taken back");
		memcpy(before, guest_ptr(w->guest, q.data), sizeof(before));
		sleep_ms(10);
		expect(!memcmp(before, guest_ptr(w->guest, q.data), sizeof(before)),
		       "written after it was taken back");
		iommu_close(&s);
	}
}
