#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# checkpatch.sh LINUX DIR: the kernel's checkpatch --strict, which is in
# LINUX/scripts, on the C sources. DIR is room for copies of them.
set -euo pipefail

linux=${1:?usage: checkpatch.sh LINUX DIR}
dir=${2:?}
cd "${GM_SRC:?}"

# Not asked, with the reason, of anything:
#   the SPDX line has one form in .c and .h (see spdx.sh)
all=SPDX_LICENSE_TAG

# Of user space:
#   the kernel's own helpers and options, which user space does not have
user=PREFER_KERNEL_TYPES,BIT_MACRO,ARRAY_SIZE,ENOSYS,ARCH_DEFINES
user+=,PREFER_DEFINED_ATTRIBUTE_MACRO
#   address types are typedefs so that sparse tells them apart; guest memory is
#   what volatile is for
user+=,NEW_TYPEDEFS,VOLATILE
#   taken for expressions: macros that make functions and declarations
user+=,COMPLEX_MACRO,MACRO_WITH_FLOW_CONTROL,MACRO_ARG_REUSE
user+=,MACRO_ARG_PRECEDENCE
#   needs a whole kernel tree to know which names are settled
user+=,CAMELCASE

# Of tests, moreover:
#   the first line says what a program is called
tests=EMBEDDED_FILENAME

# Of the ioctl header: the number follows its struct at once
uapi=LINE_SPACING

# Of the tracepoints' header: TRACE_EVENT is written in its own way, and the
# header has to say its name
trace=OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT,EMBEDDED_FILENAME

# Of the module: an initializer's macro is given constants only
module=MACRO_ARG_REUSE

# check IGNORE FILE...: reads copies without ##: names pasted together make its
# guesses at types take forever. A pointer to a type that is a macro's argument,
# as in "type *p", is taken for a product: that message is dropped.
check()
{
	local ignore=$all,$1 f

	shift
	for f; do
		mkdir -p "$dir/${f%/*}"
		sed 's/##\([A-Za-z0-9_]*\)##/\1/g; s/##//g' "$f" > "$dir/$f"
	done
	(cd "$dir" && "$linux/scripts/checkpatch.pl" --no-tree --root=. \
		--strict --quiet --terse --no-summary --show-types \
		--ignore "$ignore" -f "$@" 2>&1 || true) |
		{ grep -v "that '\*' (ctx:WxV)" || true; }
}

rm -rf "$dir"
mkdir -p "$dir/include"
shopt -s nullglob
found=$(
	check $user ulib/include/*.h ulib/include/guestmem/*.h ulib/src/*.[ch] \
		ulib/bench/*.[ch] ulib/samples/*/*.[ch] ulib/samples/*/*/*.[ch]
	check $user,$tests selftests/kmod/*.[ch] \
		selftests/kmod/kunit-user/*/*.h
	check $uapi include/uapi/linux/*.h
	check $trace kmod/trace.h
	mapfile -t files < <(printf '%s\n' kmod/*.[ch] | grep -vx kmod/trace.h)
	check $module "${files[@]}"
)
[ -z "$found" ] || { echo "$found" >&2; exit 1; }
