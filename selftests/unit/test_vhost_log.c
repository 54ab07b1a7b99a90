/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: tsan */
/*
 * vhost_log.h: a log as the vhost-user specification has it, hostile files, and a
 * front-end that takes bits in a process of its own.
 */
/* gm-test: linux */
#include "kselftest_harness.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <guestmem.h>
#include "expect.h"
#include "scale.h"

#define SYSTEM_PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define PAGE UINT64_C(4096)

/* A log and the front-end's own mapping of it. */
struct shared {
	struct gm_file *file;
	struct gm_vhost_log *log;
	uint8_t *bytes;
	uint64_t file_size;
};

static void make(struct __test_metadata *_metadata, struct shared *s, uint64_t off,
		 uint64_t size, uint64_t file_size)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, (off_t)file_size));
	s->bytes = mmap(NULL, file_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, s->bytes);
	s->file_size = file_size;
	ASSERT_OK(gm_file_new(fd, &s->file));
	ASSERT_OK(gm_vhost_log_new(s->file, off, size, &s->log));
}

static void destroy(struct shared *s)
{
	gm_vhost_log_put(s->log);
	gm_file_put(s->file);
	munmap(s->bytes, s->file_size);
}

/* Exactly the bits of pages [first, last] are set; they are cleared. */
static bool only(struct shared *s, uint64_t first, uint64_t last)
{
	bool ok = true;

	for (uint64_t i = 0; i < s->file_size * 8; i++) {
		bool is = s->bytes[i / 8] >> (i % 8) & 1;

		ok &= is == (i >= first && i <= last);
	}
	memset(s->bytes, 0, s->file_size);
	return ok;
}

TEST(page_is_a_bit_of_a_byte_as_specified)
{
	struct shared s;

	make(_metadata, &s, 0, 128, 128);
	for (uint64_t page = 0; page < 128 * 8; page++) {
		gm_vhost_log_mark(s.log, gm_gpa(page * PAGE + page), 1);
		EXPECT_EQ(1 << page % 8, s.bytes[page / 8]);
		EXPECT_TRUE(gm_vhost_log_test(s.log, gm_gpa(page * PAGE)));
		EXPECT_FALSE(gm_vhost_log_test(s.log, gm_gpa((page + 1) * PAGE)));
		s.bytes[page / 8] = 0;
	}
	EXPECT_FALSE(gm_vhost_log_test(s.log, gm_gpa(UINT64_MAX)));
	destroy(&s);
}

TEST(ranges_are_marked_exactly_and_what_is_outside_is_ignored)
{
	static const struct { uint64_t gpa, len, first, last; } rows[] = {
		{ 0, 1, 0, 0 }, { 4095, 2, 0, 1 }, { 3 * PAGE, 100 * PAGE, 3, 102 },
		{ 64 * PAGE, 64 * PAGE, 64, 127 }, { 60 * PAGE, 1000 * PAGE, 60, 1059 },
		{ 0, UINT64_MAX, 0, 8191 }, { 8190 * PAGE, UINT64_MAX, 8190, 8191 },
		{ 8192 * PAGE, 1, 1, 0 }, { UINT64_MAX, 5, 1, 0 }, { 5, 0, 1, 0 },
	};
	struct shared s;

	make(_metadata, &s, 0, 1024, 1024);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		gm_vhost_log_mark(s.log, gm_gpa(rows[i].gpa), rows[i].len);
		EXPECT_TRUE(only(&s, rows[i].first, rows[i].last));
	}
	destroy(&s);
}

/* What follows a log in the file is somebody else's. */
TEST(log_of_any_size_leaves_what_follows_alone)
{
	for (uint64_t size = 1; size <= 20; size++) {
		struct shared s;

		make(_metadata, &s, 0, size, 64);
		gm_vhost_log_mark(s.log, gm_gpa(0), UINT64_MAX);
		EXPECT_TRUE(only(&s, 0, size * 8 - 1));
		gm_vhost_log_mark(s.log, gm_gpa((size * 8 - 1) * PAGE), 2 * PAGE);
		EXPECT_TRUE(only(&s, size * 8 - 1, size * 8 - 1));
		destroy(&s);
	}
}

