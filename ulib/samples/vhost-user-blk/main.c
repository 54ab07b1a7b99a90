/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost-user-blk - a block device for QEMU and others, on libguestmem.
 *
 * The guest's memory comes over a Unix socket as file descriptors, and requests
 * in virtqueues inside of that memory. The device reads and writes its image
 * straight from and to guest memory.
 *
 * Where to find what, in the order to read it:
 *
 *   memory.c      guest memory: from descriptors to a map of regions
 *   viommu.c      an IOMMU between the device and memory
 *   dirty.c       what was written, for a guest that moves elsewhere
 *   inflight_area.c   memory for what is under way, for who comes after us
 *   ../virtio/inflight.c    what is noted there
 *   ../virtio/virtqueue.c   rings and descriptor chains: slices, loads and stores
 *   blk.c         requests: ranges to iovecs, data without a copy; blk_config.c
 *   blk_run.c     which request is next
 *   disk.c        the image and its two engines; disk_uring.c
 *   backend.c     what each message of the vhost-user protocol does; rings.c
 *   vhost_user.c  which messages are well-formed; connection.c their transport
 *   server.c      the event loop
 *   event.c log.c stats.c main.c   the rest
 *
 * Front-end and guest are not trusted: see each file's head for what that means
 * there. Not done here: packed rings.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "server.h"

#define DEFAULT_QUEUES 8

struct options {
	const char *socket;
	const char *image;
	const char *stats;
	enum disk_engine engine;
	unsigned int queues;
	bool read_only;
	bool once;
	bool no_slots;
};

static const char usage[] =
	"usage: vhost-user-blk --socket PATH --image FILE [OPTION...]\n"
	"A block device for a virtual machine, over vhost-user.\n"
	"\n"
	"  --socket PATH    listen here\n"
	"  --image FILE     the disk: a file or a block device\n"
	"  --read-only      the guest may not write\n"
	"  --queues N       request queues, 1 to 64 (default: 8)\n"
	"  --engine NAME    sync, uring, or auto: uring if it works (default)\n"
	"  --stats FILE     write counts there, at each disconnect and at exit\n"
	"  --no-slots       have guest memory as whole tables, not slot by slot\n"
	"  --once           exit when the first front-end has gone\n"
	"  --verbose        tell what happens\n"
	"  --help           this text\n";

static bool parse_engine(const char *name, enum disk_engine *out)
{
	static const char *const names[] = {
		[DISK_AUTO] = "auto", [DISK_SYNC] = "sync", [DISK_URING] = "uring",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i])) {
			*out = (enum disk_engine)i;
			return true;
		}
	}
	return false;
}

static bool parse_queues(const char *text, unsigned int *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || !n || n > MAX_QUEUES)
		return false;
	*out = (unsigned int)n;
	return true;
}

static bool parse_option(struct options *o, int option)
{
	switch (option) {
	case 's':
		o->socket = optarg;
		return true;
	case 'i':
		o->image = optarg;
		return true;
	case 'S':
		o->stats = optarg;
		return true;
	case 'r':
		o->read_only = true;
		return true;
	case 'o':
		o->once = true;
		return true;
	case 'n':
		o->no_slots = true;
		return true;
	case 'v':
		log_set_verbose(true);
		return true;
	case 'q':
		return parse_queues(optarg, &o->queues);
	case 'e':
		return parse_engine(optarg, &o->engine);
	case 'h':
		fputs(usage, stdout);
		exit(0);
	}
	return false;
}

static bool parse(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "image", required_argument, NULL, 'i' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "queues", required_argument, NULL, 'q' },
		{ "engine", required_argument, NULL, 'e' },
		{ "stats", required_argument, NULL, 'S' },
		{ "no-slots", no_argument, NULL, 'n' },
		{ "once", no_argument, NULL, 'o' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!parse_option(o, option))
			return false;
	return optind == argc && o->socket && o->image;
}

/* The disk's name in the guest: the image's, without its directories. */
static const char *disk_id(const char *image)
{
	const char *slash = strrchr(image, '/');

	return slash ? slash + 1 : image;
}

static int serve(const struct options *o, struct disk *disk)
{
	static struct stats stats;
	static struct server server;
	static struct viommu viommu;
	static struct blk blk;
	int err;

	stats.queues = o->queues;
	stats.engine = disk_engine_name(disk);
	server.stats_path = o->stats;
	server.once = o->once;
	err = viommu_init(&viommu, &stats);
	if (err)
		return err;
	err = blk_init(&blk, disk, &stats, &viommu, o->queues, disk_id(o->image));
	if (err) {
		viommu_exit(&viommu);
		return err;
	}
	err = backend_init(&server.backend, &blk);
	server.backend.no_slots = o->no_slots;
	if (!err)
		err = server_listen(&server, o->socket);
	if (!err) {
		err = server_run(&server);
		server_close(&server);
	}
	blk_exit(&blk);
	viommu_exit(&viommu);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = { .engine = DISK_AUTO, .queues = DEFAULT_QUEUES };
	struct disk disk;
	int err;

	if (!parse(&o, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	err = disk_open(&disk, o.image, o.read_only, o.engine);
	if (!err) {
		err = serve(&o, &disk);
		disk_close(&disk);
	}
	if (err)
		log_line("%s", log_reason());
	return err ? 1 : 0;
}
