/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vm.c - what KVM is told: memory, events, the first state of the CPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm.h"

#define CPUID_MAX 128
/* Of function 1, in ecx. */
#define CPUID_TSC_DEADLINE (1u << 24)
#define CPUID_HYPERVISOR (1u << 31)

static int add_vcpu(struct vm *vm)
{
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < (int)sizeof(*vm->run))
		return size < 0 ? -errno : -EPROTO;
	vm->vcpu = ioctl(vm->vm, KVM_CREATE_VCPU, 0);
	if (vm->vcpu < 0)
		return -errno;
	vm->run_size = (size_t)size;
	vm->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	if (vm->run == MAP_FAILED) {
		vm->run = NULL;
		return -errno;
	}
	return 0;
}

int vm_open(struct vm *vm)
{
	int err;

	memset(vm, 0, sizeof(*vm));
	vm->vm = -1;
	vm->vcpu = -1;
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return -errno;
	vm->vm = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	err = vm->vm < 0 ? -errno : 0;
	if (!err) {
		vm->has_irqchip = !ioctl(vm->vm, KVM_CREATE_IRQCHIP, 0);
		err = add_vcpu(vm);
	}
	if (err)
		vm_close(vm);
	return err;
}

void vm_close(struct vm *vm)
{
	if (vm->run)
		munmap(vm->run, vm->run_size);
	if (vm->vcpu >= 0)
		close(vm->vcpu);
	if (vm->vm >= 0)
		close(vm->vm);
	if (vm->kvm >= 0)
		close(vm->kvm);
}

int vm_set_memory(struct vm *vm, const struct gm_map *map)
{
	size_t i;

	for (i = 0; i < gm_map_count(map); i++) {
		struct gm_region *region = gm_map_region(map, i);
		struct kvm_userspace_memory_region slot = {
			.slot = (uint32_t)i,
			.flags = KVM_MEM_LOG_DIRTY_PAGES,
			.guest_phys_addr = gm_gpa_raw(gm_region_start(region)),
			.memory_size = gm_region_len(region),
		};
		void *host;
		int ret;

		ret = gm_region_host(region, gm_roff(0), &host);
		if (ret)
			return ret;
		slot.userspace_addr = (uintptr_t)host;
		if (ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &slot))
			return -errno;
	}
	return 0;
}

int vm_remove_memory(struct vm *vm, uint32_t slot)
{
	struct kvm_userspace_memory_region none = { .slot = slot };

	return ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &none) ? -errno : 0;
}

int vm_add_kick(struct vm *vm, uint64_t gpa, int fd)
{
	struct kvm_ioeventfd e = { .addr = gpa, .len = 4, .fd = fd };

	return ioctl(vm->vm, KVM_IOEVENTFD, &e) ? -errno : 0;
}

int vm_add_irq(struct vm *vm, uint32_t line, int fd)
{
	struct kvm_irqfd irq = { .fd = (uint32_t)fd, .gsi = line };

	return ioctl(vm->vm, KVM_IRQFD, &irq) ? -errno : 0;
}

/*
 * What KVM leaves to us to say: that it is KVM, whose clock a kernel can use; and that its
 * interrupt controller has a timer that needs no calibration.
 */
static void add_features(const struct vm *vm, struct kvm_cpuid2 *cpuid)
{
	uint32_t bits = CPUID_HYPERVISOR, i;

	if (vm->has_irqchip &&
	    ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		bits |= CPUID_TSC_DEADLINE;
	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= bits;
}

/* What the host's CPU and KVM can do. */
static int set_cpuid(struct vm *vm)
{
	struct kvm_cpuid2 *cpuid;
	int err = 0;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = CPUID_MAX;
	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid))
		err = -errno;
	add_features(vm, cpuid);
	if (!err && ioctl(vm->vcpu, KVM_SET_CPUID2, cpuid))
		err = -errno;
	free(cpuid);
	return err;
}

int vm_set_cpu(struct vm *vm, uint64_t entry,
	       void (*set_registers)(uint64_t entry, struct kvm_regs *regs,
				     struct kvm_sregs *sregs))
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int err = set_cpuid(vm);

	if (err)
		return err;
	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	set_registers(entry, &regs, &sregs);
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) || ioctl(vm->vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}
