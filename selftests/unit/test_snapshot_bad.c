/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * snapshot.h: files that are cut short, damaged, or of another kind. Each is an
 * error, and guest memory stays as it was.
 */
#include "kselftest_harness.h"
#include <endian.h>
#include <sys/stat.h>
#include "scale.h"
#include "snap.h"

/* The library's own; its value for these bytes is known. */
uint32_t gm_crc32c(uint32_t crc, const void *data, uint64_t n);
uint32_t gm_crc32c_table(uint32_t crc, const void *data, uint64_t n);

TEST(checksum_is_crc32c)
{
	EXPECT_EQ(0xe3069283, gm_crc32c(0, "123456789", 9));
	EXPECT_EQ(0xe3069283, gm_crc32c(gm_crc32c(0, "12345678", 8), "9", 1));
	EXPECT_EQ(0xe3069283, gm_crc32c_table(0, "123456789", 9));
}

/* A file that one CPU wrote is read by another. */
TEST(checksum_is_the_same_with_and_without_the_cpus_help)
{
	uint64_t data[40];
	const uint8_t *bytes = (const uint8_t *)data;
	uint64_t wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		data[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (uint64_t at = 0; at < 9; at++)
		for (uint64_t n = 0; n < 300; n++)
			wrong += gm_crc32c((uint32_t)n, bytes + at, n) !=
				 gm_crc32c_table((uint32_t)n, bytes + at, n);
	EXPECT_EQ(0, wrong);
}

FIXTURE(bad) {
	struct guest g, into;
	struct gm_file *file;
	uint64_t size;
};

FIXTURE_SETUP(bad)
{
	guest_init(&self->g);
	guest_init(&self->into);
	self->file = snap_file();
	guest_fill(&self->g);
	snap_save(&self->g, self->file, 0);
	self->size = snap_size(self->file);
	memset(self->into.mem[0], 0xee, LEN0);
	memset(self->into.mem[1], 0xee, LEN1);
}

FIXTURE_TEARDOWN(bad)
{
	guest_exit(&self->g);
	guest_exit(&self->into);
	gm_file_put(self->file);
}

static int load(FIXTURE_DATA(bad) *self)
{
	struct gm_snapshot *s;
	int ret;

	ret = gm_snapshot_open(self->file, &s);
	if (ret)
		return ret;
	ret = gm_snapshot_load(s, self->into.m, 0, NULL, NULL);
	gm_snapshot_close(s);
	return ret;
}

static bool untouched(const FIXTURE_DATA(bad) *self)
{
	for (int i = 0; i < 2; i++)
		for (uint64_t k = 0; k < (i ? LEN1 : LEN0); k++)
			if (self->into.mem[i][k] != 0xee)
				return false;
	return true;
}

static void change(FIXTURE_DATA(bad) *self, uint64_t at, uint8_t by)
{
	uint8_t v;

	if (pread(gm_file_fd(self->file), &v, 1, (off_t)at) != 1)
		abort();
	v ^= by;
	if (pwrite(gm_file_fd(self->file), &v, 1, (off_t)at) != 1)
		abort();
}

/* Header, ranges and entries: each byte counts. */
TEST_F(bad, each_byte_before_the_data_is_checked)
{
	uint64_t table = 120 + 2 * 32, end = table + (2 + 4) * 16;
	uint64_t wrong = 0;

	for (uint64_t at = 0; at < end; at++) {
		change(self, at, 1 << at % 8);
		wrong += load(self) >= 0;
		change(self, at, 1 << at % 8);
	}
	EXPECT_EQ(0, wrong);
	EXPECT_TRUE(untouched(self));
	ASSERT_OK(load(self));
	EXPECT_TRUE(guest_same(&self->g, &self->into));
}

/* The data of pages that the file has; to load it, holes are not looked at. */
TEST_F(bad, each_byte_of_the_data_is_checked)
{
	uint64_t step = 997 * test_slowness(), wrong = 0;
	int fd = gm_file_fd(self->file);
	off_t at, end;

	for (at = 65536; (at = lseek(fd, at, SEEK_DATA)) >= 0; at = end) {
		end = lseek(fd, at, SEEK_HOLE);
		for (off_t i = at; i < end; i += (off_t)step) {
			uint8_t v;

			/* Behind the region's end there may be something. */
			if (pread(fd, &v, 1, i) != 1 || !v)
				continue;
			change(self, (uint64_t)i, 0x10);
			wrong += load(self) != -EBADMSG;
			change(self, (uint64_t)i, 0x10);
		}
	}
	EXPECT_EQ(0, wrong);
	EXPECT_TRUE(untouched(self));
}

static int verify(struct gm_file *f)
{
	struct gm_snapshot *s;
	int ret;

	MUST(gm_snapshot_open(f, &s));
	ret = gm_snapshot_verify(s, NULL, NULL);
	gm_snapshot_close(s);
	return ret;
}

/* A map of the file has what is there, and not what the table says. */
TEST_F(bad, pages_that_it_does_not_have_are_zeros)
{
	const uint64_t data0 = 65536, data1 = data0 + 5 * 65536;
	const struct { uint64_t at, told, len; } rows[] = {
		{ data0 + PAGE, data0 + PAGE, 4 * PAGE },
		{ data0 + 5 * PAGE - 1, data0 + PAGE, 4 * PAGE },
		{ data0 + 68 * PAGE, data0 + 64 * PAGE, 5 * PAGE },
		{ data1 + 3 * PAGE + 5, data1, 64 * PAGE },
		{ data1 + 191 * PAGE, data1 + 134 * PAGE, 58 * PAGE },
		/* The last byte of all, in a part of a page. */
		{ data1 + LEN1 - 1, data1 + 192 * PAGE, LEN1 - 192 * PAGE },
	};

	guest_put(&self->g, GPA1 + LEN1 - 5, 0, 5);
	snap_save(&self->g, self->file, 0);
	ASSERT_OK(verify(self->file));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		change(self, rows[i].at, 0x10);
		EXPECT_FAIL(verify(self->file), EBADMSG, GM_ERR_CHECKSUM, rows[i].told,
			    rows[i].len, 0, 0);
		change(self, rows[i].at, 0x10);
		/* Zeros that are no hole any more. */
		ASSERT_OK(verify(self->file));
	}
	/* What is behind the region is nobody's. */
	change(self, data1 + LEN1, 0x10);
	ASSERT_OK(verify(self->file));
	/* Loaded, they are zeros whatever is there. */
	change(self, data1, 0x10);
	ASSERT_OK(load(self));
	EXPECT_TRUE(guest_same(&self->g, &self->into));
	/* And a difference says nothing of them. */
	snap_save(&self->g, self->file, 1);
	change(self, data0 + PAGE, 0x10);
	ASSERT_OK(verify(self->file));
}

