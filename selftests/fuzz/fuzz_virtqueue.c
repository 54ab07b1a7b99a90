/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fuzz_virtqueue.c - the input is a guest's memory: rings, descriptors, requests.
 * The vhost-user-blk sample's device serves what it finds there.
 *
 * Around each region is memory without access, so that a byte too many is a
 * fault. The image must keep its size.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../ulib/samples/vhost-user-blk/blk.h"
#include "input.h"

#define REGION_SIZE 8192
#define IMAGE_SIZE (64 * 1024)
#define RUNS 4

int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* Bits of the input's first byte */
#define HOW_HOLE	0x1	/* there is a hole between the regions */
#define HOW_EVENT_IDX	0x2
#define HOW_INDIRECT	0x4
#define HOW_FLUSH	0x8
#define HOW_PLACES	0x10	/* where the ring is, the input says */
#define HOW_ELSEWHERE	0x20	/* and at what index it begins */

/* Where it is otherwise. */
#define NUM 8
#define DESC 0
#define AVAIL (NUM * 16)
#define USED (AVAIL + 4 + NUM * 2 + 2 + 2)

static struct blk blk;
static struct disk disk;
static struct stats stats;
static struct viommu viommu;
static struct gm_map *maps[2];	/* without a hole, with one */

static struct gm_map *make_map(uint64_t second)
{
	struct gm_mmap_opts opts[] = {
		{ .sz = sizeof(opts[0]), .guard_size = 65536 },
		{ .sz = sizeof(opts[0]), .guard_size = 65536 },
	};
	struct gm_range ranges[] = { { gm_gpa(0), REGION_SIZE }, { gm_gpa(second), REGION_SIZE } };
	struct gm_map *map;

	CHECK(!gm_map_new_mmap(ranges, opts, 2, &map));
	return map;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int image = memfd_create("image", MFD_CLOEXEC);
	char path[64];

	(void)argc;
	(void)argv;
	CHECK(image >= 0 && !ftruncate(image, IMAGE_SIZE));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	CHECK(!disk_open(&disk, path, false, DISK_SYNC));
	stats.queues = 1;
	CHECK(!viommu_init(&viommu, &stats));
	CHECK(!blk_init(&blk, &disk, &stats, &viommu, 1, "fuzz"));
	maps[0] = make_map(REGION_SIZE);
	maps[1] = make_map(2 * REGION_SIZE);
	return 0;
}

/* What is left of the input is the memory, of both regions. */
static void fill_memory(struct input *in, struct gm_map *map)
{
	size_t i;

	for (i = 0; i < gm_map_count(map); i++) {
		size_t n = in->left < REGION_SIZE ? in->left : REGION_SIZE;
		void *host;

		CHECK(!gm_region_host(gm_map_region(map, i), gm_roff(0), &host));
		memset(host, 0, REGION_SIZE);
		if (n)
			memcpy(host, in->p, n);
		in->p += n;
		in->left -= n;
	}
}

static void set_features(uint8_t how)
{
	uint64_t features = UINT64_C(1) << VIRTIO_F_VERSION_1;

	if (how & HOW_EVENT_IDX)
		features |= UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX;
	if (how & HOW_INDIRECT)
		features |= UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC;
	if (how & HOW_FLUSH)
		features |= UINT64_C(1) << VIRTIO_BLK_F_FLUSH;
	blk_set_features(&blk, features);
}

