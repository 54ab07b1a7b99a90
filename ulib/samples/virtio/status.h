/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * status.h - the byte by which a request of virtio-blk is answered.
 */
#ifndef STATUS_H
#define STATUS_H

#include "virtqueue.h"

/*
 * Find the status byte, the last one that the device may write, and take it off the
 * chain. @out is a window on it, which needs no IOMMU any more.
 *
 * Return: 0; a negative errno with because(): there is no place for an answer, and what
 * became of the chain does not matter.
 */
int chain_split_status(struct chain *c, struct gm_view *v, struct gm_slice *out);

#endif /* STATUS_H */
