/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * lib_region.h - what tests of the library's regions of the module's memory have
 * in common. Include after kselftest_harness.h.
 */
#ifndef SELFTESTS_KMOD_LIB_REGION_H
#define SELFTESTS_KMOD_LIB_REGION_H

#include <guestmem.h>
#include "../unit/expect.h"
#include "pattern.h"
#include "session.h"

#define BASE UINT64_C(0x100000)
#define LENGTH (8 * PAGE)

FIXTURE(lib) {
	struct session s;
	struct gm_kmod *k;
};

FIXTURE_SETUP(lib)
{
	session_start(_metadata, &self->s, false);
	close(self->s.control);
	ASSERT_OK(gm_kmod_open(NULL, &self->k));
}

FIXTURE_TEARDOWN(lib)
{
	gm_kmod_put(self->k);
	session_end(_metadata, &self->s);
}

/* Reads, writes, marks: as over any memory; and the file sees it. */
static inline void check_access(struct __test_metadata *_metadata,
				struct gm_region *r)
{
	uint64_t len = gm_region_len(r), x = 0;
	struct gm_view view;
	struct gm_map *m;
	uint8_t buf[64], back[64];

	ASSERT_OK(gm_map_new(&r, 1, &m));
	gm_view_init(&view, m);
	for (uint64_t at = 0; at + 8 <= len; at += PAGE)
		ASSERT_OK(gm_view_write_u64(&view, gm_gpa(BASE + at), at + 7));
	for (uint64_t at = 0; at + 8 <= len; at += PAGE) {
		ASSERT_OK(gm_view_read_u64(&view, gm_gpa(BASE + at), &x));
		EXPECT_EQ(at + 7, x);
		EXPECT_EQ(at + 7, *(uint64_t *)(r->ext.host + at));
	}
	pattern_fill(buf, sizeof(buf), 5);
	ASSERT_OK(gm_view_write(&view, gm_gpa(BASE + PAGE - 32), buf, 64));
	ASSERT_OK(gm_view_read(&view, gm_gpa(BASE + PAGE - 32), back, 64));
	EXPECT_EQ(0, memcmp(buf, back, 64));
	EXPECT_EQ(-EFAULT, gm_view_read_u64(&view, gm_gpa(BASE + len), &x));
	gm_map_put(m);
}

#endif /* SELFTESTS_KMOD_LIB_REGION_H */
