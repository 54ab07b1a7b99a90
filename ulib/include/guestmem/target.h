/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * target.h - refuse what the library is not for. It includes nothing.
 */
#ifndef GUESTMEM_TARGET_H
#define GUESTMEM_TARGET_H

#if !defined(__SIZEOF_POINTER__) || __SIZEOF_POINTER__ != 8
#error "libguestmem needs a 64-bit target: guest memory is addressed with 64 bits"
#endif

#endif /* GUESTMEM_TARGET_H */
