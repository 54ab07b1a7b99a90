/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * server.c - the event loop.
 *
 * One thread waits for everything: a front-end to connect, its messages, the
 * queues' kicks, the disk. None of the reactions waits for a peer, so the loop
 * always comes round. A peer that connects and is silent keeps others out (they
 * queue at the socket, where it is the operator who decides who may connect);
 * it does not keep SIGTERM out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "event.h"
#include "log.h"
#include "server.h"

/* Messages that one turn of the loop obeys before it looks at the queues. */
#define MESSAGES 16
/* How often to look at rings whose driver was told not to kick, in ms. */
#define POLL_MS 1

static volatile sig_atomic_t stopping;
static volatile sig_atomic_t serving;
static int stop_fd = -1;

/*
 * Each second while there is a front-end, or the end has come: whatever system
 * call waits is interrupted. None should; but a peer can fill an eventfd between
 * our look at it and our write, and then go.
 */
static void on_tick(int sig)
{
	(void)sig;
	if (serving || stopping)
		alarm(1);
}

/* The loop sees the eventfd. */
static void on_stop(int sig)
{
	uint64_t one = 1;
	int saved = errno;

	(void)sig;
	stopping = 1;
	if (write(stop_fd, &one, sizeof(one)) < 0)
		stopping = 1;
	alarm(1);
	errno = saved;
}

static int catch_signals(void)
{
	const struct {
		int sig;
		void (*handler)(int sig);
	} signals[] = {
		{ SIGTERM, on_stop }, { SIGINT, on_stop }, { SIGALRM, on_tick },
		/* A log that nobody reads, an image at its limit: mere errors. */
		{ SIGPIPE, SIG_IGN }, { SIGXFSZ, SIG_IGN },
	};
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction sa = { .sa_handler = signals[i].handler };

		if (sigaction(signals[i].sig, &sa, NULL))
			return -errno;
	}
	return 0;
}

/*
 * Bound to a name of its own and renamed when it listens: whoever sees @path can
 * connect, and a socket that a dead process has left there is no obstacle.
 */
static int bind_and_listen(int fd, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s.%d", path, getpid());

	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return -errno;
	if (listen(fd, 1) || rename(sa.sun_path, path)) {
		int err = -errno;

		unlink(sa.sun_path);
		return err;
	}
	return 0;
}

int server_listen(struct server *s, const char *path)
{
	int err;

	s->path = path;
	conn_init(&s->conn, -1);
	s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	stop_fd = s->stop;
	if (s->stop < 0 || catch_signals())
		return because(-EINVAL, "signals: %s", strerror(errno));
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener < 0)
		return because(-errno, "socket: %s", strerror(errno));
	err = bind_and_listen(s->listener, path);
	return err ? because(err, "%s: %s", path, strerror(-err)) : 0;
}

void server_close(struct server *s)
{
	unlink(s->path);
	close(s->listener);
	close(s->stop);
}

static void accept_peer(struct server *s)
{
	struct stats *stats = s->backend.blk->stats;
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	conn_init(&s->conn, fd);
	serving = 1;
	alarm(1);
	stats->connections++;
	stats->region_count = 0;
	log_verbose("connected");
}

static void disconnect(struct server *s, bool misbehaved)
{
	struct stats *stats = s->backend.blk->stats;

	if (misbehaved) {
		stats->bad_peers++;
		log_line("connection dropped: %s", log_reason());
	} else {
		log_verbose("disconnected");
	}
	viommu_count(s->backend.blk->viommu);
	backend_reset(&s->backend);
	conn_close(&s->conn);
	serving = 0;
	stats_write(stats, s->stats_path);
}

/* Obey what has come in. Return: as conn_receive(). */
static int obey(struct server *s)
{
	struct conn *c = &s->conn;
	struct vu_msg reply;
	int i, ret;

	for (i = 0; i < MESSAGES; i++) {
		ret = conn_receive(c);
		if (ret != CONN_MESSAGE)
			return ret;
		ret = backend_handle(&s->backend, &c->msg, c->fds, c->nfds, &reply);
		conn_next(c);
		if (ret > 0) {
			ret = conn_send(c, &reply);
			if (reply.fd >= 0)
				close(reply.fd);
		}
		if (ret)
			return ret;
	}
	return CONN_NOTHING;
}

enum { STOP, PEER, DISK, CHANNEL, KICKS, POLLS = KICKS + MAX_QUEUES };

/* Fill @p. Return: how long poll() may wait, if nothing happens. */
static int prepare(const struct server *s, struct pollfd *p)
{
	const struct backend *b = &s->backend;
	bool connected = s->conn.fd >= 0;
	int timeout = -1;
	unsigned int i;

	p[STOP].fd = s->stop;
	/* The next front-end has to wait for this one to go. */
	p[PEER].fd = connected ? s->conn.fd : s->listener;
	p[CHANNEL].fd = b->blk->viommu->channel;
	p[DISK].fd = disk_poll_fd(b->blk->disk);
	for (i = 0; i < b->blk->queue_count; i++) {
		p[KICKS + i].fd = b->rings[i].kick;
		if (b->rings[i].polled && b->blk->queues[i].live)
			timeout = POLL_MS;
	}
	for (i = 0; i < KICKS + b->blk->queue_count; i++) {
		p[i].events = POLLIN;
		p[i].revents = 0;
	}
	return timeout;
}

/* Take the kicks. A ring that does not run has them, and nothing follows. */
static int clear_kicks(struct server *s, const struct pollfd *p)
{
	unsigned int i;
	int err;

	for (i = 0; i < s->backend.blk->queue_count; i++) {
		if (!p[KICKS + i].revents)
			continue;
		err = event_clear(p[KICKS + i].fd);
		if (err)
			return err;
	}
	return 0;
}

/* Return: 1 there is more to do; 0 wait for the next event. */
static int serve(struct server *s, const struct pollfd *p)
{
	int ret;

	/* Before messages: one of them may close the descriptor. */
	ret = clear_kicks(s, p);
	if (!ret && p[CHANNEL].revents)
		ret = viommu_receive(s->backend.blk->viommu);
	if (!ret && p[PEER].revents)
		ret = obey(s);
	if (ret == CONN_CLOSED) {
		disconnect(s, false);
		return 0;
	}
	if (!ret)
		ret = backend_run(&s->backend);
	if (ret >= 0)
		return ret;
	disconnect(s, true);
	return 0;
}

int server_run(struct server *s)
{
	struct pollfd p[POLLS];
	int more = 0;

	while (!stopping) {
		bool was_connected = s->conn.fd >= 0;
		int timeout = prepare(s, p);

		if (poll(p, KICKS + s->backend.blk->queue_count, more ? 0 : timeout) < 0) {
			if (errno == EINTR)
				continue;
			return because(-errno, "poll: %s", strerror(errno));
		}
		if (was_connected)
			more = serve(s, p);
		else if (p[PEER].revents)
			accept_peer(s);
		if (was_connected && s->conn.fd < 0 && s->once)
			break;
	}
	if (s->conn.fd >= 0)
		disconnect(s, false);
	stats_write(s->backend.blk->stats, s->stats_path);
	return 0;
}
