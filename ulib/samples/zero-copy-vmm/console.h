/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * console.h - what the guest says: lines of text, results, the end.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct console - the guest's words
 * @line: the line that is not complete yet
 * @len: its length
 * @left: characters that are still printed, all of them; a guest may talk without end
 * @passed: lines "ok ..."
 * @failed: lines "not ok ..."
 * @has_status: it has said the end
 * @status: and how; 0: good
 */
struct console {
	char line[256];
	unsigned int len;
	unsigned int left;
	uint64_t passed;
	uint64_t failed;
	bool has_status;
	uint32_t status;
};

void console_init(struct console *c);

/* One character. */
void console_put(struct console *c, char ch);

/* A write to an I/O port. True: the guest has ended. */
bool console_write(struct console *c, uint16_t port, const void *data, uint32_t len);

/* Did the guest say that all is right? */
bool console_is_good(const struct console *c);

#endif /* CONSOLE_H */