TEST(log_begins_at_its_offset)
{
	struct shared s;

	make(_metadata, &s, SYSTEM_PAGE, 16, SYSTEM_PAGE + 16);
	gm_vhost_log_mark(s.log, gm_gpa(0), UINT64_MAX);
	EXPECT_TRUE(only(&s, SYSTEM_PAGE * 8, SYSTEM_PAGE * 8 + 127));
	destroy(&s);
}

TEST(what_a_hostile_front_end_sends_is_refused)
{
	struct gm_vhost_log *log = NULL;
	struct gm_file *file;
	int fd = memfd_create("log", MFD_CLOEXEC);

	ASSERT_EQ(0, ftruncate(fd, (off_t)SYSTEM_PAGE));
	ASSERT_OK(gm_file_new(fd, &file));
	EXPECT_FAIL_KIND(gm_vhost_log_new(file, 0, 0, &log), EINVAL, GM_ERR_ZERO_LENGTH);
	EXPECT_FAIL_KIND(gm_vhost_log_new(file, 8, 8, &log), EINVAL, GM_ERR_MISALIGNED);
	EXPECT_FAIL_KIND(gm_vhost_log_new(file, 0, SYSTEM_PAGE + 1, &log), ERANGE,
			 GM_ERR_FILE_RANGE);
	EXPECT_FAIL_KIND(gm_vhost_log_new(file, SYSTEM_PAGE, 1, &log), ERANGE,
			 GM_ERR_FILE_RANGE);
	EXPECT_FAIL_KIND(gm_vhost_log_new(file, -SYSTEM_PAGE, 2 * SYSTEM_PAGE, &log), EOVERFLOW,
			 GM_ERR_OVERFLOW);
	EXPECT_FAIL_KIND(gm_vhost_log_new(file, 0, UINT64_MAX, &log), EOVERFLOW,
			 GM_ERR_OVERFLOW);
	EXPECT_EQ(NULL, log);
	gm_file_put(file);
}

TEST(files_that_are_no_log_are_refused)
{
	struct gm_vhost_log *log = NULL;
	struct gm_file *file;
	char path[64];
	int fd = memfd_create("log", MFD_CLOEXEC);

	/* One that can't be written. */
	ASSERT_EQ(0, ftruncate(fd, (off_t)SYSTEM_PAGE));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ASSERT_OK(gm_file_new(open(path, O_RDONLY | O_CLOEXEC), &file));
	EXPECT_FAIL_KIND(gm_vhost_log_new(file, 0, SYSTEM_PAGE, &log), EACCES, GM_ERR_MMAP);
	gm_file_put(file);
	close(fd);
	ASSERT_OK(gm_file_new(eventfd(0, EFD_CLOEXEC), &file));
	EXPECT_FAIL_KIND(gm_vhost_log_new(file, 0, SYSTEM_PAGE, &log), ENODEV, GM_ERR_MMAP);
	gm_file_put(file);
	/* More than there are addresses for; s390x has all 64 bits of them. */
#ifdef __s390x__
	return;
#endif
	fd = memfd_create("log", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(fd, INT64_MAX));
	ASSERT_OK(gm_file_new(fd, &file));
	EXPECT_FAIL_KIND(gm_vhost_log_new(file, 0, UINT64_C(1) << 62, &log),
			 RUNNING_ON_VALGRIND ? EINVAL : ENOMEM, GM_ERR_MMAP);
	EXPECT_EQ(NULL, log);
	gm_file_put(file);
}

