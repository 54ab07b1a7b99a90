/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * main.c - what the VMM wants done, and the end.
 */
#include "guest.h"

void guest_main(const struct boot_info *info);

static void finish(uint32_t status)
{
	__asm__ volatile("outl %0, %1" : : "a"(status), "Nd"((uint16_t)PORT_EXIT));
}

static bool run(struct dev *d, const char *mode)
{
	if (text_equal(mode, "test"))
		run_tests(d);
	else if (text_equal(mode, "read"))
		run_load(d, REQ_IN);
	else if (text_equal(mode, "write"))
		run_load(d, REQ_OUT);
	else if (text_equal(mode, "unplug"))
		run_unplug(d);
	else
		return run_hostile(d, mode);
	return true;
}

void guest_main(const struct boot_info *info)
{
	static struct dev d;

	if (info->magic != BOOT_MAGIC)
		finish(2);
	d.info = info;
	d.base = info->device;
	result(dev_identify(&d), "a virtio block device");
	result(dev_start(&d, &usual_queue), "the device starts");
	if (all_ok() && !run(&d, info->mode)) {
		print("modes: test read write unplug hostile, or a case:\n");
		run_hostile(&d, NULL);
		result(false, "a mode that is known");
	}
	finish(all_ok() ? 0 : 1);
}
