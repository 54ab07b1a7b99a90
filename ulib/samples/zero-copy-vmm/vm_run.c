/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vm_run.c - run the virtual CPU, and hand its exits to whom they are for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vm.h"

/* Of the machine that runs, for the signal handler. */
static struct kvm_run *running;
static volatile sig_atomic_t out_of_time;

/* Also if it comes right before KVM_RUN, that returns at once. */
static void on_alarm(int number)
{
	(void)number;
	out_of_time = 1;
	running->immediate_exit = 1;
}

static void do_mmio(struct kvm_run *run, const struct vm_bus *bus)
{
	/* KVM says up to 8; it is the kernel's word, but the array's bound is ours. */
	uint32_t len = run->mmio.len <= sizeof(run->mmio.data) ? run->mmio.len :
								sizeof(run->mmio.data);

	if (run->mmio.is_write) {
		bus->mmio_write(bus->ctx, run->mmio.phys_addr, run->mmio.data, len);
		return;
	}
	/* Nobody there: all bits set, as on a real bus. */
	memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
	bus->mmio_read(bus->ctx, run->mmio.phys_addr, run->mmio.data, len);
}

/* True: the run ends. */
static bool do_port(struct vm *vm, const struct vm_bus *bus)
{
	struct kvm_run *run = vm->run;
	uint64_t size = (uint64_t)run->io.size * run->io.count;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t i;

	if (run->io.data_offset > vm->run_size || size > vm->run_size - run->io.data_offset)
		return false;
	for (i = 0; i < run->io.count && run->io.direction == KVM_EXIT_IO_IN; i++) {
		memset(data + (uint64_t)i * run->io.size, 0xff, run->io.size);
		bus->port_read(bus->ctx, run->io.port, data + (uint64_t)i * run->io.size,
			       run->io.size);
	}
	if (run->io.direction == KVM_EXIT_IO_IN)
		return false;
	for (i = 0; i < run->io.count; i++)
		if (bus->port_write(bus->ctx, run->io.port, data + (uint64_t)i * run->io.size,
				    run->io.size))
			return true;
	return false;
}

static int run_until(struct vm *vm, const struct vm_bus *bus)
{
	while (!out_of_time) {
		if (ioctl(vm->vcpu, KVM_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return -errno;
		}
		switch (vm->run->exit_reason) {
		case KVM_EXIT_MMIO:
			do_mmio(vm->run, bus);
			break;
		case KVM_EXIT_IO:
			if (do_port(vm, bus))
				return VM_STOPPED;
			break;
		case KVM_EXIT_SHUTDOWN:
			return VM_SHUTDOWN;
		case KVM_EXIT_HLT:
			return VM_HALTED;
		case KVM_EXIT_INTR:
			break;
		default:
			return VM_UNKNOWN;
		}
	}
	return VM_TIMEOUT;
}

int vm_run(struct vm *vm, const struct vm_bus *bus, unsigned int seconds)
{
	struct sigaction action = { .sa_handler = on_alarm };
	int ret;

	running = vm->run;
	if (sigaction(SIGALRM, &action, NULL))
		return -errno;
	alarm(seconds);
	ret = run_until(vm, bus);
	alarm(0);
	return ret;
}
