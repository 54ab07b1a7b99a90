/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * barrier.h - what orders memory against a device's registers, and against what the device
 * writes. A fence of the language is about other CPUs, and orders no device elsewhere.
 */
#ifndef BARRIER_H
#define BARRIER_H

/*
 * What was written to memory is there before a register is written that has the device
 * look. On x86 stores stay in order, also those to registers.
 */
static inline void dma_write_barrier(void)
{
#if defined(__x86_64__)
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
#elif defined(__aarch64__)
	__asm__ volatile("dmb oshst" : : : "memory");
#elif defined(__riscv)
	__asm__ volatile("fence w, o" : : : "memory");
#else
	__sync_synchronize();
#endif
}

/*
 * What is read from memory is read after what was read before, by which the device has
 * said that it is there: a register, or memory that it has written.
 */
static inline void dma_read_barrier(void)
{
#if defined(__x86_64__)
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
#elif defined(__aarch64__)
	__asm__ volatile("dmb oshld" : : : "memory");
#elif defined(__riscv)
	__asm__ volatile("fence ir, r" : : : "memory");
#else
	__sync_synchronize();
#endif
}

#endif /* BARRIER_H */
