#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# fetch.sh MACHINE: put what of Debian a machine of another architecture needs into
# $GM_BUILD/platforms/MACHINE, once:
#
#   image     the kernel
#   busybox   for its first file system
#   kdir      headers and tools to build modules for it here, if it is to have any
#   version   the kernel's package
#
# Packages are downloaded and unpacked, never installed, by lists of our own: what the
# machine installs from is none of our business. Safe when several call it at the same
# time.
set -euo pipefail

name=${1:?usage: fetch.sh MACHINE}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/machines.sh"
platform_set "$name"

mkdir -p "${GM_BUILD:?}/platforms"
dir=$(cd "$GM_BUILD/platforms" && pwd)/$name
exec 9> "$dir.lock"
flock 9
[ ! -e "$dir/version" ] || exit 0

tmp=$dir.tmp
rm -rf "$tmp" "$dir"
mkdir -p "$tmp/lists/partial" "$tmp/cache" "$tmp/debs" "$tmp/root"
trap 'rm -rf "$tmp"' EXIT

# The place is the one that the machine has Debian from.
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
	'Created-By: Packages' |
	awk '$1 ~ /^(bookworm|oldstable|stable)$/ && $2 == "main" { print $3; exit }')
[ -n "$mirror" ] || { echo "$0: apt has no Debian 12" >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring arch=$debian] $mirror $release main" > "$tmp/sources"
apt_options=(-qq -o APT::Sandbox::User=root -o "APT::Architectures=$debian"
	-o "APT::Architecture=$debian" -o "Dir::Etc::SourceList=$tmp/sources"
	-o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$tmp/lists"
	-o Dir::State::status=/dev/null -o "Dir::Cache=$tmp/cache")

echo "  FETCH   linux for $name (some seconds, once)" >&2
apt-get "${apt_options[@]}" update
package=$(apt-cache "${apt_options[@]}" depends "$kernel" |
	sed -n 's/^ *Depends: \(linux-image-[^: ]*\).*/\1/p' | head -n 1)
[ -n "$package" ] || { echo "$0: apt knows no $kernel" >&2; exit 1; }
(cd "$tmp/debs" && apt-get "${apt_options[@]}" download "$package" busybox-static)
for deb in "$tmp/debs"/*.deb; do
	dpkg -x "$deb" "$tmp/root"
done
mv "$(find "$tmp/root/boot" -name 'vmlinu*' -print -quit)" "$tmp/image"
mv "$(find "$tmp/root" -path '*bin/busybox' -print -quit)" "$tmp/busybox"

# Headers are the architecture's, tools to build with are those of this machine.
fetch_headers()
{
	local version=${package#linux-image-} tools

	rm -f "$tmp/debs"/*
	tools=$(apt-cache "${apt_options[@]}" depends "linux-headers-$version" |
		sed -n 's/^ *Depends: \(linux-kbuild-[0-9.]*\).*/\1/p' | head -n 1)
	(cd "$tmp/debs" && apt-get "${apt_options[@]}" download "linux-headers-$version" \
		"linux-headers-${version%-*}-common" &&
		apt-get -qq -o APT::Sandbox::User=root download "$tools")
	for deb in "$tmp/debs"/*.deb; do
		dpkg -x "$deb" "$tmp/headers"
	done
	# It names its other half by where it would be installed.
	sed -i "s,/usr/src/,$dir/headers/usr/src/," \
		"$tmp/headers/usr/src/linux-headers-$version/Makefile"
	ln -s "headers/usr/src/linux-headers-$version" "$tmp/kdir"
}

[ -z "$headers" ] || fetch_headers
rm -rf "$tmp/root" "$tmp/debs" "$tmp/lists" "$tmp/cache" "$tmp/sources"
echo "$package" > "$tmp/version"
mv "$tmp" "$dir"
