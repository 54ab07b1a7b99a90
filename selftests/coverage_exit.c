/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The harness runs each test in a child that leaves through _exit(), which
 * writes no coverage counters. In the coverage variant the linker sends those
 * calls (--wrap=_exit) through here.
 */
extern void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
