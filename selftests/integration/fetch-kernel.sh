#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# fetch-kernel.sh DIR: put Debian's stock kernel into DIR, once:
#   DIR/vmlinux   the uncompressed ELF image (QEMU boots it through PVH)
#   DIR/modules   its lib/modules/VERSION folder
#   DIR/version   VERSION, as uname -r prints it
# The package is downloaded and unpacked, never installed. Safe when several
# tests call it at the same time.
set -eu

dir=${1:?usage: fetch-kernel.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)

mkdir -p "$(dirname "$dir")"
dir=$(cd "$(dirname "$dir")" && pwd)/$(basename "$dir")
exec 9> "$dir.lock"
flock 9
[ -e "$dir/version" ] && exit 0

tmp=$dir.tmp
rm -rf "$tmp" "$dir"
mkdir -p "$tmp"
trap 'rm -rf "$tmp"' EXIT

# The metapackage names the versioned package. A new machine may have no lists.
kernel_package()
{
	apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1
}

package=$(kernel_package)
if [ -z "$package" ]; then
	apt-get update -qq
	package=$(kernel_package)
fi
if [ -z "$package" ]; then
	echo "$0: apt knows no linux-image-amd64" >&2
	exit 1
fi

"$here/../linux-source.sh" "${GM_BUILD:?}/linux"

echo "  FETCH   $package (some seconds, once)" >&2
(cd "$tmp" && apt-get -qq -o APT::Sandbox::User=root download "$package")
dpkg -x "$tmp"/linux-image-*.deb "$tmp/root"
version=${package#linux-image-}
sh "$GM_BUILD/linux/scripts/extract-vmlinux" \
	"$tmp/root/boot/vmlinuz-$version" > "$tmp/vmlinux"
mv "$tmp/root/lib/modules/$version" "$tmp/modules"
rm -rf "$tmp/root" "$tmp"/*.deb
echo "$version" > "$tmp/version"
mv "$tmp" "$dir"
