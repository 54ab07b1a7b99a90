/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * vhost-hostile - a front-end and guest that a vhost-user-blk device must
 * survive.
 *
 *	vhost-hostile --socket PATH --image FILE [--list] [PATTERN...]
 *
 * It runs each case whose name matches a shell PATTERN, all without one, and
 * prints TAP. After each case, the device must be as good as new: it has let go
 * of descriptors and memory, has touched no byte that was not its own, neither
 * in the guest nor on the disk, and serves a well-behaved client.
 *
 *	wire.h                        the protocol
 *	client.c guest.c              messages; guest memory
 *	ring.c request.c              rings, block requests, sessions
 *	watch.c                       the device's process and image from outside
 *	area.c log.c iommu.c          inflight areas; dirty logs; an IOMMU
 *	case_*.c                      the cases, by what they attack
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"
#include "watch.h"

/* For the slowest case on a busy machine. */
#define CASE_SECONDS 150

static const struct hostile_case *const lists[] = {
	message_cases, fd_cases, memory_cases, slot_cases, gone_cases, vring_cases,
	config_cases, chain_cases, indirect_cases, request_cases, segment_cases,
	ring_cases, race_cases, peer_cases, inflight_cases, left_cases,
	log_cases, log_busy_cases, iommu_cases, iommu_answer_cases, iommu_lost_cases,
	iommu_left_cases,
};
#define LISTS (sizeof(lists) / sizeof(lists[0]))

void fail(const char *format, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

/* Run in a process of its own. Return: did it end well? */
static bool run_apart(void (*run)(struct world *w), struct world *w)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	expect(pid >= 0, "fork: %m");
	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		alarm(CASE_SECONDS);
		run(w);
		fflush(stdout);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		expect(errno == EINTR, "waitpid: %m");
	if (WIFSIGNALED(status))
		printf("# killed by signal %d\n", WTERMSIG(status));
	return status == 0;
}

/* What every good client gets. */
static void be_good(struct world *w)
{
	struct session s;

	session_open(&s, w);
	session_use(&s, w, 16 + now_ms() % 1024, 3);
	session_close(&s);
}

static bool is_alive(const struct world *w)
{
	if (!kill(w->pid, 0))
		return true;
	printf("Bail out! the device has died\n");
	exit(1);
}

static bool settle(const struct world *w, const struct holdings *before)
{
	return is_alive(w) && holdings_settle(before, w->pid) && guest_is_intact(w->guest);
}

static bool run_case(const struct hostile_case *c, struct world *w, const struct holdings *before)
{
	static struct image_copy image;
	bool ok;

	guest_reset(w->guest);
	image_copy(&image, w->image);
	ok = run_apart(c->run, w);
	ok &= settle(w, before);
	ok &= image_is(&image, w->image, c->writes);
	guest_reset(w->guest);
	if (!run_apart(be_good, w)) {
		printf("Bail out! %s: a good client is not served any more\n", c->name);
		exit(1);
	}
	return ok && settle(w, before);
}

static bool is_wanted(const char *name, char **patterns)
{
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, name, 0))
			return true;
	return false;
}

static int list(char **patterns)
{
	const struct hostile_case *c;
	size_t i;

	for (i = 0; i < LISTS; i++)
		for (c = lists[i]; c->name; c++)
			if (is_wanted(c->name, patterns))
				puts(c->name);
	return 0;
}

static int run_all(struct world *w, char **patterns)
{
	unsigned int count = 0, failed = 0;
	const struct hostile_case *c;
	struct holdings before;
	size_t i;

	for (i = 0; i < LISTS; i++)
		for (c = lists[i]; c->name; c++) {
			if (!is_wanted(c->name, patterns))
				continue;
			if (!count) {
				struct conn first;

				/* Who is it, and what does it have when idle? */
				conn_open(&first, w);
				conn_close(&first);
				expect(run_apart(be_good, w), "no service");
				sleep_ms(100);
				holdings_read(&before, w->pid);
			}
			if (isatty(2))
				fprintf(stderr, "\r\033[K%4u  %s", count + 1, c->name);
			if (!run_case(c, w, &before)) {
				failed++;
				printf("not ");
			}
			printf("ok %u - %s\n", ++count, c->name);
		}
	if (isatty(2))
		fprintf(stderr, "\r\033[K");
	printf("1..%u\n", count);
	return failed || !count;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "image", required_argument, NULL, 'i' },
		{ "list", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	struct world w = { .socket = NULL };
	bool want_list = false;
	struct stat st;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			w.socket = optarg;
		else if (option == 'i')
			w.image = optarg;
		else if (option == 'l')
			want_list = true;
		else
			return 2;
	}
	if (want_list)
		return list(argv + optind);
	if (!w.socket || !w.image) {
		fprintf(stderr, "usage: %s --socket PATH --image FILE [--list] [PATTERN...]\n",
			argv[0]);
		return 2;
	}
	expect(!stat(w.image, &st), "%s: %m", w.image);
	w.image_size = (uint64_t)st.st_size;
	w.guest = guest_new();
	return run_all(&w, argv + optind);
}
