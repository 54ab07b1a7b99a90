/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * lib.c - what C needs, text for the console, patterns in memory.
 */
#include "guest.h"

static uint64_t results;
static bool failed;

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return start;
}

void *memset(void *to, int c, size_t n)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return start;
}

bool text_equal(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return *a == *b;
}

void print(const char *text)
{
	for (; *text; text++)
		out8(PORT_CONSOLE, (uint8_t)*text);
}

void print_number(uint64_t n)
{
	char text[24], *p = text + sizeof(text) - 1;

	*p = '\0';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	print(p);
}

void result(bool ok, const char *name)
{
	print(ok ? "ok " : "not ok ");
	print_number(++results);
	print(" - ");
	print(name);
	print("\n");
	if (!ok)
		failed = true;
}

bool all_ok(void)
{
	return !failed && results;
}

uint64_t cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Byte @i of pattern @seed: no two patterns, nor parts of one, are alike. */
static uint8_t pattern(uint64_t seed, uint64_t i)
{
	uint64_t x = (seed << 32 ^ i >> 3) * 0x9e3779b97f4a7c15ull;

	x ^= x >> 29;
	return (uint8_t)(x >> (i & 7) * 8);
}

void fill(uint64_t at, uint64_t len, uint64_t seed)
{
	uint8_t *p = ptr(at);
	uint64_t i;

	for (i = 0; i < len; i++)
		p[i] = pattern(seed, i);
}

uint64_t differs(uint64_t at, uint64_t len, uint64_t seed)
{
	const uint8_t *p = ptr(at);
	uint64_t i;

	for (i = 0; i < len; i++)
		if (p[i] != pattern(seed, i))
			break;
	return i;
}
