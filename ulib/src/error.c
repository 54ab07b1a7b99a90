/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * error.c - the calling thread's last failure, and its text.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <guestmem/error.h>

#include "internal.h"

/* Initial exec: no call and no allocation on access, also in a shared library
 * that is loaded late (it is small enough for the reserve).
 */
static __thread struct gm_error last
	__attribute__((tls_model("initial-exec")));

static __thread uint64_t failures
	__attribute__((tls_model("initial-exec")));

const struct gm_error *gm_error_last(void)
{
	return &last;
}

uint64_t gm_error_count(void)
{
	return failures;
}

void gm_error_clear(void)
{
	memset(&last, 0, sizeof(last));
}

int gm_error_set_counts(int err, enum gm_error_kind kind, uint64_t addr,
			uint64_t len, uint64_t expected, uint64_t completed)
{
	failures++;
	last.kind = kind;
	last.err = err;
	last.addr = addr;
	last.len = len;
	last.expected = expected;
	last.completed = completed;
	last.name[0] = 0;
	return err;
}

int gm_error_set(int err, enum gm_error_kind kind, uint64_t addr, uint64_t len)
{
	return gm_error_set_counts(err, kind, addr, len, 0, 0);
}

int gm_error_set_name(int err, enum gm_error_kind kind, uint64_t addr,
		      uint64_t len, const char *name)
{
	gm_error_set_counts(err, kind, addr, len, 0, 0);
	gm_name_copy(last.name, name);
	return err;
}

void gm_error_restore(const struct gm_error *e)
{
	last = *e;
}

void gm_name_copy(char to[GM_NAME_SIZE], const char *from)
{
	size_t n = from ? strnlen(from, GM_NAME_SIZE - 1) : 0;

	if (n)
		memcpy(to, from, n);
	to[n] = 0;
}

/* What the values of a kind are called in its text; NULL: not shown. */
static const struct gm_error_text {
	const char *name;
	const char *addr;
	const char *len;
	const char *expected;
	const char *completed;
} texts[] = {
	[GM_ERR_NONE] = { "no error", NULL, NULL, NULL, NULL },
	[GM_ERR_GUEST_ADDR] = { "no guest memory at this address",
		"gpa", NULL, NULL, NULL },
	[GM_ERR_GUEST_OVERFLOW] = { "guest range passes 2^64",
		"gpa", "len", NULL, NULL },
	[GM_ERR_OUT_OF_BOUNDS] = { "out of bounds",
		"offset", "len", "size", NULL },
	[GM_ERR_OVERFLOW] = { "sum overflows", "a", "b", NULL, NULL },
	[GM_ERR_TOO_BIG] = { "product overflows", "count", "size", NULL,
		NULL },
	[GM_ERR_MISALIGNED] = { "misaligned", "addr", "align", NULL, NULL },
	[GM_ERR_PARTIAL] = { "cut short",
		"at", NULL, "expected", "completed" },
	[GM_ERR_IO] = { "I/O error", "at", "len", NULL, NULL },
	[GM_ERR_UNEXPECTED_END] = { "source ended early",
		"at", NULL, "expected", "completed" },
	[GM_ERR_WRITE_ZERO] = { "sink takes no more",
		"at", NULL, "expected", "completed" },
	[GM_ERR_BACKEND_RANGE] = { "backend gave another range than asked for",
		"offset", "len", "expected", "completed" },
	[GM_ERR_NO_HOST_ADDR] = { "guest memory has no host address",
		"at", "len", NULL, NULL },
	[GM_ERR_CALLBACK_RANGE] = { "callback claims more than it was given",
		"gpa", NULL, "expected", "completed" },
	[GM_ERR_PERMISSION] = { "access not allowed", "at", "len", NULL,
		NULL },
	[GM_ERR_FRAGMENTED] = { "not in one piece",
		"gpa", "len", NULL, "first" },
	[GM_ERR_ARRAY_SMALL] = { "array too small",
		NULL, NULL, "needed", "room" },
	[GM_ERR_NO_REGION] = { "no such region", "gpa", "len", NULL, NULL },
	[GM_ERR_OVERLAP] = { "regions overlap", "gpa", "len", NULL, NULL },
	[GM_ERR_UNSORTED] = { "regions not in order of address",
		"gpa", "len", NULL, NULL },
	[GM_ERR_ZERO_LENGTH] = { "length is 0", "at", NULL, NULL, NULL },
	[GM_ERR_POINTER] = { "host address not aligned to a page",
		"addr", NULL, NULL, NULL },
	[GM_ERR_MAP_FIXED] = { "MAP_FIXED is refused", NULL, NULL, NULL,
		NULL },
	[GM_ERR_MMAP] = { "mmap failed", NULL, "len", NULL, NULL },
	[GM_ERR_FILE_RANGE] = { "file too short",
		"offset", "len", "size", NULL },
	[GM_ERR_OPTION] = { "option refused", "option", NULL, NULL, NULL },
	[GM_ERR_NUMA] = { "no such NUMA node", "node", NULL, NULL, NULL },
	[GM_ERR_HUGE] = { "not enough huge pages", NULL, "len", NULL, NULL },
	[GM_ERR_MEMORY] = { "out of memory", NULL, "len", NULL, NULL },
	[GM_ERR_ORDER] = { "wrong memory order", "order", NULL, NULL, NULL },
	[GM_ERR_SIZE] = { "wrong size", "size", NULL, NULL, NULL },
	[GM_ERR_FAULT] = { "memory behind the region went away",
		"gpa", "len", NULL, NULL },
	[GM_ERR_HELD] = { "memory is in use",
		"offset", "len", NULL, NULL },
	[GM_ERR_NO_MODULE] = { "no kernel module",
		NULL, NULL, NULL, NULL },
	[GM_ERR_NO_DEVICE] = { "device not bound to the kernel module",
		NULL, NULL, NULL, NULL },
	[GM_ERR_NOT_PERMITTED] = { "not permitted",
		NULL, NULL, NULL, NULL },
	[GM_ERR_POLICY] = { "kernel module gives no memory to this device",
		"at", "len", NULL, NULL },
	[GM_ERR_MEMLOCK] = { "limit of locked memory",
		NULL, "len", "limit", "locked" },
	[GM_ERR_NOT_PINNED] = { "no memory of the kernel module's",
		"gpa", "len", NULL, NULL },
	[GM_ERR_REVOKED] = { "memory was revoked", "gpa", "len", NULL, NULL },
	[GM_ERR_NO_DMA] = { "not mapped for the device",
		"gpa", "len", NULL, NULL },
	[GM_ERR_DEADLOCK] = { "would wait for itself", NULL, NULL, NULL, NULL },
	[GM_ERR_NOT_LOCKED] = { "space not locked", NULL, NULL, NULL, NULL },
	[GM_ERR_IOTLB_MISS] = { "not in the IOTLB", "iova", "len", NULL,
		NULL },
	[GM_ERR_IOVA] = { "IOMMU has no translation", "iova", "len", NULL,
		NULL },
	[GM_ERR_IOMMU_CONFIG] = { "IOMMU is not set up", NULL, NULL, NULL,
		NULL },
	[GM_ERR_SECTION] = { "only inside a section",
		"iova", "len", NULL, NULL },
	[GM_ERR_NOT_SNAPSHOT] = { "not a snapshot",
		"offset", NULL, NULL, NULL },
	[GM_ERR_CHECKSUM] = { "wrong checksum",
		"offset", "len", NULL, NULL },
	[GM_ERR_SNAPSHOT_BASE] = { "difference to another snapshot",
		NULL, NULL, "base", "given" },
	[GM_ERR_XEN_FLAGS] = { "Xen flags that do not go together",
		"flags", NULL, NULL, NULL },
	[GM_ERR_XEN_PAGE] = { "no page of the Xen domain",
		"gpa", "len", "domain", NULL },
	[GM_ERR_SYSTEM] = { "not on this system", NULL, NULL, NULL, NULL },
	[GM_ERR_XEN_GRANT] = { "no grant of the Xen domain",
		"ref", "count", "domain", NULL },
};

