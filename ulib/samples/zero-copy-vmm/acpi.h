/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * acpi.h - tables by which an operating system finds the interrupt controller and the
 * disk.
 */
#ifndef ACPI_H
#define ACPI_H

#include <guestmem.h>

/* Where the first one is, and all others behind it: not RAM in the memory map. */
#define ACPI_BASE	0xe0000u

/* Write them, for the disk at DEVICE_BASE. Return: 0; an error of guest memory. */
int acpi_write(const struct gm_map *map);

#endif /* ACPI_H */
