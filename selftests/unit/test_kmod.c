/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_kmod.c - kmod.h where the module is not there, or not for this user:
 * errors that say so, and mapped memory instead. What it does with the module
 * is in selftests/kmod/test_lib_*.c, which run in guests.
 */
/* gm-test: linux */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <guestmem/access.h>
#include <guestmem/kmod.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "scale.h"
#include "vma.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define CONTROL "/dev/guestmem"

static bool module_is_there(void)
{
	return !access(CONTROL, F_OK);
}

TEST(open_without_the_module)
{
	struct gm_kmod *k = (void *)1;

	if (module_is_there())
		SKIP(return, "the module is loaded on this machine");
	EXPECT_FAIL_NAME(gm_kmod_open(NULL, &k), ENOENT, GM_ERR_NO_MODULE, 0, 0,
			 CONTROL);
	EXPECT_EQ((void *)1, k);
}

TEST(open_what_is_not_the_module)
{
	struct gm_kmod *k = (void *)1;
	int fds = open_fds();

	EXPECT_FAIL_NAME(gm_kmod_open("./none", &k), ENOENT, GM_ERR_NO_MODULE,
			 0, 0, "./none");
	EXPECT_FAIL_NAME(gm_kmod_open("/dev/null/none", &k), ENOTDIR,
			 GM_ERR_NO_MODULE, 0, 0, "/dev/null/none");
	/* A device without a driver, a file, another device. */
	ASSERT_EQ(0, close(open("file", O_CREAT | O_RDWR, 0600)));
	EXPECT_FAIL_NAME(gm_kmod_open("file", &k), ENODEV, GM_ERR_NO_MODULE, 0,
			 0, "file");
	EXPECT_FAIL_NAME(gm_kmod_open("/dev/null", &k), ENODEV,
			 GM_ERR_NO_MODULE, 0, 0, "/dev/null");
	if (!mknod("node", S_IFCHR | 0600, 0xfff00))
		EXPECT_FAIL_NAME(gm_kmod_open("node", &k), ENXIO,
				 GM_ERR_NO_MODULE, 0, 0, "node");
	/* Something else went wrong. */
	EXPECT_FAIL_NAME(gm_kmod_open(".", &k), EISDIR, GM_ERR_IO, 0, 0, ".");
	EXPECT_EQ((void *)1, k);
	EXPECT_EQ(fds, open_fds());
	unlink("file");
	unlink("node");
}

