/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-test: no-valgrind */
/*
 * kvm.h against the kernel's KVM: a guest writes every other page of a range, and
 * exactly these are marked; by the log, plain and manual, and by rings.
 */
/* gm-test: linux */
#include "kselftest_harness.h"
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <guestmem.h>
#include "expect.h"
#include "refuse.h"

#define PAGE UINT64_C(4096)
#define RAM (UINT64_C(1) << 20)
#define CODE 0x1000
#define RING 65536

#ifdef __x86_64__
/* Writes a byte to each second page of [0x20000, 0x80000), and halts. */
static const uint8_t code[] = {
	0xb8, 0x00, 0x20,			/* mov $0x2000, %ax */
	0x8e, 0xc0,				/* 1: mov %ax, %es */
	0x26, 0xc6, 0x06, 0x00, 0x00, 0x5a,	/* movb $0x5a, %es:0 */
	0x05, 0x00, 0x02,			/* add $0x200, %ax */
	0x3d, 0x00, 0x80,			/* cmp $0x8000, %ax */
	0x72, 0xf0,				/* jb 1b */
	0xf4,					/* hlt */
};

#define FIRST 32
#define END 128
#define WRITTEN ((END - FIRST) / 2)

FIXTURE(kvm) {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	size_t run_size;
	struct gm_region *r;
	struct gm_kvm_slot slot;
};

FIXTURE_SETUP(kvm)
{
	struct gm_mmap_opts opts = { .sz = sizeof(opts), .flags = GM_MMAP_DIRTY };

	self->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	self->vm = self->vcpu = -1;
	if (self->kvm < 0)
		return;
	self->vm = ioctl(self->kvm, KVM_CREATE_VM, 0);
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), RAM, &opts, &self->r));
	memcpy(self->r->ext.host + CODE, code, sizeof(code));
	self->slot = (struct gm_kvm_slot){
		.slot = 3,
		.len = RAM,
		.dirty = gm_region_bitmap(self->r),
	};
}

FIXTURE_TEARDOWN(kvm)
{
	if (self->vcpu >= 0)
		munmap(self->run, self->run_size);
	close(self->vcpu);
	close(self->vm);
	close(self->kvm);
	gm_region_put(self->r);
}

#define NEED_KVM() do { \
	if (self->vm < 0) \
		SKIP(return, "no KVM here"); \
} while (0)

static int set_slot(const FIXTURE_DATA(kvm) *self, uint32_t flags)
{
	struct kvm_userspace_memory_region m = {
		.slot = self->slot.slot,
		.flags = flags,
		.memory_size = RAM,
		.userspace_addr = (uintptr_t)self->r->ext.host,
	};

	return ioctl(self->vm, KVM_SET_USER_MEMORY_REGION, &m);
}

static int enable(const FIXTURE_DATA(kvm) *self, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap c = { .cap = cap, .args = { arg } };

	return ioctl(self->vm, KVM_ENABLE_CAP, &c);
}