TEST_F(bad, file_that_is_cut_short)
{
	for (uint64_t size = self->size; size; size = size > 200 ? size - size / 7 - 1 : size - 1) {
		ASSERT_EQ(0, ftruncate(gm_file_fd(self->file), (off_t)size - 1));
		if (size - 1 >= 120) {
			EXPECT_FAIL(load(self), ERANGE, GM_ERR_FILE_RANGE, 0, self->size,
				    size - 1, 0);
		} else {
			EXPECT_FAIL_KIND(load(self), EINVAL, GM_ERR_NOT_SNAPSHOT);
		}
	}
	EXPECT_TRUE(untouched(self));
}

TEST_F(bad, file_that_gets_shorter_while_it_is_open)
{
	struct gm_snapshot *s;

	ASSERT_OK(gm_snapshot_open(self->file, &s));
	ASSERT_EQ(0, ftruncate(gm_file_fd(self->file), 65536));
	EXPECT_FAIL_KIND(gm_snapshot_verify(s, NULL, NULL), ERANGE, GM_ERR_FILE_RANGE);
	EXPECT_FAIL_KIND(gm_snapshot_load(s, self->into.m, 0, NULL, NULL), ERANGE,
			 GM_ERR_FILE_RANGE);
	EXPECT_TRUE(untouched(self));
	gm_snapshot_close(s);
}

