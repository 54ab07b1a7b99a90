#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# build.sh [OUTDIR]: build the debug kernel, once for each state of this
# script, its configuration, the compiler and the source package. OUTDIR
# (default $GM_BUILD/kernels/debug) then holds
#
#   bzImage   the image. QEMU must get this one: KASAN and the PVH entry of an
#             ELF image do not go together. There are no modules.
#   kdir      folder that external modules are built against (KDIR)
#   version   what uname -r prints
#   log       output of the build
#
# Safe when several call it at the same time. Takes eight minutes of two CPUs,
# less where ccache is installed and knows it all; no time when it is there.
set -euo pipefail
# The O= of the make that calls this is not the kernel's.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-${GM_BUILD:?}/kernels/debug}
tarball=${LINUX_TARBALL:-/usr/src/linux-source-6.1.tar.xz}
jobs=${JOBS:-$(nproc)}

die()
{
	progress_end
	echo "${0##*/}: $*" >&2
	exit 1
}

# What is being done, on a terminal alone.
progress()
{
	[ ! -t 2 ] || printf '\r\033[K%4ds  debug kernel: %s' "$SECONDS" "$*" >&2
}

progress_end()
{
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

cache_key()
{
	{
		cat "$here/debug.config" "${BASH_SOURCE[0]}"
		gcc --version
		stat -L -c '%s %Y' "$tarball"
	} | sha256sum | cut -d' ' -f1
}

# Less than half of its files: without sources that the configuration leaves out
# anyway. Kconfig files and Makefiles are needed of all.
unpack()
{
	local dir exclude=(--exclude='*/Documentation/*/*' --exclude='*.dts*'
		--exclude='*/tools/testing' --exclude='*/tools/perf')

	for dir in sound drivers/net/{ethernet,wireless} \
		drivers/gpu/drm/{amd,i915,msm,nouveau,radeon} \
		drivers/{clk,comedi,crypto,hid,hwmon,iio,infiniband,input} \
		drivers/{isdn,leds,media,mfd,mmc,mtd,phy,pinctrl,regulator} \
		drivers/{s390,scsi,spi,staging,target,usb,watchdog} \
		arch/{alpha,arc,arm,arm64,csky,hexagon,ia64,loongarch,m68k} \
		arch/{microblaze,mips,nios2,openrisc,parisc,powerpc,riscv} \
		arch/{s390,sh,sparc,um,xtensa}; do
		exclude+=(--exclude="linux-source-*/$dir/*.[chS]")
	done
	mkdir -p "$1"
	tar -I 'xz -T0' -xf "$tarball" -C "$1" --strip-components=1 \
		"${exclude[@]}"
}

# Time stamps and paths that stay the same let ccache find what it has.
run_make()
{
	local cc=gcc

	[ -z "$(type -P ccache)" ] || cc='ccache gcc'
	make -C "$tmp/kdir" -j"$jobs" CC="$cc" KBUILD_BUILD_TIMESTAMP=2022-12-11 \
		KBUILD_BUILD_USER=guestmem KBUILD_BUILD_HOST=debug \
		LOCALVERSION=-guestmem-debug KCONFIG_ALLCONFIG="$tmp/config" "$@" \
		>> "$tmp/log" 2>&1
}

# kconfig says nothing when it leaves out an option that depends on others.
check_config()
{
	local line dropped=

	[ -e "$tmp/kdir/.config" ] || die "kconfig has made no .config"
	while read -r line; do
		case $line in
		CONFIG_*)
			grep -qxF "$line" "$tmp/kdir/.config" ||
				dropped="$dropped ${line}"
			;;
		esac
	done < "$tmp/config"
	[ -z "$dropped" ] || die "kconfig does not give:$dropped"
}

compile()
{
	local pid

	run_make bzImage modules &
	pid=$!
	while [ -t 2 ] && kill -0 "$pid" 2>/dev/null; do
		progress "$(grep -c '^  CC' "$tmp/log") files compiled"
		sleep 1
	done
	wait "$pid" || {
		tail -n 30 "$tmp/log" >&2
		die "the build has failed; all of its output is in $tmp/log"
	}
}

# External modules need headers, scripts and tools, but no object of the kernel.
prune()
{
	find "$1" \( -path "$1/scripts" -o -path "$1/tools" \) -prune -o \
		-type f \( -name '*.[oac]' -o -name '*.S' -o -name '*.cmd' \
		-o -name 'vmlinux*' \) ! -name vmlinux.symvers -exec rm -f {} +
}

mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
exec 9> "$out.lock"
flock 9
[ -r "$tarball" ] || die "$tarball is missing: run 'make deps'"
key=$(cache_key)
[ "$(cat "$out/key" 2>/dev/null)" != "$key" ] || exit 0

echo "  BUILD   debug kernel (minutes, once)" >&2
tmp=$out.tmp
rm -rf "$tmp" "$out"
mkdir -p "$tmp"
# The state that the key is of, whoever edits it meanwhile.
cp "$here/debug.config" "$tmp/config"
progress "unpacking"
unpack "$tmp/kdir"
progress "configuring"
run_make allnoconfig || { cat "$tmp/log" >&2; die "no configuration"; }
check_config
compile
run_make -s kernelrelease
tail -n 1 "$tmp/log" > "$tmp/version"
cp "$tmp/kdir/arch/x86/boot/bzImage" "$tmp/bzImage"
prune "$tmp/kdir"
progress_end
echo "$key" > "$tmp/key"
mv "$tmp" "$out"
