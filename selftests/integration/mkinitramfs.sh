#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# mkinitramfs.sh OUT MODULES MODULE... [-- SOURCE:PATH...]: write a guest's
# first file system to OUT, a cpio archive. It holds busybox, guest/init, the
# named kernel modules out of the folder MODULES with all that they depend on,
# and each file SOURCE at PATH. guest/init loads the modules and runs /run.sh.
set -eu

[ $# -ge 2 ] || { echo "usage: $0 OUT MODULES MODULE... [-- SOURCE:PATH...]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
out=$1
modules=$2
shift 2

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" \
	"$root/mnt" "$root/modules"

busybox=$(command -v busybox)
cp "$busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
install -m 755 "$here/guest/init" "$root/init"

# Put module $1 into the archive, after all that it depends on. In its name
# - and _ are alike.
add_module()
{
	local pattern file name depend

	pattern=${1//[-_]/[-_]}
	file=$(find "$modules" -name "$pattern.ko*" -print -quit)
	if [ -z "$file" ]; then
		# Built into this kernel: nothing to load.
		grep -q "/$pattern\.ko" "$modules/modules.builtin" && return
		echo "$0: no module $1 in $modules" >&2
		exit 1
	fi
	name=$(basename "${file%%.ko*}")
	[ ! -e "$root/modules/$name.ko" ] || return 0
	case $file in
	*.xz) xz -dc "$file" > "$root/modules/$name.ko" ;;
	*) cp "$file" "$root/modules/$name.ko" ;;
	esac
	for depend in $(tr '\0' '\n' < "$root/modules/$name.ko" |
			sed -n 's/^depends=//p' | tr ',' ' '); do
		add_module "$depend"
	done
	echo "$name" >> "$root/modules/order"
}

: > "$root/modules/order"
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	add_module "$1"
	shift
done
[ $# -eq 0 ] || shift
for extra; do
	install -D "${extra%%:*}" "$root/${extra#*:}"
done

(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) > "$out"
