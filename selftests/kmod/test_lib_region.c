/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=strict lib */
/*
 * test_lib_region.c - the library's regions of the module's memory: allocated,
 * of many regions at once, for others, and taken back. Pinned ones:
 * test_lib_pin.c; what devices do with them: test_lib_dma.c.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include "kselftest_harness.h"
#include "fault.h"
#include "lib_region.h"

TEST_F(lib, query)
{
	struct guestmem_info raw;
	struct gm_kmod_info info;
	int control;

	ASSERT_FD(&control, control_open());
	ASSERT_EQ(0, info_get(control, &raw));
	ASSERT_OK(gm_kmod_query(self->k, &info));
	EXPECT_EQ(raw.capabilities, info.caps);
	EXPECT_EQ(GM_KMOD_CAP_ALLOC | GM_KMOD_CAP_PIN | GM_KMOD_CAP_HUGE |
		  GM_KMOD_CAP_REVOKE | GM_KMOD_CAP_DEVICE, info.caps & 0x1f);
	EXPECT_EQ(raw.page_sizes, info.page_sizes);
	EXPECT_EQ(raw.max_length, info.max_length);
	EXPECT_EQ(raw.locked, info.locked);
	EXPECT_EQ(raw.locked_limit, info.locked_limit);
	EXPECT_EQ(0, info.reserved[0] | info.reserved[1] | info.reserved[2]);
}

/* With a descriptor that somebody else has opened; it closes with the object. */
TEST_F(lib, of_a_descriptor)
{
	struct gm_kmod_info info;
	struct gm_kmod *k;
	int fd;

	ASSERT_FD(&fd, control_open());
	ASSERT_OK(gm_kmod_new(fd, &k));
	EXPECT_EQ(k, gm_kmod_get(k));
	gm_kmod_put(k);
	ASSERT_OK(gm_kmod_query(k, &info));
	gm_kmod_put(k);
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
}

TEST_F(lib, allocated)
{
	struct gm_kmod_region_info info;
	struct counters now;
	struct gm_region *r;

	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(BASE), LENGTH, NULL, &r));
	EXPECT_EQ(BASE, gm_gpa_raw(gm_region_start(r)));
	EXPECT_EQ(LENGTH, gm_region_len(r));
	EXPECT_EQ(GM_PERM_RW, gm_region_perm(r));
	EXPECT_EQ(GM_NO, gm_region_is_hugetlbfs(r));
	EXPECT_EQ(NULL, gm_region_bitmap(r));
	EXPECT_NE(NULL, r->ops->begin);
	EXPECT_NE(NULL, r->ops->end);
	/* Zeroed. */
	for (uint64_t i = 0; i < LENGTH; i++)
		ASSERT_EQ(0, r->ext.host[i]);
	check_access(_metadata, r);
	ASSERT_OK(gm_kmod_region_query(self->k, r, &info));
	EXPECT_EQ(LENGTH, info.length);
	EXPECT_LE(PAGE, info.granule);
	EXPECT_EQ(1, info.numa_node);
	EXPECT_EQ(0, info.properties);
	EXPECT_EQ(0, info.maps);
	EXPECT_EQ(0, info.pinned);
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_ALLOC_BYTES] + LENGTH,
		  now.value[COUNTER_ALLOC_BYTES]);
	/* Nobody holds it, and it can't be given back in part. */
	EXPECT_FAIL(gm_region_discard(r, gm_roff(0), PAGE), EOPNOTSUPP,
		    GM_ERR_IO, 0, PAGE, 0, 0);
	gm_region_put(r);
}

TEST_F(lib, allocated_with_options)
{
	struct gm_mmap_opts o = {
		.sz = sizeof(o),
		.flags = GM_MMAP_DIRTY | GM_MMAP_LOCK | GM_MMAP_NO_DUMP |
			 GM_MMAP_NO_FORK | GM_MMAP_PREFAULT,
		.huge_size = HUGE,
		.numa_node = 1,
		.guard_size = PAGE,
		.name = "guest",
	};
	struct gm_kmod_region_info info;
	struct gm_region *r;

	fault_catch();
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(BASE), HUGE + 1, &o, &r));
	EXPECT_EQ(HUGE + 1, gm_region_len(r));
	ASSERT_OK(gm_kmod_region_query(self->k, r, &info));
	EXPECT_EQ(2 * HUGE, info.length);
	EXPECT_LE(HUGE, info.granule);
	EXPECT_EQ(1, info.numa_node);
	check_access(_metadata, r);
	EXPECT_TRUE(gm_bitmap_test(gm_region_bitmap(r), 0));
	EXPECT_EQ(SIGSEGV, touch(r->ext.host - 1));
	/* It is mapped as far as the region goes. */
	EXPECT_EQ(0, touch(r->ext.host + HUGE + PAGE - 1));
	EXPECT_EQ(SIGSEGV, touch(r->ext.host + HUGE + PAGE));
	gm_region_put(r);
}