TEST(region_may_begin_anywhere_in_a_log)
{
	struct gm_bitmap *bm;
	struct shared s;

	make(_metadata, &s, 0, 1024, 1024);
	/* 37 is no multiple of 64, nor of 8; the end is the log's last page. */
	ASSERT_OK(gm_vhost_log_bitmap(s.log, gm_gpa(37 * PAGE), (8192 - 37) * PAGE, &bm));
	EXPECT_EQ(NULL, bm->hot);
	gm_bitmap_mark(bm, 0, 1);
	EXPECT_TRUE(gm_bitmap_test(bm, 100));
	EXPECT_FALSE(gm_bitmap_test(bm, PAGE));
	EXPECT_FALSE(gm_bitmap_test(bm, (8192 - 37) * PAGE));
	EXPECT_TRUE(only(&s, 37, 37));
	gm_bitmap_mark(bm, 10 * PAGE, 300 * PAGE);
	EXPECT_TRUE(only(&s, 47, 346));
	gm_bitmap_mark(bm, 0, UINT64_MAX);
	EXPECT_TRUE(only(&s, 37, 8191));
	gm_bitmap_mark(bm, (8192 - 37) * PAGE, PAGE);
	EXPECT_TRUE(only(&s, 1, 0));
	gm_bitmap_put(bm);
	/* A region marks nothing behind its own end. */
	ASSERT_OK(gm_vhost_log_bitmap(s.log, gm_gpa(PAGE), PAGE, &bm));
	gm_bitmap_mark(bm, 0, 10 * PAGE);
	EXPECT_TRUE(only(&s, 1, 1));
	gm_bitmap_put(bm);
	destroy(&s);
}

TEST(log_smaller_than_memory_is_an_error)
{
	struct gm_bitmap *bm = NULL;
	struct shared s;

	make(_metadata, &s, 0, 8, 8);
	EXPECT_FAIL(gm_vhost_log_bitmap(s.log, gm_gpa(60 * PAGE), 4 * PAGE + 1, &bm), ERANGE,
		    GM_ERR_OUT_OF_BOUNDS, 7, 2, 8, 0);
	EXPECT_FAIL_KIND(gm_vhost_log_bitmap(s.log, gm_gpa(UINT64_MAX), 2, &bm), EOVERFLOW,
			 GM_ERR_GUEST_OVERFLOW);
	EXPECT_FAIL_KIND(gm_vhost_log_bitmap(s.log, gm_gpa(0), 0, &bm), EINVAL,
			 GM_ERR_ZERO_LENGTH);
	EXPECT_EQ(NULL, bm);
	ASSERT_OK(gm_vhost_log_bitmap(s.log, gm_gpa(60 * PAGE), 4 * PAGE, &bm));
	gm_bitmap_put(bm);
	destroy(&s);
}

static const struct gm_range ranges[] = { { 0, 0x3000 }, { 0x25000, 0x2000 } };

/* A device changes to the logged map, and back: nothing else changes. */
TEST(logged_map_marks_what_is_written)
{
	struct gm_map *m, *logged;
	struct gm_view view;
	struct shared s;

	make(_metadata, &s, 0, 16, 16);
	ASSERT_OK(gm_map_new_mmap(ranges, NULL, 2, &m));
	ASSERT_OK(gm_vhost_log_map(s.log, m, &logged));
	gm_vhost_log_put(gm_vhost_log_get(s.log));
	gm_view_init(&view, m);
	ASSERT_OK(gm_view_write_u32(&view, gm_gpa(0x1000), 1));
	EXPECT_TRUE(only(&s, 1, 0));
	gm_view_init(&view, logged);
	ASSERT_OK(gm_view_write_u32(&view, gm_gpa(0x25ffe), 0x01020304));
	EXPECT_TRUE(only(&s, 0x25, 0x26));
	gm_view_init(&view, m);
	ASSERT_OK(gm_view_write_u32(&view, gm_gpa(0x1000), 1));
	EXPECT_TRUE(only(&s, 1, 0));
	gm_map_put(logged);
	gm_map_put(m);
	destroy(&s);
}

