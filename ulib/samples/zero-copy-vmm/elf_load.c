/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * elf_load.c - a program from a file into guest memory.
 *
 * Headers are read once, into copies; the copies are checked, and used. What they say
 * is a stranger's word: the library checks that segments are guest memory, here is
 * checked that sums don't wrap and that segments leave each other alone. The segments
 * themselves go from the file to guest memory in one system call each.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../virtio/reason.h"
#include "elf_load.h"

#define SEGMENTS_MAX 16

static int read_exact(int fd, void *buf, size_t n, off_t off, const char *what)
{
	ssize_t got = pread(fd, buf, n, off);

	if (got < 0)
		return because(-errno, "%s: %s", what, strerror(errno));
	return (size_t)got == n ? 0 : because(-ENOEXEC, "%s: the file ends before", what);
}

static int check_header(const Elf64_Ehdr *h)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_ident[EI_VERSION] != EV_CURRENT)
		return because(-ENOEXEC, "not an ELF64 file");
	if (h->e_type != ET_EXEC || h->e_machine != EM_X86_64)
		return because(-ENOEXEC, "not a static program for x86-64");
	if (h->e_phentsize != sizeof(Elf64_Phdr))
		return because(-ENOEXEC, "program headers of %u bytes", h->e_phentsize);
	if (!h->e_phnum || h->e_phnum > SEGMENTS_MAX)
		return because(-ENOEXEC, "%u program headers", h->e_phnum);
	if (h->e_phoff > INT64_MAX - SEGMENTS_MAX * sizeof(Elf64_Phdr))
		return because(-ENOEXEC, "program headers at %#llx",
			       (unsigned long long)h->e_phoff);
	return 0;
}

/* One segment by itself. */
static int check_segment(const Elf64_Phdr *p, uint64_t min)
{
	if (p->p_filesz > p->p_memsz)
		return because(-ENOEXEC, "a segment with more in the file than in memory");
	if (p->p_offset > INT64_MAX || p->p_filesz > INT64_MAX - p->p_offset)
		return because(-ENOEXEC, "a segment at %#llx of the file",
			       (unsigned long long)p->p_offset);
	if (p->p_memsz > UINT64_MAX - p->p_paddr)
		return because(-ENOEXEC, "a segment that wraps");
	if (p->p_memsz && p->p_paddr < min)
		return because(-ENOEXEC, "a segment at %#llx, where the VMM's tables are",
			       (unsigned long long)p->p_paddr);
	return 0;
}

static bool overlap(const Elf64_Phdr *a, const Elf64_Phdr *b)
{
	return a->p_paddr < b->p_paddr + b->p_memsz && b->p_paddr < a->p_paddr + a->p_memsz;
}

/* All segments, before the first one is loaded. */
static int check_segments(const Elf64_Phdr *p, unsigned int count, uint64_t min, uint64_t entry)
{
	bool has_entry = false;
	unsigned int i, j;

	for (i = 0; i < count; i++) {
		int err;

		if (p[i].p_type != PT_LOAD)
			continue;
		err = check_segment(&p[i], min);
		if (err)
			return err;
		for (j = 0; j < i; j++)
			if (p[j].p_type == PT_LOAD && overlap(&p[i], &p[j]))
				return because(-ENOEXEC, "segments that overlap");
		if ((p[i].p_flags & PF_X) && entry >= p[i].p_paddr &&
		    entry - p[i].p_paddr < p[i].p_filesz)
			has_entry = true;
	}
	return has_entry ? 0 : because(-ENOEXEC, "an entry outside of the program");
}

/* A source without end, of zeros: what is not in the file, but in memory. */
static int64_t read_zeros(struct gm_source *src, const struct gm_slice *slices, int count)
{
	static const uint8_t zeros[4096];
	int64_t done = 0;
	int i;

	(void)src;
	for (i = 0; i < count; i++) {
		uint64_t off, n;

		for (off = 0; off < slices[i].len; off += n) {
			int err;

			n = slices[i].len - off;
			if (n > sizeof(zeros))
				n = sizeof(zeros);
			err = gm_slice_write(slices[i], off, zeros, n);
			if (err)
				return err;
		}
		done += (int64_t)off;
	}
	return done;
}

static int load_segment(int fd, struct gm_view *v, const Elf64_Phdr *p)
{
	struct gm_source zeros = { .read = read_zeros };
	struct gm_fd_source file;
	int err;

	/* All of it, before the first byte is written. */
	err = gm_view_check_range(v, gm_gpa(p->p_paddr), p->p_memsz, GM_PERM_WRITE);
	if (!err) {
		gm_fd_source_init_at(&file, fd, (int64_t)p->p_offset);
		err = gm_view_read_exact_from(v, gm_gpa(p->p_paddr), &file.source, p->p_filesz);
	}
	if (!err)
		err = gm_view_read_exact_from(v, gm_gpa(p->p_paddr + p->p_filesz), &zeros,
					      p->p_memsz - p->p_filesz);
	return err ? because_gm(err, "segment") : 0;
}

static uint64_t end_of(const Elf64_Phdr *p, unsigned int count)
{
	uint64_t end = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_memsz && p[i].p_paddr + p[i].p_memsz > end)
			end = p[i].p_paddr + p[i].p_memsz;
	return end;
}

static int load(int fd, const struct gm_map *map, uint64_t min, struct elf_program *out)
{
	Elf64_Phdr segments[SEGMENTS_MAX];
	struct gm_view view;
	Elf64_Ehdr header;
	unsigned int i;
	int err;

	gm_view_init(&view, map);
	err = read_exact(fd, &header, sizeof(header), 0, "header");
	if (!err)
		err = check_header(&header);
	if (!err)
		err = read_exact(fd, segments, header.e_phnum * sizeof(segments[0]),
				 (off_t)header.e_phoff, "program headers");
	if (!err)
		err = check_segments(segments, header.e_phnum, min, header.e_entry);
	for (i = 0; !err && i < header.e_phnum; i++)
		if (segments[i].p_type == PT_LOAD)
			err = load_segment(fd, &view, &segments[i]);
	if (err)
		return err;
	out->entry = header.e_entry;
	out->end = end_of(segments, header.e_phnum);
	return 0;
}

int elf_load(const char *path, const struct gm_map *map, uint64_t min,
	     struct elf_program *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return because(-errno, "%s: %s", path, strerror(errno));
	err = load(fd, map, min, out);
	close(fd);
	return err;
}
