/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * error.h: the record of a thread's last failure.
 */
/* gm-test: windows */
#include <pthread.h>
#include "kselftest_harness.h"
#include <guestmem/error.h>
#include <guestmem/slice_access.h>

#define LAST_KIND GM_ERR_SYSTEM

#define EXPECT_VALUES(addr_, len_, expected_, completed_) do { \
	const struct gm_error *e_ = gm_error_last(); \
	EXPECT_EQ((uint64_t)(addr_), e_->addr); \
	EXPECT_EQ((uint64_t)(len_), e_->len); \
	EXPECT_EQ((uint64_t)(expected_), e_->expected); \
	EXPECT_EQ((uint64_t)(completed_), e_->completed); \
	EXPECT_STREQ("", e_->name); \
} while (0)

/* The numbers are ABI: a change here breaks programs that were built before. */
TEST(kinds_keep_their_numbers)
{
	static const enum gm_error_kind kinds[] = {
		GM_ERR_NONE, GM_ERR_GUEST_ADDR, GM_ERR_GUEST_OVERFLOW,
		GM_ERR_OUT_OF_BOUNDS, GM_ERR_OVERFLOW, GM_ERR_TOO_BIG,
		GM_ERR_MISALIGNED, GM_ERR_PARTIAL, GM_ERR_IO,
		GM_ERR_UNEXPECTED_END, GM_ERR_WRITE_ZERO, GM_ERR_BACKEND_RANGE,
		GM_ERR_NO_HOST_ADDR, GM_ERR_CALLBACK_RANGE, GM_ERR_PERMISSION,
		GM_ERR_FRAGMENTED, GM_ERR_ARRAY_SMALL, GM_ERR_NO_REGION,
		GM_ERR_OVERLAP, GM_ERR_UNSORTED, GM_ERR_ZERO_LENGTH,
		GM_ERR_POINTER, GM_ERR_MAP_FIXED, GM_ERR_MMAP,
		GM_ERR_FILE_RANGE, GM_ERR_OPTION, GM_ERR_NUMA, GM_ERR_HUGE,
		GM_ERR_MEMORY, GM_ERR_ORDER, GM_ERR_SIZE, GM_ERR_FAULT,
		GM_ERR_HELD, GM_ERR_NO_MODULE, GM_ERR_NO_DEVICE,
		GM_ERR_NOT_PERMITTED, GM_ERR_POLICY, GM_ERR_MEMLOCK,
		GM_ERR_NOT_PINNED, GM_ERR_REVOKED, GM_ERR_NO_DMA,
		GM_ERR_DEADLOCK, GM_ERR_NOT_LOCKED,
		GM_ERR_IOTLB_MISS, GM_ERR_IOVA, GM_ERR_IOMMU_CONFIG,
		GM_ERR_SECTION, GM_ERR_NOT_SNAPSHOT, GM_ERR_CHECKSUM,
		GM_ERR_SNAPSHOT_BASE, GM_ERR_XEN_FLAGS, GM_ERR_XEN_PAGE,
		GM_ERR_XEN_GRANT, GM_ERR_SYSTEM,
	};

	EXPECT_EQ(LAST_KIND + 1, ARRAY_SIZE(kinds));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		EXPECT_EQ(i, kinds[i]);
	EXPECT_EQ(64, sizeof(struct gm_error));
}

TEST(nothing_has_failed_at_first)
{
	ASSERT_NE(NULL, gm_error_last());
	EXPECT_EQ(GM_ERR_NONE, gm_error_last()->kind);
	EXPECT_EQ(0, gm_error_last()->err);
	EXPECT_VALUES(0, 0, 0, 0);
}

TEST(set_returns_errno_and_keeps_values)
{
	EXPECT_EQ(-ERANGE, gm_error_set(-ERANGE, GM_ERR_OUT_OF_BOUNDS,
					UINT64_MAX, 12));
	EXPECT_EQ(-ERANGE, gm_error_last()->err);
	EXPECT_EQ(GM_ERR_OUT_OF_BOUNDS, gm_error_last()->kind);
	EXPECT_VALUES(UINT64_MAX, 12, 0, 0);
}

TEST(set_counts_keeps_all_values)
{
	EXPECT_EQ(-ENODATA, gm_error_set_counts(-ENODATA, GM_ERR_UNEXPECTED_END,
						1, 2, UINT64_MAX, 3));
	EXPECT_EQ(-ENODATA, gm_error_last()->err);
	EXPECT_EQ(GM_ERR_UNEXPECTED_END, gm_error_last()->kind);
	EXPECT_VALUES(1, 2, UINT64_MAX, 3);
}

