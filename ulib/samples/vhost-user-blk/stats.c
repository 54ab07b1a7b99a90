/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * stats.c - counts in a file of key=value lines.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "stats.h"

static bool is_known(const struct stats *s, const struct gm_range *r)
{
	size_t i;

	for (i = 0; i < s->region_count; i++)
		if (gm_gpa_raw(s->regions[i].range.gpa) == gm_gpa_raw(r->gpa) &&
		    s->regions[i].range.len == r->len)
			return true;
	return false;
}

void stats_memory(struct stats *s, const struct memory *m)
{
	size_t i;

	/* In order of address, as the map has them. */
	for (i = 0; i < m->count && s->region_count < MEMORY_MAX_SLOTS; i++) {
		struct gm_region *region = gm_map_region(m->map, i);
		struct gm_range range = { gm_region_start(region), gm_region_len(region) };

		if (!is_known(s, &range))
			s->regions[s->region_count++] = (struct stats_region){ .range = range };
	}
}

void stats_ranges(struct stats *s, const struct gm_range *ranges, size_t count)
{
	size_t i, j;

	for (i = 0; i < count; i++)
		for (j = 0; j < s->region_count; j++) {
			const struct gm_range *r = &s->regions[j].range;

			/* Below its start the difference wraps, to much. */
			if (gm_gpa_raw(ranges[i].gpa) - gm_gpa_raw(r->gpa) < r->len) {
				s->regions[j].bytes += ranges[i].len;
				break;
			}
		}
}

static void print(const struct stats *s, FILE *f)
{
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {
		{ "connections", s->connections },
		{ "bad_peers", s->bad_peers },
		{ "requests", s->requests },
		{ "reads", s->reads },
		{ "writes", s->writes },
		{ "flushes", s->flushes },
		{ "discards", s->discards },
		{ "write_zeroes", s->write_zeroes },
		{ "bytes_read", s->bytes_read },
		{ "bytes_written", s->bytes_written },
		{ "bytes_copied", s->bytes_copied },
		{ "logs", s->logs },
		{ "iotlb_asked", s->iotlb_asked },
		{ "iotlb_updates", s->iotlb_updates },
		{ "iotlb_invalidations", s->iotlb_invalidations },
		{ "iotlb_denied", s->iotlb_denied },
		{ "iotlb_hits", s->iotlb_hits },
		{ "iotlb_misses", s->iotlb_misses },
		{ "iotlb_evictions", s->iotlb_evictions },
		{ "resubmitted", s->resubmitted },
		{ "errors", s->errors },
		{ "regions", s->region_count },
	};
	size_t i;

	fprintf(f, "engine=%s\n", s->engine);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		fprintf(f, "%s=%" PRIu64 "\n", counts[i].key, counts[i].value);
	for (i = 0; i < s->region_count; i++)
		fprintf(f, "region%zu=0x%" PRIx64 " 0x%" PRIx64 " %" PRIu64 "\n", i,
			gm_gpa_raw(s->regions[i].range.gpa), s->regions[i].range.len,
			s->regions[i].bytes);
	for (i = 0; i < s->queues; i++)
		fprintf(f, "queue%zu_requests=%" PRIu64 "\n", i, s->queue_requests[i]);
}

void stats_write(const struct stats *s, const char *path)
{
	char temporary[PATH_MAX];
	FILE *f;
	int bad;

	if (!path)
		return;
	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary)) {
		log_line("%s: %s", path, strerror(ENAMETOOLONG));
		return;
	}
	f = fopen(temporary, "we");
	if (!f) {
		log_line("%s: %s", temporary, strerror(errno));
		return;
	}
	print(s, f);
	bad = ferror(f);
	if (fclose(f) || bad || rename(temporary, path)) {
		log_line("%s: %s", path, strerror(errno));
		unlink(temporary);
	}
}
