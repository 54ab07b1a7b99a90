/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_nvme_prp.c - what the NVMe driver of a sample puts into a command, read as a
 * controller reads it, is the memory that was meant; and no address gets by the guard.
 */
#include "../../ulib/samples/zero-copy-vmm/nvme_guard.c"
#include "../../ulib/samples/zero-copy-vmm/nvme_prp.c"
#include <guestmem.h>
#include "kselftest_harness.h"
#include "expect.h"

#define GUEST UINT64_C(0x7000000000)
#define GUEST_SIZE (UINT64_C(16) << 20)
#define LIST UINT64_C(0xffff00000)
#define LIST_SIZE (NVME_LIST_PAGES * NVME_PAGE_SIZE)
#define BLOCK 512
#define SEGS 64
#define MAX_BYTES (UINT64_C(4) << 20)

FIXTURE(prp) {
	struct gm_region *guest;
	struct gm_region *rings;
	struct gm_dma_map *guest_map;
	struct gm_dma_map *rings_map;
	struct nvme_guard guard;
	struct nvme_piece list;
};

FIXTURE_SETUP(prp)
{
	const struct gm_dma_seg guest = { GUEST, GUEST_SIZE }, list = { LIST, LIST_SIZE };
	void *host;

	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), GUEST_SIZE, NULL, &self->guest));
	ASSERT_OK(gm_region_new_mmap(gm_gpa(0), LIST_SIZE, NULL, &self->rings));
	ASSERT_OK(gm_dma_map_new(self->guest, gm_roff(0), GM_PERM_READ, &guest, 1, "nvme", NULL,
				 NULL, &self->guest_map));
	ASSERT_OK(gm_dma_map_new(self->rings, gm_roff(0), GM_PERM_RW, &list, 1, "nvme", NULL, NULL,
				 &self->rings_map));
	ASSERT_EQ(0, nvme_guard_add(&self->guard, self->guest_map, NVME_GUEST));
	ASSERT_EQ(0, nvme_guard_add(&self->guard, self->rings_map, NVME_RINGS));
	ASSERT_OK(gm_region_host(self->rings, gm_roff(0), &host));
	self->list = (struct nvme_piece) { host, LIST, LIST_SIZE };
}

FIXTURE_TEARDOWN(prp)
{
	nvme_guard_exit(&self->guard);
	gm_dma_map_put(self->guest_map);
	gm_dma_map_put(self->rings_map);
	gm_region_put(self->guest);
	gm_region_put(self->rings);
}

/* As the specification has it: the next page of a command, by a controller. */
static uint64_t next_page(const struct nvme_piece *list, uint64_t *at, bool last)
{
	const struct nvme_address *lists = list->host;
	uint64_t entry = gm_le64_to_cpu(lists[(*at - LIST) / 8].raw);

	if (!last && *at % NVME_PAGE_SIZE == NVME_PAGE_SIZE - 8) {
		*at = entry;
		entry = gm_le64_to_cpu(lists[(*at - LIST) / 8].raw);
	}
	*at += 8;
	return entry;
}

/* Is what a controller sees @bytes of @segs? */
static bool same(const struct nvme_piece *list, const struct nvme_command *command,
		 const struct gm_dma_seg *segs, uint64_t bytes)
{
	uint64_t page = gm_le64_to_cpu(command->prp1.raw), off = 0, at = 0, n, end;
	uint64_t left = bytes, prp2 = gm_le64_to_cpu(command->prp2.raw);
	bool first = true;

	for (;;) {
		if (!first && page % NVME_PAGE_SIZE)
			return false;
		end = page - page % NVME_PAGE_SIZE + NVME_PAGE_SIZE;
		for (; page < end && left; page += n, left -= n) {
			if (page != segs->address + off)
				return false;
			n = end - page < left ? end - page : left;
			n = n < segs->len - off ? n : segs->len - off;
			off += n;
			if (off == segs->len) {
				segs++;
				off = 0;
			}
		}
		if (!left)
			return true;
		if (first && left <= NVME_PAGE_SIZE) {
			page = prp2;
		} else {
			at = first ? prp2 : at;
			page = next_page(list, &at, left <= NVME_PAGE_SIZE);
		}
		first = false;
	}
}

/* May so many bytes be one command? By the rules. */
static bool allowed_bytes(const struct gm_dma_seg *segs, int count, uint64_t bytes)
{
	uint64_t sum = 0, pages;

	if (segs[0].address % 4)
		return false;
	pages = (segs[0].address % 4096 + bytes + 4095) / 4096;
	for (int i = 0; i < count && sum < bytes; sum += segs[i++].len)
		if (i && (segs[i].address % 4096 || (segs[i - 1].address + segs[i - 1].len) % 4096))
			return false;
	return sum >= bytes && pages <= 1024;
}