static int make_vcpu(FIXTURE_DATA(kvm) *self)
{
	struct kvm_sregs sregs;

	self->vcpu = ioctl(self->vm, KVM_CREATE_VCPU, 0);
	if (self->vcpu < 0)
		return -1;
	self->run_size = (size_t)ioctl(self->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	self->run = mmap(NULL, self->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, self->vcpu, 0);
	if (self->run == MAP_FAILED || ioctl(self->vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	return ioctl(self->vcpu, KVM_SET_SREGS, &sregs);
}

/* The guest's program, once; 0 if it came to its end. */
static int run_guest(const FIXTURE_DATA(kvm) *self)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	int ret;

	if (ioctl(self->vcpu, KVM_SET_REGS, &regs))
		return -1;
	do {
		ret = ioctl(self->vcpu, KVM_RUN, 0);
	} while (ret && errno == EINTR);
	return ret ? ret : (int)self->run->exit_reason - KVM_EXIT_HLT;
}

/* Pages that are marked wrongly, or not; all marks are taken. */
static uint64_t wrong_marks(const FIXTURE_DATA(kvm) *self, bool written)
{
	uint64_t wrong = 0;

	for (uint64_t p = 0; p < RAM / PAGE; p++) {
		bool want = written && p >= FIRST && p < END && p % 2 == 0;

		wrong += gm_bitmap_test_page(self->slot.dirty, p) != want;
	}
	gm_bitmap_reset(self->slot.dirty);
	return wrong;
}

TEST_F(kvm, log_marks_what_the_guest_wrote)
{
	NEED_KVM();
	ASSERT_EQ(0, set_slot(self, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, make_vcpu(self));
	ASSERT_EQ(0, run_guest(self));
	EXPECT_EQ(WRITTEN, gm_kvm_import_log(self->vm, &self->slot, 0));
	EXPECT_EQ(0, wrong_marks(self, true));
	/* Told once; and again when it is written again. */
	EXPECT_EQ(0, gm_kvm_import_log(self->vm, &self->slot, 0));
	EXPECT_EQ(0, wrong_marks(self, false));
	ASSERT_EQ(0, run_guest(self));
	EXPECT_EQ(WRITTEN, gm_kvm_import_log(self->vm, &self->slot, 0));
	EXPECT_EQ(0, wrong_marks(self, true));
}

TEST_F(kvm, manual_log_marks_what_the_guest_wrote)
{
	NEED_KVM();
	if (enable(self, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE))
		SKIP(return, "KVM has no manual log");
	ASSERT_EQ(0, set_slot(self, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, make_vcpu(self));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, run_guest(self));
		EXPECT_EQ(WRITTEN, gm_kvm_import_log(self->vm, &self->slot, GM_KVM_MANUAL));
		EXPECT_EQ(0, wrong_marks(self, true));
		EXPECT_EQ(0, gm_kvm_import_log(self->vm, &self->slot, GM_KVM_MANUAL));
	}
	/* What only looks does not clear. */
	ASSERT_EQ(0, run_guest(self));
	EXPECT_EQ(WRITTEN, gm_kvm_import_log(self->vm, &self->slot, 0));
	EXPECT_EQ(WRITTEN, gm_kvm_import_log(self->vm, &self->slot, 0));
}

TEST_F(kvm, slot_may_be_a_part_of_a_bitmap)
{
	struct gm_bitmap *bm;

	NEED_KVM();
	ASSERT_EQ(0, set_slot(self, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, make_vcpu(self));
	ASSERT_EQ(0, run_guest(self));
	/* Larger pages too: each holds one page that was written. */
	ASSERT_OK(gm_bitmap_new(RAM + 7 * PAGE, 2 * PAGE, &bm));
	self->slot.dirty = bm;
	self->slot.off = 6 * PAGE;
	EXPECT_EQ(WRITTEN, gm_kvm_import_log(self->vm, &self->slot, 0));
	EXPECT_EQ(WRITTEN, gm_bitmap_count(bm));
	EXPECT_TRUE(gm_bitmap_test_page(bm, FIRST / 2 + 3));
	EXPECT_TRUE(gm_bitmap_test_page(bm, END / 2 + 2));
	/* A place that cannot be marks nothing. */
	gm_bitmap_reset(bm);
	self->slot.off = UINT64_MAX - PAGE;
	ASSERT_EQ(0, run_guest(self));
	EXPECT_EQ(WRITTEN, gm_kvm_import_log(self->vm, &self->slot, 0));
	EXPECT_EQ(0, gm_bitmap_count(bm));
	gm_bitmap_put(bm);
}

TEST_F(kvm, log_that_cannot_be_had)
{
	NEED_KVM();
	ASSERT_EQ(0, set_slot(self, 0));
	EXPECT_FAIL_KIND(gm_kvm_import_log(self->vm, &self->slot, 0), ENOENT, GM_ERR_IO);
	EXPECT_EQ(self->slot.slot, gm_error_last()->addr);
	EXPECT_EQ(RAM, gm_error_last()->len);
	/* What is refused before KVM is asked marks nothing. */
	ASSERT_EQ(0, set_slot(self, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, make_vcpu(self));
	ASSERT_EQ(0, run_guest(self));
	EXPECT_FAIL_KIND(gm_kvm_import_log(self->vm, &self->slot, 2), EINVAL, GM_ERR_OPTION);
	EXPECT_EQ(0, gm_bitmap_count(self->slot.dirty));
	self->slot.len++;
	EXPECT_FAIL(gm_kvm_import_log(self->vm, &self->slot, 0), EINVAL, GM_ERR_MISALIGNED,
		    RAM + 1, PAGE, 0, 0);
	self->slot.len = 0;
	EXPECT_FAIL_KIND(gm_kvm_import_log(self->vm, &self->slot, 0), EINVAL,
			 GM_ERR_MISALIGNED);
}

/* What was told is marked, whatever KVM says then: it is not told again. */
TEST_F(kvm, log_that_cannot_be_cleared_is_marked)
{
	NEED_KVM();
	if (enable(self, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE))
		SKIP(return, "KVM has no manual log");
	ASSERT_EQ(0, set_slot(self, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, make_vcpu(self));
	ASSERT_EQ(0, run_guest(self));
	if (refuse_ioctl(KVM_CLEAR_DIRTY_LOG, EIO))
		SKIP(return, "no seccomp filter to be had here");
	EXPECT_FAIL(gm_kvm_import_log(self->vm, &self->slot, GM_KVM_MANUAL), EIO, GM_ERR_IO,
		    self->slot.slot, RAM, 0, 0);
	EXPECT_EQ(0, wrong_marks(self, true));
}

static bool make_rings(struct __test_metadata *_metadata, FIXTURE_DATA(kvm) *self,
		       uint64_t size, struct gm_kvm_rings **rings)
{
	if (enable(self, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, size) &&
	    enable(self, KVM_CAP_DIRTY_LOG_RING, size))
		return false;
	ASSERT_EQ(0, set_slot(self, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, make_vcpu(self));
	ASSERT_OK(gm_kvm_rings_new(self->vm, size, rings));
	ASSERT_OK(gm_kvm_rings_add(*rings, self->vcpu));
	return true;
}

TEST_F(kvm, rings_mark_what_the_guest_wrote)
{
	struct gm_kvm_rings *rings;

	NEED_KVM();
	if (!make_rings(_metadata, self, RING, &rings))
		SKIP(return, "KVM has no dirty rings");
	/* More entries in all than a ring has: it goes round. */
	for (int i = 0; i < 2 * RING / 16 / WRITTEN; i++) {
		ASSERT_EQ(0, run_guest(self));
		ASSERT_EQ(WRITTEN, gm_kvm_rings_import(rings, &self->slot, 1));
		ASSERT_EQ(0, wrong_marks(self, true));
		ASSERT_EQ(0, gm_kvm_rings_import(rings, &self->slot, 1));
	}
	gm_kvm_rings_free(rings);
	gm_kvm_rings_free(NULL);
}

/* A kernel that says 0, and has done nothing, has not reset them either. */
static void not_reset(struct __test_metadata *_metadata, FIXTURE_DATA(kvm) *self,
		      unsigned int err)
{
	struct gm_kvm_rings *rings;

	if (!make_rings(_metadata, self, RING, &rings))
		SKIP(return, "KVM has no dirty rings");
	if (refuse_ioctl(KVM_RESET_DIRTY_RINGS, err))
		SKIP(return, "no seccomp filter to be had here");
	ASSERT_EQ(0, run_guest(self));
	EXPECT_FAIL_KIND(gm_kvm_rings_import(rings, &self->slot, 1), EINTR, GM_ERR_IO);
	EXPECT_EQ(0, wrong_marks(self, true));
	/* KVM does not watch these pages, and need not tell of this. */
	ASSERT_EQ(0, run_guest(self));
	EXPECT_FAIL_KIND(gm_kvm_rings_import(rings, &self->slot, 1), EINTR, GM_ERR_IO);
	EXPECT_EQ(0, wrong_marks(self, true));
	gm_kvm_rings_free(rings);
}

TEST_F(kvm, rings_that_cannot_be_reset_are_marked_and_tried_again)
{
	NEED_KVM();
	not_reset(_metadata, self, EINTR);
}

TEST_F(kvm, rings_that_are_not_reset_without_an_error)
{
	NEED_KVM();
	not_reset(_metadata, self, 0);
}

TEST_F(kvm, entries_of_no_slot_are_dropped)
{
	struct gm_kvm_slot slots[2];
	struct gm_kvm_rings *rings;

	NEED_KVM();
	if (!make_rings(_metadata, self, RING, &rings))
		SKIP(return, "KVM has no dirty rings");
	ASSERT_EQ(0, run_guest(self));
	EXPECT_EQ(0, gm_kvm_rings_import(rings, NULL, 0));
	ASSERT_EQ(0, run_guest(self));
	slots[0] = slots[1] = self->slot;
	slots[0].slot = 1;
	/* Half of them are behind this slot's end. */
	slots[1].len = (FIRST + END) / 2 * PAGE;
	EXPECT_EQ(WRITTEN / 2, gm_kvm_rings_import(rings, slots, 2));
	EXPECT_EQ(WRITTEN / 2, gm_bitmap_count(self->slot.dirty));
	EXPECT_FALSE(gm_bitmap_test_page(self->slot.dirty, (FIRST + END) / 2));
	gm_kvm_rings_free(rings);
}

TEST_F(kvm, rings_that_cannot_be_had)
{
	struct gm_kvm_rings *rings = NULL;

	EXPECT_FAIL(gm_kvm_rings_new(-1, 3 * PAGE, &rings), EINVAL, GM_ERR_SIZE, 3 * PAGE,
		    0, 0, 0);
	EXPECT_FAIL(gm_kvm_rings_new(-1, 8, &rings), EINVAL, GM_ERR_SIZE, 8, 0, 0, 0);
	EXPECT_FAIL(gm_kvm_rings_new(-1, 0, &rings), EINVAL, GM_ERR_SIZE, 0, 0, 0, 0);
	EXPECT_EQ(NULL, rings);
	NEED_KVM();
	/* Rings were not enabled. */
	ASSERT_EQ(0, set_slot(self, 0));
	ASSERT_EQ(0, make_vcpu(self));
	ASSERT_OK(gm_kvm_rings_new(self->vm, RING, &rings));
	EXPECT_FAIL(gm_kvm_rings_add(rings, self->vcpu), EINVAL, GM_ERR_MMAP, 0, RING, 0, 0);
	EXPECT_EQ(0, gm_kvm_rings_import(rings, &self->slot, 1));
	gm_kvm_rings_free(rings);
}

TEST_F(kvm, ring_of_another_size_is_refused)
{
	struct gm_kvm_rings *rings, *longer;

	NEED_KVM();
	if (!make_rings(_metadata, self, RING, &rings))
		SKIP(return, "KVM has no dirty rings");
	ASSERT_OK(gm_kvm_rings_new(self->vm, 2 * RING, &longer));
	EXPECT_FAIL(gm_kvm_rings_add(longer, self->vcpu), EINVAL, GM_ERR_MMAP, 0, 2 * RING, 0, 0);
	gm_kvm_rings_free(longer);
	gm_kvm_rings_free(rings);
}
#else
TEST(kvm)
{
	SKIP(return, "the guest's program is for x86-64");
}
#endif

TEST_HARNESS_MAIN
