/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=users x86 */
/*
 * test_users_kvm.c - a region's mmap is a KVM memory slot: a virtual CPU runs
 * code that is in the region, and reads and writes what is there.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>
#include "kselftest_harness.h"
#include "users.h"

#define LENGTH (4 * MIB)
/* Real mode reaches the first megabyte, no more than 64 KiB of it at once. */
#define CODE 0x1000
#define NUMBER 0x2000
#define SUM 0x2002
#define FILLED 0x3000
#define FILLED_END 0x5000

/* Reads a number, stores a sum, fills two pages, halts; and all over again. */
static const uint8_t code[] = {
	0xa1, 0x00, 0x20,		/* mov ax, [NUMBER] */
	0x05, 0x11, 0x11,		/* add ax, 0x1111 */
	0xa3, 0x02, 0x20,		/* mov [SUM], ax */
	0xbf, 0x00, 0x30,		/* mov di, FILLED */
	0xb9, 0x00, 0x20,		/* mov cx, FILLED_END - FILLED */
	0xfc,				/* cld */
	0xf3, 0xaa,			/* rep stosb */
	0xf4,				/* hlt */
	0xeb, 0xeb,			/* jmp CODE */
};

FIXTURE(kvm) {
	struct users u;
	int vm;
	int vcpu;
	struct kvm_run *run;
	size_t run_size;
};

static int registers_set(int vcpu)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.es.base = 0;
	sregs.es.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

FIXTURE_SETUP(kvm)
{
	struct kvm_userspace_memory_region slot = {};
	int kvm;

	users_start(_metadata, &self->u, LENGTH);
	ASSERT_FD(&kvm, open("/dev/kvm", O_RDWR | O_CLOEXEC));
	ASSERT_FD(&self->vm, ioctl(kvm, KVM_CREATE_VM, 0));
	slot.memory_size = LENGTH;
	slot.userspace_addr = to_user(self->u.p);
	ASSERT_EQ(0, ioctl(self->vm, KVM_SET_USER_MEMORY_REGION, &slot))
		result("KVM-memory-slot", strerror(errno));
	ASSERT_FD(&self->vcpu, ioctl(self->vm, KVM_CREATE_VCPU, 0));
	self->run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	self->run = map_shared(self->vcpu, self->run_size);
	ASSERT_NE(MAP_FAILED, self->run);
	ASSERT_EQ(0, registers_set(self->vcpu));
	memcpy(self->u.p + CODE, code, sizeof(code));
}

FIXTURE_TEARDOWN(kvm)
{
	munmap(self->run, self->run_size);
	users_end(_metadata, &self->u);
}

static uint16_t word_at(const uint8_t *p)
{
	uint16_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static void number_set(uint8_t *p, uint16_t number)
{
	memcpy(p + NUMBER, &number, sizeof(number));
}

TEST_F(kvm, runs)
{
	const uint16_t number[] = { 1, 0x4321, 0xffff };
	uint8_t *p = self->u.p, *other = map_shared(self->u.fd, LENGTH);

	ASSERT_NE(MAP_FAILED, other);
	for (int i = 0; i < 3; i++) {
		uint16_t sum = number[i] + 0x1111;

		/* Written in one mapping, run in this one, read in both. */
		number_set(other, number[i]);
		memset(p + FILLED - 16, 0xa5, FILLED_END - FILLED + 32);
		ASSERT_EQ(0, ioctl(self->vcpu, KVM_RUN, 0))
			result("KVM-memory-slot", strerror(errno));
		ASSERT_EQ(KVM_EXIT_HLT, self->run->exit_reason);
		EXPECT_EQ(sum, word_at(p + SUM));
		EXPECT_EQ(sum, word_at(other + SUM));
		for (int at = FILLED; at < FILLED_END; at++)
			ASSERT_EQ(sum & 0xff, p[at]);
		EXPECT_EQ(0xa5, p[FILLED - 1]);
		EXPECT_EQ(0xa5, p[FILLED_END]);
	}
	munmap(other, LENGTH);
	result("KVM-memory-slot", "works: code and data");
}

/*
 * Memory that is taken back is taken from the virtual CPU, too: what it was
 * given by hardware, and what it asks for again.
 */
TEST_F(kvm, revoked)
{
	uint8_t *p = self->u.p;
	int ret;

	number_set(p, 1);
	ASSERT_EQ(0, ioctl(self->vcpu, KVM_RUN, 0));
	ASSERT_EQ(0x1112, word_at(p + SUM));
	ASSERT_EQ(0, region_revoke(self->u.s.control, self->u.fd));
	ret = ioctl(self->vcpu, KVM_RUN, 0);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, errno);
}

TEST_HARNESS_MAIN
