/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * main.c - the program of Documentation/tutorial.rst: a guest of a few bytes
 * asks a tape drive for data, which is this program's own file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tutorial.h"

/* Two places for data: the first one crosses from one region to the next. */
#define FIRST (LOW_SIZE - 0x1000)
#define FIRST_LEN 0x2000u
#define SECOND 0x200000u
#define SECOND_LEN 1000u

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

/* The guest's program, as a file: two more descriptors are there; kick; halt. */
static int guest_image(void)
{
	static const uint8_t code[] = {
		0x83, 0x06, 0x00, 0x20, 0x02,	/* addw $2, 0x2000 */
		0xe6, KICK_PORT,		/* outb %al, $KICK_PORT */
		0xf4,				/* hlt */
	};
	int fd = memfd_create("guest", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, code, sizeof(code)) != (ssize_t)sizeof(code)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What the guest's driver would leave in the ring: one request in two parts. */
static int fill_ring(struct gm_view *view)
{
	const struct tape_desc descs[] = {
		{ gm_cpu_to_le64(FIRST), gm_cpu_to_le32(FIRST_LEN), gm_cpu_to_le32(TAPE_MORE) },
		{ gm_cpu_to_le64(SECOND), gm_cpu_to_le32(SECOND_LEN), gm_cpu_to_le32(0) },
	};

	return gm_view_write(view, gm_gpa(RING + TAPE_DESCS), descs, sizeof(descs));
}

/* Without KVM, this program does what the guest's would. */
static int play_guest(const struct gm_map *map, struct tape *t)
{
	struct gm_view view;
	int ret;

	gm_view_init(&view, map);
	ret = gm_view_write_le16(&view, gm_gpa(RING + TAPE_AVAIL), 2);
	return ret ? ret : tape_kick(t);
}

/* Is the data in guest memory what the file has? */
static int verify(struct gm_view *view, int fd)
{
	uint8_t want[FIRST_LEN + SECOND_LEN], have[FIRST_LEN + SECOND_LEN];
	int ret;

	if (pread(fd, want, sizeof(want), 0) != (ssize_t)sizeof(want))
		return -EIO;
	ret = gm_view_read(view, gm_gpa(FIRST), have, FIRST_LEN);
	if (!ret)
		ret = gm_view_read(view, gm_gpa(SECOND), have + FIRST_LEN, SECOND_LEN);
	if (ret)
		return ret;
	return memcmp(want, have, sizeof(want)) ? -EIO : 0;
}

/* A descriptor as a hostile guest makes it: the request fails, nothing else. */
static int try_hostile(struct gm_view *view, struct tape *t)
{
	const struct tape_desc desc = { gm_cpu_to_le64(ROM_BASE), gm_cpu_to_le32(16),
					gm_cpu_to_le32(0) };
	gm_gpa_t at = gm_gpa(RING + TAPE_DESCS + 2 * sizeof(desc));
	int ret;

	ret = gm_view_write(view, at, &desc, sizeof(desc));
	if (!ret)
		ret = gm_view_write_le16(view, gm_gpa(RING + TAPE_AVAIL), 3);
	if (ret)
		return ret;
	ret = tape_kick(t);
	print_error("refused, as it should be", ret);
	return ret == -EACCES ? 0 : -EIO;
}

static int run(const struct gm_map *map, int image, int tape)
{
	struct gm_view view;
	struct tape t;
	int ret;

	gm_view_init(&view, map);
	ret = memory_load(map, gm_gpa(GUEST_CODE), image);
	if (!ret)
		ret = fill_ring(&view);
	if (!ret)
		ret = tape_init(&t, map, gm_gpa(RING), RING_NUM, tape);
	if (ret)
		return ret;
	memory_clean(map);
	ret = kvm_run(map, &t);
	printf("%s\n", ret == -ENODEV ? "no KVM: the program plays the guest" : "ran on KVM");
	if (ret == -ENODEV)
		ret = play_guest(map, &t);
	if (!ret)
		ret = verify(&view, tape);
	if (ret)
		return ret;
	printf("tape: %lld bytes, all right\n", (long long)t.pos);
	ret = memory_show_dirty(map);
	return ret ? ret : try_hostile(&view, &t);
}

int main(void)
{
	int image = guest_image();
	int tape = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct gm_map *map;
	int ret;

	if (image < 0 || tape < 0) {
		perror("tutorial");
		return 1;
	}
	ret = memory_new(&map);
	if (!ret) {
		ret = run(map, image, tape);
		gm_map_put(map);
	}
	if (ret)
		print_error("tutorial", ret);
	close(tape);
	close(image);
	return ret ? 1 : 0;
}
