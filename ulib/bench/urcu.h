/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * urcu.h - liburcu, to be compared with, where it is installed.
 *
 * liburcu is LGPL: its inlined form, _urcu_..., is for a benchmark alone, which is
 * not installed. The functions are what programs use that are not LGPL.
 */
#ifndef BENCH_URCU_H
#define BENCH_URCU_H

#ifdef GM_HAVE_URCU

#define _LGPL_SOURCE
#include <urcu/urcu-bp.h>
#include <urcu/urcu-memb.h>
#include <urcu/pointer.h>

#undef urcu_memb_read_lock
#undef urcu_memb_read_unlock
void urcu_memb_read_lock(void);
void urcu_memb_read_unlock(void);

#else

static inline void urcu_memb_register_thread(void)
{
}

static inline void urcu_memb_unregister_thread(void)
{
}

#endif /* GM_HAVE_URCU */

#endif /* BENCH_URCU_H */
