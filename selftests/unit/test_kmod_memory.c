/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_kmod_memory.c - the module opened, and memory of it, over one that is
 * pretended: it refuses as jails and security modules do. With the real one:
 * selftests/kmod/test_lib_region.c; where there is none: test_kmod.c.
 */
/* gm-test: linux */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>
#include <guestmem/kmod.h>
#include "kselftest_harness.h"
#include "expect.h"
#include "kmod_fake.h"

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define LENGTH (UINT64_C(8) * PAGE)

/* What a file answers, and whether that means that it is something else. */
static const struct {
	int err;
	bool other;
	enum gm_error_kind kind;
} answers[] = {
	{ ENOTTY, true, GM_ERR_NONE },
	{ EINVAL, true, GM_ERR_NONE },
	{ EACCES, false, GM_ERR_NOT_PERMITTED },
	{ EPERM, false, GM_ERR_NOT_PERMITTED },
	{ ENOMEM, false, GM_ERR_IO },
	{ EIO, false, GM_ERR_IO },
};

TEST(module_that_may_not_be_asked)
{
	struct gm_kmod *k = (void *)1;
	int fd = kmod_fake_control();

	ASSERT_LE(0, fd);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		bool other = answers[i].other;

		kmod_fake.fail[GUESTMEM_CMD_INFO] = answers[i].err;
		EXPECT_FAIL_KIND(gm_kmod_new(fd, &k),
				 other ? ENODEV : answers[i].err,
				 other ? GM_ERR_NO_MODULE : answers[i].kind);
	}
	EXPECT_EQ((void *)1, k);
	EXPECT_EQ(0, close(fd));
}

TEST(device_that_may_not_be_asked)
{
	struct gm_kmod_device *d = (void *)1;
	int fd = kmod_fake_device();

	ASSERT_LE(0, fd);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		bool other = answers[i].other;

		kmod_fake.fail[GUESTMEM_CMD_QUERY] = answers[i].err;
		EXPECT_FAIL_NAME(gm_kmod_device_new(fd, "name", 0, &d),
				 other ? ENOENT : answers[i].err,
				 other ? GM_ERR_NO_DEVICE : answers[i].kind, 0,
				 0, "name");
	}
	kmod_fake.fail[GUESTMEM_CMD_QUERY] = 0;
	kmod_fake.gone = true;
	EXPECT_FAIL_NAME(gm_kmod_device_new(fd, "name", 0, &d), ENODEV,
			 GM_ERR_NO_DEVICE, 0, 0, "name");
	EXPECT_EQ((void *)1, d);
	EXPECT_EQ(0, close(fd));
}

FIXTURE(memory) {
	struct gm_kmod *k;
	struct gm_region *r;
};

FIXTURE_SETUP(memory)
{
	ASSERT_OK(gm_kmod_new(kmod_fake_control(), &self->k));
	self->r = (void *)1;
}

FIXTURE_TEARDOWN(memory)
{
	if (self->r != (void *)1)
		gm_region_put(self->r);
	gm_kmod_put(self->k);
}

static int stop_at_once(void *ctx, uint64_t done, uint64_t total)
{
	++*(int *)ctx;
	return 1;
}

/* The caller wants no memory: neither the module's nor another. */
TEST_F(memory, stop_is_not_a_refusal_of_the_modules)
{
	const uint32_t flags[] = { GM_MMAP_PREFAULT,
				   GM_MMAP_PREFAULT | GM_MMAP_MEMFD };
	struct gm_range range = { gm_gpa(0), LENGTH };
	struct gm_choice choice = { .backend = GM_BACKEND_KMOD };
	struct gm_map *m = (void *)1;
	int calls = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct gm_mmap_opts o = {
			.sz = sizeof(o),
			.flags = flags[i],
			.progress = stop_at_once,
			.progress_ctx = &calls,
		};

		calls = 0;
		EXPECT_FAIL_KIND(gm_region_new_auto(self->k, gm_gpa(0), LENGTH,
						    &o, &self->r, &choice),
				 ECANCELED, GM_ERR_OPTION);
		EXPECT_EQ(1, calls);
		EXPECT_FAIL_KIND(gm_map_new_auto(self->k, &range, &o, 1, &m,
						 &choice),
				 ECANCELED, GM_ERR_OPTION);
		EXPECT_EQ(2, calls);
	}
	EXPECT_EQ((void *)1, self->r);
	EXPECT_EQ((void *)1, m);
	EXPECT_EQ(GM_BACKEND_KMOD, choice.backend);
	EXPECT_EQ(GM_ERR_NONE, choice.why.kind);
}

/* Of a program that is newer than the library; options of a region each. */
TEST_F(memory, options_of_a_map_are_as_far_apart_as_they_say)
{
	struct {
		struct gm_mmap_opts o;
		uint64_t tail;
	} opts[2] = {
		{ .o = { .sz = sizeof(opts[0]) } },
		{ .o = { .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY } },
	};
	const struct gm_range ranges[2] = { { gm_gpa(0), LENGTH }, { gm_gpa(LENGTH), LENGTH } };
	struct gm_choice choice;
	struct gm_map *m;

	ASSERT_OK(gm_map_new_kmod(self->k, ranges, &opts[0].o, 2, &m));
	EXPECT_EQ(NULL, gm_region_bitmap(gm_map_region(m, 0)));
	EXPECT_NE(NULL, gm_region_bitmap(gm_map_region(m, 1)));
	gm_map_put(m);
	ASSERT_OK(gm_map_new_auto(self->k, ranges, &opts[0].o, 2, &m, &choice));
	EXPECT_EQ(GM_BACKEND_KMOD, choice.backend);
	gm_map_put(m);
	opts[1].o.sz = sizeof(opts[1].o);
	EXPECT_FAIL_KIND(gm_map_new_kmod(self->k, ranges, &opts[0].o, 2, &m), EINVAL,
			 GM_ERR_OPTION);
	EXPECT_FAIL_KIND(gm_map_new_auto(self->k, ranges, &opts[0].o, 2, &m, &choice), EINVAL,
			 GM_ERR_OPTION);
}

