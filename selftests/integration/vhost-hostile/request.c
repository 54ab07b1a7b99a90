/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * request.c - block requests, and what may become of them.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"

void request_init(struct request *q, struct guest *g, uint32_t type, uint64_t sector,
		  uint32_t len)
{
	struct virtio_blk_outhdr *h;

	memset(q, 0, sizeof(*q));
	q->header = guest_alloc(g, 0, sizeof(*h), 8);
	q->status = guest_alloc(g, 1, 1, 1);
	q->len = len;
	if (len)
		q->data = guest_alloc(g, 2, len, 16);
	h = guest_ptr(g, q->header);
	h->type = htole32(type);
	h->sector = htole64(sector);
	*(uint8_t *)guest_ptr(g, q->status) = STATUS_NONE;
}

void request_add(struct request *q, struct ring *r, uint32_t type, uint64_t sector,
		 uint32_t len)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	uint16_t i = r->next_desc;

	request_init(q, r->g, type, sector, len);
	expect(i + 3u <= r->num, "no descriptors left");
	q->head = i;
	ring_set_desc(r, i, q->header, sizeof(struct virtio_blk_outhdr), VRING_DESC_F_NEXT,
		      (uint16_t)(i + 1));
	i++;
	if (len) {
		ring_set_desc(r, i, q->data, len,
			      VRING_DESC_F_NEXT | (in ? VRING_DESC_F_WRITE : 0),
			      (uint16_t)(i + 1));
		i++;
	}
	ring_set_desc(r, i++, q->status, 1, VRING_DESC_F_WRITE, 0);
	r->next_desc = i;
}

void write_much(struct ring *r)
{
	struct request q;

	request_add(&q, r, VIRTIO_BLK_T_OUT, 0, MUCH);
	fill(guest_ptr(r->g, q.data), MUCH, now_ms());
	ring_offer(r, q.head);
	request_must(&q, r, 1);
}

void request_begin(const struct request *q, struct ring *r)
{
	ring_offer(r, q->head);
	ring_kick(r);
	/* The device looks at its rings before it hears the next message. */
	msg_get_u64(r->c, GET_FEATURES);
}

uint8_t request_status(const struct request *q, const struct guest *g)
{
	return *(const uint8_t *)guest_ptr(g, q->status);
}

void request_must(struct request *q, struct ring *r, uint32_t written)
{
	struct vring_used_elem e;
	enum outcome o;

	ring_kick(r);
	o = ring_wait(r);
	expect(o == OUTCOME_DONE, "a request is answered by %s",
	       o == OUTCOME_SILENCE ? "silence" : "giving up");
	ring_take(r, &e);
	expect(e.id == q->head, "descriptor %u comes back, not %u", e.id, q->head);
	expect(request_status(q, r->g) == VIRTIO_BLK_S_OK, "status %#x", request_status(q, r->g));
	expect(e.len == written, "%u bytes written, want %u", e.len, written);
}

void request_must_not(struct request *q, struct ring *r)
{
	struct vring_used_elem e;
	uint8_t status;
	enum outcome o;

	ring_kick(r);
	o = ring_wait(r);
	expect(o != OUTCOME_SILENCE, "no reaction");
	status = request_status(q, r->g);
	expect(status != VIRTIO_BLK_S_OK, "status OK");
	if (o != OUTCOME_DONE)
		return;
	ring_take(r, &e);
	expect(e.id == q->head, "descriptor %u comes back, not %u", e.id, q->head);
	/* Who finds no place for a status can give the descriptors back. */
	expect(status == VIRTIO_BLK_S_IOERR || status == VIRTIO_BLK_S_UNSUPP ||
	       (status == STATUS_NONE && !e.len), "status %#x, %u bytes", status, e.len);
}

void request_must_be(struct request *q, struct ring *r, uint8_t status)
{
	struct vring_used_elem e;

	ring_kick(r);
	expect(ring_wait(r) == OUTCOME_DONE, "the request does not come back");
	ring_take(r, &e);
	expect(e.id == q->head, "descriptor %u comes back, not %u", e.id, q->head);
	expect(request_status(q, r->g) == status, "status %#x, want %#x",
	       request_status(q, r->g), status);
}

void fill(void *bytes, size_t n, uint64_t seed)
{
	uint8_t *b = bytes;
	size_t i;

	for (i = 0; i < n; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		b[i] = (uint8_t)(seed >> 56);
	}
}

void image_read(struct world *w, void *bytes, size_t n, uint64_t sector)
{
	int fd = open(w->image, O_RDONLY | O_CLOEXEC);

	expect(fd >= 0, "%s: %m", w->image);
	expect(pread(fd, bytes, n, (off_t)(sector * SECTOR)) == (ssize_t)n, "%s: short",
	       w->image);
	close(fd);
}

void image_evict(struct world *w)
{
	int fd = open(w->image, O_RDONLY | O_CLOEXEC);

	expect(fd >= 0 && !posix_fadvise(fd, 0, MIB, POSIX_FADV_DONTNEED), "%s: %m", w->image);
	close(fd);
}

void session_use(struct session *s, struct world *w, uint64_t sector, uint32_t sectors)
{
	uint32_t len = sectors * SECTOR;
	void *want = malloc(len), *have = malloc(len);
	struct request out, in, flush;
	static uint64_t seed;

	expect(want && have, "no memory");
	fill(want, len, now_ms() + ++seed);
	request_add(&out, &s->r, VIRTIO_BLK_T_OUT, sector, len);
	memcpy(guest_ptr(w->guest, out.data), want, len);
	ring_offer(&s->r, out.head);
	request_must(&out, &s->r, 1);
	request_add(&flush, &s->r, VIRTIO_BLK_T_FLUSH, 0, 0);
	ring_offer(&s->r, flush.head);
	request_must(&flush, &s->r, 1);
	request_add(&in, &s->r, VIRTIO_BLK_T_IN, sector, len);
	ring_offer(&s->r, in.head);
	request_must(&in, &s->r, len + 1);
	expect(!memcmp(guest_ptr(w->guest, in.data), want, len), "reads back other data");
	expect(!memcmp(guest_ptr(w->guest, out.data), want, len), "what is written has changed");
	image_read(w, have, len, sector);
	expect(!memcmp(have, want, len), "the image has other data");
	free(want);
	free(have);
}
