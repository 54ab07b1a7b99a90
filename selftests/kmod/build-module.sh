#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# build-module.sh KERNEL: build the module for a kernel in $GM_BUILD/kernels
# (fetched if need be) as $GM_BUILD/kmod/KERNEL/kmod/guestmem.ko.
set -eu
# The make that calls this has its own jobs.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL

name=${1:?usage: build-module.sh KERNEL}
: "${GM_SRC:?}" "${GM_BUILD:?}"
kernel=$GM_BUILD/kernels/$name
out=$GM_BUILD/kmod/$name

[ -e "$kernel/version" ] || "$GM_SRC/selftests/integration/fetch-kernel.sh" "$name"

build()
{
	make --no-print-directory -j"$(nproc)" -C "$GM_SRC/kmod" \
		O="$GM_BUILD" M="$out" KDIR="$1" modules
}

if [ ! -e "$kernel/chroot" ]; then
	build "$kernel/kdir"
	exit
fi

# Mounts of a namespace of its own: none can be left behind.
root=$kernel/chroot
mkdir -p "$out" "$root$GM_SRC" "$root$out"
export -f build
export GM_SRC GM_BUILD out root
# shellcheck disable=SC2016 # for that shell to expand
unshare --mount --pid --fork --kill-child bash -euc '
	mount --bind "$GM_SRC" "$root$GM_SRC"
	mkdir -p "$root$out"
	mount --bind "$out" "$root$out"
	mount -t proc proc "$root/proc"
	exec chroot "$root" /bin/bash -euc "build /${1#*/chroot/}"
' build "$(readlink -f "$kernel/kdir")"
