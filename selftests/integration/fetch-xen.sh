#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# fetch-xen.sh: put Debian's Xen into $GM_BUILD/xen, once:
#
#   xen       the hypervisor, uncompressed, to be booted as a kernel
#   include   headers of its interface
#   version   the package's version
#
# Packages are downloaded and unpacked, never installed. Safe when several call it at
# the same time.
set -euo pipefail

mkdir -p "${GM_BUILD:?}"
dir=$(cd "$GM_BUILD" && pwd)/xen
exec 9> "$dir.lock"
flock 9
[ ! -e "$dir/version" ] || exit 0

tmp=$dir.tmp
rm -rf "$tmp" "$dir"
mkdir -p "$tmp/debs" "$tmp/root"
trap 'rm -rf "$tmp"' EXIT
apt_options=(-qq -o APT::Sandbox::User=root)

hypervisor()
{
	apt-cache "${apt_options[@]}" search --names-only '^xen-hypervisor-4\.[0-9]*-amd64$' |
		sed 's/ .*//' | sort -V | tail -n 1
}

# A new machine may have no lists.
[ -n "$(hypervisor)" ] || apt-get "${apt_options[@]}" update
name=$(hypervisor)
[ -n "$name" ] || { echo "$0: apt knows no xen-hypervisor" >&2; exit 1; }
echo "  FETCH   $name (some seconds, once)" >&2
(cd "$tmp/debs" && apt-get "${apt_options[@]}" download "$name" libxen-dev)
for deb in "$tmp/debs"/*.deb; do
	dpkg -x "$deb" "$tmp/root"
done
gunzip -c "$tmp"/root/boot/xen-*-amd64.gz > "$tmp/xen"
mv "$tmp/root/usr/include" "$tmp/include"
dpkg-deb -f "$tmp/debs/$name"_*.deb Version > "$tmp/version"
rm -rf "$tmp/debs" "$tmp/root"
mv "$tmp" "$dir"
