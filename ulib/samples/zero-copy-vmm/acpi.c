/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * acpi.c - as few tables as a kernel needs (ACPI 6.3): one CPU, one I/O APIC, one
 * virtio-mmio device, and none of the hardware of a PC.
 */
#include <string.h>

#include "acpi.h"
#include "device.h"

#define XSDT	(ACPI_BASE + 0x100)
#define FADT	(ACPI_BASE + 0x200)
#define MADT	(ACPI_BASE + 0x400)
#define DSDT	(ACPI_BASE + 0x500)

#define LOCAL_APIC	0xfee00000u
#define IO_APIC		0xfec00000u

/* FADT: no legacy hardware; no VGA, no CMOS clock. */
#define HW_REDUCED	(1u << 20)
#define BOOT_FLAGS	(1u << 2 | 1u << 5)

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	gm_le32_t rsdt;
	gm_le32_t length;
	gm_le64_t xsdt;
	uint8_t checksum_all;
	uint8_t reserved[3];
} __attribute__((packed));

struct header {
	char signature[4];
	gm_le32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[6];
	char oem_table[8];
	gm_le32_t oem_revision;
	char creator[4];
	gm_le32_t creator_revision;
} __attribute__((packed));

struct fadt {
	struct header header;
	uint8_t unused[73];
	gm_le16_t boot_flags;
	uint8_t reserved;
	gm_le32_t flags;
	uint8_t unused2[24];
	gm_le64_t x_dsdt;
	uint8_t unused3[128];
} __attribute__((packed));

GM_STATIC_ASSERT(sizeof(struct fadt) == 276, "as specified");

struct madt {
	struct header header;
	gm_le32_t local_apic;
	gm_le32_t flags;
	struct {
		uint8_t type, len, processor, id;
		gm_le32_t enabled;
	} __attribute__((packed)) cpu;
	struct {
		uint8_t type, len, id, reserved;
		gm_le32_t address;
		gm_le32_t first;
	} __attribute__((packed)) io_apic;
} __attribute__((packed));

/*
 * Scope (\_SB) { Device (DISK) { Name (_HID, "LNRO0005") Name (_UID, 0)
 * Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadWrite, DEVICE_BASE, DEVICE_SIZE)
 * Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { DEVICE_IRQ } }) } }
 */
struct dsdt {
	struct header header;
	uint8_t scope[8];
	uint8_t device[7];
	uint8_t hid[15];
	uint8_t uid[6];
	uint8_t crs[9];
	uint8_t memory[4];
	gm_le32_t base;
	gm_le32_t size;
	uint8_t interrupt[5];
	gm_le32_t irq;
	uint8_t end[2];
} __attribute__((packed));

static uint8_t checksum(const void *table, size_t len)
{
	const uint8_t *p = table;
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

/* Its header is filled in here. */
static int write_table(struct gm_view *v, uint64_t gpa, const char *signature, uint8_t revision,
		       struct header *table, size_t len)
{
	memcpy(table->signature, signature, 4);
	table->length = gm_cpu_to_le32((uint32_t)len);
	table->revision = revision;
	memcpy(table->oem, "GUESTM", 6);
	memcpy(table->oem_table, "ZEROCOPY", 8);
	memcpy(table->creator, "GUES", 4);
	table->checksum = checksum(table, len);
	return gm_view_write(v, gm_gpa(gpa), table, len);
}

static int write_dsdt(struct gm_view *v)
{
	struct dsdt t = {
		/* Lengths of packages include their own bytes. */
		.scope = { 0x10, 0x43, 0x04, '\\', '_', 'S', 'B', '_' },
		.device = { 0x5b, 0x82, 0x3a, 'D', 'I', 'S', 'K' },
		.hid = { 0x08, '_', 'H', 'I', 'D', 0x0d,
			 'L', 'N', 'R', 'O', '0', '0', '0', '5', 0 },
		.uid = { 0x08, '_', 'U', 'I', 'D', 0x00 },
		.crs = { 0x08, '_', 'C', 'R', 'S', 0x11, 0x1a, 0x0a, 0x17 },
		.memory = { 0x86, 0x09, 0x00, 0x01 },
		.base = gm_cpu_to_le32(DEVICE_BASE),
		.size = gm_cpu_to_le32(DEVICE_SIZE),
		.interrupt = { 0x89, 0x06, 0x00, 0x03, 0x01 },
		.irq = gm_cpu_to_le32(DEVICE_IRQ),
		.end = { 0x79, 0x00 },
	};

	return write_table(v, DSDT, "DSDT", 2, &t.header, sizeof(t));
}

static int write_madt(struct gm_view *v)
{
	struct madt t = {
		.local_apic = gm_cpu_to_le32(LOCAL_APIC),
		.cpu = { .len = sizeof(t.cpu), .enabled = gm_cpu_to_le32(1) },
		.io_apic = { .type = 1, .len = sizeof(t.io_apic),
			     .address = gm_cpu_to_le32(IO_APIC) },
	};

	return write_table(v, MADT, "APIC", 5, &t.header, sizeof(t));
}

static int write_fadt(struct gm_view *v)
{
	struct fadt t = {
		.boot_flags = gm_cpu_to_le16(BOOT_FLAGS),
		.flags = gm_cpu_to_le32(HW_REDUCED),
		.x_dsdt = gm_cpu_to_le64(DSDT),
	};

	return write_table(v, FADT, "FACP", 6, &t.header, sizeof(t));
}

static int write_roots(struct gm_view *v)
{
	struct {
		struct header header;
		gm_le64_t tables[2];
	} __attribute__((packed)) xsdt = {
		.tables = { gm_cpu_to_le64(FADT), gm_cpu_to_le64(MADT) },
	};
	struct rsdp rsdp = {
		.signature = "RSD PTR ", .oem = "GUESTM", .revision = 2,
		.length = gm_cpu_to_le32(sizeof(rsdp)), .xsdt = gm_cpu_to_le64(XSDT),
	};
	int err = write_table(v, XSDT, "XSDT", 1, &xsdt.header, sizeof(xsdt));

	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.checksum_all = checksum(&rsdp, sizeof(rsdp));
	return err ? err : gm_view_write(v, gm_gpa(ACPI_BASE), &rsdp, sizeof(rsdp));
}

int acpi_write(const struct gm_map *map)
{
	struct gm_view view;
	int err;

	gm_view_init(&view, map);
	err = write_dsdt(&view);
	if (!err)
		err = write_madt(&view);
	if (!err)
		err = write_fadt(&view);
	return err ? err : write_roots(&view);
}
