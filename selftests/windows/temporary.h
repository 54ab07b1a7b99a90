/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * temporary.h - a file for a test on Windows, which goes when it is closed.
 */
#ifndef SELFTESTS_WINDOWS_TEMPORARY_H
#define SELFTESTS_WINDOWS_TEMPORARY_H

#include <io.h>
#include <windows.h>

static inline HANDLE temporary_file(void)
{
	char folder[MAX_PATH], path[MAX_PATH];

	if (!GetTempPathA(sizeof(folder), folder) || !GetTempFileNameA(folder, "gm", 0, path))
		return INVALID_HANDLE_VALUE;
	return CreateFileA(path, GENERIC_READ | GENERIC_WRITE,
			   FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
			   CREATE_ALWAYS, FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE,
			   NULL);
}

#endif /* SELFTESTS_WINDOWS_TEMPORARY_H */
