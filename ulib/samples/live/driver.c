/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * driver.c - the guest's side, which in a real machine is the guest's own kernel. It
 * has guest addresses; each thing that it does is one section.
 */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "live.h"

/* Guest addresses of the ring and of the pages of buffers, far from each other. */
#define RING_GPA UINT64_C(0x20000)
#define PAGE_GPA(n) (UINT64_C(0x100000) + (n) * 0x11000u)
#define WAIT_SECONDS 30

static int put(struct driver *d, uint64_t gpa, const void *data, size_t len)
{
	struct gm_view v;
	int ret;

	gm_space_read_begin(d->guest->space, &v);
	ret = gm_view_write(&v, gm_gpa(gpa), data, len);
	gm_space_read_end(d->guest->space);
	return ret;
}

static int get(struct driver *d, uint64_t gpa, void *data, size_t len)
{
	struct gm_view v;
	int ret;

	gm_space_read_begin(d->guest->space, &v);
	ret = gm_view_read(&v, gm_gpa(gpa), data, len);
	gm_space_read_end(d->guest->space);
	return ret;
}

static int set_entry(struct driver *d, uint64_t iova, uint64_t entry)
{
	gm_le64_t raw = gm_cpu_to_le64(entry);

	return put(d, TABLE + iova / PAGE * sizeof(raw), &raw, sizeof(raw));
}

/* Where is this page? As the card's IOMMU has it. */
static int lookup(struct driver *d, uint64_t iova, uint64_t *gpa)
{
	gm_le64_t raw;
	int ret = get(d, TABLE + iova / PAGE * sizeof(raw), &raw, sizeof(raw));

	*gpa = gm_le64_to_cpu(raw) & ~(PAGE - 1);
	return ret;
}

int driver_map(struct driver *d, uint64_t iova, uint64_t gpa)
{
	return set_entry(d, iova, gpa | GM_PERM_RW);
}

/* The command that an IOMMU has for this comes to gm_iommu_invalidate(). */
int driver_unmap(struct driver *d, uint64_t iova)
{
	int ret = set_entry(d, iova, 0);

	return ret ? ret : gm_iommu_invalidate(d->guest->iommu, gm_iova(iova), PAGE);
}

int driver_init(struct driver *d, struct guest *g)
{
	unsigned int i;
	int ret;

	d->guest = g;
	d->offered = 0;
	d->packets = 0;
	ret = driver_map(d, RING_IOVA, RING_GPA);
	for (i = 0; i < 2 * NIC_NUM && !ret; i++)
		ret = driver_map(d, BUFFER_IOVA(0) + i * PAGE, PAGE_GPA(i));
	return ret;
}

int driver_offer(struct driver *d, unsigned int buffers)
{
	gm_le16_t avail = gm_cpu_to_le16((uint16_t)(d->offered + buffers));
	struct gm_view v;
	unsigned int i;
	int ret = 0;

	gm_space_read_begin(d->guest->space, &v);
	for (i = 0; i < buffers && !ret; i++) {
		unsigned int slot = (d->offered + i) % NIC_NUM;
		struct nic_desc desc = {
			.iova = gm_cpu_to_le64(BUFFER_IOVA(slot)),
			.len = gm_cpu_to_le32(2 * (uint32_t)PAGE),
			.status = gm_cpu_to_le32(NIC_OFFERED),
		};

		ret = gm_view_write(&v, gm_gpa(RING_GPA + NIC_DESCS + slot * sizeof(desc)),
				    &desc, sizeof(desc));
	}
	if (!ret)
		ret = gm_view_store(&v, gm_gpa(RING_GPA + NIC_AVAIL), &avail, sizeof(avail),
				    GM_RELEASE);
	gm_space_read_end(d->guest->space);
	if (!ret)
		d->offered = (uint16_t)(d->offered + buffers);
	return ret;
}

/* Is all of packet @number in buffer @slot? */
static int check_packet(struct driver *d, unsigned int slot, uint32_t number)
{
	gm_le32_t words[PACKET_WORDS];
	uint64_t first, second;
	unsigned int i;
	int ret;

	ret = lookup(d, BUFFER_IOVA(slot), &first);
	if (!ret)
		ret = lookup(d, BUFFER_IOVA(slot) + PAGE, &second);
	if (!ret)
		ret = get(d, first, words, PAGE);
	if (!ret)
		ret = get(d, second, words + PAGE / 4, PACKET_SIZE - PAGE);
	for (i = 0; i < PACKET_WORDS && !ret; i++)
		if (gm_le32_to_cpu(words[i]) != number)
			ret = -EIO;
	return ret;
}

static int wait_used(struct driver *d)
{
	time_t end = time(NULL) + WAIT_SECONDS;
	struct gm_view v;
	gm_le16_t used;
	int ret;

	do {
		gm_space_read_begin(d->guest->space, &v);
		ret = gm_view_load(&v, gm_gpa(RING_GPA + NIC_USED), &used, sizeof(used),
				   GM_ACQUIRE);
		gm_space_read_end(d->guest->space);
		if (ret || gm_le16_to_cpu(used) == d->offered)
			return ret;
		sched_yield();
	} while (time(NULL) < end);
	return -ETIMEDOUT;
}

/* The last so many buffers come back, each with this status. */
int driver_wait(struct driver *d, unsigned int buffers, enum nic_status want)
{
	unsigned int i;
	int ret;

	ret = wait_used(d);
	for (i = 0; i < buffers && !ret; i++) {
		unsigned int slot = (d->offered - buffers + i) % NIC_NUM;
		struct nic_desc desc;

		ret = get(d, RING_GPA + NIC_DESCS + slot * sizeof(desc), &desc, sizeof(desc));
		if (!ret && gm_le32_to_cpu(desc.status) != want)
			ret = -EIO;
		if (!ret && want == NIC_FILLED)
			ret = check_packet(d, slot, d->packets);
		d->packets++;
	}
	return ret;
}
