#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# fetch-kernel.sh NAME: put a kernel of Debian's into $GM_BUILD/kernels/NAME,
# once:
#
#   vmlinux   the uncompressed ELF image (QEMU boots it through PVH)
#   modules   its lib/modules/VERSION folder
#   version   VERSION, as uname -r prints it
#   kdir      headers and tools to build modules for it
#   chroot    where they have to be used, if they need a newer system than this
#
# NAME says which one: 6.1 is that of Debian 12; 6.12 and 7.3 are what the
# backports for Debian 12 and 13 have, which are of those versions or later.
#
# Packages are downloaded and unpacked, never installed. Safe when several
# call it at the same time.
set -euo pipefail

name=${1:?usage: fetch-kernel.sh NAME}
here=$(cd "$(dirname "$0")" && pwd)
kernels=${GM_BUILD:?}/kernels
PATH=$PATH:/usr/sbin:/sbin

case $name in
6.1)	suite= ;;
6.12)	suite=bookworm-backports ;;
7.3)	suite=trixie-backports ;;
*)	echo "$0: no kernel $name" >&2; exit 2 ;;
esac

mkdir -p "$kernels"
kernels=$(cd "$kernels" && pwd)
dir=$kernels/$name
exec 9> "$dir.lock"
flock 9
[ ! -e "$dir/version" ] || exit 0

tmp=$dir.tmp
rm -rf "$tmp" "$dir"
mkdir -p "$tmp/apt/lists/partial" "$tmp/apt/cache" "$tmp/debs"
trap 'rm -rf "$tmp"' EXIT

# Backports come through lists of our own: what the machine installs from is
# none of our business. The place is the one that it has Debian from.
apt_options=(-qq -o APT::Sandbox::User=root)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if [ -n "$suite" ]; then
	mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' |
		awk '$1 ~ /^(bookworm|oldstable|stable)$/ && $2 == "main" { print $3; exit }')
	[ -n "$mirror" ] || { echo "$0: apt has no Debian 12" >&2; exit 1; }
	echo "deb [signed-by=$keyring] $mirror $suite main" > "$tmp/apt/sources"
	apt_options+=(-o "Dir::Etc::SourceList=$tmp/apt/sources"
		-o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State::Lists=$tmp/apt/lists"
		-o "Dir::Cache=$tmp/apt/cache")
fi

# The packages that make up what metapackage $1 stands for.
packages()
{
	apt-cache "${apt_options[@]}" depends --recurse --important "$1" |
		grep -E '^linux-(image|base|binary|modules|headers|kbuild)-[0-9]' |
		grep -v -e -unsigned || true
}

# A new machine may have no lists.
if [ -n "$suite" ] || [ -z "$(packages linux-image-amd64)" ]; then
	apt-get "${apt_options[@]}" update
fi
image=$(packages linux-image-amd64 | grep -v -e headers -e kbuild)
headers=$(packages linux-headers-amd64 | grep -E 'headers|kbuild')
version=$(sed -n 's/^linux-image-//p' <<< "$image")
if [ -z "$version" ]; then
	echo "$0: apt knows no linux-image-amd64 ($name)" >&2
	exit 1
fi

"$here/../linux-source.sh" "$GM_BUILD/linux"

# unpack DIR PACKAGE...
unpack()
{
	local root=$1 deb

	shift
	rm -f "$tmp/debs"/*
	(cd "$tmp/debs" && apt-get "${apt_options[@]}" download "$@")
	for deb in "$tmp/debs"/*.deb; do
		dpkg -x "$deb" "$root"
	done
}

# What runs in headers made for a newer system.
fetch_chroot()
{
	local tools

	# shellcheck disable=SC2086 # a list of packages
	tools=$(apt-cache "${apt_options[@]}" depends --important $headers |
		sed -n 's/^ *Depends: <\?\([a-z][^ >]*\)>\?$/\1/p' | grep -v '^linux-' |
		sed 's/-for-host$//' | sort -u | paste -sd, -)
	echo "  FETCH   ${suite%-backports}, to build modules in (a minute, once)" >&2
	debootstrap --variant=minbase --keyring="$keyring" --include="make,$tools" \
		"${suite%-backports}" "$tmp/chroot" "$mirror" > "$tmp/log" 2>&1 ||
		{ tail -n 20 "$tmp/log" >&2; return 1; }
	rm -rf "$tmp/chroot/var/cache/apt" "$tmp/log"
}

echo "  FETCH   linux $version (some seconds, once)" >&2
# shellcheck disable=SC2086 # a list of packages
unpack "$tmp/root" $image
boot=$(find "$tmp/root" -name 'vmlinuz*' -type f -print -quit)
sh "$GM_BUILD/linux/scripts/extract-vmlinux" "$boot" > "$tmp/vmlinux"
mv "$(find "$tmp/root" -path "*/lib/modules/$version" -print -quit)" "$tmp/modules"
rm -rf "$tmp/root"

kdir=usr/src/linux-headers-$version
if [ "$suite" = trixie-backports ]; then
	fetch_chroot
	# shellcheck disable=SC2086 # a list of packages
	unpack "$tmp/chroot" $headers
	ln -s "chroot/$kdir" "$tmp/kdir"
else
	# shellcheck disable=SC2086 # a list of packages
	unpack "$tmp/headers" $headers
	# It names its other half by where it would be installed.
	sed -i "s,/usr/src/,$dir/headers/usr/src/," "$tmp/headers/$kdir/Makefile"
	ln -s "headers/$kdir" "$tmp/kdir"
fi

rm -rf "$tmp/debs" "$tmp/apt"
echo "$version" > "$tmp/version"
mv "$tmp" "$dir"
