/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * zero-copy-vmm - a virtual machine whose disk moves data to and from the guest's
 * memory without a copy, on libguestmem.
 *
 * Where to find what, in the order to read it:
 *
 *   memory.c        RAM: regions, a map, dirty bitmaps and KVM's log
 *   elf_load.c      the guest program, from its file into RAM
 *   boot.c          page tables and the first registers; for a Linux kernel, linux_boot.c
 *                   and acpi.c
 *   vm.c            KVM; vm_run.c its exits
 *   registers.c     the disk's registers, virtio-mmio
 *   device.c        the thread that serves its queue
 *   ../virtio/virtqueue.c   the queue: rings and descriptor chains; status.c its answers
 *   blk.c           requests; blk_run.c which one is next
 *   backend.h       who moves the data: disk.c has the kinds, backend_file.c is one
 *   backend_nvme.c  a real controller by DMA: nvme_request.c nvme_command.c requests and
 *                   commands, nvme_prp.c addresses, nvme_guard.c which ones it may have,
 *                   nvme_deadline.c commands that are lost
 *   nvme.c          the controller: nvme_bar.c nvme_queue.c nvme_identify.c
 *                   nvme_memory.c
 *   guest/          the program in the virtual machine, with a driver that tests
 *   options.c console.c serial.c main.c   the rest
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <string.h>

#include "../virtio/reason.h"
#include "boot.h"
#include "console.h"
#include "device.h"
#include "disk.h"
#include "elf_load.h"
#include "guest/boot_info.h"
#include "linux_boot.h"
#include "memory.h"
#include "options.h"
#include "serial.h"
#include "vm.h"

#define EXIT_SKIP 77

/* What the virtual CPU reaches outside of RAM. */
struct machine {
	struct vm *vm;
	struct gm_map **map;
	struct device device;
	struct console console;
	struct serial serial;
	bool told;		/* that nothing can be unplugged */
};

static void mmio_read(void *ctx, uint64_t gpa, void *data, uint32_t len)
{
	struct machine *m = ctx;

	if (gpa - DEVICE_BASE < DEVICE_SIZE)
		device_read(&m->device, gpa - DEVICE_BASE, data, len);
}

static void mmio_write(void *ctx, uint64_t gpa, const void *data, uint32_t len)
{
	struct machine *m = ctx;

	if (gpa - DEVICE_BASE < DEVICE_SIZE)
		device_write(&m->device, gpa - DEVICE_BASE, data, len);
}

static void port_read(void *ctx, uint16_t port, void *data, uint32_t len)
{
	(void)ctx;
	if (len == 1 && (uint16_t)(port - SERIAL_BASE) < SERIAL_PORTS)
		*(uint8_t *)data = serial_read(port);
}

/*
 * The last region goes: from the disk first, which may have it in use, and from KVM before
 * it is unmapped. What the guest asks of the disk there is refused from now on.
 */
static int unplug(struct machine *m)
{
	struct gm_map *less;
	int err;

	if (gm_map_count(*m->map) < 2)
		return -EINVAL;
	err = memory_less(*m->map, &less);
	if (err)
		return err;
	err = device_set_map(&m->device, less);
	if (err) {
		gm_map_put(less);
		return err;
	}
	err = vm_remove_memory(m->vm, (uint32_t)gm_map_count(less));
	if (err) {
		/* If the disk can't have it back, it keeps what is less to the end. */
		if (!device_set_map(&m->device, *m->map))
			gm_map_put(less);
		return err;
	}
	gm_map_put(*m->map);
	*m->map = less;
	return 0;
}

static bool port_write(void *ctx, uint16_t port, const void *data, uint32_t len)
{
	struct machine *m = ctx;
	char sent;

	if (len == 1 && (uint16_t)(port - SERIAL_BASE) < SERIAL_PORTS) {
		if (serial_write(&m->serial, port, *(const uint8_t *)data, &sent))
			console_put(&m->console, sent);
		return false;
	}
	if (port == PORT_UNPLUG) {
		int err = unplug(m);

		/* The guest finds its memory still there; and can't make us write for ever. */
		if (err && !m->told)
			fprintf(stderr, "unplug: %s\n", strerror(-err));
		m->told = err;
		return false;
	}
	return console_write(&m->console, port, data, len);
}

static const char *verdict(const struct console *c, int end)
{
	switch (end) {
	case VM_STOPPED:
		return console_is_good(c) ? "pass" : "fail";
	case VM_SHUTDOWN:
		return "shutdown";
	case VM_HALTED:
		return "halted";
	case VM_TIMEOUT:
		return "timeout";
	}
	return "unknown-exit";
}

static void show(const char *key, uint64_t value)
{
	printf("%s=%" PRIu64 "\n", key, value);
}

static void report(const struct machine *m, const struct memory_dirty *dirty, int end)
{
	const struct device *d = &m->device;
	const struct backend *b = d->blk.backend;
	uint64_t requests = d->blk.requests;

	printf("backend=%s\n", b->name);
	show("requests", requests);
	show("errors", d->blk.errors);
	show("backend_requests", b->stats.requests);
	show("bytes", b->stats.bytes);
	show("bytes_copied", b->stats.copied);
	show("device_broken", d->stats.broken);
	show("device_resets", d->stats.resets);
	show("requests_waited_for", d->stats.waited_for);
	show("cpu_ns_per_request", requests ? d->stats.cpu_ns / requests : 0);
	show("wall_ns_per_request", requests ? d->stats.busy_ns / requests : 0);
	show("dirty_pages_vcpu", dirty->vcpu);
	show("dirty_pages_device", dirty->device);
	show("dirty_pages", dirty->both);
	show("guest_passed", m->console.passed);
	show("guest_failed", m->console.failed);
	printf("guest=%s\n", verdict(&m->console, end));
}

