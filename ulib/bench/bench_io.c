/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * bench_io.c - a request that spans regions to and from a file, against the
 * one system call that it comes to.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"
#include "guest.h"

#define REQUEST 65536
#define START (GUEST_BYTES / 2 - REQUEST / 2)

struct request {
	struct gm_view view;
	struct guest guest;
	gm_gpa_t gpa;
	struct iovec iov[2];
	int fd;
};

BENCH_LOOP void view_read(void *ctx, uint64_t n)
{
	struct request *r = ctx;

	for (; n; n--) {
		struct gm_fd_source src;

		gm_fd_source_init_at(&src, r->fd, 0);
		BENCH_OK(gm_view_read_exact_from(&r->view, r->gpa, &src.source,
						 REQUEST));
	}
}

BENCH_LOOP void view_write(void *ctx, uint64_t n)
{
	struct request *r = ctx;

	for (; n; n--) {
		struct gm_fd_sink sink;

		gm_fd_sink_init_at(&sink, r->fd, 0);
		BENCH_OK(gm_view_write_all_to(&r->view, r->gpa, &sink.sink,
					      REQUEST));
	}
}

BENCH_LOOP void iov_read(void *ctx, uint64_t n)
{
	struct request *r = ctx;

	for (; n; n--) {
		struct gm_range range = { r->gpa, REQUEST };
		struct gm_iov_cursor cur, start;
		struct iovec iov[4];
		uint64_t bytes;
		int count;

		BENCH_OK(gm_iov_init(&cur, &range, 1));
		start = cur;
		count = gm_iov_extract(&r->view, &cur, GM_PERM_WRITE, REQUEST,
				       iov, 4, &bytes);
		bench_must(count > 0, "gm_iov_extract");
		bench_must(preadv(r->fd, iov, count, 0) == REQUEST, "preadv");
		gm_iov_mark(&r->view, &start, bytes);
	}
}

BENCH_LOOP void raw_read(void *ctx, uint64_t n)
{
	struct request *r = ctx;

	for (; n; n--)
		bench_must(preadv(r->fd, r->iov, 2, 0) == REQUEST, "preadv");
}

BENCH_LOOP void raw_write(void *ctx, uint64_t n)
{
	struct request *r = ctx;

	for (; n; n--)
		bench_must(pwritev(r->fd, r->iov, 2, 0) == REQUEST, "pwritev");
}

static void run_request(size_t count, bool dirty)
{
	static struct request r;
	const char *tail = dirty ? "/bitmap" : "";
	struct bench_case c = { .ctx = &r };

	guest_init(&r.guest, count, dirty);
	gm_view_init(&r.view, r.guest.map);
	r.gpa = gm_gpa(GUEST_GPA + START);
	r.iov[0] = (struct iovec){ r.guest.host + START, REQUEST / 2 };
	r.iov[1] = (struct iovec){ r.guest.host + GUEST_BYTES / 2, REQUEST / 2 };
	r.fd = memfd_create("bench", 0);
	bench_must(r.fd >= 0, "memfd_create");
	raw_write(&r, 1);

	c.base = raw_read;
	c.base_name = "preadv";
	c.run = view_read;
	bench_run(&c, "pread_64k/%zu%s", count, tail);
	c.run = iov_read;
	bench_run(&c, "iov_pread_64k/%zu%s", count, tail);
	c.base = raw_write;
	c.base_name = "pwritev";
	c.run = view_write;
	if (!dirty)
		bench_run(&c, "pwrite_64k/%zu", count);
	close(r.fd);
	guest_exit(&r.guest);
}

int main(int argc, char **argv)
{
	bench_start(argc, argv, "file");
	/* Two regions meet in the middle of the request, whatever the count. */
	run_request(8, false);
	run_request(8, true);
	run_request(256, false);
	return bench_finish();
}
