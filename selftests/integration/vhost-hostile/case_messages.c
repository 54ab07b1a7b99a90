/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_messages.c - messages that are none: wrong sizes, versions, halves.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ring.h"

/* Payload bytes of the requests that the device may know; -1: of no other. */
static int right_size(uint32_t request)
{
	switch (request) {
	case GET_FEATURES:
	case SET_OWNER:
	case RESET_OWNER:
	case GET_PROTOCOL_FEATURES:
	case GET_QUEUE_NUM:
	case RESET_DEVICE:
	case GET_MAX_MEM_SLOTS:
		return 0;
	case SET_FEATURES:
	case SET_VRING_NUM:
	case SET_VRING_BASE:
	case GET_VRING_BASE:
	case SET_VRING_KICK:
	case SET_VRING_CALL:
	case SET_VRING_ERR:
	case SET_PROTOCOL_FEATURES:
	case SET_VRING_ENABLE:
		return 8;
	case SET_MEM_TABLE:
		return TABLE_SIZE(0);
	case SET_VRING_ADDR:
	case ADD_MEM_REG:
	case REM_MEM_REG:
		return 40;
	case GET_CONFIG:
	case SET_CONFIG:
		return CONFIG_SIZE(0);
	}
	return -1;
}

/* Send a message that no device can obey, however it is built. */
static void must_refuse(struct world *w, const struct wire_header *h, size_t payload)
{
	struct {
		struct wire_header h;
		uint8_t bytes[4096];
	} message = { .h = *h };
	uint64_t value = 0;
	struct conn c;
	uint32_t size;

	conn_open_hello(&c, w);
	if (conn_send(&c, &message, sizeof(message.h) + payload, NULL, 0)) {
		shutdown(c.fd, SHUT_WR);
		if (msg_receive(&c, h->request, &value, sizeof(value), &size)) {
			expect(size == 8 && value, "request %u with %u bytes is obeyed",
			       h->request, h->size);
			conn_await_close(&c);
		}
	}
	conn_close(&c);
}

static void wrong_size(struct world *w, uint32_t size_of(int right))
{
	struct wire_header h = { .flags = FLAG_VERSION | FLAG_NEED_REPLY };

	for (h.request = 0; h.request < 256; h.request++) {
		int right = right_size(h.request);

		h.size = size_of(right);
		if ((int64_t)h.size != right)
			must_refuse(w, &h, h.size > 4096 ? 64 : h.size);
	}
}

static uint32_t size_zero(int right)
{
	(void)right;
	return 0;
}

static uint32_t size_less(int right)
{
	return right > 0 ? (uint32_t)right - 1 : 7;
}

static uint32_t size_more(int right)
{
	return right >= 0 ? (uint32_t)right + 1 : 9;
}

static uint32_t size_page(int right)
{
	(void)right;
	return 4096;
}

static uint32_t size_huge(int right)
{
	(void)right;
	return UINT32_MAX;
}

static void empty_messages(struct world *w)
{
	wrong_size(w, size_zero);
}

static void byte_too_few(struct world *w)
{
	wrong_size(w, size_less);
}

static void byte_too_many(struct world *w)
{
	wrong_size(w, size_more);
}

static void pages(struct world *w)
{
	wrong_size(w, size_page);
}

static void gigabytes(struct world *w)
{
	wrong_size(w, size_huge);
}

static void wide_request_numbers(struct world *w)
{
	static const uint32_t requests[] = { 256, 0x101, 0x10001, 0x7fffffff, 0x80000001,
					     0xffffffff };
	struct wire_header h = { .flags = FLAG_VERSION | FLAG_NEED_REPLY, .size = 8 };
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		h.request = requests[i];
		must_refuse(w, &h, 8);
	}
}

/* There is no telling what such a message means, nor where the next begins. */
static void wrong_version(struct world *w)
{
	static const uint32_t flags[] = { 0, 2, 3, FLAG_NEED_REPLY, 0xfffffff0, 0xfffffffa };
	struct wire_header h;
	size_t i;

	for (h.request = 0; h.request < 48; h.request++) {
		for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			struct conn c;

			conn_open_hello(&c, w);
			h.flags = flags[i];
			h.size = 0;
			if (conn_send(&c, &h, sizeof(h), NULL, 0))
				conn_await_close(&c);
			conn_close(&c);
		}
	}
}

/* Bits that nobody has defined: obeyed or not, but not in silence. */
static void unknown_flags(struct world *w)
{
	unsigned int bit;

	for (bit = 4; bit < 32; bit++) {
		struct wire_header h = { GET_FEATURES, FLAG_VERSION | 1u << bit, 0 };
		uint64_t value;
		uint32_t size;
		struct conn c;

		conn_open(&c, w);
		if (conn_send(&c, &h, sizeof(h), NULL, 0))
			msg_receive(&c, GET_FEATURES, &value, sizeof(value), &size);
		conn_close(&c);
	}
}