static int say_stop(void *ctx, uint64_t done, uint64_t total)
{
	*(uint64_t *)ctx = done;
	return done != total || total != LENGTH ? 0 : 1;
}

TEST_F(lib, progress_is_told_and_may_stop)
{
	uint64_t done = 0;
	struct gm_mmap_opts o = {
		.sz = sizeof(o),
		.flags = GM_MMAP_PREFAULT,
		.progress = say_stop,
		.progress_ctx = &done,
	};
	struct gm_region *r;

	EXPECT_FAIL_KIND(gm_region_new_kmod(self->k, gm_gpa(BASE), LENGTH, &o,
					    &r),
			 ECANCELED, GM_ERR_OPTION);
	EXPECT_EQ(LENGTH, done);
}

TEST_F(lib, read_only)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_READ_ONLY };
	struct gm_kmod_region_info info;
	struct gm_region *r;

	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(BASE), LENGTH, &o, &r));
	EXPECT_EQ(GM_PERM_READ, gm_region_perm(r));
	EXPECT_EQ(-EACCES, gm_region_write(r, gm_roff(0), "x", 1));
	ASSERT_OK(gm_kmod_region_query(self->k, r, &info));
	EXPECT_EQ(GM_KMOD_REGION_READ_ONLY, info.properties);
	gm_region_put(r);
}

TEST_F(lib, allocation_refused)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_region *r = (void *)1;
	struct gm_kmod_info info;

	ASSERT_OK(gm_kmod_query(self->k, &info));
	EXPECT_FAIL(gm_region_new_kmod(self->k, gm_gpa(BASE), 0, NULL, &r),
		    EINVAL, GM_ERR_ZERO_LENGTH, BASE, 0, 0, 0);
	EXPECT_FAIL(gm_region_new_kmod(self->k, gm_gpa(BASE),
				       info.max_length + PAGE, NULL, &r),
		    EOVERFLOW, GM_ERR_OVERFLOW, 0, info.max_length + PAGE, 0,
		    0);
	EXPECT_FAIL_KIND(gm_region_new_kmod(self->k, gm_gpa(BASE),
					    UINT64_MAX, NULL, &r),
			 EOVERFLOW, GM_ERR_OVERFLOW);
	EXPECT_FAIL(gm_region_new_kmod(self->k, gm_gpa(UINT64_MAX), LENGTH,
				       NULL, &r),
		    EOVERFLOW, GM_ERR_GUEST_OVERFLOW, UINT64_MAX, LENGTH, 0, 0);
	o.numa_node = 51;
	EXPECT_FAIL(gm_region_new_kmod(self->k, gm_gpa(BASE), LENGTH, &o, &r),
		    ENODEV, GM_ERR_NUMA, 50, 0, 0, 0);
	o.numa_node = 0;
	o.flags = 1u << 31;
	EXPECT_FAIL_KIND(gm_region_new_kmod(self->k, gm_gpa(BASE), LENGTH, &o,
					    &r),
			 EINVAL, GM_ERR_OPTION);
	/* More than there is. */
	o.flags = 0;
	EXPECT_FAIL_KIND(gm_region_new_kmod(self->k, gm_gpa(BASE),
					    UINT64_C(8) << 30, &o, &r),
			 ENOMEM, GM_ERR_MEMORY);
	o.huge_size = HUGE;
	EXPECT_FAIL_KIND(gm_region_new_kmod(self->k, gm_gpa(BASE),
					    UINT64_C(8) << 30, &o, &r),
			 ENOMEM, GM_ERR_HUGE);
	EXPECT_EQ((void *)1, r);
}

/* Another user, with the descriptor of root and a limit of its own. */
static int over_the_limit(struct gm_kmod *k)
{
	const struct rlimit limit = { 4 * PAGE, 4 * PAGE };
	const struct gm_error *e = gm_error_last();
	struct gm_region *r, *base, *pinned;

	if (setrlimit(RLIMIT_MEMLOCK, &limit) || become_user(1234))
		return 1;
	if (gm_region_new_kmod(k, gm_gpa(0), PAGE, NULL, &r))
		return 2;
	if (gm_region_new_kmod(k, gm_gpa(0), LENGTH, NULL, &r) != -ENOMEM)
		return 3;
	if (e->kind != GM_ERR_MEMLOCK || e->len != LENGTH ||
	    e->expected != 4 * PAGE || e->completed != PAGE)
		return 4;
	if (gm_region_new_mmap(gm_gpa(0), LENGTH, NULL, &base))
		return 5;
	if (gm_region_new_pinned(k, base, &pinned) != -ENOMEM)
		return 6;
	if (e->kind != GM_ERR_MEMLOCK)
		return 7;
	/* What could not be pinned is held by nobody. */
	if (gm_region_discard(base, gm_roff(0), PAGE))
		return 8;
	gm_region_put(base);
	gm_region_put(r);
	return 0;
}

