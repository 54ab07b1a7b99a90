/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * domain.h - another domain, made by hypercalls: a shell with memory and a grant table,
 * and, if it is to run, a virtual CPU.
 */
#ifndef SELFTESTS_XEN_DOMAIN_H
#define SELFTESTS_XEN_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE UINT64_C(4096)

/**
 * struct domain - a domain
 * @id: its number
 * @pages: of memory
 * @first: number of the first page, the others follow. With nested paging guest pages
 *	have numbers of their own; a PV domain has those of the machine.
 * @grants: its grant table
 * @grant_count: entries there
 */
struct domain {
	uint16_t id;
	uint64_t pages;
	uint64_t first;
	void *grants;
	uint32_t grant_count;
};

/* Return: 0; a negative errno. @frames of grant table, of 512 grants each. */
int domain_new_hvm(struct domain *d, uint64_t pages, uint32_t frames);
/* At most 512 pages: they are one extent. */
int domain_new_pv(struct domain *d, uint64_t pages, uint32_t frames);

/* It has no memory there any more. Return: 0; a negative errno. */
int domain_make_hole(struct domain *d, uint64_t page);

/* Grant @ref gives this domain page number @gfn. */
void domain_grant(struct domain *d, uint32_t ref, uint64_t gfn, bool read_only);

/* Is the grant mapped by somebody? The hypervisor's word. */
bool domain_grant_is_mapped(const struct domain *d, uint32_t ref);

/* How many of the first @count grants are. */
uint32_t domain_grants_mapped(const struct domain *d, uint32_t count);

/* Run 32-bit code at this guest address, without paging. Return: 0; a negative errno. */
int domain_run(struct domain *d, uint32_t address);

/* Destroy it. Its number is not used again while somebody maps its memory. */
int domain_destroy(struct domain *d);

/* Is there such a domain, be it dying? */
bool domain_is_there(const struct domain *d);

#endif /* SELFTESTS_XEN_DOMAIN_H */
