/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kvm.c - the guest's memory given to KVM, and a virtual CPU run in it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifdef __x86_64__
#include <linux/kvm.h>
#include <sys/mman.h>
#endif

#include "tutorial.h"

#ifdef __x86_64__
/* One memory slot for each region. */
static int add_slots(int vm, const struct gm_map *map)
{
	size_t i;

	for (i = 0; i < gm_map_count(map); i++) {
		struct gm_region *region = gm_map_region(map, i);
		struct kvm_userspace_memory_region slot = {
			.slot = (uint32_t)i,
			.guest_phys_addr = gm_gpa_raw(gm_region_start(region)),
			.memory_size = gm_region_len(region),
		};
		void *host;
		int ret;

		ret = gm_region_host(region, gm_roff(0), &host);
		if (ret)
			return ret;
		slot.userspace_addr = (uintptr_t)host;
		if (!gm_perm_has_write(gm_region_perm(region)))
			slot.flags = KVM_MEM_READONLY;
		if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot))
			return -errno;
	}
	return 0;
}

/* Real mode, all segments at 0. */
static int set_registers(int vcpu)
{
	struct kvm_regs regs = { .rip = GUEST_CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

/* Until the guest halts. */
static int run_vcpu(int vcpu, const struct kvm_run *run, struct tape *t)
{
	int ret;

	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0)) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			if (run->io.port != KICK_PORT)
				return -EPROTO;
			ret = tape_kick(t);
			if (ret)
				return ret;
			break;
		case KVM_EXIT_HLT:
			return 0;
		default:
			return -EPROTO;
		}
	}
}

static int run_vm(int kvm, int vm, const struct gm_map *map, struct tape *t)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	int vcpu, ret;
	void *run;

	ret = add_slots(vm, map);
	if (ret)
		return ret;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return -errno;
	ret = set_registers(vcpu);
	if (!ret) {
		run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
		if (run == MAP_FAILED) {
			ret = -errno;
		} else {
			ret = run_vcpu(vcpu, run, t);
			munmap(run, (size_t)size);
		}
	}
	close(vcpu);
	return ret;
}

int kvm_run(const struct gm_map *map, struct tape *t)
{
	int kvm, vm, ret = -ENODEV;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return -ENODEV;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm >= 0) {
		ret = run_vm(kvm, vm, map, t);
		close(vm);
	}
	close(kvm);
	return ret;
}
#else
int kvm_run(const struct gm_map *map, struct tape *t)
{
	(void)map;
	(void)t;
	return -ENODEV;
}
#endif
