/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * hypercall.h - the hypervisor's own calls, by way of Linux's privcmd, for a dom0
 * without a toolstack.
 */
#ifndef SELFTESTS_XEN_HYPERCALL_H
#define SELFTESTS_XEN_HYPERCALL_H

#define __XEN_TOOLS__ 1
#include <stdint.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/memory.h>

/* /dev/xen/privcmd, opened once; negative: it can't be. */
int privcmd(void);

/*
 * Memory that the hypervisor can be given: it is always there. One piece of it, so each
 * call overwrites what the one before had.
 */
#define HYPERCALL_ROOM (1u << 20)
void *hypercall_room(void);

/* Return: 0 or more; a negative errno of the hypervisor's. */
int hypercall_domctl(struct xen_domctl *op);
int hypercall_memory(unsigned int op, void *arg);

#endif /* SELFTESTS_XEN_HYPERCALL_H */
