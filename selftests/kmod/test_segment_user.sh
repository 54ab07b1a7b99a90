#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The module's KUnit tests of ranges and segments as a program of user space,
# where the address and undefined behaviour sanitizers watch.
set -eu

cd "$GM_SRC"
${CC:-gcc} -O1 -g -std=gnu11 -Wall -Werror \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-I selftests/kmod/kunit-user -I include/uapi \
	-o "$GM_TEST_TMP/segment" kmod/segment_test.c

# Its shadow memory needs the usual address space layout.
if setarch -R true 2>/dev/null; then
	exec setarch -R "$GM_TEST_TMP/segment"
fi
exec "$GM_TEST_TMP/segment"