/* At its end are zeros, of which it has nothing but the length. */
TEST_F(bad, file_that_loses_a_hole_while_it_is_open)
{
	struct gm_snapshot *s;
	struct stat st;
	int fd = gm_file_fd(self->file);

	guest_put(&self->g, GPA1 + LEN1 - 2 * PAGE, 0, 2 * PAGE);
	snap_save(&self->g, self->file, 0);
	ASSERT_OK(gm_snapshot_open(self->file, &s));
	ASSERT_OK(gm_snapshot_verify(s, NULL, NULL));
	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_EQ(0, ftruncate(fd, st.st_size - 1));
	EXPECT_FAIL_KIND(gm_snapshot_verify(s, NULL, NULL), ERANGE, GM_ERR_FILE_RANGE);
	gm_snapshot_close(s);
}

/* After it was found right: the second time is checked as the first. */
static int change_later(void *ctx, uint64_t done, uint64_t total)
{
	FIXTURE_DATA(bad) *self = ctx;

	if (done == total / 2)
		change(self, 65536 + 5 * 65536 + 64 * PAGE, 1);
	return 0;
}

TEST_F(bad, file_that_is_changed_while_it_is_loaded)
{
	struct gm_snapshot *s;

	ASSERT_OK(gm_snapshot_open(self->file, &s));
	EXPECT_FAIL_KIND(gm_snapshot_load(s, self->into.m, 0, change_later, self), EBADMSG,
			 GM_ERR_CHECKSUM);
	/* What was right is there; what is wrong, and all behind it, is not. */
	EXPECT_EQ(0, memcmp(self->into.mem[0], self->g.mem[0], LEN0));
	EXPECT_EQ(0xee, self->into.mem[1][64 * PAGE]);
	EXPECT_EQ(0xee, self->into.mem[1][LEN1 - 1]);
	gm_snapshot_close(s);
}

TEST_F(bad, foreign_files)
{
	struct gm_snapshot *s = NULL;
	struct gm_file *dir;

	ASSERT_OK(gm_file_new(open("/", O_RDONLY | O_CLOEXEC), &dir));
	EXPECT_FAIL(gm_snapshot_open(dir, &s), EINVAL, GM_ERR_NOT_SNAPSHOT, 0, 0, 0, 0);
	gm_file_put(dir);
	/* Another version. */
	change(self, 8, 3);
	EXPECT_FAIL(gm_snapshot_open(self->file, &s), EINVAL, GM_ERR_NOT_SNAPSHOT, 8, 0, 0, 0);
	change(self, 8, 3);
	change(self, 0, 3);
	EXPECT_FAIL(gm_snapshot_open(self->file, &s), EINVAL, GM_ERR_NOT_SNAPSHOT, 0, 0, 0, 0);
	change(self, 0, 3);
	/* Damaged, as the checksum says. */
	change(self, 24, 1);
	EXPECT_FAIL(gm_snapshot_open(self->file, &s), EBADMSG, GM_ERR_CHECKSUM, 0,
		    120 + 2 * 32, 0, 0);
	EXPECT_EQ(NULL, s);
}

#define HEAD (120 + 2 * 32)

/* Numbers that make no sense, with a checksum that is right. */
static void forge(FIXTURE_DATA(bad) *self, uint64_t at, uint64_t value)
{
	int fd = gm_file_fd(self->file);
	uint8_t head[HEAD];
	uint32_t crc = 0;

	if (pread(fd, head, HEAD, 0) != HEAD)
		abort();
	value = htole64(value);
	memcpy(head + at, &value, 8);
	memcpy(head + 12, &crc, 4);
	crc = htole32(gm_crc32c(0, head, HEAD));
	memcpy(head + 12, &crc, 4);
	if (pwrite(fd, head, HEAD, 0) != HEAD)
		abort();
}

