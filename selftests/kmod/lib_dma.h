/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * lib_dma.h - what tests of the library with a device begin with: a guest, all
 * of whose memory is mapped that can be. Include after kselftest_harness.h.
 */
#ifndef SELFTESTS_KMOD_LIB_DMA_H
#define SELFTESTS_KMOD_LIB_DMA_H

#include <guestmem.h>
#include "../unit/expect.h"
#include "edu.h"
#include "session.h"

/*
 * The guest: ANON of the module's, PINNED a memfd that is pinned, ROM, and
 * after a hole BARE, which the module does not have.
 */
enum { ANON, PINNED, ROM, BARE, N };
#define LENGTH (16 * PAGE)
#define AT(i) ((i) == BARE ? 8 * LENGTH : (i) * LENGTH)

FIXTURE(dma) {
	struct session s;
	char address[ADDRESS_MAX];
	struct gm_kmod *k;
	struct gm_kmod_device *dev;
	struct gm_region *r[N];
	struct gm_map *m;
	struct gm_dma *d;
};

FIXTURE_SETUP(dma)
{
	struct gm_mmap_opts o[N] = {
		[ANON] = { .flags = GM_MMAP_DIRTY },
		[PINNED] = { .flags = GM_MMAP_MEMFD | GM_MMAP_DIRTY },
		[ROM] = { .flags = GM_MMAP_READ_ONLY },
	};

	session_start(_metadata, &self->s, false);
	close(self->s.control);
	ASSERT_EQ(0, device_address(self->address));
	ASSERT_OK(gm_kmod_open(NULL, &self->k));
	ASSERT_OK(gm_kmod_device_open(self->address, 0, &self->dev));
	for (int i = 0; i < N; i++) {
		o[i].sz = sizeof(o[i]);
		if (i == BARE)
			ASSERT_OK(gm_region_new_mmap(gm_gpa(AT(i)), LENGTH,
						     &o[i], &self->r[i]));
		else
			ASSERT_OK(gm_region_new_kmod(self->k, gm_gpa(AT(i)),
						     LENGTH, &o[i],
						     &self->r[i]));
	}
	ASSERT_OK(gm_map_new(self->r, N, &self->m));
	ASSERT_OK(gm_dma_new_kmod(self->dev, self->m, GM_PERM_RW,
				  GM_KMOD_DMA_SKIP, &self->d));
}

FIXTURE_TEARDOWN(dma)
{
	gm_dma_put(self->d);
	gm_map_put(self->m);
	for (int i = 0; i < N; i++)
		gm_region_put(self->r[i]);
	gm_kmod_device_put(self->dev);
	gm_kmod_put(self->k);
	session_end(_metadata, &self->s);
}

#endif /* SELFTESTS_KMOD_LIB_DMA_H */
