/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * reason.c - why the latest failure of this thread was one, in words.
 */
#include <stdarg.h>
#include <stdio.h>

#include <guestmem/error.h>

#include "reason.h"

static __thread char reason[256];

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
