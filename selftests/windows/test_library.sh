#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# The library for Windows has every function, and what it has not is told.
set -eu
# shellcheck source=selftests/tap.sh
. "$GM_SRC/selftests/tap.sh"
variant=windows
library=$GM_BUILD/$variant/libguestmem.a
nm=x86_64-w64-mingw32-nm
# shellcheck source=selftests/posix/library.sh
. "$GM_SRC/selftests/posix/library.sh"

tap_check "every public function is there" exports_all
tap_check "the manual says what is absent" absent_documented 4 absent absent_snapshot
tap_done