TEST_F(lib, limit_of_locked_memory)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(over_the_limit(self->k));
	EXPECT_EQ(0, child_wait(pid));
}

TEST_F(lib, map_of_several)
{
	struct gm_range ranges[] = {
		{ gm_gpa(0), LENGTH }, { gm_gpa(LENGTH), PAGE },
		{ gm_gpa(BASE), HUGE },
	};
	struct gm_mmap_opts opts[3] = {
		{ .sz = sizeof(opts[0]) }, { .sz = sizeof(opts[0]) },
		{ .sz = sizeof(opts[0]) },
	};
	struct gm_choice choice;
	struct gm_map *m;
	struct counters now;

	ASSERT_OK(gm_map_new_kmod(self->k, ranges, NULL, 3, &m));
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_REGIONS] + 3,
		  now.value[COUNTER_REGIONS]);
	gm_map_put(m);
	/* The module if it is there. */
	for (int i = 0; i < 2; i++) {
		memset(&choice, 0xee, sizeof(choice));
		ASSERT_OK(gm_map_new_auto(i ? self->k : NULL, ranges, NULL, 3,
					  &m, &choice));
		EXPECT_EQ(GM_BACKEND_KMOD, choice.backend);
		EXPECT_EQ(GM_ERR_NONE, choice.why.kind);
		ASSERT_EQ(0, counters_read(&now));
		EXPECT_EQ(self->s.before.value[COUNTER_REGIONS] + 3,
			  now.value[COUNTER_REGIONS]);
		gm_map_put(m);
	}
	/* One that can't be had: none is left behind. */
	ranges[2].len = PAGE + 1;
	opts[2].addr = map_anonymous(2 * PAGE);
	ASSERT_NE(MAP_FAILED, opts[2].addr);
	EXPECT_FAIL_KIND(gm_map_new_kmod(self->k, ranges, opts, 3, &m), EINVAL,
			 GM_ERR_MISALIGNED);
	ASSERT_OK(gm_map_new_auto(self->k, ranges, opts, 3, &m, &choice));
	EXPECT_EQ(GM_BACKEND_MMAP, choice.backend);
	EXPECT_EQ(GM_ERR_MISALIGNED, choice.why.kind);
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_REGIONS],
		  now.value[COUNTER_REGIONS]);
	gm_map_put(m);
	munmap(opts[2].addr, 2 * PAGE);
}

/* A process that may not use the module has mapped memory, and knows why. */
static int without_permission(void)
{
	struct gm_range range = { gm_gpa(0), LENGTH };
	struct gm_kmod_device *d;
	struct gm_choice choice;
	char address[ADDRESS_MAX];
	struct gm_region *r;
	struct gm_view view;
	struct gm_kmod *k;
	struct gm_map *m;
	uint32_t x = 0;

	if (device_address(address) || become_user(1234))
		return 1;
	if (gm_kmod_open(NULL, &k) != -EACCES ||
	    gm_error_last()->kind != GM_ERR_NOT_PERMITTED ||
	    strcmp(gm_error_last()->name, CONTROL_PATH))
		return 2;
	if (gm_kmod_device_open(address, 0, &d) != -EACCES ||
	    gm_error_last()->kind != GM_ERR_NOT_PERMITTED)
		return 3;
	gm_error_clear();
	if (gm_map_new_auto(NULL, &range, NULL, 1, &m, &choice))
		return 4;
	if (choice.backend != GM_BACKEND_MMAP ||
	    choice.why.kind != GM_ERR_NOT_PERMITTED ||
	    choice.why.err != -EACCES ||
	    gm_error_last()->kind != GM_ERR_NONE)
		return 5;
	gm_view_init(&view, m);
	if (gm_view_write_u32(&view, gm_gpa(8), 42) ||
	    gm_view_read_u32(&view, gm_gpa(8), &x) || x != 42)
		return 6;
	gm_map_put(m);
	if (gm_region_new_auto(NULL, gm_gpa(0), PAGE, NULL, &r, &choice) ||
	    choice.backend != GM_BACKEND_MMAP)
		return 7;
	gm_region_put(r);
	return 0;
}

TEST_F(lib, without_permission)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(without_permission());
	EXPECT_EQ(0, child_wait(pid));
}

