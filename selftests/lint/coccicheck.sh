#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# coccicheck.sh LINUX DIR: what the kernel's semantic patches, which are in
# LINUX/scripts/coccinelle, report of the C files in DIR. Any report is an
# error. The kernel's own script wants a whole tree, and a make in it.
set -euo pipefail

linux=${1:?usage: coccicheck.sh LINUX DIR}
dir=${2:?}

# One rule: silent if all is well.
rule()
{
	local rule=$1 options out

	options=$(sed -n 's,^// *Options: *,,p' "$rule")
	# shellcheck disable=SC2086 # a list of options
	if ! out=$(spatch -D report --no-show-diff --very-quiet \
		--cocci-file "$rule" $options --dir "$dir" 2>&1); then
		printf '%s: spatch fails:\n%s\n' "${rule##*/}" "$out"
		return
	fi
	grep -F "$dir/" <<< "$out" | sed "s,\$, [${rule##*/}]," || true
}
export -f rule
export dir

# Two rules are written in OCaml, whose compiler is a large package; sparse sees
# what the one of them that is about C finds.
rules=$(grep -rLE '^@ *(initialize|script) *: *ocaml' --include='*.cocci' \
	"$linux/scripts/coccinelle" | sort)
# No rules must not look like no reports.
[ "$(wc -l <<< "$rules")" -ge 50 ] || { echo "$0: where are the rules?" >&2; exit 1; }

found=$(xargs -P "$(nproc)" -n 1 bash -c 'rule "$0"' <<< "$rules")
[ -z "$found" ] || { echo "$found" >&2; exit 1; }
