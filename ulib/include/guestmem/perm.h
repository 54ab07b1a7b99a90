/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * perm.h - what an access wants, and what memory allows.
 */
#ifndef GUESTMEM_PERM_H
#define GUESTMEM_PERM_H

#include <guestmem/compiler.h>

GM_BEGIN_DECLS

/**
 * enum gm_perm - access rights, as a set of two bits
 * @GM_PERM_NONE: neither
 * @GM_PERM_READ: the device reads guest memory
 * @GM_PERM_WRITE: the device writes guest memory
 * @GM_PERM_RW: both
 */
enum gm_perm {
	GM_PERM_NONE = 0,
	GM_PERM_READ = 1,
	GM_PERM_WRITE = 2,
	GM_PERM_RW = 3,
};

/**
 * gm_perm_allows() - do rights cover an access?
 * @have: the rights
 * @want: the access
 *
 * Return: true if every bit of @want is in @have; so GM_PERM_NONE always is.
 */
GM_INLINE bool gm_perm_allows(enum gm_perm have, enum gm_perm want)
{
	return ((unsigned int)want & ~(unsigned int)have) == 0;
}

/**
 * gm_perm_has_write() - is writing among the rights?
 * @perm: the rights
 */
GM_INLINE bool gm_perm_has_write(enum gm_perm perm)
{
	return ((unsigned int)perm & GM_PERM_WRITE) != 0;
}

/**
 * gm_perm_and() - rights that are in both
 * @a: one set
 * @b: the other
 */
GM_INLINE enum gm_perm gm_perm_and(enum gm_perm a, enum gm_perm b)
{
	return (enum gm_perm)((unsigned int)a & (unsigned int)b);
}

/**
 * gm_perm_or() - rights that are in either
 * @a: one set
 * @b: the other
 */
GM_INLINE enum gm_perm gm_perm_or(enum gm_perm a, enum gm_perm b)
{
	return (enum gm_perm)((unsigned int)a | (unsigned int)b);
}

GM_END_DECLS

#endif /* GUESTMEM_PERM_H */
