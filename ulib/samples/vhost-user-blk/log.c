/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * log.c - lines on stderr, and the reason of the latest failure.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <guestmem/error.h>

#include "log.h"

static bool is_verbose;
static char reason[256];

static void print(const char *format, va_list args)
{
	fputs("vhost-user-blk: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void log_set_verbose(bool verbose)
{
	is_verbose = verbose;
}

void log_verbose(const char *format, ...)
{
	va_list args;

	if (!is_verbose)
		return;
	va_start(args, format);
	print(format, args);
	va_end(args);
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(format, args);
	va_end(args);
}

int because(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return err;
}

int because_gm(int err, const char *what)
{
	char text[160];

	gm_error_format(gm_error_last(), text, sizeof(text));
	return because(err, "%s: %s", what, text);
}

const char *log_reason(void)
{
	return reason;
}
