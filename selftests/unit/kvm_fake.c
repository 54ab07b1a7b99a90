/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* kvm_fake.c - see kvm_fake.h. The ring is in a memfd, where a virtual CPU has it. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/kvm.h>
#include "kvm_fake.h"

struct kvm_fake kvm_fake;

static ino_t ino;
static struct kvm_dirty_gfn *ring;
static uint32_t written, reset;		/* count on past the end */

int kvm_fake_open(void)
{
	size_t bytes = KVM_FAKE_ENTRIES * sizeof(*ring);
	off_t off = KVM_DIRTY_LOG_PAGE_OFFSET * sysconf(_SC_PAGESIZE);
	int fd = memfd_create("kvm_fake", MFD_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || ftruncate(fd, off + (off_t)bytes) || fstat(fd, &st))
		return -1;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off);
	if (p == MAP_FAILED)
		return -1;
	ino = st.st_ino;
	ring = p;
	kvm_fake.at_once = KVM_FAKE_ENTRIES;
	for (int i = 0; i < KVM_FAKE_PAGES; i++)
		kvm_fake.watched[i] = true;
	return fd;
}

bool kvm_fake_write(uint64_t page)
{
	struct kvm_dirty_gfn *e = &ring[written % KVM_FAKE_ENTRIES];

	if (!kvm_fake.watched[page])
		return true;
	if (written - reset == KVM_FAKE_ENTRIES)
		return false;
	e->slot = KVM_FAKE_SLOT;
	e->offset = page;
	e->flags = KVM_DIRTY_GFN_F_DIRTY;
	kvm_fake.watched[page] = false;
	written++;
	return true;
}

static void reset_some(void)
{
	uint32_t n;

	for (n = 0; n < kvm_fake.at_once; n++, reset++) {
		struct kvm_dirty_gfn *e = &ring[reset % KVM_FAKE_ENTRIES];

		if (!(e->flags & KVM_DIRTY_GFN_F_RESET))
			break;
		e->flags = 0;
		kvm_fake.watched[e->offset] = true;
	}
}

bool kvm_fake_ioctl(int fd, unsigned long cmd, int *err)
{
	/* SIGKILL and SIGSTOP can't be held back. */
	const uint64_t most = ~(UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1));
	uint64_t now = 0;
	struct stat st;

	if (!ino || fstat(fd, &st) || st.st_ino != ino || cmd != KVM_RESET_DIRTY_RINGS)
		return false;
	/* The C library would not tell of its own ones. */
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, sizeof(now));
	kvm_fake.interruptible |= (now & most) != most;
	kvm_fake.resets++;
	*err = kvm_fake.fail;
	if (!*err)
		reset_some();
	return true;
}
