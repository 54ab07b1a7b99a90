/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * disk.h - the kinds of backends that there are, by name.
 */
#ifndef DISK_H
#define DISK_H

#include "backend.h"

/*
 * Open what "KIND:NAME" says. @module: NULL if there is none.
 *
 * Return: 0; a negative errno with because().
 */
int disk_open(const char *spec, struct gm_kmod *module, struct gm_map *m, struct backend **out);

#endif /* DISK_H */
