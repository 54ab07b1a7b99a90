/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locked memory: counted to the user, whose limit applies, and to the address
 * space, where VmPin shows it.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "guestmem_private.h"

static int guestmem_charge_user(struct user_struct *user, unsigned long npages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	unsigned long now, then;

	now = atomic_long_read(&user->locked_vm);
	do {
		if (check_add_overflow(now, npages, &then))
			return -ENOMEM;
		/* Asked only if it matters: a refusal is logged. */
		if (then > limit && !capable(CAP_IPC_LOCK))
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &now, then));
	return 0;
}

/**
 * guestmem_charge() - count pages to the calling task
 * @charge: filled in, for guestmem_uncharge()
 * @npages: how many
 *
 * Return: 0, or -ENOMEM if it would be more than the limit allows.
 */
int guestmem_charge(struct guestmem_charge *charge, unsigned long npages)
{
	int err;

	err = guestmem_charge_user(current_user(), npages);
	if (err)
		return err;
	mmgrab(current->mm);
	atomic64_add(npages, &current->mm->pinned_vm);
	charge->cred = get_current_cred();
	charge->mm = current->mm;
	charge->npages = npages;
	return 0;
}

/**
 * guestmem_uncharge() - count pages no longer
 * @charge: what guestmem_charge() has filled in; nothing is left of it
 */
void guestmem_uncharge(struct guestmem_charge *charge)
{
	if (!charge->npages)
		return;
	atomic64_sub(charge->npages, &charge->mm->pinned_vm);
	atomic_long_sub(charge->npages, &charge->cred->user->locked_vm);
	mmdrop(charge->mm);
	put_cred(charge->cred);
	*charge = (struct guestmem_charge) {};
}

/**
 * guestmem_charge_query() - how much is counted to the calling task's user
 * @locked: bytes now
 * @limit: bytes it may have
 */
void guestmem_charge_query(u64 *locked, u64 *limit)
{
	unsigned long pages = atomic_long_read(&current_user()->locked_vm);

	*locked = (u64)pages << PAGE_SHIFT;
	if (ns_capable_noaudit(&init_user_ns, CAP_IPC_LOCK))
		*limit = U64_MAX;
	else if (rlimit(RLIMIT_MEMLOCK) == RLIM_INFINITY)
		*limit = U64_MAX;
	else
		*limit = rlimit(RLIMIT_MEMLOCK) & PAGE_MASK;
}
