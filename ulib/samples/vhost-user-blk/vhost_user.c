/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost_user.c - which messages are well-formed.
 *
 * One table says it all, so that a handler in backend.c never has to ask how
 * long its payload is or how many descriptors came with it.
 */
#include <errno.h>

#include "log.h"
#include "vhost_user.h"

struct shape {
	const char *name;
	uint32_t size;		/* payload bytes; with @variable: the fewest */
	bool variable;		/* the payload tells the rest, see exact_size() */
	bool reply;
	uint8_t min_fds;
	uint8_t max_fds;
};

static const struct shape shapes[VU_REQUESTS] = {
	[VU_GET_FEATURES] = { .name = "GET_FEATURES", .reply = true },
	[VU_SET_FEATURES] = { .name = "SET_FEATURES", .size = sizeof(uint64_t) },
	[VU_SET_OWNER] = { .name = "SET_OWNER" },
	[VU_RESET_OWNER] = { .name = "RESET_OWNER" },
	[VU_SET_MEM_TABLE] = { .name = "SET_MEM_TABLE", .variable = true, .max_fds = VU_MAX_FDS,
			       .size = offsetof(struct vu_mem_table, regions) },
	[VU_SET_LOG_BASE] = { .name = "SET_LOG_BASE", .size = sizeof(struct vu_log), .reply = true,
			      .min_fds = 1, .max_fds = 1 },
	[VU_SET_LOG_FD] = { .name = "SET_LOG_FD", .min_fds = 1, .max_fds = 1 },
	[VU_SET_VRING_NUM] = { .name = "SET_VRING_NUM", .size = sizeof(struct vu_vring_state) },
	[VU_SET_VRING_ADDR] = { .name = "SET_VRING_ADDR", .size = sizeof(struct vu_vring_addr) },
	[VU_SET_VRING_BASE] = { .name = "SET_VRING_BASE", .size = sizeof(struct vu_vring_state) },
	[VU_GET_VRING_BASE] = { .name = "GET_VRING_BASE", .size = sizeof(struct vu_vring_state),
				.reply = true },
	[VU_SET_VRING_KICK] = { .name = "SET_VRING_KICK", .size = sizeof(uint64_t), .max_fds = 1 },
	[VU_SET_VRING_CALL] = { .name = "SET_VRING_CALL", .size = sizeof(uint64_t), .max_fds = 1 },
	[VU_SET_VRING_ERR] = { .name = "SET_VRING_ERR", .size = sizeof(uint64_t), .max_fds = 1 },
	[VU_GET_PROTOCOL_FEATURES] = { .name = "GET_PROTOCOL_FEATURES", .reply = true },
	[VU_SET_PROTOCOL_FEATURES] = { .name = "SET_PROTOCOL_FEATURES", .size = sizeof(uint64_t) },
	[VU_GET_QUEUE_NUM] = { .name = "GET_QUEUE_NUM", .reply = true },
	[VU_SET_VRING_ENABLE] = { .name = "SET_VRING_ENABLE",
				  .size = sizeof(struct vu_vring_state) },
	[VU_SET_BACKEND_REQ_FD] = { .name = "SET_BACKEND_REQ_FD", .min_fds = 1, .max_fds = 1 },
	[VU_IOTLB_MSG] = { .name = "IOTLB_MSG", .size = sizeof(struct vu_iotlb) },
	[VU_GET_CONFIG] = { .name = "GET_CONFIG", .size = VU_CONFIG_HEADER, .variable = true,
			    .reply = true },
	[VU_SET_CONFIG] = { .name = "SET_CONFIG", .size = VU_CONFIG_HEADER, .variable = true },
	[VU_GET_INFLIGHT_FD] = { .name = "GET_INFLIGHT_FD", .size = sizeof(struct vu_inflight),
				 .reply = true },
	[VU_SET_INFLIGHT_FD] = { .name = "SET_INFLIGHT_FD", .size = sizeof(struct vu_inflight),
				 .min_fds = 1, .max_fds = 1 },
	[VU_RESET_DEVICE] = { .name = "RESET_DEVICE" },
	[VU_GET_MAX_MEM_SLOTS] = { .name = "GET_MAX_MEM_SLOTS", .reply = true },
	[VU_ADD_MEM_REG] = { .name = "ADD_MEM_REG", .size = sizeof(struct vu_mem_reg),
			     .min_fds = 1, .max_fds = 1 },
	/* Some front-ends send the descriptor again. It says nothing. */
	[VU_REM_MEM_REG] = { .name = "REM_MEM_REG", .size = sizeof(struct vu_mem_reg),
			     .max_fds = 1 },
};

/* The row of a request; NULL: this device does not know it. */
static const struct shape *shape_of(uint32_t request)
{
	if (request >= VU_REQUESTS || !shapes[request].name)
		return NULL;
	return &shapes[request];
}

const char *vu_name(uint32_t request)
{
	const struct shape *s = shape_of(request);

	return s ? s->name : "unknown request";
}

bool vu_has_reply(uint32_t request)
{
	const struct shape *s = shape_of(request);

	return s && s->reply;
}

int vu_check_header(const struct vu_header *h)
{
	if ((h->flags & VU_VERSION_MASK) != VU_VERSION)
		return because(-EPROTO, "message of version %u", h->flags & VU_VERSION_MASK);
	if (h->flags & VU_REPLY)
		return because(-EPROTO, "a reply that nobody asked for");
	if (h->size > sizeof(union vu_payload))
		return because(-EPROTO, "%s with a payload of %u bytes", vu_name(h->request),
			       h->size);
	return 0;
}

/*
 * Bytes that a payload must have, going by what its first @s->size bytes say.
 * 64 bits wide, so that no count of a peer's can make it wrap.
 */
static uint64_t exact_size(const struct shape *s, uint32_t request, const union vu_payload *p)
{
	if (!s->variable)
		return s->size;
	if (request == VU_SET_MEM_TABLE)
		return s->size + (uint64_t)p->table.count * sizeof(struct vu_region);
	return s->size + (uint64_t)p->config.size;
}

int vu_check(const struct vu_header *h, const union vu_payload *p, int nfds)
{
	const struct shape *s = shape_of(h->request);
	int min_fds, max_fds, err;

	err = vu_check_header(h);
	if (err)
		return err;
	if (!s)
		return because(-EOPNOTSUPP, "unknown request %u", h->request);
	if (h->size < s->size || h->size != exact_size(s, h->request, p))
		return because(-EMSGSIZE, "%s with a payload of %u bytes", s->name, h->size);
	min_fds = s->min_fds;
	max_fds = s->max_fds;
	if (h->request == VU_SET_MEM_TABLE) {
		min_fds = (int)p->table.count;
		max_fds = min_fds;
	} else if (h->request == VU_SET_VRING_KICK || h->request == VU_SET_VRING_CALL ||
		   h->request == VU_SET_VRING_ERR) {
		min_fds = p->u64 & VU_VRING_NOFD ? 0 : 1;
		max_fds = min_fds;
	}
	if (nfds < min_fds || nfds > max_fds)
		return because(-EBADF, "%s with %d file descriptors", s->name, nfds);
	return 0;
}
