/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is, for who looks: /sys/kernel/debug/guestmem.
 *
 * Fields that other locks protect are read without them: a figure may be a
 * moment old.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "guestmem_private.h"

static struct dentry *guestmem_debugfs;

struct guestmem_sums {
	u64 regions;
	u64 alloc_bytes;
	u64 pin_bytes;
	u64 devices;
	u64 opens;
	u64 maps;
	u64 map_bytes;
	u64 segments;
	u64 interrupts;
};

static u64 guestmem_region_bytes(const struct guestmem_region *region)
{
	return READ_ONCE(region->revoked) ? 0 :
		(u64)region->npages << PAGE_SHIFT;
}

static void guestmem_sum(struct guestmem_sums *sums)
{
	struct guestmem_region *region;
	struct guestmem_device *gdev;

	mutex_lock(&guestmem_list_lock);
	list_for_each_entry(region, &guestmem_regions, node) {
		sums->regions++;
		if (region->kind == GUESTMEM_REGION_ALLOC)
			sums->alloc_bytes += guestmem_region_bytes(region);
		else
			sums->pin_bytes += guestmem_region_bytes(region);
	}
	list_for_each_entry(gdev, &guestmem_devices, node) {
		sums->devices++;
		sums->opens += READ_ONCE(gdev->open);
		sums->maps += READ_ONCE(gdev->nmaps);
		sums->map_bytes += READ_ONCE(gdev->bytes);
		sums->segments += READ_ONCE(gdev->nsegments);
		sums->interrupts += READ_ONCE(gdev->ntriggers);
	}
	mutex_unlock(&guestmem_list_lock);
}

static int guestmem_counters_show(struct seq_file *m, void *unused)
{
	struct guestmem_sums sums = {};

	guestmem_sum(&sums);
	seq_printf(m, "regions: %llu\n", sums.regions);
	seq_printf(m, "alloc_bytes: %llu\n", sums.alloc_bytes);
	seq_printf(m, "pin_bytes: %llu\n", sums.pin_bytes);
	seq_printf(m, "devices: %llu\n", sums.devices);
	seq_printf(m, "opens: %llu\n", sums.opens);
	seq_printf(m, "maps: %llu\n", sums.maps);
	seq_printf(m, "map_bytes: %llu\n", sums.map_bytes);
	seq_printf(m, "segments: %llu\n", sums.segments);
	seq_printf(m, "interrupts: %llu\n", sums.interrupts);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(guestmem_counters);

static int guestmem_regions_show(struct seq_file *m, void *unused)
{
	struct guestmem_region *region;

	seq_puts(m, "kind  bytes granule node access  maps revoked pid comm\n");
	mutex_lock(&guestmem_list_lock);
	list_for_each_entry(region, &guestmem_regions, node) {
		seq_printf(m, "%-5s %llu %llu %d %s %u %d %d ",
			   region->kind == GUESTMEM_REGION_ALLOC ? "alloc" :
								   "pin",
			   (u64)region->npages << PAGE_SHIFT, region->granule,
			   region->nid, region->writable ? "rw" : "ro",
			   READ_ONCE(region->maps), READ_ONCE(region->revoked),
			   region->pid);
		/* A task can call itself anything. */
		seq_escape(m, region->comm, "\n\t\\ ");
		seq_putc(m, '\n');
	}
	mutex_unlock(&guestmem_list_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(guestmem_regions);

static int guestmem_devices_show(struct seq_file *m, void *unused)
{
	struct guestmem_device *gdev;

	seq_puts(m, "device open maps bytes segments interrupts\n");
	mutex_lock(&guestmem_list_lock);
	list_for_each_entry(gdev, &guestmem_devices, node)
		seq_printf(m, "%s %d %u %llu %llu %u\n", pci_name(gdev->pdev),
			   READ_ONCE(gdev->open), READ_ONCE(gdev->nmaps),
			   READ_ONCE(gdev->bytes), READ_ONCE(gdev->nsegments),
			   READ_ONCE(gdev->ntriggers));
	mutex_unlock(&guestmem_list_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(guestmem_devices);

/**
 * guestmem_debugfs_init() - make the files
 */
void guestmem_debugfs_init(void)
{
	guestmem_debugfs = debugfs_create_dir("guestmem", NULL);
	debugfs_create_file("counters", 0400, guestmem_debugfs, NULL,
			    &guestmem_counters_fops);
	debugfs_create_file("regions", 0400, guestmem_debugfs, NULL,
			    &guestmem_regions_fops);
	debugfs_create_file("devices", 0400, guestmem_debugfs, NULL,
			    &guestmem_devices_fops);
}

/**
 * guestmem_debugfs_exit() - remove the files
 */
void guestmem_debugfs_exit(void)
{
	debugfs_remove_recursive(guestmem_debugfs);
}
