/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * nic.c - the device. It does not know that memory comes and goes, nor that what it
 * writes is counted.
 */
#include <errno.h>
#include <sched.h>

#include "live.h"

static gm_gpa_t in_ring(const struct nic *n, uint64_t off)
{
	return gm_gpa(gm_iova_raw(n->ring) + off);
}

static gm_gpa_t desc_at(const struct nic *n)
{
	return in_ring(n, NIC_DESCS + n->used % NIC_NUM * sizeof(struct nic_desc));
}

/* Return: 1 the next descriptor; 0 there is none yet. */
static int look(const struct nic *n, struct gm_view *v, struct nic_desc *desc)
{
	gm_le16_t avail;
	int ret;

	/* Acquire: the descriptor was written before this said so. */
	ret = gm_view_load(v, in_ring(n, NIC_AVAIL), &avail, sizeof(avail), GM_ACQUIRE);
	if (ret || gm_le16_to_cpu(avail) == n->used)
		return ret;
	ret = gm_view_read(v, desc_at(n), desc, sizeof(*desc));
	return ret ? ret : 1;
}

static int fill(const struct nic *n, struct gm_view *v, const struct nic_desc *desc)
{
	gm_le32_t packet[PACKET_WORDS];
	unsigned int i;

	for (i = 0; i < PACKET_WORDS; i++)
		packet[i] = gm_cpu_to_le32(n->packets);
	return gm_view_write(v, gm_gpa(gm_le64_to_cpu(desc->iova)), packet, sizeof(packet));
}

/* Fill the buffer, if it is good, and give it back. */
static int complete(struct nic *n, struct gm_view *v, struct nic_desc *desc, bool good)
{
	gm_le16_t used = gm_cpu_to_le16((uint16_t)(n->used + 1));
	int ret = good ? fill(n, v, desc) : -EFAULT;

	/* Its translation was taken back meanwhile: see what is there now. */
	if (ret == -EAGAIN)
		return ret;
	desc->status = gm_cpu_to_le32(ret ? NIC_REFUSED : NIC_FILLED);
	ret = gm_view_write(v, desc_at(n), desc, sizeof(*desc));
	/* Release: whoever sees this sees the packet and its status. */
	if (!ret)
		ret = gm_view_store(v, in_ring(n, NIC_USED), &used, sizeof(used), GM_RELEASE);
	if (ret)
		return ret;
	n->used++;
	n->packets++;
	return 1;
}

/*
 * One packet. What it will touch is resolved before the section that touches it, since
 * nothing is asked for inside of one.
 *
 * Return: 1; 0 there is no buffer; -EAGAIN begin anew; an error of the ring.
 */
static int serve(struct nic *n)
{
	struct nic_desc desc;
	bool good;
	int ret;

	ret = gm_iommu_resolve(n->iommu, n->ring, NIC_RING_SIZE, GM_PERM_RW);
	if (ret)
		return ret;
	ret = look(n, gm_reader_begin(&n->reader), &desc);
	gm_reader_end(&n->reader);
	if (ret <= 0)
		return ret;
	good = gm_le32_to_cpu(desc.len) >= PACKET_SIZE &&
	       !gm_iommu_resolve(n->iommu, gm_iova(gm_le64_to_cpu(desc.iova)), PACKET_SIZE,
				 GM_PERM_WRITE);
	ret = complete(n, gm_reader_begin(&n->reader), &desc, good);
	gm_reader_end(&n->reader);
	return ret;
}

static void *run(void *arg)
{
	struct nic *n = arg;
	int ret = 0;

	while (!__atomic_load_n(&n->stop, __ATOMIC_RELAXED)) {
		ret = serve(n);
		if (ret < 0 && ret != -EAGAIN)
			break;
		if (!ret)
			sched_yield();
	}
	n->err = ret < 0 && ret != -EAGAIN ? ret : 0;
	return NULL;
}

int nic_start(struct nic *n, struct guest *g, gm_iova_t ring)
{
	int ret;

	gm_reader_init_space(&n->reader, g->space);
	gm_reader_set_iommu(&n->reader, g->iommu);
	n->iommu = g->iommu;
	n->ring = ring;
	n->stop = false;
	ret = pthread_create(&n->thread, NULL, run, n);
	if (ret)
		gm_reader_exit(&n->reader);
	return -ret;
}

/* Nothing is written any more when this returns. */
int nic_stop(struct nic *n)
{
	__atomic_store_n(&n->stop, true, __ATOMIC_RELAXED);
	pthread_join(n->thread, NULL);
	gm_reader_exit(&n->reader);
	return n->err;
}
