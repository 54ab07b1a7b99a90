# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# What every part that compiles C shares: flags, quiet output, one compile
# rule, and the library's objects. Included by ulib/ and selftests/*/.
#
#   O        root of all build output (default: build/ at the top)
#   VARIANT  names a build with other flags; its objects go to $(O)/$(VARIANT)
#   OS       the system that the library is for: linux (default), posix (nothing
#            outside POSIX.1-2008) or windows
#   B        where this build's objects go; the tree below mirrors the sources

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

srctree := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
override O := $(abspath $(or $(strip $(O)),$(srctree)/build))
B := $(O)$(if $(VARIANT),/$(VARIANT))

VERSION := 0.1.0
SOVERSION := 0

ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
ifneq ($(filter default undefined,$(origin AR)),)
AR := ar
endif
PKG_CONFIG ?= pkg-config
SPARSE ?= sparse
CFLAGS ?= -O2 -g
# W=1 asks for warnings to read, not for a failed build.
WERROR ?= $(if $(filter 1,$(W)),0,1)

# The environment's word for the system is not ours.
ifeq ($(origin OS),environment)
OS := linux
endif
OS ?= linux

# Optional libraries: found by pkg-config; HAVE_x= (empty) builds without.
HAVE_NUMA ?= $(shell $(PKG_CONFIG) --exists numa 2>/dev/null && echo y)
HAVE_URING ?= $(shell $(PKG_CONFIG) --exists liburing 2>/dev/null && echo y)
LIB_LIBS := -pthread $(if $(HAVE_NUMA),-lnuma)

# The module's ioctls are in include/uapi.
GM_CPPFLAGS := -I$(srctree)/ulib/include -I$(srctree)/include/uapi \
	-idirafter $(srctree)/ulib/src/compat \
	$(if $(HAVE_NUMA),-DGM_HAVE_NUMA) $(if $(HAVE_URING),-DGM_HAVE_URING)
WARNINGS := -Wall -Wextra -Wvla -Wundef
ifeq ($(W),1)
WARNINGS += -Wshadow -Wcast-align -Wcast-qual -Wformat=2 -Wpointer-arith \
	-Wmissing-prototypes -Wstrict-prototypes -Wdouble-promotion
endif
ifneq ($(WERROR),0)
WARNINGS += -Werror
endif
GM_CFLAGS := -std=gnu11 $(WARNINGS) -pthread $(VARIANT_FLAGS)
# No extensions of the C library's: what is for POSIX shall not need one.
OS_FLAGS_posix := -D_POSIX_C_SOURCE=200809L
# Windows 7; printf() of C99.
OS_FLAGS_windows := -D_WIN32_WINNT=0x0601 -D__USE_MINGW_ANSI_STDIO=1
# Per-directory flags, set for a target by the Makefile that owns it.
DIR_FLAGS :=
$(B)/ulib/src/%.o: DIR_FLAGS := -fPIC -fvisibility=hidden -Wconversion \
	-include guestmem/target.h $(OS_FLAGS_$(OS))

compile = $(CC) $(GM_CPPFLAGS) $(CPPFLAGS) $(GM_CFLAGS) $(CFLAGS) $(DIR_FLAGS)
link = $(CC) $(VARIANT_FLAGS) $(CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS)
# Any message of sparse is an error, but for those on the system's headers.
sparse = ! $(SPARSE) -Wbitwise -Wno-decl -Wno-non-pointer-null -std=gnu11 \
	$(GM_CPPFLAGS) $(CPPFLAGS) $(1) 2>&1 | \
	grep -v -e '^/usr/' -e ': note: in included file' | grep . >&2

# Quiet by default, V=1 shows commands, make -s shows nothing.
ifeq ($(V),1)
msg = @:
else
Q := @
msg = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),@:,@printf '  %-7s %s\n' '$(1)' '$(patsubst $(srctree)/%,%,$(patsubst $(O)/%,%,$(2)))')
endif

.PHONY: all FORCE
all: ; @:

# Objects are rebuilt when the compiler or a flag changes.
$(B)/.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(OS) $(CC) $(GM_CPPFLAGS) $(CPPFLAGS) $(GM_CFLAGS) $(CFLAGS) $(LDFLAGS)' | \
		cmp -s - $@ || \
	echo '$(OS) $(CC) $(GM_CPPFLAGS) $(CPPFLAGS) $(GM_CFLAGS) $(CFLAGS) $(LDFLAGS)' > $@

$(B)/%.o: $(srctree)/%.c $(B)/.flags
	$(call msg,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(compile) -MMD -MP -c -o $@ $<
ifeq ($(C),1)
	$(call msg,CHECK,$<)
	$(Q)$(call sparse,$<)
endif

# sources in directory $(1) matching $(2) -> their objects
objects = $(patsubst $(srctree)/%.c,$(B)/%.o,$(sort $(wildcard $(srctree)/$(1)/$(2).c)))

# Sources that are for one system alone, or not for all; OS= says for which to build.
# What is not for the others is EOPNOTSUPP there: absent.c.
SNAPSHOTS := snapshot snapshot_load snapshot_save
OS_SOURCES_linux := os_unix os_linux os_linux_mmap os_linux_xen kmod kmod_device kmod_driver \
	kmod_region kvm fault snapshot_lazy vhost_log $(SNAPSHOTS)
OS_SOURCES_posix := os_unix os_posix os_posix_mmap absent $(SNAPSHOTS)
OS_SOURCES_windows := os_windows os_windows_mmap io_handle absent absent_snapshot
OS_SOURCES := $(sort $(OS_SOURCES_linux) $(OS_SOURCES_posix) $(OS_SOURCES_windows))

LIB_OBJS := $(filter-out $(patsubst %,$(B)/ulib/src/%.o,$(filter-out $(OS_SOURCES_$(OS)),$(OS_SOURCES))), \
	$(call objects,ulib/src,*))
LIB_A := $(B)/libguestmem.a

# A fresh archive each time: no member of a deleted source stays behind.
$(LIB_A): $(LIB_OBJS)
	$(call msg,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJS)

# Programs: $(1) output, $(2) objects, $(3) extra libraries
define program
all: $(1)
$(1): $(2) $$(LIB_A)
	$$(call msg,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(link) -o $$@ $(2) $$(LIB_A) $(3) $$(LIB_LIBS)
-include $$(patsubst %.o,%.d,$(2))
endef

-include $(LIB_OBJS:.o=.d)
