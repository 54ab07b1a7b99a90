/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * main.c - a real device moves a guest's data: the program of
 * Documentation/dma-tutorial.rst.
 *
 *	dma ADDRESS
 *
 * ADDRESS is the PCI address of QEMU's edu device, bound to the driver guestmem.
 * The program plays a guest whose driver asks an emulated device to copy memory.
 * That one has the edu device do it, which gets the guest's own memory by DMA: no
 * byte of it goes through the CPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <guestmem.h>

#include "barrier.h"

#define LOW_SIZE (UINT64_C(8) << 20)
#define HIGH_BASE (UINT64_C(4) << 30)
#define HIGH_SIZE (UINT64_C(8) << 20)

/* What the guest's driver writes for the emulated device. */
struct copy_desc {
	gm_le64_t from;
	gm_le64_t to;
	gm_le32_t len;
};

/* Where it does: the request, and what it is about; the target is in two parts. */
#define DESC 0x1000u
#define FROM 0x2345u
#define TO (LOW_SIZE - 3000)
#define LEN 6000u

/* The edu device: registers, its own buffer, and how much it moves at a time. */
#define EDU_FROM 0x80
#define EDU_TO 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98
#define EDU_RUN 1u
#define EDU_TO_MEMORY 2u
#define EDU_BUFFER 0x40000u
#define EDU_MAX 2048u

/**
 * struct copier - the emulated device
 * @view: its window on the guest's memory, for requests
 * @dma: the same memory as the real device addresses it, for data
 * @regs: registers of the real device
 */
struct copier {
	struct gm_view view;
	struct gm_dma *dma;
	volatile uint8_t *regs;
};

/* What the library knows of the last failure, in words. */
static void print_error(const char *what, int err)
{
	char text[200];

	if (gm_error_last()->err == err)
		gm_error_format(gm_error_last(), text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s", strerror(-err));
	fprintf(stderr, "%s: %s\n", what, text);
}

/* Guest memory in two pieces, as any PC with some gigabytes has it. */
static int memory_new(struct gm_kmod *module, struct gm_map **map)
{
	const struct gm_range ranges[] = {
		{ gm_gpa(0), LOW_SIZE },
		{ gm_gpa(HIGH_BASE), HIGH_SIZE },
	};
	const struct gm_mmap_opts opts[] = {
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY, .name = "low" },
		{ .sz = sizeof(opts[0]), .flags = GM_MMAP_DIRTY, .name = "high" },
	};

	return gm_map_new_kmod(module, ranges, opts, 2, map);
}

/* Registers are little-endian, as PCI has it. */
static void edu_write(volatile uint8_t *regs, uint32_t at, uint64_t value)
{
	volatile void *p = regs + at;

	*(volatile gm_le64_t *)p = gm_cpu_to_le64(value);
}

static bool edu_runs(const volatile uint8_t *regs)
{
	const volatile void *p = regs + EDU_COMMAND;

	return gm_le32_to_cpu(*(const volatile gm_le32_t *)p) & EDU_RUN;
}

/* One transfer between memory, at a device address, and the device's buffer. */
static int edu_transfer(volatile uint8_t *regs, uint64_t memory, uint64_t buffer, uint64_t len,
			bool to_memory)
{
	unsigned int ms;

	edu_write(regs, EDU_FROM, to_memory ? buffer : memory);
	edu_write(regs, EDU_TO, to_memory ? memory : buffer);
	edu_write(regs, EDU_COUNT, len);
	/* The data is in memory before the device looks. */
	dma_write_barrier();
	edu_write(regs, EDU_COMMAND, EDU_RUN | (to_memory ? EDU_TO_MEMORY : 0));
	for (ms = 0; edu_runs(regs); ms++) {
		if (ms == 10000)
			return -ETIMEDOUT;
		usleep(1000);
	}
	/* And what it has written is read only now. */
	dma_read_barrier();
	return 0;
}

/*
 * The next bytes of a cursor between guest memory and the device's buffer: each
 * piece that is contiguous for the device is one of its descriptors, so to say.
 */
static int64_t copier_move(struct copier *c, struct gm_iov_cursor *cursor, uint64_t max,
			   enum gm_perm perm)
{
	/* Pieces are pages at least: these are room enough for EDU_MAX bytes. */
	struct gm_dma_seg segs[8];
	uint64_t bytes, buffer = EDU_BUFFER;
	int i, n, ret;

	n = gm_dma_extract(c->dma, cursor, perm, max, segs, 8, &bytes);
	for (i = 0; i < n; i++) {
		ret = edu_transfer(c->regs, segs[i].address, buffer, segs[i].len,
				   perm == GM_PERM_WRITE);
		if (ret)
			return ret;
		buffer += segs[i].len;
	}
	return n < 0 ? n : (int64_t)bytes;
}

