/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * case_config.c - configuration space, and what both sides agree on.
 */
#include <endian.h>
#include <string.h>

#include "ring.h"

/*
 * Ask for @size bytes at @offset, in a message whose payload has @payload.
 * Return: bytes that came, 0: it said no; -1: it hung up.
 */
static int get(struct conn *c, uint32_t offset, uint32_t size, uint32_t payload,
	       struct wire_config *out)
{
	struct wire_config ask = { .offset = offset, .size = size };
	uint32_t got;

	if (!msg_send(c, GET_CONFIG, 0, &ask, CONFIG_SIZE(payload), NULL, 0) ||
	    !msg_receive(c, GET_CONFIG, out, sizeof(*out), &got))
		return -1;
	if (!got)
		return 0;
	expect(got >= CONFIG_SIZE(0), "a reply of %u bytes", got);
	return (int)(got - CONFIG_SIZE(0));
}

static uint64_t capacity(const struct wire_config *c)
{
	uint64_t sectors;

	memcpy(&sectors, c->data, sizeof(sectors));
	return le64toh(sectors);
}

static void read_all(struct world *w)
{
	struct wire_config whole, piece;
	struct conn c;
	uint32_t off;

	conn_open_hello(&c, w);
	expect(get(&c, 0, 60, 60, &whole) == 60, "60 bytes can't be read");
	expect(capacity(&whole) == w->image_size / SECTOR, "%llu sectors",
	       (unsigned long long)capacity(&whole));
	for (off = 0; off < 60; off += 4) {
		expect(get(&c, off, 4, 4, &piece) == 4, "4 bytes at %u can't be read", off);
		expect(piece.offset == off && piece.size == 4, "other bytes");
		expect(!memcmp(piece.data, whole.data + off, 4), "other content at %u", off);
	}
	conn_close(&c);
}

static void read_outside(struct world *w)
{
	static const struct {
		uint32_t offset;
		uint32_t size;
		uint32_t payload;
	} asks[] = {
		{ 0xffffff00, 256, 256 }, { 0xffffffff, 1, 1 }, { 0xffffffff, 256, 256 },
		{ 256, 1, 1 }, { 257, 4, 4 }, { 1, 256, 256 }, { 255, 2, 2 },
		{ 0x7fffffff, 256, 256 }, { 0x80000000, 256, 256 },
		/* sizes that are not the payload's */
		{ 0, 257, 257 }, { 0, 300, 300 }, { 0, 0xffffffff, 60 }, { 0, 0xfffffff4, 0 },
		{ 0, 60, 0 }, { 0, 60, 59 }, { 0, 59, 60 }, { 0, 0, 60 }, { 0, 256, 60 },
	};
	struct wire_config out;
	struct conn c;
	size_t i;

	for (i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		conn_open_hello(&c, w);
		expect(get(&c, asks[i].offset, asks[i].size, asks[i].payload, &out) <= 0,
		       "%u bytes at %#x are read", asks[i].size, asks[i].offset);
		conn_close(&c);
	}
}

/* What lies behind the device's own configuration is nobody's memory. */
static void read_behind(struct world *w)
{
	struct wire_config out;
	struct conn c;
	int n, i;

	conn_open_hello(&c, w);
	n = get(&c, 0, CONFIG_MAX, CONFIG_MAX, &out);
	for (i = 128; i < n; i++)
		expect(!out.data[i], "byte %d of the configuration is %#x", i, out.data[i]);
	conn_close(&c);
	conn_open_hello(&c, w);
	n = get(&c, 200, 56, 56, &out);
	for (i = 0; i < n; i++)
		expect(!out.data[i], "byte %d of the configuration is %#x", 200 + i, out.data[i]);
	conn_close(&c);
	conn_open_hello(&c, w);
	expect(get(&c, 0, 0, 0, &out) <= 0, "nothing was asked, something comes");
	conn_close(&c);
}

static void write_it(struct world *w)
{
	static const struct {
		uint32_t offset;
		uint32_t size;
		uint32_t payload;
	} writes[] = {
		{ 0, 8, 8 }, { 0, 60, 60 }, { 0xffffff00, 256, 256 }, { 0xffffffff, 1, 1 },
		{ 256, 4, 4 }, { 0, 257, 257 }, { 0, 0xffffffff, 8 }, { 8, 0, 8 }, { 32, 1, 1 },
		{ 0, 256, 8 }, { 255, 256, 256 },
	};
	struct wire_config out, in;
	struct conn c;
	size_t i;

	memset(&in, 0xff, sizeof(in));
	in.flags = 0;
	for (i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		conn_open_hello(&c, w);
		in.offset = writes[i].offset;
		in.size = writes[i].size;
		/* Whatever it says of it, the disk has the size that it has. */
		msg_ask(&c, SET_CONFIG, &in, CONFIG_SIZE(writes[i].payload), NULL, 0);
		conn_close(&c);
		conn_open_hello(&c, w);
		expect(get(&c, 0, 60, 60, &out) == 60, "60 bytes can't be read");
		expect(capacity(&out) == w->image_size / SECTOR, "the capacity has changed");
		conn_close(&c);
	}
}

