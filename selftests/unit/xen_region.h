/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * xen_region.h - regions of a domain whose drivers are pretended (xen_fake.h).
 */
#ifndef SELFTESTS_UNIT_XEN_REGION_H
#define SELFTESTS_UNIT_XEN_REGION_H

#include <guestmem.h>
#include "expect.h"
#include "pages.h"
#include "xen_fake.h"

#define PAGE UINT64_C(4096)
#define LEN (8 * PAGE)
/* Pages 4 to 11 of the domain, or grants. */
#define GPA (4 * PAGE)
#define ON_DEMAND (GM_XEN_GRANT | GM_XEN_NO_ADVANCE_MAP)

#define PAGES_OF_4_KIB() do { \
	if (system_page() != PAGE) \
		SKIP(return, "the pretended drivers know pages of 4 KiB"); \
} while (0)

FIXTURE(xen) {
	struct gm_file *file;
	uint8_t *memory;	/* of the domain */
	struct gm_mmap_opts o;
};

FIXTURE_SETUP(xen)
{
	int fd = xen_fake_open(&self->memory);

	ASSERT_LE(0, fd);
	ASSERT_OK(gm_file_new(fd, &self->file));
	self->o.sz = sizeof(self->o);
	self->o.file = self->file;
}

FIXTURE_TEARDOWN(xen)
{
	gm_file_put(self->file);
	EXPECT_EQ(0, xen_fake.requests);
	EXPECT_EQ(0, xen_fake.granted);
	EXPECT_FALSE(xen_fake.wrong);
}

static inline struct gm_xen_opts xen_opts(uint32_t flags)
{
	struct gm_xen_opts x = {
		.sz = sizeof(x), .flags = flags, .data = XEN_FAKE_DOMAIN,
	};

	return x;
}

static inline int make_xen(const struct gm_mmap_opts *o, uint32_t flags,
			   uint32_t cache_pages, struct gm_region **out)
{
	struct gm_xen_opts x = xen_opts(flags);

	x.cache_pages = cache_pages;
	return gm_region_new_xen(gm_gpa(GPA), LEN, &x, o, out);
}

#endif /* SELFTESTS_UNIT_XEN_REGION_H */
