#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# build-module.sh MACHINE: build the module for a machine of another architecture, as
# $GM_BUILD/kmod/MACHINE/kmod/guestmem.ko.
set -eu
# The make that calls this has its own jobs.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL
here=$(cd "$(dirname "$0")" && pwd)
. "$here/machines.sh"
platform_set "${1:?usage: build-module.sh MACHINE}"
: "${GM_SRC:?}" "${GM_BUILD:?}"

"$here/fetch.sh" "$1"
# Debian's headers want to know what they build for, and on.
export ARCH=$arch CROSS_COMPILE=$triplet- DEB_HOST_GNU_TYPE=$triplet
export DEB_HOST_ARCH=$debian DEB_BUILD_ARCH=amd64
make --no-print-directory -j"$(nproc)" -C "$GM_SRC/kmod" O="$GM_BUILD" \
	M="$GM_BUILD/kmod/$1" KDIR="$GM_BUILD/platforms/$1/kdir" modules
