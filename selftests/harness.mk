# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The kernel's test harness, for programs that use it. Included after build.mk.

LINUX := $(O)/linux
KSELFTEST := $(LINUX)/tools/testing/selftests

# The harness's macros leave parameters unused and loops empty, compare any type
# with < to learn its sign, and a count with a size. gcc excuses system headers.
HARNESS_FLAGS := -isystem $(KSELFTEST) \
	-Wno-unused-parameter -Wno-empty-body -Wno-sign-compare \
	-Wno-ordered-compare-function-pointers

$(LINUX)/.stamp: $(srctree)/selftests/linux-source.sh
	$(Q)$< $(LINUX)