TEST(set_name_keeps_it_cut_to_fit)
{
	EXPECT_EQ(-EBUSY, gm_error_set_name(-EBUSY, GM_ERR_HELD, 1, 2,
					    "0000:00:04.0"));
	EXPECT_EQ(-EBUSY, gm_error_last()->err);
	EXPECT_EQ(GM_ERR_HELD, gm_error_last()->kind);
	EXPECT_EQ(1, gm_error_last()->addr);
	EXPECT_EQ(2, gm_error_last()->len);
	EXPECT_STREQ("0000:00:04.0", gm_error_last()->name);
	gm_error_set_name(-EBUSY, GM_ERR_HELD, 1, 2,
			  "abcdefghijklmnopqrstuvwxyz");
	EXPECT_STREQ("abcdefghijklmnopqrstuvw", gm_error_last()->name);
	gm_error_set_name(-EBUSY, GM_ERR_HELD, 1, 2, NULL);
	EXPECT_VALUES(1, 2, 0, 0);
	gm_error_set_name(-EBUSY, GM_ERR_HELD, 1, 2, "x");
	gm_error_set(-EFAULT, GM_ERR_GUEST_ADDR, 3, 4);
	EXPECT_VALUES(3, 4, 0, 0);
}

TEST(format_tells_the_name)
{
	char text[200], want[200];

	gm_error_set_name(-EBUSY, GM_ERR_HELD, 0x1000, 0x2000, "0000:00:04.0");
	gm_error_format(gm_error_last(), text, sizeof(text));
	/* The C library's words. */
	snprintf(want, sizeof(want),
		 "memory is in use, offset 0x1000, len 0x2000, by 0000:00:04.0: %s",
		 strerror(EBUSY));
	EXPECT_STREQ(want, text);
	gm_error_set_name(-ENOENT, GM_ERR_NO_DEVICE, 0, 0, "0000:00:04.0");
	gm_error_format(gm_error_last(), text, sizeof(text));
	EXPECT_STREQ("device not bound to the kernel module, device 0000:00:04.0: No such file or directory",
		     text);
	gm_error_set_name(-EACCES, GM_ERR_NOT_PERMITTED, 0, 0, "/dev/guestmem");
	gm_error_format(gm_error_last(), text, sizeof(text));
	EXPECT_STREQ("not permitted, file /dev/guestmem: Permission denied",
		     text);
	gm_error_set(-EPERM, GM_ERR_NOT_PERMITTED, 0, 0);
	gm_error_format(gm_error_last(), text, sizeof(text));
	EXPECT_STREQ("not permitted: Operation not permitted", text);
	gm_error_set_name(-ENOMEM, GM_ERR_MEMORY, 0, 0x2000, "0000:00:04.0");
	gm_error_format(gm_error_last(), text, sizeof(text));
	snprintf(want, sizeof(want), "out of memory, len 0x2000, device 0000:00:04.0: %s",
		 strerror(ENOMEM));
	EXPECT_STREQ(want, text);
	gm_error_set_name(-EBUSY, GM_ERR_IO, 0, 0, "0000:00:04.0");
	gm_error_format(gm_error_last(), text, sizeof(text));
	EXPECT_NE(NULL, strstr(text, ", name 0000:00:04.0:"));
}

TEST(set_forgets_counts_of_earlier_failure)
{
	gm_error_set_counts(-EIO, GM_ERR_PARTIAL, 1, 2, 3, 4);
	gm_error_set(-EFAULT, GM_ERR_GUEST_ADDR, 5, 6);
	EXPECT_EQ(-EFAULT, gm_error_last()->err);
	EXPECT_VALUES(5, 6, 0, 0);
}

TEST(clear_forgets_all)
{
	gm_error_set_counts(-EIO, GM_ERR_PARTIAL, 1, 2, 3, 4);
	gm_error_clear();
	EXPECT_EQ(GM_ERR_NONE, gm_error_last()->kind);
	EXPECT_EQ(0, gm_error_last()->err);
	EXPECT_VALUES(0, 0, 0, 0);
}

