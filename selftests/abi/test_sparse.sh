#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# sparse tells address types and byte orders apart: each mistake gets a message,
# and the same line without the mistake gets none.
set -eu
# shellcheck source=selftests/tap.sh
. "$GM_SRC/selftests/tap.sh"

cd "$GM_TEST_TMP"

# checked CODE: what sparse says of a function with this body
checked()
{
	printf '#include <guestmem.h>\nint f(struct gm_region *r, struct gm_view *v);\n%s\n%s\n' \
		'int f(struct gm_region *r, struct gm_view *v)' \
		"{ uint64_t n = 0; $1; return (int)n; }" > code.c
	sparse -Wbitwise -std=gnu11 -I"$GM_SRC/ulib/include" code.c 2>&1 | grep '^code.c' || true
}

# found WRONG RIGHT
found()
{
	checked "$1" > wrong
	checked "$2" > right
	grep -q 'incorrect type\|restricted gm_\|different base types' wrong ||
		{ echo "sparse accepts: $1"; cat wrong; return 1; }
	[ ! -s right ] || { echo "sparse refuses: $2"; cat right; return 1; }
}

tap_check "a number for a guest address" found \
	'gm_view_read(v, n, &n, 8)' 'gm_view_read(v, gm_gpa(n), &n, 8)'
tap_check "a region offset for a guest address" found \
	'gm_view_read(v, gm_roff(n), &n, 8)' 'gm_view_read(v, gm_gpa(n), &n, 8)'
tap_check "a guest address for a region offset" found \
	'gm_region_read(r, gm_gpa(n), &n, 8)' 'gm_region_read(r, gm_roff(n), &n, 8)'
tap_check "an address behind an IOMMU for a guest address" found \
	'gm_view_read(v, gm_iova(n), &n, 8)' 'gm_view_read(v, gm_gpa(n), &n, 8)'
tap_check "a sum of addresses" found \
	'gm_gpa_t a = gm_gpa(n); n = gm_gpa_raw(a + 1)' \
	'gm_gpa_t a = gm_gpa(n); n = gm_gpa_raw(gm_gpa_add_unchecked(a, 1))'
for t in le16 le32 le64 be16 be32 be64; do
	case $t in
	le*)	order=little ;;
	be*)	order=big ;;
	esac
	tap_check "a $order-endian integer without conversion ($t)" found \
		"gm_${t}_t x = gm_cpu_to_$t(1); n = x + 1" \
		"gm_${t}_t x = gm_cpu_to_$t(1); n = gm_${t}_to_cpu(x) + 1u"
done
tap_check "little-endian for big-endian" found \
	'gm_le32_t x = gm_cpu_to_le32(1); n = gm_be32_to_cpu(x)' \
	'gm_be32_t x = gm_cpu_to_be32(1); n = gm_be32_to_cpu(x)'
tap_done
