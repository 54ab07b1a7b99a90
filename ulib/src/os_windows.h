/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * os_windows.h - what the files for Windows share.
 */
#ifndef GM_OS_WINDOWS_H
#define GM_OS_WINDOWS_H

#include <windows.h>

#include "internal.h"

/* What GetLastError() says, as a negative errno. */
int gm_windows_error(void);

#endif /* GM_OS_WINDOWS_H */
