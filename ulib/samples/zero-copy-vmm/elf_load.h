/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * elf_load.h - a program from a file into guest memory.
 */
#ifndef ELF_LOAD_H
#define ELF_LOAD_H

#include <guestmem.h>

/**
 * struct elf_program - a program in guest memory
 * @entry: its first instruction
 * @end: behind the last byte of it
 */
struct elf_program {
	uint64_t entry;
	uint64_t end;
};

/*
 * Load the static ELF64 program for x86-64 in @path; nothing of it may lie below
 * @min. The file is not trusted: whatever is in it, it is loaded or refused.
 *
 * Return: 0; a negative errno with because().
 */
int elf_load(const char *path, const struct gm_map *map, uint64_t min,
	     struct elf_program *out);

#endif /* ELF_LOAD_H */
