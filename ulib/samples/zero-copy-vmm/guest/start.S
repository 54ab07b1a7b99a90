/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* The first instructions: a stack, and off to C. rdi is struct boot_info. */
	.section .text.start, "ax"
	.globl	start
start:
	leaq	stack_end(%rip), %rsp
	xorl	%ebp, %ebp
	cld
	call	guest_main
1:	hlt
	jmp	1b

	.bss
	.balign	16
	.skip	65536
stack_end:

	.section .note.GNU-stack, "", @progbits
