/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * serial.c - as much of a serial port (8250) as a kernel needs that prints by polling.
 */
#include "serial.h"

#define DATA		0	/* with DLAB, of the divisor */
#define LINE_CONTROL	3
#define LINE_STATUS	5

#define DLAB		0x80u
#define TRANSMITTER_EMPTY 0x60u

bool serial_write(struct serial *s, uint16_t port, uint8_t value, char *out)
{
	if (port == SERIAL_BASE + LINE_CONTROL)
		s->divisor = value & DLAB;
	if (port != SERIAL_BASE + DATA || s->divisor)
		return false;
	*out = (char)value;
	return true;
}

uint8_t serial_read(uint16_t port)
{
	return port == SERIAL_BASE + LINE_STATUS ? TRANSMITTER_EMPTY : 0;
}
