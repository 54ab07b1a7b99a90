#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# spdx.sh: each file of the project names in its first lines the licence that
# COPYING says it has; C in one form.
set -eu

cd "${GM_SRC:?}"
files=$(git ls-files)
[ -n "$files" ] || { echo "$0: no files" >&2; exit 1; }
bad=$(for f in $files; do
	[ -e "$f" ] || continue
	case $f in
	LICENSES/*|COPYING)	continue ;;
	kmod/*)			licence='GPL-2.0-only' ;;
	include/uapi/*)		licence='GPL-2.0-only WITH Linux-syscall-note' ;;
	*)			licence='Apache-2.0 OR BSD-3-Clause' ;;
	esac
	case $f in
	*.[chS] | *.lds) lines=1 before='^/\* ' after=' \*/$' ;;
	*)	lines=3 before='' after='\( -->\)\?$' ;;
	esac
	head -n $lines "$f" |
		grep -q "${before}SPDX-License-Identifier: $licence$after" ||
		echo "$f: no SPDX line, or not: $licence"
done)
[ -z "$bad" ] || { echo "$bad" >&2; exit 1; }
