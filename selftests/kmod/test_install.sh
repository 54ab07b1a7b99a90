#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The module is built and installed by "make modules_install", and by DKMS, into
# folders of the test's own. The source tree stays as it is.
set -u
. "$GM_SRC/selftests/tap.sh"
PATH=$PATH:/usr/sbin:/sbin
cd "$GM_TEST_TMP" || exit

kernel=$GM_BUILD/kernels/6.1
kdir=$(readlink -f "$kernel/kdir")
release=$(cat "$kernel/version")
version=$(sed -n 's/^VERSION := //p' "$GM_SRC/ulib/build.mk")
root=$GM_TEST_TMP/root
mkdir -p "$root/dkms"

# All that make has to say is an error.
run_make()
{
	make -s -C "$GM_SRC" M="$GM_BUILD/kmod/6.1" KDIR="$kdir" DESTDIR="$root" \
		"$@" > make.log 2>&1 && [ ! -s make.log ] &&
		return 0
	cat make.log
	return 1
}

# is_module FILE: it is ours, for this kernel, and says what it is.
is_module()
{
	modinfo "$1"
	[[ $(modinfo -F vermagic "$1") == "$release "* ]] &&
		[ "$(modinfo -F name "$1")" = guestmem ] &&
		[[ $(modinfo -F license "$1") == GPL* ]] &&
		[ -n "$(modinfo -F description "$1")" ] &&
		modinfo -F parm "$1" | grep -q '^allow_unsafe_noiommu:'
}

installed()
{
	is_module "$(find "$root/lib/modules/$release" -name guestmem.ko)"
}

# As on the machine itself, where modprobe is to find it; depmod wants what a
# kernel's package has there.
installed_for_modprobe()
{
	local dir=$root/other/lib/modules/$release

	mkdir -p "$dir" && touch "$dir"/modules.{order,builtin,builtin.modinfo} &&
		run_make DESTDIR= INSTALL_MOD_PATH="$root/other" modules_install &&
		is_module "$(modinfo -b "$root/other" -k "$release" -n guestmem)"
}

run_dkms()
{
	dkms "$@" --sourcetree "$root/usr/src" --dkmstree "$root/dkms" \
		--installtree "$root/dkms-modules" \
		"guestmem/$version"
}

built_by_dkms()
{
	is_module "$root/dkms/guestmem/$version/$release/x86_64/module/guestmem.ko"
}

no_headers()
{
	! run_make KDIR="$GM_TEST_TMP" modules > log &&
		grep -F "KDIR=$GM_TEST_TMP: no headers of a kernel" log
}

sources()
{
	(cd "$GM_SRC" && find kmod include | sort)
}

sources > before
tap_check "make modules modules_install" run_make modules modules_install
tap_check "the module is installed" installed
tap_check "in another root, depmod has run" installed_for_modprobe
tap_check "make modules without headers says so" no_headers
tap_check "make dkms_source" run_make dkms_source
tap_check "dkms add" run_dkms add
tap_check "dkms build" run_dkms build -k "$release" -a x86_64 \
	--kernelsourcedir "$kdir"
tap_check "DKMS has built the module" built_by_dkms
tap_check "dkms remove" run_dkms remove --all
sources > after
tap_check "nothing was left in the source tree" diff before after
tap_done
