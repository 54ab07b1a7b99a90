#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# wine.sh PROGRAM...: run a program for Windows, in a machine of its own below $GM_BUILD.
set -eu

wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
export WINEPREFIX="${GM_BUILD:?}/wine"
# No complaints about what Wine has not, no windows, no debugger where a program dies.
export WINEDEBUG=-all WINEDLLOVERRIDES="winedbg.exe=d;mscoree=d;mshtml=d"
unset DISPLAY
mkdir -p "$WINEPREFIX"
exec "$wine" "$@"