/* One request: the real device reads guest memory, and writes guest memory. */
static int copier_run(struct copier *c, gm_gpa_t at)
{
	struct gm_iov_cursor in, out, done;
	struct gm_range from, to;
	struct copy_desc desc;
	int64_t n;
	int ret;

	/* One copy is checked and used: the guest can change its own meanwhile. */
	ret = gm_view_read(&c->view, at, &desc, sizeof(desc));
	if (ret)
		return ret;
	from = (struct gm_range){ gm_gpa(gm_le64_to_cpu(desc.from)), gm_le32_to_cpu(desc.len) };
	to = (struct gm_range){ gm_gpa(gm_le64_to_cpu(desc.to)), gm_le32_to_cpu(desc.len) };
	ret = gm_iov_init(&in, &from, 1);
	if (!ret)
		ret = gm_iov_init(&out, &to, 1);
	while (!ret && gm_iov_left(&in)) {
		n = copier_move(c, &in, EDU_MAX, GM_PERM_READ);
		done = out;
		if (n > 0)
			n = copier_move(c, &out, (uint64_t)n, GM_PERM_WRITE);
		if (n < 0)
			return (int)n;
		/* It is written only now; who took the dirty bitmap sees it again. */
		gm_iov_mark(&c->view, &done, (uint64_t)n);
	}
	return ret;
}

/* What the guest's driver does: data, and a request to copy it. */
static int play_guest(struct gm_view *guest, gm_gpa_t to)
{
	const struct copy_desc desc = { gm_cpu_to_le64(FROM), gm_cpu_to_le64(gm_gpa_raw(to)),
					gm_cpu_to_le32(LEN) };
	uint8_t data[LEN];
	size_t i;
	int ret;

	for (i = 0; i < LEN; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	ret = gm_view_write(guest, gm_gpa(FROM), data, LEN);
	return ret ? ret : gm_view_write(guest, gm_gpa(DESC), &desc, sizeof(desc));
}

/* Does the guest find the data where it asked for it? */
static int verify(struct gm_view *guest, gm_gpa_t to)
{
	uint8_t want[LEN], have[LEN];
	int ret;

	ret = gm_view_read(guest, gm_gpa(FROM), want, LEN);
	if (!ret)
		ret = gm_view_read(guest, to, have, LEN);
	return ret ? ret : memcmp(want, have, LEN) ? -EIO : 0;
}

static int run(struct gm_map *map, struct gm_kmod_device *device, volatile uint8_t *regs)
{
	struct copier c = { .regs = regs };
	gm_gpa_t to = gm_gpa(HIGH_BASE + 0x1ffe);
	int ret;

	gm_view_init(&c.view, map);
	/* All guest memory for this device: once, not for each request. */
	ret = gm_dma_new_kmod(device, map, GM_PERM_RW, 0, &c.dma);
	if (ret)
		return ret;
	ret = play_guest(&c.view, to);
	if (!ret)
		ret = copier_run(&c, gm_gpa(DESC));
	if (!ret)
		ret = verify(&c.view, to);
	if (!ret)
		printf("%u bytes moved by %s, all right\n", LEN, gm_kmod_device_name(device));
	/* A guest that means harm: the end of the target is not its memory. */
	if (!ret)
		ret = play_guest(&c.view, gm_gpa(TO));
	if (!ret) {
		ret = copier_run(&c, gm_gpa(DESC));
		print_error("refused, as it should be", ret);
		ret = ret == -EFAULT ? 0 : -EIO;
	}
	/* The device is reset when all that uses it is gone; this unmaps. */
	gm_dma_put(c.dma);
	return ret;
}

int main(int argc, char **argv)
{
	struct gm_kmod_device *device = NULL;
	struct gm_kmod_bar bar = { .regs = NULL };
	struct gm_kmod *module = NULL;
	struct gm_map *map = NULL;
	int ret;

	if (argc != 2) {
		fprintf(stderr, "usage: %s ADDRESS\n", argv[0]);
		return 2;
	}
	ret = gm_kmod_open(NULL, &module);
	if (!ret)
		ret = memory_new(module, &map);
	if (!ret)
		ret = gm_kmod_device_open(argv[1], 0, &device);
	if (!ret)
		ret = gm_kmod_bar_map(device, 0, &bar);
	if (!ret)
		ret = run(map, device, bar.regs);
	if (ret)
		print_error("dma", ret);
	gm_kmod_bar_unmap(&bar);
	gm_kmod_device_put(device);
	gm_map_put(map);
	gm_kmod_put(module);
	return ret ? 1 : 0;
}