/* What the name in a failure of this kind is. */
static const char *subject(enum gm_error_kind kind)
{
	switch (kind) {
	case GM_ERR_HELD:
		return "by";
	case GM_ERR_MEMORY:
	case GM_ERR_NO_DEVICE:
	case GM_ERR_POLICY:
	case GM_ERR_NO_DMA:
		return "device";
	case GM_ERR_NO_MODULE:
	case GM_ERR_NOT_PERMITTED:
		return "file";
	default:
		return "name";
	}
}

const char *gm_error_kind_name(enum gm_error_kind kind)
{
	if ((size_t)kind >= sizeof(texts) / sizeof(texts[0]))
		return "unknown";
	return texts[kind].name;
}

struct line {
	char *buf;
	size_t size;
	size_t len;
};

/* snprintf at the end of a line that may be cut. */
static void __attribute__((format(printf, 2, 3)))
line_add(struct line *l, const char *fmt, ...)
{
	size_t room = l->len < l->size ? l->size - l->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? l->buf + l->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n;
}

static void line_add_value(struct line *l, const char *name, uint64_t value,
			   bool hex)
{
	if (!name)
		return;
	if (hex)
		line_add(l, ", %s 0x%" PRIx64, name, value);
	else
		line_add(l, ", %s %" PRIu64, name, value);
}

int gm_error_format(const struct gm_error *e, char *buf, size_t size)
{
	static const struct gm_error_text unknown = { NULL, "addr", "len",
						      "expected", "completed" };
	struct line l = { buf, size, 0 };
	const struct gm_error_text *t = &unknown;

	if ((size_t)e->kind < sizeof(texts) / sizeof(texts[0]))
		t = &texts[e->kind];
	line_add(&l, "%s", gm_error_kind_name(e->kind));
	line_add_value(&l, t->addr, e->addr, true);
	line_add_value(&l, t->len, e->len, true);
	line_add_value(&l, t->expected, e->expected, false);
	line_add_value(&l, t->completed, e->completed, false);
	if (e->name[0])
		line_add(&l, ", %s %.*s", subject(e->kind), GM_NAME_SIZE,
			 e->name);
	if (e->err)
		line_add(&l, ": %s", gm_os_strerror(-e->err));
	return (int)l.len;
}