TEST(success_leaves_last_failure_alone)
{
	uint64_t sum;

	gm_error_set_counts(-EIO, GM_ERR_PARTIAL, 1, 2, 3, 4);
	EXPECT_EQ(0, gm_compute_offset(1, 2, &sum));
	EXPECT_EQ(GM_ERR_PARTIAL, gm_error_last()->kind);
	EXPECT_EQ(-EIO, gm_error_last()->err);
	EXPECT_VALUES(1, 2, 3, 4);
}

static void *fail_in_thread(void *arg)
{
	enum gm_error_kind *first = arg;

	*first = gm_error_last()->kind;
	gm_error_set(-EEXIST, GM_ERR_OVERLAP, 7, 8);
	return (void *)gm_error_last();
}

TEST(each_thread_has_its_own_failure)
{
	enum gm_error_kind first = GM_ERR_IO;
	const struct gm_error *mine;
	pthread_t t;
	void *its;

	gm_error_set(-EFAULT, GM_ERR_GUEST_ADDR, 1, 2);
	mine = gm_error_last();
	ASSERT_EQ(0, pthread_create(&t, NULL, fail_in_thread, &first));
	ASSERT_EQ(0, pthread_join(t, &its));
	EXPECT_EQ(GM_ERR_NONE, first);
	EXPECT_EQ(mine, gm_error_last());
	EXPECT_EQ(GM_ERR_GUEST_ADDR, gm_error_last()->kind);
	EXPECT_VALUES(1, 2, 0, 0);
}

TEST(each_kind_has_a_name_of_its_own)
{
	for (int i = GM_ERR_NONE; i <= LAST_KIND; i++) {
		const char *name = gm_error_kind_name((enum gm_error_kind)i);

		ASSERT_NE(NULL, name);
		EXPECT_LT(0, strlen(name));
		EXPECT_STRNE("unknown", name);
		for (int j = GM_ERR_NONE; j < i; j++)
			EXPECT_STRNE(name, gm_error_kind_name((enum gm_error_kind)j));
	}
}

TEST(number_that_is_no_kind_is_called_unknown)
{
	EXPECT_STREQ("unknown", gm_error_kind_name((enum gm_error_kind)(LAST_KIND + 1)));
	EXPECT_STREQ("unknown", gm_error_kind_name((enum gm_error_kind)INT32_MAX));
	EXPECT_STREQ("unknown", gm_error_kind_name((enum gm_error_kind)-1));
}

TEST(format_tells_kind_and_errno_in_one_line)
{
	char text[512];
	int n;

	for (int i = GM_ERR_NONE; i <= LAST_KIND; i++) {
		struct gm_error e = {
			.kind = (enum gm_error_kind)i,
			.err = i ? -EFAULT : 0,
			.addr = 0xabc000, .len = 0x1234,
			.expected = 4660, .completed = 17,
		};

		memset(text, 'x', sizeof(text));
		n = gm_error_format(&e, text, sizeof(text));
		ASSERT_LT(0, n);
		ASSERT_LT(n, (int)sizeof(text));
		EXPECT_EQ(n, (int)strlen(text));
		EXPECT_EQ(NULL, strchr(text, '\n'));
		EXPECT_NE(NULL, strstr(text, gm_error_kind_name(e.kind)));
		if (i)
			EXPECT_NE(NULL, strstr(text, strerror(EFAULT)));
	}
}

TEST(format_of_unknown_kind_does_not_crash)
{
	struct gm_error e = { .kind = (enum gm_error_kind)12345, .err = -EIO };
	char text[512];

	EXPECT_LT(0, gm_error_format(&e, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "unknown"));
}

TEST(format_cuts_to_fit_and_returns_whole_length)
{
	char whole[512], cut[512];
	int n;

	gm_error_set_counts(-ENODATA, GM_ERR_UNEXPECTED_END, 1, 2, 3, 4);
	n = gm_error_format(gm_error_last(), whole, sizeof(whole));
	ASSERT_LT(0, n);
	ASSERT_LT(n, (int)sizeof(whole));
	EXPECT_EQ(n, gm_error_format(gm_error_last(), NULL, 0));
	for (int size = 1; size <= n + 2; size++) {
		int kept = size - 1 < n ? size - 1 : n;

		memset(cut, 'x', sizeof(cut));
		EXPECT_EQ(n, gm_error_format(gm_error_last(), cut, (size_t)size));
		EXPECT_EQ(0, memcmp(whole, cut, (size_t)kept));
		EXPECT_EQ(0, cut[kept]);
		EXPECT_EQ('x', cut[size]);
	}
}

TEST_HARNESS_MAIN
