/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * disk.c - the kinds of backends that there are, by name. A new one is a line here.
 */
#include <errno.h>
#include <string.h>

#include "../virtio/reason.h"
#include "disk.h"

static int open_file(struct gm_kmod *module, const char *name, struct gm_map *m,
		     struct backend **out)
{
	(void)module;
	return backend_file_open(name, m, out);
}

static int open_nvme(struct gm_kmod *module, const char *name, struct gm_map *m,
		     struct backend **out)
{
	return backend_nvme_open(module, name, m, 0, out);
}

static int open_nvme_irq(struct gm_kmod *module, const char *name, struct gm_map *m,
			 struct backend **out)
{
	return backend_nvme_open(module, name, m, BACKEND_NVME_INTERRUPT, out);
}

static int open_bounce(struct gm_kmod *module, const char *name, struct gm_map *m,
		       struct backend **out)
{
	return backend_nvme_open(module, name, m, BACKEND_NVME_BOUNCE, out);
}

static const struct {
	const char *prefix;
	int (*open)(struct gm_kmod *module, const char *name, struct gm_map *m,
		    struct backend **out);
	bool needs_module;
} kinds[] = {
	{ "file:", open_file, false },
	{ "nvme:", open_nvme, true },
	{ "nvme-irq:", open_nvme_irq, true },
	{ "bounce:", open_bounce, true },
};

int disk_open(const char *spec, struct gm_kmod *module, struct gm_map *m, struct backend **out)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].prefix);
		int err;

		if (strncmp(spec, kinds[i].prefix, len))
			continue;
		if (kinds[i].needs_module && !module)
			return because(-ENODEV, "%s: there is no kernel module", spec);
		err = kinds[i].open(module, spec + len, m, out);
		if (!err)
			return 0;
		/* The library's own words, if the failure was the library's. */
		if (gm_error_last()->err == err)
			return because_gm(err, spec);
		return because(err, "%s: %s", spec, strerror(-err));
	}
	return because(-EINVAL, "%s: no such kind of disk", spec);
}
