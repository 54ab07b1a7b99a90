/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fuzz_snapshot.c - snapshots that somebody else has made: header, ranges and
 * table of pages are changed as the input says, with checksums put right or not,
 * and the file is cut. Whatever it says, what can't be loaded changes nothing, and
 * nothing outside of guest memory is touched.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <guestmem.h>

#include "../../ulib/src/snapshot_private.h"
#include "input.h"

#define PAGE 4096
#define LEN0 (3 * PAGE)
#define LEN1 (66 * PAGE + 9)
#define GPA1 (UINT64_C(1) << 32)
#define DATA0 65536
#define DATA1 (2 * 65536)
#define HEAD (120 + 2 * 32 + 3 * 16)

static const struct gm_range ranges[] = { { 0, LEN0 }, { GPA1, LEN1 } };

static struct {
	struct gm_map *map;
	uint8_t *mem[2];
	struct gm_file *file;
	uint8_t *image;		/* of a good snapshot */
	size_t size;
	uint8_t untouched[LEN1];
} f;

static void setup(void)
{
	uint64_t id;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	CHECK(fd >= 0 && !gm_file_new(fd, &f.file));
	CHECK(!gm_map_new_mmap(ranges, NULL, 2, &f.map));
	for (int i = 0; i < 2; i++)
		f.mem[i] = gm_map_region(f.map, (size_t)i)->ext.host;
	memset(f.mem[0] + PAGE, 1, PAGE);
	memset(f.mem[1] + 65 * PAGE, 2, PAGE + 9);
	CHECK(!gm_snapshot_save(f.map, fd, NULL, &id));
	f.size = (size_t)lseek(fd, 0, SEEK_END);
	f.image = malloc(f.size);
	memset(f.untouched, 0xee, LEN1);
	CHECK(f.image && pread(fd, f.image, f.size, 0) == (ssize_t)f.size);
}

/* Make checksums of header and entries right, as far as there are such. */
static void put_right(uint8_t *head)
{
	struct snap_header h;
	struct snap_entry e;
	uint64_t table;

	memcpy(&h, head, sizeof(h));
	table = le64toh(h.table);
	for (uint64_t i = 0; i < 3; i++) {
		uint8_t *at = head + 120 + 2 * 32 + i * 16;

		memcpy(&e, at, sizeof(e));
		e.crc = htole32(gm_snap_entry_crc(le64toh(h.id), i, &e));
		memcpy(at, &e, sizeof(e));
	}
	if (table > HEAD)
		return;
	h.crc = 0;
	memcpy(head, &h, sizeof(h));
	h.crc = htole32(gm_crc32c(0, head, table));
	memcpy(head, &h, sizeof(h));
}

static void put_page(uint64_t at, size_t n)
{
	CHECK(pwrite(gm_file_fd(f.file), f.image + at, n, (off_t)at) == (ssize_t)n);
}

static void make_file(struct input *in)
{
	int fd = gm_file_fd(f.file);
	uint8_t head[HEAD];
	uint8_t how = input_u8(in);
	uint64_t size = f.size;

	memcpy(head, f.image, HEAD);
	while (!input_is_empty(in)) {
		uint64_t at = input_u8(in) % (HEAD / 8), v = htole64(input_number(in));

		memcpy(head + at * 8, &v, 8);
	}
	/* The last page is there, and the table does not say so. */
	if (how & 4)
		memset(head + HEAD - 16, 0, 16);
	if (how & 1)
		put_right(head);
	if (how & 2)
		size = how * 7919u % f.size;
	CHECK(!ftruncate(fd, 0));
	CHECK(!ftruncate(fd, (off_t)size));
	CHECK(pwrite(fd, head, HEAD < size ? HEAD : size, 0) > 0 || !size);
	if (size == f.size) {
		put_page(DATA0 + PAGE, PAGE);
		put_page(DATA1 + 65 * PAGE, PAGE + 9);
	}
}

static bool untouched(void)
{
	return !memcmp(f.mem[0], f.untouched, LEN0) && !memcmp(f.mem[1], f.untouched, LEN1);
}

/* Has the memory what is mapped? No region is of two of its regions. */
static bool is_loaded(const struct gm_map *m)
{
	for (size_t i = 0; i < gm_map_count(m); i++) {
		const struct gm_region *r = gm_map_region(m, i);
		const struct gm_region *into = gm_map_find(f.map, gm_gpa(r->ext.base));

		if (memcmp(r->ext.host, into->ext.host + (r->ext.base - into->ext.base),
			   r->ext.len))
			return false;
	}
	return true;
}

static void use(struct gm_snapshot *s)
{
	struct gm_range range;
	struct gm_map *m;
	int ret;

	for (size_t i = 0; i < gm_snapshot_count(s); i++) {
		CHECK(!gm_snapshot_range(s, i, &range));
		CHECK(range.len && range.len - 1 <= UINT64_MAX - gm_gpa_raw(range.gpa));
	}
	ret = gm_snapshot_load(s, f.map, gm_snapshot_base(s), NULL, NULL);
	if (ret)
		CHECK(untouched());
	if (!gm_snapshot_new_map(s, NULL, &m)) {
		CHECK(gm_map_count(m) == gm_snapshot_count(s));
		if (!ret && !gm_snapshot_verify(s, NULL, NULL))
			CHECK(is_loaded(m));
		gm_map_put(m);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct gm_snapshot *s;

	if (!f.map)
		setup();
	make_file(&in);
	memset(f.mem[0], 0xee, LEN0);
	memset(f.mem[1], 0xee, LEN1);
	if (gm_snapshot_open(f.file, &s)) {
		CHECK(untouched());
		return 0;
	}
	use(s);
	gm_snapshot_close(s);
	return 0;
}
