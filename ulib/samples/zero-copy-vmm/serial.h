/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * serial.h - a serial port that only sends.
 */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#define SERIAL_BASE	0x3f8u
#define SERIAL_PORTS	8u

/**
 * struct serial - the port
 * @divisor: the data register is the one of the speed's
 */
struct serial {
	bool divisor;
};

/* True: @out was sent. */
bool serial_write(struct serial *s, uint16_t port, uint8_t value, char *out);
uint8_t serial_read(uint16_t port);

#endif /* SERIAL_H */
