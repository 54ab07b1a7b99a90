/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * endian.h: values, and the bytes that they have in memory.
 */
/* gm-test: windows */
#include "kselftest_harness.h"
#include <guestmem/endian.h>

#define SAME_LAYOUT(name, native) \
	_Static_assert(sizeof(gm_##name##_t) == sizeof(native) && \
		       _Alignof(gm_##name##_t) == _Alignof(native), #name)

SAME_LAYOUT(le16, uint16_t);
SAME_LAYOUT(le32, uint32_t);
SAME_LAYOUT(le64, uint64_t);
SAME_LAYOUT(lesize, size_t);
SAME_LAYOUT(be16, uint16_t);
SAME_LAYOUT(be32, uint32_t);
SAME_LAYOUT(be64, uint64_t);
SAME_LAYOUT(besize, size_t);

/* Most significant byte first in @bytes; @big: so it must be in memory too. */
#define CHECK_BYTES(name, value, big) do { \
	gm_##name##_t x = gm_cpu_to_##name(value); \
	uint8_t mem[sizeof(x)]; \
	memcpy(mem, &x, sizeof(x)); \
	for (size_t i = 0; i < sizeof(x); i++) { \
		size_t at = (big) ? i : sizeof(x) - 1 - i; \
		EXPECT_EQ(0x11 * (i + 1), mem[at]); \
	} \
} while (0)

TEST(little_endian_types_have_low_byte_first)
{
	CHECK_BYTES(le16, 0x1122, false);
	CHECK_BYTES(le32, 0x11223344, false);
	CHECK_BYTES(le64, 0x1122334455667788, false);
	CHECK_BYTES(lesize, 0x1122334455667788, false);
}

TEST(big_endian_types_have_high_byte_first)
{
	CHECK_BYTES(be16, 0x1122, true);
	CHECK_BYTES(be32, 0x11223344, true);
	CHECK_BYTES(be64, 0x1122334455667788, true);
	CHECK_BYTES(besize, 0x1122334455667788, true);
}

#define CHECK_ROUND_TRIP(name, native) do { \
	static const native values[] = { \
		0, 1, 0xff, (native)0x8000, (native)0xfffe, (native)-1, \
		(native)0x123456789abcdef0, (native)((native)1 << (8 * sizeof(native) - 1)), \
	}; \
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) { \
		gm_##name##_t x = gm_cpu_to_##name(values[i]); \
		EXPECT_EQ(values[i], gm_##name##_to_cpu(x)); \
		EXPECT_TRUE(gm_##name##_eq(x, values[i])); \
		EXPECT_FALSE(gm_##name##_eq(x, (native)(values[i] ^ 1))); \
		EXPECT_FALSE(gm_##name##_eq(x, (native)~values[i])); \
	} \
} while (0)

TEST(values_survive_round_trip_and_equal_native)
{
	CHECK_ROUND_TRIP(le16, uint16_t);
	CHECK_ROUND_TRIP(le32, uint32_t);
	CHECK_ROUND_TRIP(le64, uint64_t);
	CHECK_ROUND_TRIP(lesize, size_t);
	CHECK_ROUND_TRIP(be16, uint16_t);
	CHECK_ROUND_TRIP(be32, uint32_t);
	CHECK_ROUND_TRIP(be64, uint64_t);
	CHECK_ROUND_TRIP(besize, size_t);
}

TEST(bytes_of_guest_read_back_as_native)
{
	static const uint8_t mem[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	gm_le16_t le16;
	gm_le32_t le32;
	gm_le64_t le64;
	gm_lesize_t lesize;
	gm_be16_t be16;
	gm_be32_t be32;
	gm_be64_t be64;
	gm_besize_t besize;

	memcpy(&le16, mem, sizeof(le16));
	memcpy(&le32, mem, sizeof(le32));
	memcpy(&le64, mem, sizeof(le64));
	memcpy(&lesize, mem, sizeof(lesize));
	memcpy(&be16, mem, sizeof(be16));
	memcpy(&be32, mem, sizeof(be32));
	memcpy(&be64, mem, sizeof(be64));
	memcpy(&besize, mem, sizeof(besize));
	EXPECT_EQ(0x0201, gm_le16_to_cpu(le16));
	EXPECT_EQ(0x04030201, gm_le32_to_cpu(le32));
	EXPECT_EQ(0x0807060504030201, gm_le64_to_cpu(le64));
	EXPECT_EQ(0x0807060504030201, gm_lesize_to_cpu(lesize));
	EXPECT_EQ(0x0102, gm_be16_to_cpu(be16));
	EXPECT_EQ(0x01020304, gm_be32_to_cpu(be32));
	EXPECT_EQ(0x0102030405060708, gm_be64_to_cpu(be64));
	EXPECT_EQ(0x0102030405060708, gm_besize_to_cpu(besize));
}

TEST_HARNESS_MAIN