static int random_segs(struct gm_dma_seg *segs, unsigned int *seed)
{
	int kind = rand_r(seed) % 4, count = 1 + rand_r(seed) % SEGS;

	for (int i = 0; i < count; i++) {
		uint64_t address = GUEST + rand_r(seed) % (8 << 20), len = 1 + rand_r(seed) % 9000;

		if (kind && (i || kind == 1))
			address = address / 4096 * 4096;
		else if (rand_r(seed) % 4)
			address = address / 4 * 4;
		if (kind)
			len = 4096 * (1 + rand_r(seed) % (kind == 2 ? 40 : 3));
		if (kind && !i)
			len -= address % 4096;
		segs[i] = (struct gm_dma_seg) { address, len };
	}
	if (kind == 3)
		segs[count - 1].len = 1 + rand_r(seed) % 8000;
	return count;
}

TEST_F(prp, is_what_was_meant)
{
	const struct nvme_address never = { gm_cpu_to_le64(UINT64_MAX) };
	struct nvme_address *list = self->list.host;
	struct gm_dma_seg segs[SEGS];
	unsigned int seed = 1, chained = 0;

	for (int round = 0; round < 3000; round++) {
		struct nvme_data data = { .segs = segs, .perm = GM_PERM_READ, .cls = NVME_GUEST };
		struct nvme_command command = { .prp1 = never, .prp2 = never };
		int count = random_segs(segs, &seed);

		data.bytes = nvme_prp_fit(segs, count, MAX_BYTES, BLOCK);
		ASSERT_EQ(0, data.bytes % BLOCK);
		ASSERT_GE(MAX_BYTES, data.bytes);
		/* It could not have been a block more. */
		if (data.bytes < MAX_BYTES)
			ASSERT_FALSE(allowed_bytes(segs, count, data.bytes + BLOCK));
		if (!data.bytes)
			continue;
		ASSERT_TRUE(allowed_bytes(segs, count, data.bytes));
		for (unsigned int i = 0; i < LIST_SIZE / 8; i++)
			list[i] = never;
		ASSERT_EQ(0, nvme_prp_build(&self->guard, &data, &self->list, &command));
		ASSERT_TRUE(same(&self->list, &command, segs, data.bytes));
		chained += data.bytes > 513 * 4096;
	}
	EXPECT_LT(50, chained);
	EXPECT_EQ(0, self->guard.refused);
}

/* Lists around the end of their first page. */
TEST_F(prp, list_ends_with_its_page)
{
	for (uint64_t pages = 1; pages <= NVME_PRP_MAX; pages += pages > 4 && pages < 509 ? 63 : 1) {
		for (uint64_t off = 0; off < 4096; off += 2048) {
			struct gm_dma_seg seg = { GUEST + off, pages * 4096 - off };
			struct nvme_data data = { &seg, seg.len, GM_PERM_READ, NVME_GUEST };
			struct nvme_command command = { 0 };

			ASSERT_EQ(seg.len, nvme_prp_fit(&seg, 1, MAX_BYTES, BLOCK));
			ASSERT_EQ(0, nvme_prp_build(&self->guard, &data, &self->list, &command));
			ASSERT_TRUE(same(&self->list, &command, &seg, seg.len));
		}
	}
}

/* Whatever page of a command is not the guest's: it is refused. */
TEST_F(prp, guard_sees_each_page)
{
	struct gm_dma_seg segs[3] = { { GUEST, 8192 }, { GUEST + 8192, 8192 }, { GUEST, 4096 } };
	const struct nvme_data good = { segs, 20480, GM_PERM_READ, NVME_GUEST };
	const struct nvme_data writes = { segs, 20480, GM_PERM_WRITE, NVME_GUEST };
	struct nvme_piece stray = self->list;
	struct nvme_command command = { 0 };

	for (int i = 0; i < 3; i++) {
		uint64_t address = segs[i].address;

		ASSERT_EQ(0, nvme_prp_build(&self->guard, &good, &self->list, &command));
		segs[i].address = GUEST + GUEST_SIZE - (i < 2 ? 4096 : 0);
		EXPECT_EQ(-EFAULT, nvme_prp_build(&self->guard, &good, &self->list, &command));
		segs[i].address = LIST;
		EXPECT_EQ(-EFAULT, nvme_prp_build(&self->guard, &good, &self->list, &command));
		segs[i].address = address;
	}
	EXPECT_EQ(-EFAULT, nvme_prp_build(&self->guard, &writes, &self->list, &command));
	stray.address = GUEST;
	EXPECT_EQ(-EFAULT, nvme_prp_build(&self->guard, &good, &stray, &command));
	EXPECT_EQ(8, self->guard.refused);
}

TEST_HARNESS_MAIN