/* From another process's descriptor: the same memory, and the module's. */
static int child_with_the_file(int fd, int go)
{
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	struct gm_region *r;
	uint32_t x = 0;
	char c;

	if (gm_file_new(fd, &o.file) ||
	    gm_region_new_mmap(gm_gpa(0), LENGTH, &o, &r))
		return 1;
	if (gm_region_read(r, gm_roff(PAGE), &x, 4) || x != 42)
		return 2;
	x = 43;
	if (gm_region_write(r, gm_roff(PAGE), &x, 4))
		return 3;
	return write(go, "x", 1) == 1 && read(go, &c, 1) >= 0 ? 0 : 4;
}

TEST_F(lib, file_for_another_process)
{
	struct gm_region *r;
	uint32_t x = 42;
	int pair[2];
	pid_t pid;
	char c;

	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(BASE), LENGTH, NULL, &r));
	ASSERT_NE(NULL, gm_region_file(r, NULL));
	ASSERT_OK(gm_region_write(r, gm_roff(PAGE), &x, 4));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(pair[0]);
		_exit(child_with_the_file(gm_file_fd(gm_region_file(r, NULL)),
					  pair[1]));
	}
	close(pair[1]);
	EXPECT_EQ(1, read(pair[0], &c, 1));
	ASSERT_OK(gm_region_read(r, gm_roff(PAGE), &x, 4));
	EXPECT_EQ(43, x);
	close(pair[0]);
	EXPECT_EQ(0, child_wait(pid));
	gm_region_put(r);
}

/* A child has no mapping of it: at that address is what the child has there. */
static int put_under_own_memory(struct gm_region *r)
{
	void *at = r->ext.host;

	if (mmap(at, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != at)
		return 1;
	gm_region_put(r);
	return touch(at) || touch((uint8_t *)at + LENGTH - 1) ? 2 : 0;
}

TEST_F(lib, child_drops_what_it_does_not_have)
{
	struct gm_region *r, *again;
	struct gm_mmap_opts o = { .sz = sizeof(o) };
	pid_t pid;

	fault_catch();
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(BASE), LENGTH, NULL, &r));
	/* The same of a file that came from elsewhere. */
	o.file = gm_region_file(r, NULL);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(BASE), LENGTH, &o, &again));
	for (int i = 0; i < 2; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(put_under_own_memory(i ? again : r));
		EXPECT_EQ(0, child_wait(pid));
	}
	gm_region_put(again);
	check_access(_metadata, r);
	gm_region_put(r);
}

/* Who lets the library open the module has nothing to revoke by. */
TEST_F(lib, memory_of_an_open_file_that_is_closed)
{
	struct gm_choice choice;
	struct gm_region *r;

	ASSERT_OK(gm_region_new_auto(NULL, gm_gpa(BASE), LENGTH, NULL, &r,
				     &choice));
	EXPECT_EQ(GM_BACKEND_KMOD, choice.backend);
	EXPECT_FAIL_KIND(gm_kmod_revoke(self->k, r), EPERM,
			 GM_ERR_NOT_PERMITTED);
	gm_region_put(r);
}

TEST_F(lib, revoked_memory_is_gone)
{
	struct gm_kmod_region_info info;
	struct gm_kmod *other;
	struct gm_region *r;
	struct counters now;
	uint32_t x = 42;

	fault_catch();
	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(BASE), LENGTH, NULL, &r));
	/* Only through the open file that made it. */
	ASSERT_OK(gm_kmod_open(NULL, &other));
	EXPECT_FAIL_KIND(gm_kmod_revoke(other, r), EPERM, GM_ERR_NOT_PERMITTED);
	gm_kmod_put(other);
	ASSERT_OK(gm_kmod_revoke(self->k, r));
	ASSERT_OK(gm_kmod_revoke(self->k, r));
	ASSERT_EQ(0, counters_read(&now));
	EXPECT_EQ(self->s.before.value[COUNTER_ALLOC_BYTES],
		  now.value[COUNTER_ALLOC_BYTES]);
	ASSERT_OK(gm_kmod_region_query(self->k, r, &info));
	EXPECT_EQ(GM_KMOD_REGION_REVOKED, info.properties);
	EXPECT_EQ(0, info.granule);
	EXPECT_EQ(0, info.numa_node);
	EXPECT_EQ(SIGBUS, touch(r->ext.host));
	/* Where faults are recovered, it is an error instead. */
	ASSERT_OK(gm_fault_enable());
	ASSERT_OK(gm_region_watch(r));
	EXPECT_EQ(0, gm_region_fault(r));
	ASSERT_OK(gm_region_read(r, gm_roff(PAGE), &x, 4));
	EXPECT_EQ(0, x);
	EXPECT_FAIL(gm_region_fault(r), EIO, GM_ERR_FAULT, BASE, LENGTH, 0, 0);
	gm_region_put(r);
}

TEST_HARNESS_MAIN