static void reply_flag(struct world *w)
{
	struct wire_header h = { SET_OWNER, FLAG_VERSION | FLAG_REPLY | FLAG_NEED_REPLY, 0 };

	must_refuse(w, &h, 0);
}

/* With descriptors, which are there before the message is. */
static void cut(struct world *w, const void *message, size_t n, bool wait)
{
	int fds[2] = { w->guest->fd, w->guest->fd };
	struct conn c;

	conn_open_hello(&c, w);
	conn_send(&c, message, n, fds, 2);
	if (wait) {
		shutdown(c.fd, SHUT_WR);
		conn_await_close(&c);
	}
	conn_close(&c);
}

static void cut_headers(struct world *w)
{
	struct wire_header h = { SET_MEM_TABLE, FLAG_VERSION, TABLE_SIZE(2) };
	size_t n;

	for (n = 1; n <= sizeof(h); n++) {
		cut(w, &h, n, false);
		cut(w, &h, n, true);
	}
}

static void cut_payloads(struct world *w)
{
	struct {
		struct wire_header h;
		struct wire_table t;
	} __attribute__((packed)) message = { { SET_MEM_TABLE, FLAG_VERSION, TABLE_SIZE(2) }, { .count = 2 } };
	size_t n;

	memcpy(message.t.regions, w->guest->regions, 2 * sizeof(struct wire_region));
	for (n = sizeof(message.h) + 1; n < sizeof(message.h) + TABLE_SIZE(2); n++) {
		cut(w, &message, n, false);
		cut(w, &message, n, true);
	}
}

/* A stream has no messages, only bytes. */
static void single_bytes(struct world *w)
{
	struct {
		struct wire_header h;
		struct wire_slot s;
	} __attribute__((packed)) message = { { ADD_MEM_REG, FLAG_VERSION | FLAG_NEED_REPLY, sizeof(struct wire_slot) },
		      { 0, w->guest->regions[0] } };
	uint64_t value;
	struct conn c;
	uint32_t size;
	size_t i;

	conn_open_hello(&c, w);
	for (i = 0; i < sizeof(message); i++) {
		expect(conn_send(&c, (uint8_t *)&message + i, 1, &w->guest->fd, i == 0),
		       "the device hangs up");
		if (i % 8 == 0)
			sleep_ms(1);
	}
	expect(msg_receive(&c, ADD_MEM_REG, &value, sizeof(value), &size) && !value,
	       "the region is refused");
	conn_close(&c);
}

/* Many messages in one piece. */
static void one_burst(struct world *w)
{
	struct wire_header burst[200];
	struct conn c;
	uint64_t value;
	uint32_t size;
	size_t i;

	for (i = 0; i < 200; i++)
		burst[i] = (struct wire_header){ GET_FEATURES, FLAG_VERSION, 0 };
	conn_open(&c, w);
	expect(conn_send(&c, burst, sizeof(burst), NULL, 0), "the device hangs up");
	for (i = 0; i < 200; i++)
		expect(msg_receive(&c, GET_FEATURES, &value, sizeof(value), &size),
		       "the device hangs up after %zu", i);
	conn_close(&c);
}

/* Questions without end, and nobody reads the answers. */
static void unread_replies(struct world *w)
{
	struct wire_header burst[512];
	struct conn c;
	size_t i;

	for (i = 0; i < 512; i++)
		burst[i] = (struct wire_header){ GET_FEATURES, FLAG_VERSION, 0 };
	conn_open(&c, w);
	for (i = 0; i < 2000; i++)
		if (!conn_send(&c, burst, sizeof(burst), NULL, 0))
			break;
	expect(i < 2000, "the device takes all and says nothing");
	conn_close(&c);
}

static void noise(struct world *w)
{
	uint8_t bytes[256];
	unsigned int i;

	for (i = 0; i < 200; i++) {
		struct conn c;

		fill(bytes, sizeof(bytes), i);
		conn_open(&c, w);
		conn_send(&c, bytes, sizeof(bytes), NULL, 0);
		shutdown(c.fd, SHUT_WR);
		conn_await_close(&c);
		conn_close(&c);
	}
}

const struct hostile_case message_cases[] = {
	CASE("message-empty", empty_messages),
	CASE("message-byte-too-few", byte_too_few),
	CASE("message-byte-too-many", byte_too_many),
	CASE("message-of-a-page", pages),
	CASE("message-of-4-gigabytes", gigabytes),
	CASE("message-request-above-255", wide_request_numbers),
	CASE("message-wrong-version", wrong_version),
	CASE("message-unknown-flags", unknown_flags),
	CASE("message-is-a-reply", reply_flag),
	CASE("message-cut-header", cut_headers),
	CASE("message-cut-payload", cut_payloads),
	CASE("legal-message-in-single-bytes", single_bytes),
	CASE("legal-message-burst", one_burst),
	CASE("message-replies-unread", unread_replies),
	CASE("message-noise", noise),
	CASES_END
};
