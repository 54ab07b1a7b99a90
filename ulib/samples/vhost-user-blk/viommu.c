/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * viommu.c - the IOTLB, questions, answers.
 *
 * Each question wants a reply (yes or no), so that one without an answer shows:
 * the translation itself comes by a message on the other channel, before that.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "viommu.h"

/* More than a driver maps at a time; what is too much takes another's place. */
#define CAPACITY (1u << 17)
#define PAGE_SIZE 4096u
/* Pieces of a range that are looked at in one go. */
#define PIECES 64

/* False: not now. */
static bool ask(struct viommu *v, uint64_t page, bool write)
{
	struct {
		struct vu_header header;
		struct vu_iotlb iotlb;
	} __attribute__((packed)) m = {
		.header = { VU_BACKEND_IOTLB_MSG, VU_VERSION | VU_NEED_REPLY,
			    sizeof(struct vu_iotlb) },
		.iotlb = { .iova = page, .size = PAGE_SIZE, .type = VU_IOTLB_MISS,
			   .perm = write ? VU_IOTLB_RW : VU_IOTLB_RO },
	};

	if (v->channel < 0 || v->asked_count == VIOMMU_ASKED)
		return false;
	if (send(v->channel, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(m))
		return false;
	v->asked[(v->asked_first + v->asked_count++) % VIOMMU_ASKED] =
		page | (write ? VIOMMU_WRITE : 0);
	v->sent++;
	v->stats->iotlb_asked++;
	return true;
}

/* A translation for who writes is one for who reads. */
static bool is_asked(const struct viommu *v, uint64_t page, bool write)
{
	unsigned int i;

	for (i = 0; i < v->asked_count; i++) {
		uint64_t asked = v->asked[(v->asked_first + i) % VIOMMU_ASKED];

		if (asked == (page | VIOMMU_WRITE) || (!write && asked == page))
			return true;
	}
	return false;
}

/*
 * Who needs the page is told once, and asks again the next time. That nobody may
 * write there says nothing to who reads.
 */
static bool take_denied(struct viommu *v, uint64_t page, bool write)
{
	unsigned int i;

	for (i = 0; i < v->denied_count; i++) {
		if (v->denied[i] != page && (!write || v->denied[i] != (page | VIOMMU_WRITE)))
			continue;
		v->denied[i] = v->denied[--v->denied_count];
		return true;
	}
	return false;
}

/* Return: -EAGAIN asked for, now or before; -EBUSY no room; -EFAULT there is none. */
static int want(struct viommu *v, uint64_t iova, enum gm_perm perm)
{
	uint64_t page = iova & ~(uint64_t)(PAGE_SIZE - 1);
	bool write = perm & GM_PERM_WRITE;

	if (take_denied(v, page, write))
		return because(-EFAULT, "no translation for %#llx", (unsigned long long)page);
	return is_asked(v, page, write) || ask(v, page, write) ? -EAGAIN : -EBUSY;
}

static int translate(void *ctx, struct gm_iommu *iommu, gm_iova_t iova, gm_size_t len,
		     enum gm_perm perm)
{
	int err = want(ctx, gm_iova_raw(iova), perm);

	(void)iommu;
	(void)len;
	return err == -EBUSY ? -EAGAIN : err;
}

static const struct gm_iommu_ops ops = { .translate = translate };

int viommu_init(struct viommu *v, struct stats *stats)
{
	int err;

	memset(v, 0, sizeof(*v));
	v->channel = -1;
	v->stats = stats;
	err = gm_iommu_new(&ops, v, CAPACITY, NULL, &v->iommu);
	return err ? because_gm(err, "IOMMU") : 0;
}

void viommu_exit(struct viommu *v)
{
	viommu_reset(v);
	gm_iommu_put(v->iommu);
}

void viommu_reset(struct viommu *v)
{
	if (v->channel >= 0)
		close(v->channel);
	v->channel = -1;
	v->on = false;
	v->asked_count = 0;
	v->denied_count = 0;
	v->answer_have = 0;
	viommu_forget(v);
}

void viommu_forget(struct viommu *v)
{
	gm_iommu_invalidate_all(v->iommu);
}

void viommu_told(struct viommu *v)
{
	v->denied_count = 0;
}

int viommu_set_channel(struct viommu *v, int *fd)
{
	int type;
	socklen_t len = sizeof(type);

	if (getsockopt(*fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM)
		return because(-EINVAL, "a backend channel that is no socket");
	if (v->channel >= 0)
		close(v->channel);
	v->channel = *fd;
	*fd = -1;
	v->asked_count = 0;
	v->answer_have = 0;
	return 0;
}

void viommu_view(struct viommu *v, struct gm_view *view, struct gm_map *map)
{
	if (v->on)
		gm_view_init_iommu(view, v->iommu, map);
	else
		gm_view_init(view, map);
}

/* All pages of a piece that is not there. Return: as want(). */
static int want_all(struct viommu *v, const struct gm_iova_range *piece, enum gm_perm perm)
{
	uint64_t iova = gm_iova_raw(piece->iova), last = iova + (piece->len - 1);

	for (;;) {
		int err = want(v, iova, perm);

		if (err != -EAGAIN)
			return err;
		iova = (iova | (PAGE_SIZE - 1)) + 1;
		/* Past the last byte, or past the last of all. */
		if (!iova || iova > last)
			return err;
	}
}

int viommu_resolve(struct viommu *v, const struct gm_range *range, enum gm_perm perm)
{
	struct gm_iova_range misses[PIECES], denied[PIECES];
	struct gm_iotlb_fails fails = {
		.misses = misses, .miss_room = PIECES, .denied = denied, .denied_room = PIECES,
	};
	size_t i;
	int ret;

	if (!v->on)
		return 0;
	ret = gm_iotlb_fails(gm_iommu_iotlb(v->iommu), gm_iova(gm_gpa_raw(range->gpa)),
			     range->len, perm, &fails);
	if (!ret)
		return 0;
	if (ret < 0 && ret != -EMSGSIZE)
		return because_gm(-EFAULT, "IOTLB");
	/* As many as fit are enough to go on with. */
	ret = 0;
	for (i = 0; i < fails.miss_count && i < PIECES && (!ret || ret == -EAGAIN); i++)
		ret = want_all(v, &misses[i], perm);
	for (i = 0; i < fails.denied_count && i < PIECES && (!ret || ret == -EAGAIN); i++)
		ret = want_all(v, &denied[i], perm);
	return ret == -EBUSY ? -EAGAIN : ret;
}

int viommu_lookup(struct viommu *v, const struct gm_range *range, enum gm_perm perm,
		  struct gm_range *out)
{
	int err = gm_iotlb_lookup(gm_iommu_iotlb(v->iommu), gm_iova(gm_gpa_raw(range->gpa)),
				  range->len, perm, out);

	return err ? because_gm(err, "IOTLB") : 0;
}

static enum gm_perm perm_of(const struct vu_iotlb *m)
{
	static const enum gm_perm perms[] = {
		[VU_IOTLB_RO] = GM_PERM_READ, [VU_IOTLB_WO] = GM_PERM_WRITE,
		[VU_IOTLB_RW] = GM_PERM_RW,
	};

	return perms[m->perm];
}

/* A "no" that nobody has taken yet is out of date. */
static void forget_denied(struct viommu *v, const struct vu_iotlb *m)
{
	uint64_t first = m->iova & ~(uint64_t)(PAGE_SIZE - 1), last = m->iova + (m->size - 1);
	unsigned int i = 0;

	while (i < v->denied_count) {
		uint64_t page = v->denied[i] & ~(uint64_t)VIOMMU_WRITE;

		if (page < first || page > last ||
		    (page != v->denied[i] && !(perm_of(m) & GM_PERM_WRITE)))
			i++;
		else
			v->denied[i] = v->denied[--v->denied_count];
	}
}

int viommu_update(struct viommu *v, const struct vu_iotlb *m, gm_gpa_t target)
{
	int err = gm_iommu_map(v->iommu, gm_iova(m->iova), m->size, target, perm_of(m));

	v->stats->iotlb_updates++;
	if (err)
		return because_gm(err, "IOTLB update");
	forget_denied(v, m);
	return 0;
}

bool viommu_is_missing(const struct viommu *v, uint64_t iova, uint64_t len)
{
	struct gm_iova_range miss;
	struct gm_iotlb_fails fails = { .misses = &miss, .miss_room = 1 };

	return gm_iotlb_fails(gm_iommu_iotlb(v->iommu), gm_iova(iova), len, GM_PERM_READ,
			      &fails) == 1 && miss.len == len;
}

bool viommu_differs(const struct viommu *v, const struct vu_iotlb *m, gm_gpa_t target)
{
	struct gm_iotlb *t = gm_iommu_iotlb(v->iommu);
	struct gm_range now;
	int err;

	if (m->perm != VU_IOTLB_RW &&
	    !gm_iotlb_lookup(t, gm_iova(m->iova), m->size, GM_PERM_RW, &now))
		return true;
	err = gm_iotlb_lookup(t, gm_iova(m->iova), m->size, perm_of(m), &now);
	return err || now.len != m->size || gm_gpa_raw(now.gpa) != gm_gpa_raw(target);
}

int viommu_invalidate(struct viommu *v, uint64_t iova, uint64_t len)
{
	int err;

	v->stats->iotlb_invalidations++;
	if (!len)
		err = gm_iommu_invalidate_all(v->iommu);
	else
		err = gm_iommu_invalidate(v->iommu, gm_iova(iova), len);
	return err ? because_gm(err, "IOTLB invalidation") : 0;
}

/* Answers come in the order of the questions. */
bool viommu_is_asking(const struct viommu *v, uint64_t question)
{
	return v->on && v->sent - v->asked_count < question;
}

/* The answer to the oldest question. */
static int answered(struct viommu *v)
{
	uint64_t asked = v->asked[v->asked_first], value;

	if (v->answer.header.request != VU_BACKEND_IOTLB_MSG || !v->asked_count ||
	    !(v->answer.header.flags & VU_REPLY) || v->answer.header.size != sizeof(value))
		return because(-EPROTO, "an answer to no question");
	memcpy(&value, v->answer.payload, sizeof(value));
	v->asked_first = (v->asked_first + 1) % VIOMMU_ASKED;
	v->asked_count--;
	if (value) {
		v->stats->iotlb_denied++;
		log_verbose("no translation for %#llx",
			    (unsigned long long)(asked & ~(uint64_t)VIOMMU_WRITE));
		if (v->denied_count < VIOMMU_ASKED)
			v->denied[v->denied_count++] = asked;
	}
	return 0;
}

int viommu_receive(struct viommu *v)
{
	for (;;) {
		char *at = (char *)&v->answer + v->answer_have;
		ssize_t n = recv(v->channel, at, sizeof(v->answer) - v->answer_have,
				 MSG_DONTWAIT);
		int err;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0) {
			/* It may be on its way out. If not, it has its answer. */
			close(v->channel);
			v->channel = -1;
			v->asked_count = 0;
			return 0;
		}
		v->answer_have += (size_t)n;
		if (v->answer_have < sizeof(v->answer))
			continue;
		v->answer_have = 0;
		err = answered(v);
		if (err)
			return err;
	}
}

void viommu_count(struct viommu *v)
{
	struct gm_iommu_stats now;

	gm_iommu_stats(v->iommu, &now);
	v->stats->iotlb_hits = now.iotlb.hits;
	v->stats->iotlb_misses = now.iotlb.misses;
	v->stats->iotlb_evictions = now.iotlb.evictions;
}
