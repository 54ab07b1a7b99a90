/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * guest_code.h - what a virtual CPU of a test does: for ever, one more than what it finds
 * at QUESTION is written to ANSWER.
 */
#ifndef SELFTESTS_XEN_GUEST_CODE_H
#define SELFTESTS_XEN_GUEST_CODE_H

#include <stdint.h>

#define CODE_PAGE 1
#define QUESTION_PAGE 2
#define ANSWER_PAGE 3

static const uint8_t guest_code[] = {
	0xa1, 0x00, 0x20, 0x00, 0x00,	/* mov 0x2000, %eax */
	0x40,				/* inc %eax */
	0xa3, 0x00, 0x30, 0x00, 0x00,	/* mov %eax, 0x3000 */
	0xf3, 0x90,			/* pause */
	0xeb, 0xf1,			/* jmp to the first */
};

#endif /* SELFTESTS_XEN_GUEST_CODE_H */
