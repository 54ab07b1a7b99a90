/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kvm.h: no page that the guest writes is lost, whatever becomes of the resets of a
 * ring, which is kvm_fake.c's. test_kvm_dirty.c has KVM's.
 */
/* gm-test: linux */
#include "kselftest_harness.h"
#include <signal.h>
#include <unistd.h>
#include <guestmem.h>
#include "expect.h"
#include "kvm_fake.h"

FIXTURE(rings) {
	int fd;
	struct gm_kvm_rings *rings;
	struct gm_kvm_slot slot;
	bool written[KVM_FAKE_PAGES];	/* and not taken since */
};

FIXTURE_SETUP(rings)
{
	self->slot.slot = KVM_FAKE_SLOT;
	self->slot.len = KVM_FAKE_PAGES * (uint64_t)sysconf(_SC_PAGESIZE);
	ASSERT_OK(gm_bitmap_new(self->slot.len, 0, &self->slot.dirty));
	self->fd = kvm_fake_open();
	ASSERT_LE(0, self->fd);
	ASSERT_OK(gm_kvm_rings_new(self->fd, KVM_FAKE_ENTRIES * 16, &self->rings));
}

/* In each test: one that its fixture skips is run all the same. */
#define RING_ADD() do { \
	if (gm_kvm_rings_add(self->rings, self->fd)) { \
		EXPECT_EQ(-EOPNOTSUPP, gm_error_last()->err); \
		SKIP(return, "no dirty rings on this architecture"); \
	} \
} while (0)

FIXTURE_TEARDOWN(rings)
{
	gm_kvm_rings_free(self->rings);
	gm_bitmap_put(self->slot.dirty);
	close(self->fd);
}

/* The guest writes pages until its ring is full; how many. */
static uint64_t write_pages(FIXTURE_DATA(rings) *self, uint64_t first, uint64_t count)
{
	uint64_t n;

	for (n = 0; n < count && kvm_fake_write(first + n); n++)
		self->written[first + n] = true;
	return n;
}

static int64_t import(const FIXTURE_DATA(rings) *self)
{
	return gm_kvm_rings_import(self->rings, &self->slot, 1);
}

/* All marks are taken. Pages that were written and are not marked: */
static uint64_t lost(FIXTURE_DATA(rings) *self)
{
	uint64_t n = 0;

	for (uint64_t p = 0; p < KVM_FAKE_PAGES; p++) {
		n += self->written[p] && !gm_bitmap_test_page(self->slot.dirty, p);
		self->written[p] = false;
	}
	gm_bitmap_reset(self->slot.dirty);
	return n;
}

static uint64_t unwatched(void)
{
	uint64_t n = 0;

	for (int p = 0; p < KVM_FAKE_PAGES; p++)
		n += !kvm_fake.watched[p];
	return n;
}

TEST_F(rings, reset_that_ends_early_is_gone_on_with)
{
	RING_ADD();
	kvm_fake.at_once = 4;
	for (uint64_t i = 0; i < 10; i++) {
		ASSERT_EQ(10, write_pages(self, i, 10));
		EXPECT_EQ(10, import(self));
		EXPECT_EQ(10, gm_bitmap_count(self->slot.dirty));
		EXPECT_EQ(0, lost(self));
		EXPECT_EQ(0, unwatched());
		EXPECT_EQ(3 * (i + 1), kvm_fake.resets);
		/* Nothing is due. */
		EXPECT_EQ(0, import(self));
		EXPECT_EQ(3 * (i + 1), kvm_fake.resets);
	}
}

TEST_F(rings, reset_that_does_nothing_is_an_error)
{
	RING_ADD();
	ASSERT_EQ(10, write_pages(self, 0, 10));
	kvm_fake.at_once = 0;
	EXPECT_FAIL(import(self), EINTR, GM_ERR_IO, 0, 0, 0, 0);
	EXPECT_EQ(0, lost(self));
	/* Of these, nobody tells. */
	ASSERT_EQ(10, write_pages(self, 0, 10));
	kvm_fake.at_once = KVM_FAKE_ENTRIES;
	EXPECT_EQ(10, import(self));
	EXPECT_EQ(0, lost(self));
	EXPECT_EQ(0, unwatched());
	EXPECT_EQ(0, import(self));
	EXPECT_EQ(0, gm_bitmap_count(self->slot.dirty));
}

TEST_F(rings, what_a_failed_reset_left_is_told_again)
{
	RING_ADD();
	ASSERT_EQ(5, write_pages(self, 0, 5));
	kvm_fake.fail = EIO;
	EXPECT_FAIL_KIND(import(self), EIO, GM_ERR_IO);
	EXPECT_EQ(0, lost(self));
	/* Written and told while it fails, and not told. */
	ASSERT_EQ(10, write_pages(self, 0, 10));
	EXPECT_FAIL_KIND(import(self), EIO, GM_ERR_IO);
	EXPECT_EQ(0, lost(self));
	ASSERT_EQ(10, write_pages(self, 0, 10));
	kvm_fake.fail = 0;
	EXPECT_EQ(10, import(self));
	EXPECT_EQ(0, lost(self));
	EXPECT_EQ(0, unwatched());
}

/* The ring is full all the time, with what was read before and what was not. */
TEST_F(rings, resets_that_do_not_get_to_the_end)
{
	RING_ADD();
	kvm_fake.at_once = 1;
	for (uint64_t i = 0; i < 50; i++) {
		write_pages(self, i % (KVM_FAKE_PAGES / 2), KVM_FAKE_PAGES / 2);
		EXPECT_EQ(KVM_FAKE_ENTRIES, unwatched());
		EXPECT_FAIL_KIND(import(self), EINTR, GM_ERR_IO);
		EXPECT_EQ(KVM_FAKE_ENTRIES, gm_bitmap_count(self->slot.dirty));
		EXPECT_EQ(0, lost(self));
		EXPECT_GT(KVM_FAKE_ENTRIES, unwatched());
	}
	kvm_fake.at_once = KVM_FAKE_ENTRIES;
	EXPECT_LT(0, import(self));
	EXPECT_EQ(0, lost(self));
	EXPECT_EQ(0, unwatched());
}

TEST_F(rings, no_signal_interrupts_a_reset)
{
	sigset_t before, after;

	RING_ADD();
	ASSERT_EQ(0, sigemptyset(&before));
	ASSERT_EQ(0, sigaddset(&before, SIGUSR2));
	ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, &before, NULL));
	ASSERT_EQ(1, write_pages(self, 7, 1));
	EXPECT_EQ(1, import(self));
	EXPECT_EQ(1, kvm_fake.resets);
	EXPECT_FALSE(kvm_fake.interruptible);
	ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, NULL, &after));
	EXPECT_TRUE(sigismember(&after, SIGUSR2));
	EXPECT_FALSE(sigismember(&after, SIGUSR1));
	EXPECT_FALSE(sigismember(&after, SIGALRM));
}

TEST_HARNESS_MAIN
