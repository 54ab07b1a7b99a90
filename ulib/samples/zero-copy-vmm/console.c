/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * console.c - what the guest says: lines of text, results, the end.
 */
#include <stdio.h>
#include <string.h>

#include "console.h"
#include "guest/boot_info.h"

#define PRINT_MAX (1u << 20)
/* What is printed around a line: "guest: " and its end. */
#define LINE_COST 8u

void console_init(struct console *c)
{
	memset(c, 0, sizeof(*c));
	c->left = PRINT_MAX;
}

static void end_line(struct console *c)
{
	c->line[c->len] = '\0';
	if (!strncmp(c->line, "ok ", 3))
		c->passed++;
	else if (!strncmp(c->line, "not ok ", 7))
		c->failed++;
	/* A line is more than its characters: one without any is printed, too. */
	if (c->left >= c->len + LINE_COST) {
		c->left -= c->len + LINE_COST;
		fprintf(stderr, "guest: %s\n", c->line);
	}
	c->len = 0;
}

void console_put(struct console *c, char ch)
{
	if (ch == '\r')
		return;
	if (ch == '\n') {
		end_line(c);
		return;
	}
	/* The terminal is not the guest's to control. */
	c->line[c->len++] = ch >= ' ' && ch <= '~' ? ch : '?';
	if (c->len == sizeof(c->line) - 1)
		end_line(c);
}

bool console_write(struct console *c, uint16_t port, const void *data, uint32_t len)
{
	uint32_t value = 0;

	memcpy(&value, data, len < sizeof(value) ? len : sizeof(value));
	switch (port) {
	case PORT_CONSOLE:
		console_put(c, (char)value);
		return false;
	case PORT_EXIT:
		c->has_status = true;
		c->status = value;
		return true;
	}
	return false;
}

bool console_is_good(const struct console *c)
{
	return c->has_status && !c->status && !c->failed && c->passed;
}