TEST(map_that_the_log_does_not_cover_is_refused)
{
	struct gm_map *m, *logged = NULL;
	struct shared s;

	make(_metadata, &s, 0, 4, 4);
	ASSERT_OK(gm_map_new_mmap(ranges, NULL, 2, &m));
	EXPECT_FAIL(gm_vhost_log_map(s.log, m, &logged), ERANGE, GM_ERR_OUT_OF_BOUNDS, 4, 1, 4, 0);
	EXPECT_EQ(NULL, logged);
	gm_map_put(m);
	destroy(&s);
}

TEST(truncated_log_is_found_out)
{
	struct gm_region *r;
	struct shared s;

	if (RUNNING_ON_VALGRIND)
		SKIP(return, "valgrind does not go on after SIGBUS");
	make(_metadata, &s, 0, 8, SYSTEM_PAGE);
	r = gm_vhost_log_region(s.log);
	ASSERT_OK(gm_fault_enable());
	ASSERT_OK(gm_region_watch(r));
	EXPECT_EQ(0, gm_region_fault(r));
	ASSERT_EQ(0, ftruncate(gm_file_fd(s.file), 0));
	gm_vhost_log_mark(s.log, gm_gpa(0), 1);
	EXPECT_FAIL_KIND(gm_region_fault(r), EIO, GM_ERR_FAULT);
	destroy(&s);
}

/*
 * The front-end takes words and reads data in its own process; devices write and
 * mark. The last value of each page must be seen with a mark.
 */
#define SLOTS 64
#define MARKERS 2

struct stage {
	uint64_t data[SLOTS];
	uint32_t done;
	uint64_t unseen;
};

struct marker {
	struct gm_vhost_log *log;
	struct stage *stage;
	uint64_t rounds;
	uint64_t id;
};

static void *mark_all(void *arg)
{
	struct marker *m = arg;

	for (uint64_t round = 1; round <= m->rounds; round++)
		for (uint64_t i = m->id; i < SLOTS; i += MARKERS) {
			__atomic_store_n(&m->stage->data[i], round, __ATOMIC_RELAXED);
			gm_vhost_log_mark(m->log, gm_gpa(i * PAGE), 1);
		}
	__atomic_add_fetch(&m->stage->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void take(const struct shared *s, const struct stage *stage, uint64_t *seen)
{
	/* Its bits are in the order of its bytes, whatever the machine's is. */
	gm_le64_t raw = __atomic_exchange_n((gm_le64_t *)s->bytes, 0, __ATOMIC_SEQ_CST);
	uint64_t word = gm_le64_to_cpu(raw);

	for (; word; word &= word - 1) {
		int i = __builtin_ctzll(word);

		seen[i] = __atomic_load_n(&stage->data[i], __ATOMIC_RELAXED);
	}
}

static int front_end(const struct shared *s, struct stage *stage, uint64_t rounds)
{
	uint64_t seen[SLOTS] = { 0 };

	while (__atomic_load_n(&stage->done, __ATOMIC_ACQUIRE) < MARKERS)
		take(s, stage, seen);
	take(s, stage, seen);
	for (int i = 0; i < SLOTS; i++)
		stage->unseen += seen[i] != rounds;
	return 0;
}

TEST(front_end_in_another_process_misses_nothing)
{
	uint64_t rounds = test_iterations(20000);
	struct marker m[MARKERS];
	struct stage *stage;
	pthread_t t[MARKERS];
	struct shared s;
	int status;
	pid_t pid;

	make(_metadata, &s, 0, 8, 8);
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, stage);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(front_end(&s, stage, rounds));
	for (uint64_t i = 0; i < MARKERS; i++) {
		m[i] = (struct marker){ s.log, stage, rounds, i };
		ASSERT_EQ(0, pthread_create(&t[i], NULL, mark_all, &m[i]));
	}
	for (int i = 0; i < MARKERS; i++)
		pthread_join(t[i], NULL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, stage->unseen);
	munmap(stage, sizeof(*stage));
	destroy(&s);
}

TEST_HARNESS_MAIN
