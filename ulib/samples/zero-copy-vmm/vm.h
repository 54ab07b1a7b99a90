/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vm.h - a virtual machine of KVM with one virtual CPU.
 */
#ifndef VM_H
#define VM_H

#include <linux/kvm.h>
#include <stdbool.h>

#include <guestmem.h>

/**
 * struct vm - a virtual machine
 * @kvm: descriptor of /dev/kvm
 * @vm: of the machine
 * @vcpu: of its CPU
 * @has_irqchip: KVM has an interrupt controller in it
 * @run: what KVM and we tell each other at each exit
 * @run_size: bytes of @run
 */
struct vm {
	int kvm;
	int vm;
	int vcpu;
	bool has_irqchip;
	struct kvm_run *run;
	size_t run_size;
};

/* What becomes of an exit that is for somebody else; NULL members: ignored. */
struct vm_bus {
	void *ctx;
	/* A guest physical address that is no memory. */
	void (*mmio_read)(void *ctx, uint64_t gpa, void *data, uint32_t len);
	void (*mmio_write)(void *ctx, uint64_t gpa, const void *data, uint32_t len);
	void (*port_read)(void *ctx, uint16_t port, void *data, uint32_t len);
	/* True: the run ends. */
	bool (*port_write)(void *ctx, uint16_t port, const void *data, uint32_t len);
};

/* Return: 0; a negative errno: -ENOENT and its like say that there is no KVM. */
int vm_open(struct vm *vm);
void vm_close(struct vm *vm);

/*
 * Give the machine this memory: slot n is region n, with a log of what is written.
 * KVM takes no reference: @map must live until vm_close(), or a region of it until its
 * slot is gone.
 */
int vm_set_memory(struct vm *vm, const struct gm_map *map);
int vm_remove_memory(struct vm *vm, uint32_t slot);

/* A write of 4 bytes to @gpa signals the eventfd @fd, without an exit. */
int vm_add_kick(struct vm *vm, uint64_t gpa, int fd);

/* The eventfd @fd raises interrupt line @line. */
int vm_add_irq(struct vm *vm, uint32_t line, int fd);

/* The CPU begins with what @set_registers makes of @entry. */
int vm_set_cpu(struct vm *vm, uint64_t entry,
	       void (*set_registers)(uint64_t entry, struct kvm_regs *regs,
				     struct kvm_sregs *sregs));

enum vm_end {
	VM_STOPPED,	/* a port_write() said so */
	VM_SHUTDOWN,	/* the CPU gave up: a triple fault */
	VM_HALTED,
	VM_TIMEOUT,
	VM_UNKNOWN,	/* an exit that nobody knows */
};

/* Run the CPU for at most @seconds. Return: enum vm_end; a negative errno. */
int vm_run(struct vm *vm, const struct vm_bus *bus, unsigned int seconds);

#endif /* VM_H */
