/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * viommu.h - an IOMMU between the device and the guest's memory, whose page
 * tables the front-end knows.
 *
 * With it, rings and requests come with IOVAs. What the IOTLB has not, is asked
 * for over a channel of our own, the backend channel; the answer comes between
 * the front-end's messages. Nobody waits for it: what needs it is -EAGAIN, and is
 * tried again after the next message. So a request is taken out of its ring only
 * when all its addresses are known, and remembers them itself (locate() in blk.c):
 * once it has begun, it waits for no answer.
 *
 * The front-end takes translations back by a message, which one thread obeys that
 * does all else too: so a slice stays good until then. See forget() in backend.c.
 */
#ifndef VIOMMU_H
#define VIOMMU_H

#include <guestmem.h>

#include "stats.h"
#include "vhost_user.h"

/* Questions at a time. Whoever has more asks again when there is room. */
#define VIOMMU_ASKED 256
/* A question for the right to write, too. */
#define VIOMMU_WRITE 1u

/**
 * struct viommu - the IOMMU
 * @iommu: the library's
 * @on: addresses of the device are IOVAs
 * @channel: the backend channel; -1: none
 * @asked: what was asked for, in the order of the answers to come: pages, with
 *	VIOMMU_WRITE in the lowest bits
 * @asked_first: the oldest of them
 * @asked_count: how many
 * @sent: questions so far
 * @denied: what the front-end has no translation for, as @asked; each is told once
 * @denied_count: how many
 * @answer: what has come of the next answer
 * @answer_have: bytes of it
 * @stats: counts
 */
struct viommu {
	struct gm_iommu *iommu;
	bool on;
	int channel;
	uint64_t asked[VIOMMU_ASKED];
	unsigned int asked_first;
	unsigned int asked_count;
	uint64_t sent;
	uint64_t denied[VIOMMU_ASKED];
	unsigned int denied_count;
	struct {
		struct vu_header header;
		uint8_t payload[sizeof(uint64_t)];
	} answer;
	size_t answer_have;
	struct stats *stats;
};

/* Return: 0; -ENOMEM with because(). */
int viommu_init(struct viommu *v, struct stats *stats);
void viommu_exit(struct viommu *v);

/* The front-end has gone. */
void viommu_reset(struct viommu *v);

/* All translations may be out of date. */
void viommu_forget(struct viommu *v);

/* Whoever needs a page has looked for it since the last answer. */
void viommu_told(struct viommu *v);

/* Ask over this channel. The descriptor is taken. Return: 0; -EINVAL. */
int viommu_set_channel(struct viommu *v, int *fd);

/* Look at @map: through the IOMMU if it is on. */
void viommu_view(struct viommu *v, struct gm_view *view, struct gm_map *map);

/*
 * Have all pages of a range in the IOTLB.
 *
 * Return: 0 they are (or there is no IOMMU); -EAGAIN they were asked for; -EFAULT,
 * -EACCES they never will be.
 */
int viommu_resolve(struct viommu *v, const struct gm_range *range, enum gm_perm perm);

/*
 * Where the first bytes of a range are in guest memory now. They stay there until the
 * front-end says otherwise, even if the IOTLB forgets it.
 *
 * Return: 0; an error of gm_iotlb_lookup(): it is not in the IOTLB.
 */
int viommu_lookup(struct viommu *v, const struct gm_range *range, enum gm_perm perm,
		  struct gm_range *out);

/* A translation, from the front-end. Return: 0; an error of gm_iommu_map(). */
int viommu_update(struct viommu *v, const struct vu_iotlb *m, gm_gpa_t target);

/* Is there nothing in the IOTLB for any part of this range? */
bool viommu_is_missing(const struct viommu *v, uint64_t iova, uint64_t len);

/* Is there another translation for a part of the range, none, or one with more rights? */
bool viommu_differs(const struct viommu *v, const struct vu_iotlb *m, gm_gpa_t target);

/* Forget a range that nobody uses any more. @len 0: all. Return: 0; -EINVAL. */
int viommu_invalidate(struct viommu *v, uint64_t iova, uint64_t len);

/* Has this question, which is one of @v->sent, no answer yet? 0: no question. */
bool viommu_is_asking(const struct viommu *v, uint64_t question);

/* Read answers. Return: 0; a negative errno with because(): it talks nonsense. */
int viommu_receive(struct viommu *v);

/* Bring the counts up to date. */
void viommu_count(struct viommu *v);

#endif /* VIOMMU_H */
