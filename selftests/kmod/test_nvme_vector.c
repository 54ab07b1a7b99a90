/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* gm-kmod: boot=nvme lib */
/*
 * test_nvme_vector.c - a driver unmasks, in its device's own table, an interrupt that it
 * did not want: the kernel does not take what comes for spurious.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "config.h"
#include "nvme_guest.h"

/*
 * Interrupts that came without a handler, of all CPUs; or a negative errno. Linux 7 has
 * no line of them before the first one.
 */
static int64_t spurious(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	int64_t sum = 0;
	char line[4096], *at, *end;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, "SPU:");
		if (!at)
			continue;
		for (at += 4; sum += strtol(at, &end, 10), end != at; at = end)
			;
	}
	fclose(f);
	return sum;
}

/* Interrupt 0 is the administrator's queue's. */
static volatile uint32_t *entry_control(const struct guest *g)
{
	int at = config_capability(g->address, PCI_CAP_ID_MSIX);
	int64_t table = at < 0 ? at : config_read(g->address, at + PCI_MSIX_TABLE, 4);

	if (table < 0 || table & PCI_MSIX_TABLE_BIR)
		return NULL;
	return (volatile uint32_t *)(g->d->nvme.bar.regs + table +
				     PCI_MSIX_ENTRY_VECTOR_CTRL);
}

/* QEMU's controller sends only what was set up when the queue was made: so twice. */
TEST_F(nvme, not_wanted_but_unmasked)
{
	struct guest *g = &self->g;
	int64_t before = spurious();
	const int none = -1;
	volatile uint32_t *control;
	struct nvme *c;

	ASSERT_LE(0, before);
	ASSERT_OK(guest_disk(g, variant->bounce | BACKEND_NVME_INTERRUPT));
	c = &g->d->nvme;
	control = entry_control(g);
	ASSERT_NE(NULL, control);
	ASSERT_OK(gm_kmod_device_interrupts(c->device, NULL, 0));
	ASSERT_OK(gm_kmod_device_interrupts(c->device, &none, 1));
	*control = 0;
	EXPECT_EQ(0, *control);
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(0, nvme_identify(c));
	ASSERT_OK(gm_kmod_device_interrupts(c->device, NULL, 0));
	EXPECT_EQ(before, spurious());
}

TEST_HARNESS_MAIN