TEST_F(memory, mapped_where_the_module_refuses)
{
	const int errors[] = { ENOMEM, EPERM, EIO };
	struct gm_choice choice;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		kmod_fake.fail[GUESTMEM_CMD_ALLOC] = errors[i];
		gm_error_clear();
		ASSERT_OK(gm_region_new_auto(self->k, gm_gpa(0), LENGTH, NULL,
					     &self->r, &choice));
		EXPECT_EQ(GM_BACKEND_MMAP, choice.backend);
		EXPECT_EQ(-errors[i], choice.why.err);
		EXPECT_EQ(GM_ERR_NONE, gm_error_last()->kind);
		gm_region_put(self->r);
		self->r = (void *)1;
	}
}

/* Revoked is pinned no more: such a map would not be what it says. */
TEST_F(memory, revoked_pin_is_pinned_again)
{
	struct gm_region *base, *again;
	struct gm_map *m, *pinned;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LENGTH, NULL, &base));
	ASSERT_OK(gm_region_new_pinned(self->k, base, &self->r));
	gm_region_put(base);
	ASSERT_OK(gm_map_new(&self->r, 1, &m));
	ASSERT_OK(gm_map_new_pinned(self->k, m, &pinned));
	EXPECT_EQ(self->r, gm_map_region(pinned, 0));
	gm_map_put(pinned);
	kmod_fake.region_properties = GUESTMEM_REGION_REVOKED;
	ASSERT_OK(gm_map_new_pinned(self->k, m, &pinned));
	again = gm_map_region(pinned, 0);
	EXPECT_NE(self->r, again);
	EXPECT_EQ(self->r->ext.host, again->ext.host);
	EXPECT_EQ(2, kmod_fake.calls[GUESTMEM_CMD_PIN]);
	/* It stands by itself. */
	gm_map_put(m);
	gm_region_put(self->r);
	self->r = (void *)1;
	again->ext.host[0] = 7;
	EXPECT_EQ(-EBUSY, gm_region_discard(again, gm_roff(0), PAGE));
	gm_map_put(pinned);
}

TEST_F(memory, revoked_memory_can_not_be_pinned)
{
	struct gm_map *m, *pinned = (void *)1;

	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(PAGE), LENGTH, NULL,
				     &self->r));
	ASSERT_OK(gm_map_new(&self->r, 1, &m));
	kmod_fake.region_properties = GUESTMEM_REGION_REVOKED;
	EXPECT_FAIL(gm_map_new_pinned(self->k, m, &pinned), ENODEV,
		    GM_ERR_REVOKED, PAGE, LENGTH, 0, 0);
	EXPECT_EQ(0, kmod_fake.calls[GUESTMEM_CMD_PIN]);
	EXPECT_EQ((void *)1, pinned);
	gm_map_put(m);
}

TEST_F(memory, revoke_that_is_refused)
{
	char text[100];

	ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(0), LENGTH, NULL,
				     &self->r));
	kmod_fake.fail[GUESTMEM_CMD_REVOKE] = EPERM;
	EXPECT_FAIL(gm_kmod_revoke(self->k, self->r), EPERM,
		    GM_ERR_NOT_PERMITTED, 0, 0, 0, 0);
	gm_error_format(gm_error_last(), text, sizeof(text));
	EXPECT_STREQ("not permitted: Operation not permitted", text);
	kmod_fake.fail[GUESTMEM_CMD_REVOKE] = EBUSY;
	EXPECT_FAIL(gm_kmod_revoke(self->k, self->r), EBUSY, GM_ERR_HELD, 0,
		    LENGTH, 0, 0);
	kmod_fake.fail[GUESTMEM_CMD_REVOKE] = EINVAL;
	EXPECT_FAIL_KIND(gm_kmod_revoke(self->k, self->r), EINVAL,
			 GM_ERR_NOT_PINNED);
	kmod_fake.fail[GUESTMEM_CMD_REVOKE] = EIO;
	EXPECT_FAIL_KIND(gm_kmod_revoke(self->k, self->r), EIO, GM_ERR_IO);
}

/* Pinned through one region of a file, and given back through another one. */
TEST_F(memory, pinned_alias_can_not_be_discarded)
{
	struct gm_mmap_opts o = { .sz = sizeof(o), .flags = GM_MMAP_MEMFD };
	struct gm_region *low, *alias;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LENGTH, &o, &low));
	o.flags = 0;
	o.file = gm_region_file(low, NULL);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(2 * LENGTH), LENGTH, &o, &alias));
	ASSERT_OK(gm_region_new_pinned(self->k, alias, &self->r));
	low->ext.host[PAGE] = 5;
	EXPECT_FAIL_NAME(gm_region_discard(low, gm_roff(PAGE), PAGE), EBUSY,
			 GM_ERR_HELD, 0, LENGTH, "guestmem pin");
	EXPECT_EQ(5, self->r->ext.host[PAGE]);
	gm_region_put(self->r);
	self->r = (void *)1;
	EXPECT_EQ(0, gm_region_discard(low, gm_roff(PAGE), PAGE));
	EXPECT_EQ(0, alias->ext.host[PAGE]);
	gm_region_put(alias);
	gm_region_put(low);
}

TEST_HARNESS_MAIN