static void features(struct world *w)
{
	uint64_t offered, protocol;
	struct conn c;
	int bit;

	conn_open_hello(&c, w);
	offered = msg_get_u64(&c, GET_FEATURES);
	protocol = msg_get_u64(&c, GET_PROTOCOL_FEATURES);
	conn_close(&c);
	for (bit = 0; bit < 64; bit++) {
		uint64_t f = c.features | 1ull << bit, p = c.protocol | 1ull << bit;

		conn_open_hello(&c, w);
		if (!(offered >> bit & 1))
			msg_must_not(&c, SET_FEATURES, &f, sizeof(f), NULL, 0);
		conn_close(&c);
		conn_open_hello(&c, w);
		if (!(protocol >> bit & 1))
			msg_must_not(&c, SET_PROTOCOL_FEATURES, &p, sizeof(p), NULL, 0);
		conn_close(&c);
	}
}

/* Other protocol features than those that the connection has, one more or one less. */
static void other_protocol(struct world *w)
{
	uint64_t offered, other;
	struct session s;
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		session_open(&s, w);
		offered = msg_get_u64(&s.c, GET_PROTOCOL_FEATURES);
		other = s.c.protocol ^ 1ull << bit;
		if (!(offered >> bit & 1)) {
			session_close(&s);
			continue;
		}
		/* That there is an answer shows that acknowledgements are not gone. */
		expect(msg_ask(&s.c, SET_PROTOCOL_FEATURES, &other, sizeof(other), NULL, 0) ==
		       ANSWER_ERROR, "protocol features %#llx after %#llx are not refused",
		       (unsigned long long)other, (unsigned long long)s.c.protocol);
		session_use(&s, w, 8, 1);
		/* Who does not ask, is told all the same. */
		expect(msg_send(&s.c, SET_PROTOCOL_FEATURES, 0, &other, sizeof(other), NULL, 0),
		       "the device hangs up");
		conn_await_close(&s.c);
		session_close(&s);
		guest_renew(w);
	}
}

/* The same once more; the next connection has what it says itself. */
static void same_protocol(struct world *w)
{
	uint64_t few = PF_REPLY_ACK;
	struct session s;
	struct conn c;

	session_open(&s, w);
	msg_must(&s.c, SET_PROTOCOL_FEATURES, &s.c.protocol, sizeof(s.c.protocol), NULL, 0);
	session_use(&s, w, 8, 1);
	msg_must(&s.c, RESET_DEVICE, NULL, 0, NULL, 0);
	expect(msg_ask(&s.c, SET_PROTOCOL_FEATURES, &few, sizeof(few), NULL, 0) == ANSWER_ERROR,
	       "a reset of the device is taken for a new connection");
	msg_must(&s.c, SET_PROTOCOL_FEATURES, &s.c.protocol, sizeof(s.c.protocol), NULL, 0);
	session_close(&s);
	/* The message that wants acknowledgements has one itself. */
	conn_open(&c, w);
	c.protocol = few;
	msg_must(&c, SET_PROTOCOL_FEATURES, &few, sizeof(few), NULL, 0);
	msg_must(&c, SET_OWNER, NULL, 0, NULL, 0);
	conn_close(&c);
	/* Without them there is none, whatever a message wants. */
	conn_open(&c, w);
	few = 0;
	expect(msg_send(&c, SET_PROTOCOL_FEATURES, FLAG_NEED_REPLY, &few, sizeof(few), NULL, 0) &&
	       msg_send(&c, SET_OWNER, FLAG_NEED_REPLY, NULL, 0, NULL, 0), "hangs up");
	msg_get_u64(&c, GET_FEATURES);
	conn_close(&c);
}

const struct hostile_case config_cases[] = {
	CASE("legal-config-read", read_all),
	CASE("config-read-outside", read_outside),
	CASE("config-read-behind", read_behind),
	CASE("config-write", write_it),
	CASE("config-features-not-offered", features),
	CASE("config-other-protocol", other_protocol, .writes = true),
	CASE("legal-config-same-protocol", same_protocol, .writes = true),
	CASES_END
};
