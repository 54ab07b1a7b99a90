#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# run-test.sh NAME: run one test for prove; its output is TAP. Names are
#
#   <variant>/unit/test_x    program $GM_BUILD/<variant>/unit/test_x
#   windows/unit/test_x      program $GM_BUILD/windows/unit/test_x.exe under Wine
#   valgrind/unit/test_x     the gcc variant's program under valgrind
#   fuzz/fuzz_x              fuzz target, a short fixed run
#   abi/x, integration/x, posix/x, windows/x  script $GM_SRC/selftests/abi/x, ...
#   kmod/<kernel>/<boot>     the module's tests in a virtual machine
#   platforms/<machine>      the unit tests on another architecture
#   platforms/<machine>/kmod the module's tests there
#
# A test finds GM_SRC (source root), GM_BUILD (build root) and GM_TEST_TMP (a
# directory of its own, removed afterwards). What failed is left in the directory
# GM_FAILED, if that is set.
set -eu

name=$1
: "${GM_SRC:?}" "${GM_BUILD:?}"
FUZZ_RUNS=${FUZZ_RUNS:-20000}

GM_TEST_TMP=$(mktemp -d "${TMPDIR:-/tmp}/guestmem.XXXXXX")
export GM_SRC GM_BUILD GM_TEST_TMP
# A test that calls make is no part of the make that runs the tests.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL
trap 'rm -rf "$GM_TEST_TMP" "$GM_TEST_TMP.rc" "$GM_TEST_TMP.tap"' EXIT
trap 'exit 130' INT TERM

# The sanitizers' shadow memory needs the usual address space layout.
fixed_layout()
{
	if setarch -R true 2>/dev/null; then
		setarch -R "$@"
	else
		"$@"
	fi
}

fuzz()
{
	echo 1..1
	log=$GM_TEST_TMP/log
	mkdir "$GM_TEST_TMP/corpus"
	seeds=$GM_SRC/selftests/fuzz/${name#fuzz/}.corpus
	[ -d "$seeds" ] || seeds=
	# shellcheck disable=SC2086 # no seeds: no argument
	if fixed_layout timeout 300 "$GM_BUILD/$name" -runs="$FUZZ_RUNS" \
		-seed=1 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix="$GM_BUILD/fuzz/" \
		"$GM_TEST_TMP/corpus" $seeds > "$log" 2>&1; then
		echo "ok 1 - $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
	else
		sed 's/^/# /' "$log" >&2
		echo "not ok 1 - $name"
	fi
}

# Programs talk on stderr even when all is well (children that are meant to
# die, under valgrind): keep it until it is known to matter.
program()
{
	log=$GM_TEST_TMP/stderr
	"$@" 2> "$log" || rc=$?
	if [ $rc -ne 0 ]; then
		grep :Expected "$log" || true
		head -n 300 "$log" >&2
	else
		sed -n "s|^#  *SKIP  *|# $name: skipped: |p" "$log" >&2
	fi
}

# Wine is a test bed, as a virtual machine is: a program without a first line has not
# run, and gets one more try.
wine()
{
	for try in 1 2; do
		rc=0
		program timeout 120 "$GM_SRC/selftests/windows/wine.sh" "$@" \
			> "$GM_TEST_TMP/points"
		[ ! -s "$GM_TEST_TMP/points" ] || break
		echo "# $name: no first line (try $try, exit status $rc)" >&2
	done
	cat "$GM_TEST_TMP/points"
}

# script COMMAND...: it may take $limit seconds. prove would end the whole run
# where a script bails out: it is the end of that script alone.
script()
{
	{ timeout "$limit" "$@" || echo $? > "$GM_TEST_TMP.rc"; } |
		sed -u -e "/^Bail out!/w /dev/stderr" -e 's/^Bail out!/not ok - bailed out:/'
	[ ! -e "$GM_TEST_TMP.rc" ] || rc=$(cat "$GM_TEST_TMP.rc")
}

# Points that failed, each with what it said.
failed()
{
	awk '/^not ok/ { print; said = 1; next }
		/^(ok|1\.\.)/ { said = 0 }
		/:Expected/ || said && /^#/ && !/^# *(RUN|OK|FAIL) / { print "  " $0 }' "$1"
	[ $rc -eq 0 ] || echo "exit status $rc"
}

mkdir "$GM_TEST_TMP/cwd"
cd "$GM_TEST_TMP/cwd"
rc=0
limit=600
run()
{
	case $name in
	valgrind/*)
		# Tests fork: a leak or error in a child gives its exit status too.
		program timeout 300 valgrind --quiet --error-exitcode=99 \
			--leak-check=full --errors-for-leak-kinds=definite --fair-sched=try \
			"$GM_BUILD/gcc/${name#valgrind/}"
		;;
	fuzz/*)
		fuzz
		;;
	windows/unit/*)
		wine "$GM_BUILD/$name.exe"
		;;
	*/unit/*)
		program fixed_layout timeout 120 "$GM_BUILD/$name"
		;;
	platforms/*)
		# Limits itself; what is emulated is slow.
		limit=1500
		case $name in
		*/kmod) script "$GM_SRC/selftests/platforms/kmod.sh" "$(basename "${name%/kmod}")" ;;
		*) script "$GM_SRC/selftests/platforms/unit.sh" "${name#platforms/}" ;;
		esac
		;;
	kmod/*/*)
		name=${name#kmod/}
		# Limits itself; a kernel with all checks takes long.
		limit=1800
		script "$GM_SRC/selftests/kmod/run.sh" "${name%/*}" "${name#*/}"
		;;
	*)
		script "$GM_SRC/selftests/$name"
		;;
	esac
	[ $rc -ne 124 ] || echo "# $name: timeout" >&2
	echo $rc > "$GM_TEST_TMP.rc"
}

run | tee "$GM_TEST_TMP.tap"
rc=$(cat "$GM_TEST_TMP.rc")
if [ $rc -ne 0 ] || grep -q '^not ok' "$GM_TEST_TMP.tap"; then
	[ -z "${GM_FAILED:-}" ] ||
		failed "$GM_TEST_TMP.tap" > "$GM_FAILED/$(echo "$name" | tr / :)"
fi
exit $rc
