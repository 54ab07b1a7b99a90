/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * fault.h - memory that goes away under us: an error instead of SIGBUS.
 *
 * A peer can truncate the file that it gave as guest memory; a huge page pool
 * can run dry; memory can be found poisoned by hardware. The next touch is then
 * SIGBUS, at whatever instruction. A program that serves untrusted peers turns
 * on fault recovery: a handler finds the watched region that the address is in,
 * puts a page of zeros of our own there, remembers that in the region, and the
 * access goes on. After some such pages it puts zeros over the whole region, so
 * that nobody can use up the process's mappings. The hot path pays nothing for
 * it. The device asks gm_region_fault() after a batch of work, and drops a peer
 * whose memory is gone.
 *
 * A system call on such memory (preadv into it) does not raise the signal: it
 * fails with EFAULT.
 */
#ifndef GUESTMEM_FAULT_H
#define GUESTMEM_FAULT_H

#include <guestmem/region.h>

GM_BEGIN_DECLS

/**
 * gm_fault_enable() - install the SIGBUS handler, once a process
 *
 * A fault that is in no watched region goes to the handler that was installed
 * before, or kills as usual. May be called from any thread, and again. A
 * handler that the program installs later must pass SIGBUS on.
 *
 * Return: 0; sigaction's error (GM_ERR_IO).
 */
GM_API int gm_fault_enable(void);

/**
 * gm_region_watch() - recover from faults in this region
 * @r: a region with a host address, mapped by the library
 *
 * The watch ends with the region. gm_fault_enable() comes first. A forked child has the
 * watches of what memory it has; that of a driver is taken for the parent's alone.
 *
 * Return: 0; -EOPNOTSUPP (GM_ERR_NO_HOST_ADDR) no mapping of the library's;
 * -EINVAL (GM_ERR_OPTION) gm_fault_enable() was not called; -ENOSPC
 * (GM_ERR_OPTION) all of the 1,024 watches are in use.
 */
GM_API int gm_region_watch(struct gm_region *r);

/**
 * gm_region_fault() - has memory behind a region gone away?
 * @r: the region
 *
 * May run at any time in any thread.
 *
 * Return: 0; -EIO (GM_ERR_FAULT) since then, reads there give zeros, and what
 * is written there reaches nobody.
 */
GM_API int gm_region_fault(const struct gm_region *r);

GM_END_DECLS

#endif /* GUESTMEM_FAULT_H */