static int load_program(const struct options *o, const struct gm_map *map,
			struct elf_program *program)
{
	struct boot_info info = {
		.device = DEVICE_BASE, .repeat = o->repeat, .size = o->size, .depth = o->depth,
	};
	int err;

	strncpy(info.mode, o->mode, sizeof(info.mode) - 1);
	err = elf_load(o->guest, map, BOOT_END, program);
	if (err)
		return err;
	err = boot_write(map, &info);
	return err ? because_gm(err, "boot") : 0;
}

static int load_kernel(const struct options *o, const struct gm_map *map,
		       struct elf_program *kernel)
{
	int err = elf_load(o->kernel, map, LINUX_MIN, kernel);

	return err ? err : linux_write(map, kernel->end, o->initrd, o->cmdline);
}

/* Program and tables into RAM, the virtual CPU to its first instruction. */
static int load(struct vm *vm, const struct options *o, const struct gm_map *map)
{
	struct elf_program p;
	int err = o->kernel ? load_kernel(o, map, &p) : load_program(o, map, &p);

	if (err)
		return err;
	memory_clean(map);
	err = vm_set_memory(vm, map);
	if (!err)
		err = vm_set_cpu(vm, p.entry, o->kernel ? linux_set_registers : boot_set_registers);
	return err ? because(err, "KVM: %s", strerror(-err)) : 0;
}

/* Return: enum vm_end; a negative errno with because(). */
static int run_guest(struct vm *vm, const struct options *o, struct machine *m)
{
	const struct vm_bus bus = {
		.ctx = m, .mmio_read = mmio_read, .mmio_write = mmio_write,
		.port_read = port_read, .port_write = port_write,
	};
	int ret = vm_add_kick(vm, DEVICE_BASE + VIRTIO_MMIO_QUEUE_NOTIFY, m->device.kick);

	if (!ret && vm->has_irqchip)
		ret = vm_add_irq(vm, DEVICE_IRQ, m->device.irq);
	if (!ret)
		ret = vm_run(vm, &bus, (unsigned int)o->timeout);
	return ret < 0 ? because(ret, "KVM: %s", strerror(-ret)) : ret;
}

/* Return: 0 the guest is content; 1 it is not; a negative errno with because(). */
static int run(struct vm *vm, const struct options *o, struct gm_map **map,
	       struct backend *backend)
{
	struct memory_dirty dirty;
	struct machine m = { .vm = vm, .map = map };
	int end, err;

	err = load(vm, o, *map);
	if (err)
		return err;
	console_init(&m.console);
	err = device_start(&m.device, backend, *map);
	if (err)
		return because(err, "device: %s", strerror(-err));
	end = run_guest(vm, o, &m);
	device_stop(&m.device);
	err = end < 0 ? end : memory_count_dirty(*map, vm->vm, &dirty);
	if (err && end >= 0)
		because_gm(err, "dirty log");
	if (!err)
		report(&m, &dirty, end);
	device_exit(&m.device);
	if (err)
		return err;
	return end == VM_STOPPED && console_is_good(&m.console) ? 0 : 1;
}

/* Whose memory is it, and if not the module's, why? */
static void show_choice(const struct gm_choice *choice)
{
	char text[200];

	printf("ram=%s\n", choice->backend == GM_BACKEND_KMOD ? "kmod" : "mmap");
	if (choice->backend == GM_BACKEND_KMOD)
		return;
	gm_error_format(&choice->why, text, sizeof(text));
	printf("ram_why=%s\n", text);
}

static int run_vm(struct vm *vm, const struct options *o)
{
	struct backend *backend;
	struct gm_choice choice;
	struct gm_kmod *module;
	struct gm_map *map = NULL;
	int ret;

	/* Without the module all works but real devices. */
	if (gm_kmod_open(NULL, &module))
		module = NULL;
	ret = memory_new(o->memory, module, &map, &choice);
	if (ret) {
		because_gm(ret, "memory");
	} else {
		show_choice(&choice);
		ret = disk_open(o->disk, module, map, &backend);
		if (!ret) {
			ret = run(vm, o, &map, backend);
			backend->ops->close(backend);
		}
	}
	/* KVM has no reference to the memory: it goes first. */
	vm_close(vm);
	gm_map_put(map);
	gm_kmod_put(module);
	return ret;
}

int main(int argc, char **argv)
{
	struct options o;
	struct vm vm;
	int ret = options_parse(&o, argc, argv);

	if (ret)
		return ret > 0 ? 0 : 2;
	ret = vm_open(&vm);
	if (ret) {
		fprintf(stderr, "zero-copy-vmm: no KVM: %s\n", strerror(-ret));
		return EXIT_SKIP;
	}
	ret = run_vm(&vm, &o);
	if (ret < 0)
		fprintf(stderr, "zero-copy-vmm: %s\n", log_reason());
	return ret ? 1 : 0;
}
