/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * kvm_fake.h - a dirty ring in the place of KVM's, for what a real one can't be made to
 * do at will. What the real one does is tested in test_kvm_dirty.c.
 */
#ifndef SELFTESTS_UNIT_KVM_FAKE_H
#define SELFTESTS_UNIT_KVM_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#define KVM_FAKE_PAGES 64
#define KVM_FAKE_ENTRIES 16
#define KVM_FAKE_SLOT 3

/**
 * struct kvm_fake - what it is to do, and what it has done
 * @at_once: entries that one reset does at most, and says that all is well
 * @fail: errno of a reset, which does nothing then; 0: none
 * @resets: calls for a reset
 * @interruptible: one was called while a signal could come
 * @watched: pages whose next write is told
 */
struct kvm_fake {
	uint32_t at_once;
	int fail;
	unsigned int resets;
	bool interruptible;
	bool watched[KVM_FAKE_PAGES];
};

/* One a process; each test of the harness has a process of its own. */
extern struct kvm_fake kvm_fake;

/*
 * A descriptor of the virtual machine and its one virtual CPU, all pages watched.
 * Negative: can't be done here.
 */
int kvm_fake_open(void);

/* The guest writes a page. False: the ring is full, so it does not run. */
bool kvm_fake_write(uint64_t page);

/* For the ioctl() of kmod_fake.c. False: it is none of KVM's. */
bool kvm_fake_ioctl(int fd, unsigned long cmd, int *err);

#endif /* SELFTESTS_UNIT_KVM_FAKE_H */
