# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The entry point: each target hands over to the part that owns the work.

override O := $(abspath $(or $(strip $(O)),build))
# Work that takes minutes uses all processors unless make was told a -j.
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
sub = +@$(MAKE) --no-print-directory O=$(O)
ULIB := $(sub) -C ulib
# A relative name is the caller's.
destdir = $(if $(DESTDIR),DESTDIR=$(abspath $(DESTDIR)))
staged = $(ULIB) $(destdir)
KMOD = $(sub) -C kmod $(destdir)
SELFTESTS = $(sub) $(jobs) -C selftests

.PHONY: all lib modules modules_install dkms_source install uninstall clean \
	deps check check-full check-kernels check-platforms lint coverage fuzz bench bench-kmod bench-xen \
	demo demo-zero-copy docs help

all:		## library, samples and benchmark programs (default)
	$(ULIB) all

lib:		## the library alone
	$(ULIB) lib

modules:	## the kernel module, for the kernel of KDIR
	$(KMOD) modules

modules_install: ## put it into the folder of that kernel's modules
	$(KMOD) modules_install

dkms_source:	## its sources for DKMS, which builds it for each kernel
	$(KMOD) dkms_source

install:	## library, headers, pkg-config file, manual pages
	$(staged) install

uninstall:	## remove what install has put there
	$(staged) uninstall

clean:		## remove all build output
	rm -rf $(O)

deps:		## install the Debian packages that building and testing need
	@.ci/deps

check: deps	## all tests, in every variant
	$(sub) $(jobs) all
	$(SELFTESTS) check

check-full: deps ## guests that live through kills, a move, an IOMMU, for a minute each
	$(sub) $(jobs) all
	$(SELFTESTS) check-full

check-kernels: deps ## the module's tests on the kernels KERNELS='6.12 7.3 debug'
	$(SELFTESTS) check-kernels

check-platforms: deps ## the unit tests on other architectures, in emulated machines
	$(SELFTESTS) check-platforms

lint: deps	## sparse, checkpatch, kernel-doc
	$(ULIB) sparse
	$(SELFTESTS) lint

coverage: deps	## line coverage of the library by its unit tests
	$(SELFTESTS) coverage

fuzz: deps	## each fuzz target for FUZZ_SECONDS=60
	$(SELFTESTS) fuzz

bench:		## run the benchmarks
	$(ULIB) run-bench $(if $(JSON),JSON=$(abspath $(JSON)))

bench-kmod: deps ## benchmarks of the module, in a virtual machine
	$(if $(JSON),@: > $(JSON))
	$(SELFTESTS) $(if $(JSON),JSON=$(abspath $(JSON))) bench-kmod

bench-xen: deps	## benchmarks of memory of other Xen domains, in a dom0
	$(if $(JSON),@: > $(JSON))
	$(SELFTESTS) $(if $(JSON),JSON=$(abspath $(JSON))) bench-xen

demo: deps	## see it at work: a guest served by a sample
	$(sub) $(jobs) all
	$(SELFTESTS) demo

demo-zero-copy: deps ## a guest's disk requests by DMA of a real controller
	$(sub) $(jobs) all
	$(SELFTESTS) demo-zero-copy

docs: deps	## check kernel-doc, build the manual
	$(SELFTESTS) kernel-doc
	$(if $(wildcard Documentation/Makefile),$(sub) -C Documentation)

help:		## this text
	@sed -n 's/^\([a-z_-]*\):[^#]*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24
	@printf '%s\n' '' \
	'  V=1            show commands' \
	'  W=1            more warnings, which are not errors then' \
	'  WERROR=0       warnings are not errors' \
	'  KDIR=dir       modules: headers of the kernel (default: the running one)' \
	'  C=1, C=2       sparse on what is compiled, on all' \
	'  O=dir          build output (default: build)' \
	'  PREFIX=dir     where to install (default: /usr/local), below DESTDIR' \
	'  JSON=file      bench: results as JSON lines' \
	"  TESTS=pattern  check: only these, e.g. 'gcc/% abi/%'" \
	'  CC CFLAGS CPPFLAGS LDFLAGS are respected.'