TEST_F(bad, numbers_that_make_no_sense)
{
	const uint64_t range0 = 120, range1 = 152, size = self->size;
	const struct { uint64_t at, value, told; } rows[] = {
		{ 16, 0, 16 },				/* no id */
		{ 32, UINT64_MAX, 32 },			/* no file is so long */
		{ 40, HEAD + 8, 40 },			/* another table */
		{ 40, UINT64_MAX, 40 },
		{ 48, 65537, 48 },			/* regions */
		{ 48, 3, 40 },
		{ range0 + 8, 0, range0 },		/* no length */
		{ range0 + 8, UINT64_MAX, range0 },	/* past the file */
		{ range0, UINT64_MAX - 5, range0 },	/* past 2^64 */
		{ range0 + 16, 65537, range0 },		/* data anywhere */
		{ range0 + 16, UINT64_MAX & ~UINT64_C(65535), range0 },
		{ range0, GPA1, range1 },		/* two at one place */
		{ range0, GPA1 - LEN0 + 1, range1 },
		{ range0, GPA1 + 1, range1 },		/* not in order */
		{ range0 + 8, size - 65536, range1 },	/* more than the file has */
		{ range0 + 16, 0, range0 },		/* over the header */
		{ range1 + 16, 65536, range1 },		/* two at one place in the file */
		{ range1 + 24, 1, range1 },		/* unknown to this version */
		{ 48, UINT64_C(1) << 32 | 2, 52 },
		{ 56, 1, 56 },
		{ 112, UINT64_C(1) << 63, 112 },
	};
	struct gm_snapshot *s = NULL;
	uint8_t head[HEAD];
	uint64_t id;

	ASSERT_EQ(HEAD, pread(gm_file_fd(self->file), head, HEAD, 0));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		forge(self, rows[i].at, rows[i].value);
		EXPECT_FAIL(gm_snapshot_open(self->file, &s), EINVAL, GM_ERR_NOT_SNAPSHOT,
			    rows[i].told, 0, 0, 0);
		ASSERT_EQ(HEAD, pwrite(gm_file_fd(self->file), head, HEAD, 0));
	}
	/* A difference to itself. */
	memcpy(&id, head + 16, 8);
	forge(self, 24, le64toh(id));
	EXPECT_FAIL(gm_snapshot_open(self->file, &s), EINVAL, GM_ERR_NOT_SNAPSHOT, 16, 0, 0, 0);
	EXPECT_EQ(NULL, s);
}

TEST_F(bad, entries_of_one_snapshot_are_no_entries_of_another)
{
	struct gm_file *other = snap_file();
	uint64_t table = 120 + 2 * 32;
	uint8_t entry[16];

	snap_save(&self->g, other, 0);
	ASSERT_EQ(16, pread(gm_file_fd(other), entry, 16, (off_t)table));
	ASSERT_EQ(16, pwrite(gm_file_fd(self->file), entry, 16, (off_t)table));
	EXPECT_FAIL(load(self), EBADMSG, GM_ERR_CHECKSUM, table, 16, 0, 0);
	/* Nor is one entry another. */
	snap_save(&self->g, self->file, 0);
	ASSERT_EQ(16, pread(gm_file_fd(self->file), entry, 16, (off_t)table));
	ASSERT_EQ(16, pwrite(gm_file_fd(self->file), entry, 16, (off_t)table + 16));
	EXPECT_FAIL(load(self), EBADMSG, GM_ERR_CHECKSUM, table + 16, 16, 0, 0);
	EXPECT_TRUE(untouched(self));
	gm_file_put(other);
}

TEST_HARNESS_MAIN