/* In a child, as the group that the machine has for nobody. */
static void as_nobody(struct __test_metadata *_metadata, int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(100);
		_exit(fn());
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

static int open_forbidden(void)
{
	struct gm_kmod *k;

	if (gm_kmod_open("/etc/shadow", &k) != -EACCES)
		return 1;
	if (gm_error_last()->kind != GM_ERR_NOT_PERMITTED)
		return 2;
	return strcmp(gm_error_last()->name, "/etc/shadow") ? 3 : 0;
}

TEST(open_without_permission)
{
	if (getuid() || access("/etc/shadow", F_OK))
		SKIP(return, "needs root, to become somebody else");
	as_nobody(_metadata, open_forbidden);
}

TEST(descriptor_of_something_else_stays_the_callers)
{
	struct gm_kmod_device *d = (void *)1;
	struct gm_kmod *k = (void *)1;
	int fd = open("/dev/null", O_RDWR);

	ASSERT_LE(0, fd);
	EXPECT_FAIL_NAME(gm_kmod_new(fd, &k), ENODEV, GM_ERR_NO_MODULE, 0, 0,
			 "");
	EXPECT_FAIL_NAME(gm_kmod_device_new(fd, "name", 0, &d), ENOENT,
			 GM_ERR_NO_DEVICE, 0, 0, "name");
	EXPECT_EQ(0, close(fd));
	EXPECT_FAIL_KIND(gm_kmod_new(fd, &k), EBADF, GM_ERR_IO);
	EXPECT_FAIL_KIND(gm_kmod_device_new(fd, "name", 0, &d), EBADF,
			 GM_ERR_IO);
	EXPECT_EQ((void *)1, k);
	EXPECT_EQ((void *)1, d);
	gm_kmod_put(NULL);
	gm_kmod_device_put(NULL);
}

TEST(device_without_the_module)
{
	struct gm_kmod_device *d = (void *)1;

	if (module_is_there())
		SKIP(return, "the module is loaded on this machine");
	EXPECT_FAIL_NAME(gm_kmod_device_open("0000:00:04.0", 0, &d), ENOENT,
			 GM_ERR_NO_MODULE, 0, 0, CONTROL);
	EXPECT_EQ((void *)1, d);
}

TEST(device_that_can_not_be)
{
	static const char * const names[] = {
		"", ".", "..", "../guestmem", "/dev/null", "0000:00:04.0/",
		"0000:00:04.0 ", "4", "hello", ".:.", "0000:00:04.0\n",
		"0000:00:04.0000000000000",
	};
	static const unsigned int bits[] = { 1, 11, 65, 1000 };
	struct gm_kmod_device *d = (void *)1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_FAIL_KIND(gm_kmod_device_open(names[i], 0, &d), EINVAL,
				 GM_ERR_OPTION);
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		EXPECT_FAIL(gm_kmod_device_new(0, "x", bits[i], &d), EINVAL,
			    GM_ERR_SIZE, bits[i], 0, 0, 0);
	EXPECT_EQ((void *)1, d);
}

TEST(mapped_memory_where_there_is_no_module)
{
	struct gm_range ranges[2] = {
		{ gm_gpa(0), 4 * PAGE }, { gm_gpa(8 * PAGE), PAGE },
	};
	struct gm_choice choice;
	struct gm_view view;
	struct gm_map *m;
	uint32_t x = 0;

	if (module_is_there())
		SKIP(return, "the module is loaded on this machine");
	memset(&choice, 0xee, sizeof(choice));
	gm_error_clear();
	ASSERT_OK(gm_map_new_auto(NULL, ranges, NULL, 2, &m, &choice));
	/* The call has not failed; only the choice tells what did. */
	EXPECT_EQ(GM_ERR_NONE, gm_error_last()->kind);
	EXPECT_EQ(GM_BACKEND_MMAP, choice.backend);
	EXPECT_EQ(0, choice.reserved32);
	EXPECT_EQ(GM_ERR_NO_MODULE, choice.why.kind);
	EXPECT_EQ(-ENOENT, choice.why.err);
	EXPECT_STREQ(CONTROL, choice.why.name);
	EXPECT_EQ(2, gm_map_count(m));
	gm_view_init(&view, m);
	ASSERT_OK(gm_view_write_u32(&view, gm_gpa(8 * PAGE), 42));
	ASSERT_OK(gm_view_read_u32(&view, gm_gpa(8 * PAGE), &x));
	EXPECT_EQ(42, x);
	gm_map_put(m);
}

TEST(mapped_region_with_all_its_options)
{
	struct gm_mmap_opts o = {
		.sz = sizeof(o),
		.flags = GM_MMAP_MEMFD | GM_MMAP_DIRTY,
	};
	struct gm_choice choice = { .backend = GM_BACKEND_KMOD };
	struct gm_region *r;

	if (module_is_there())
		SKIP(return, "the module is loaded on this machine");
	ASSERT_OK(gm_region_new_auto(NULL, gm_gpa(PAGE), 100, &o, &r, &choice));
	EXPECT_EQ(GM_BACKEND_MMAP, choice.backend);
	EXPECT_EQ(PAGE, gm_gpa_raw(gm_region_start(r)));
	EXPECT_EQ(100, gm_region_len(r));
	EXPECT_NE(NULL, gm_region_file(r, NULL));
	EXPECT_NE(NULL, gm_region_bitmap(r));
	gm_region_put(r);
	/* Who does not want to know. */
	ASSERT_OK(gm_region_new_auto(NULL, gm_gpa(0), 1, NULL, &r, NULL));
	gm_region_put(r);
}

TEST(what_mmap_refuses_too)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = 1u << 31 };
	struct gm_range ranges[2] = { { gm_gpa(0), 2 }, { gm_gpa(1), 2 } };
	struct gm_choice choice = { .backend = GM_BACKEND_KMOD };
	struct gm_region *r = (void *)1;
	struct gm_map *m = (void *)1;

	EXPECT_FAIL_KIND(gm_region_new_auto(NULL, gm_gpa(0), 0, NULL, &r,
					    &choice),
			 EINVAL, GM_ERR_ZERO_LENGTH);
	EXPECT_FAIL_KIND(gm_region_new_auto(NULL, gm_gpa(0), 1, &o, &r,
					    &choice),
			 EINVAL, GM_ERR_OPTION);
	EXPECT_FAIL_KIND(gm_map_new_auto(NULL, ranges, NULL, 0, &m, &choice),
			 EINVAL, GM_ERR_NO_REGION);
	EXPECT_FAIL_KIND(gm_map_new_auto(NULL, ranges, NULL, 2, &m, &choice),
			 EEXIST, GM_ERR_OVERLAP);
	EXPECT_EQ((void *)1, r);
	EXPECT_EQ((void *)1, m);
	EXPECT_EQ(GM_BACKEND_KMOD, choice.backend);
	EXPECT_EQ(GM_ERR_NONE, choice.why.kind);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

TEST(maps_of_others_have_no_properties)
{
	static const struct gm_dma_map_ops ops = { .release = nothing };
	const struct gm_dma_seg seg = { 0, 8 };
	struct gm_dma_map *dm;
	struct gm_region *r;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), 8, NULL, &r));
	ASSERT_OK(gm_dma_map_new(r, gm_roff(0), GM_PERM_RW, &seg, 1, "x", &ops,
				 NULL, &dm));
	EXPECT_EQ(0, gm_kmod_map_properties(dm));
	gm_dma_map_put(dm);
	gm_region_put(r);
}

TEST_HARNESS_MAIN