/* Runs until the device gives up, or has nothing to do. */
static void serve(void)
{
	uint64_t before = stats.requests;
	int i, ret = 1;

	for (i = 0; i < RUNS && ret > 0; i++)
		ret = blk_run(&blk);
	/* One run is bounded, whatever the ring says. */
	CHECK(stats.requests - before <= RUNS * 1024);
	CHECK(ret < 0 || !disk.in_flight);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t how = input_u8(&in);
	struct gm_map *map = maps[how & HOW_HOLE ? 1 : 0];
	struct virtq_addr addr = { gm_gpa(DESC), gm_gpa(AVAIL), gm_gpa(USED) };
	struct blk_queue *q = &blk.queues[0];
	struct inflight none = { .region = NULL };
	uint32_t num = NUM;
	uint16_t last_avail = 0;

	if (how & HOW_PLACES) {
		num = (uint32_t)input_number(&in);
		addr.desc = gm_gpa(input_number(&in));
		addr.avail = gm_gpa(input_number(&in));
		addr.used = gm_gpa(input_number(&in));
	}
	if (how & HOW_ELSEWHERE)
		last_avail = (uint16_t)input_bytes(&in, 2);
	fill_memory(&in, map);
	set_features(how);
	blk_set_map(&blk, map);
	if (!virtq_map(&q->vq, &blk.view, num, &addr)) {
		CHECK(num && num <= VIRTQ_MAX && !(num & (num - 1)));
		CHECK(!virtq_start(&q->vq, last_avail, &none, 0));
		q->live = true;
		serve();
		q->live = false;
		blk_cancel(&blk);
	}
	virtq_unmap(&q->vq);
	blk_set_map(&blk, NULL);
	CHECK(!disk.in_flight);
	CHECK(lseek(disk.fd, 0, SEEK_END) == IMAGE_SIZE);
	return 0;
}

static void put(uint8_t *at, uint64_t v, unsigned int bytes)
{
	while (bytes--) {
		*at++ = (uint8_t)v;
		v >>= 8;
	}
}

/*
 * What a guest would write, at the place where it belongs: a descriptor, an
 * offer, a request's header. Return: bytes of the input it reaches to.
 */
static size_t put_sense(uint8_t *memory, unsigned int seed)
{
	unsigned int n = seed >> 8 & 7, type = seed >> 11 & 15, page = 256 + (seed >> 15 & 31) * 512;
	static const uint16_t lens[] = { 16, 512, 1, 1024, 4096, 48, 0, 15 };

	switch (seed & 3) {
	case 0:
		put(memory + DESC + n * 16, page, 8);
		put(memory + DESC + n * 16 + 8, lens[seed >> 20 & 7], 4);
		put(memory + DESC + n * 16 + 12, seed >> 23 & 7, 2);
		put(memory + DESC + n * 16 + 14, (n + 1) & 7, 2);
		return DESC + n * 16 + 16;
	case 1:
		put(memory + AVAIL + 2, n + 1, 2);
		put(memory + AVAIL + 4 + n * 2, seed >> 20 & 7, 2);
		return AVAIL + 4 + n * 2 + 2;
	case 2:
		/* A chain of three, offered. */
		for (n = 0; n < 3; n++) {
			put(memory + DESC + n * 16, 256 + n * 512, 8);
			put(memory + DESC + n * 16 + 8, lens[n], 4);
			put(memory + DESC + n * 16 + 12, (unsigned int[]){ 1, 1 | (seed & 4) / 2, 2 }[n],
			    2);
			put(memory + DESC + n * 16 + 14, n + 1, 2);
		}
		put(memory + DESC + 16 + 8, lens[seed >> 20 & 7], 4);
		put(memory + AVAIL + 2, 1, 2);
		page = 256;
		/* fall through */
	default:
		put(memory + page, type, 4);
		put(memory + page + 8, seed >> 16 & 127, 8);
		return page + 16;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	uint8_t memory[2 * REGION_SIZE + 16] = { 0 };
	size_t n;

	if (size < 1 || size > sizeof(memory) || seed % 3)
		return LLVMFuzzerMutate(data, size, max);
	seed /= 3;
	if (data[0] & (HOW_PLACES | HOW_ELSEWHERE))
		data[0] &= (uint8_t)~(HOW_PLACES | HOW_ELSEWHERE);
	memcpy(memory, data + 1, size - 1);
	n = put_sense(memory, seed) + 1;
	if (n < size)
		n = size;
	if (n > max)
		return LLVMFuzzerMutate(data, size, max);
	memcpy(data + 1, memory, n - 1);
	return n;
}
