/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * input.h - a fuzzer's bytes as numbers, and checks that end the run.
 */
#ifndef SELFTESTS_FUZZ_INPUT_H
#define SELFTESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct input {
	const uint8_t *p;
	size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
			#cond); \
		abort(); \
	} \
} while (0)

static inline bool input_is_empty(const struct input *in)
{
	return !in->left;
}

/* Behind its end, the input is zeros. */
static inline uint8_t input_u8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static inline uint64_t input_bytes(struct input *in, int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | input_u8(in);
	return v;
}

/*
 * A number of any size from few bytes: what matters is at the ends of the
 * scale, near powers of two, and small.
 */
static inline uint64_t input_number(struct input *in)
{
	uint8_t how = input_u8(in);
	uint64_t v;

	switch (how & 7) {
	case 0:
		return input_bytes(in, 8);
	case 1:
		return (UINT64_C(1) << (input_u8(in) & 63)) - (how >> 3 & 3);
	case 2:
		return UINT64_MAX - input_u8(in);
	case 3:
		v = input_bytes(in, 2);
		return v << (how >> 3);
	default:
		return input_u8(in);
	}
}

#endif /* SELFTESTS_FUZZ_INPUT_H */
