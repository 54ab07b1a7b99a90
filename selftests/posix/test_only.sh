#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The library for POSIX asks for nothing outside POSIX.1-2008 and C11: it compiles where
# another C library hides all else, and calls no function but those of a list.
set -eu
# shellcheck source=selftests/tap.sh
. "$GM_SRC/selftests/tap.sh"

variant=posix
library=$GM_BUILD/$variant/libguestmem.a
# shellcheck source=selftests/posix/library.sh
. "$GM_SRC/selftests/posix/library.sh"
flags="-std=gnu11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror"

# glibc's headers show what was asked for, musl's some more.
compiles()
{
	# shellcheck disable=SC2086 # a list of words
	gcc $flags -I"$GM_SRC/ulib/include" -fsyntax-only "$1"
}

# Functions of POSIX.1-2008 (base, and of its options shm_open, shm_unlink, mlock, readv,
# writev) and C11 that the library calls. Names that begin with _ are the compiler's and
# the C library's own: errno, parts of libgcc.
cat > "$GM_TEST_TMP/allowed" <<'LIST'
aligned_alloc
calloc
clock_nanosleep
close
fcntl
free
fstat
ftruncate
getpid
malloc
memcmp
memcpy
memmove
memset
mlock
mmap
munmap
open
pread
pthread_atfork
pthread_cond_broadcast
pthread_cond_destroy
pthread_cond_init
pthread_cond_wait
pthread_create
pthread_join
pthread_key_create
pthread_mutex_destroy
pthread_mutex_init
pthread_mutex_lock
pthread_mutex_trylock
pthread_mutex_unlock
pthread_self
pthread_setcancelstate
pthread_setspecific
pwrite
qsort
readv
realloc
sched_yield
shm_open
shm_unlink
snprintf
strerror_r
strnlen
sysconf
vsnprintf
writev
LIST

calls_nothing_else()
{
	sort -u "$GM_TEST_TMP/allowed" > "$GM_TEST_TMP/sorted"
	nm -u "$library" | sed -n 's/^ *U \([^_].*\)/\1/p' | sort -u > "$GM_TEST_TMP/undefined"
	defined "$library" > "$GM_TEST_TMP/own"
	comm -23 "$GM_TEST_TMP/undefined" "$GM_TEST_TMP/own" |
		comm -23 - "$GM_TEST_TMP/sorted" > "$GM_TEST_TMP/others"
	[ -s "$GM_TEST_TMP/undefined" ] || { echo "nothing undefined in $library"; return 1; }
	[ ! -s "$GM_TEST_TMP/others" ] || { cat "$GM_TEST_TMP/others"; return 1; }
}

for object in $(ar t "$library"); do
	tap_check "${object%.o}.c without extensions" compiles "$GM_SRC/ulib/src/${object%.o}.c"
done
tap_check "no function outside POSIX.1-2008" calls_nothing_else
tap_check "every public function is there" exports_all
tap_check "the manual says what is absent" absent_documented 3 absent
tap_done
