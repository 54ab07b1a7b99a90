/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen.h - the types that the kernel's <xen/privcmd.h> and <xen/gntdev.h> need. The
 * header that has them is not installed with the kernel's headers for programs.
 */
#ifndef GM_XEN_INTERFACE_H
#define GM_XEN_INTERFACE_H

#include <linux/types.h>

typedef __u16 domid_t;
typedef unsigned long xen_pfn_t;
typedef __u32 grant_ref_t;

#endif /* GM_XEN_INTERFACE_H */
