/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * log.c - lines on stderr.
 */
#include <stdarg.h>
#include <stdio.h>

#include "log.h"

static bool is_verbose;

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
