/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * iommu.h - a front-end that translates for its device.
 *
 * The guest's memory is at IOVA BIAS, at the same distances as in the guest.
 */
#ifndef IOMMU_H
#define IOMMU_H

#include <pthread.h>

#include "ring.h"

#define PAGE 4096u
#define BIAS (5ull << 40)

/**
 * struct iommu_session - a session whose addresses are IOVAs
 * @s: the session
 * @channel: our end of the channel over which the device asks
 * @theirs: its end, to be played with
 * @deny: the page that there is no translation for; 0: none
 * @thread: answers, between iommu_serve_begin() and iommu_serve_end()
 * @served: questions that it has answered
 * @stop: it is to end
 */
struct iommu_session {
	struct session s;
	int channel;
	int theirs;
	uint64_t deny;
	pthread_t thread;
	unsigned int served;
	bool stop;
};

/* A connection with memory and an IOMMU; the ring is not started. */
void iommu_open(struct iommu_session *s, struct world *w);
void iommu_close(struct iommu_session *s);

/* The same connection anew, after its end; what the ring is stays. */
void iommu_connect(struct iommu_session *s, struct world *w);

/* Start a ring that is known by IOVA, and whose descriptors have IOVAs. */
void ring_start_by_iova(struct ring *r);

enum answer iommu_update(struct iommu_session *s, uint64_t iova, uint64_t size, uint64_t user,
			 uint8_t perm);
/* @size 0: all. */
enum answer iommu_invalidate(struct iommu_session *s, uint64_t iova, uint64_t size);

/* Tell of all memory. */
void iommu_tell_all(struct iommu_session *s);

/* Has the device a question? Waits a little: no is no proof where much else runs. */
bool iommu_is_asked(struct iommu_session *s);

/* It must have one, and is waited for with patience; the second takes it. */
void iommu_must_ask(struct iommu_session *s);
void iommu_take_question(struct iommu_session *s, struct wire_iotlb *m);

/* An answer, whether there was a question or not. Return: false: nobody takes it. */
bool iommu_answer(struct iommu_session *s, uint64_t value);

/* Answer all questions. The connection is not to be used meanwhile. */
void iommu_serve_begin(struct iommu_session *s);
void iommu_serve_end(struct iommu_session *s);

/* Take away, at least, the right to write to a request's data. */
typedef enum answer iommu_take_back_fn(struct iommu_session *s, const struct request *q);

/*
 * Take back what a read is about to write to, or is writing to: when the device has
 * said yes, no byte may be written any more.
 */
void iommu_take_back(struct world *w, iommu_take_back_fn *take_back);

#endif /* IOMMU_H */
