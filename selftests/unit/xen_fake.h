/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen_fake.h - answers in the place of Linux's drivers for Xen, for what real ones can't
 * be made to answer at will, and for the sanitizers. What the real ones do is tested in
 * selftests/xen.
 *
 * Both devices are one memfd here: page n of it is page n of the domain, and grant n.
 */
#ifndef SELFTESTS_UNIT_XEN_FAKE_H
#define SELFTESTS_UNIT_XEN_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#define XEN_FAKE_PAGES 64
#define XEN_FAKE_DOMAIN 5

/**
 * struct xen_fake - what it is to answer, and what it was asked
 * @hole: this page is not there, this grant none; 0: all are
 * @fail: errno of the ioctl that maps; 0: none
 * @requests: grant requests that were not taken back
 * @granted: pages of them
 * @wrong: a request was taken back that there was not
 * @batches: calls for foreign pages
 * @map_requests: calls for grants
 */
struct xen_fake {
	uint64_t hole;
	int fail;
	unsigned int requests;
	unsigned int granted;
	bool wrong;
	unsigned int batches;
	unsigned int map_requests;
};

/* One a process; each test of the harness has a process of its own. */
extern struct xen_fake xen_fake;

/* The descriptor; and all of the domain's memory. Negative: no memory. */
int xen_fake_open(uint8_t **memory);

/* For the ioctl() of kmod_fake.c. False: it is none of Xen's. */
bool xen_fake_ioctl(int fd, unsigned long cmd, void *arg, int *err);

#endif /* SELFTESTS_UNIT_XEN_FAKE_H */
