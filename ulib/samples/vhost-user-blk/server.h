/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * server.h - the event loop: one thread, one front-end at a time.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>

#include "backend.h"
#include "connection.h"

/**
 * struct server - what the loop looks at
 * @backend: the device
 * @conn: the front-end
 * @listener: the socket that front-ends come to
 * @stop: eventfd that is readable when it is time to end
 * @path: of @listener
 * @stats_path: where the counts go; NULL: nowhere
 * @once: end with the first connection
 */
struct server {
	struct backend backend;
	struct conn conn;
	int listener;
	int stop;
	const char *path;
	const char *stats_path;
	bool once;
};

/* Listen at @path. Return: 0; a negative errno with because(). */
int server_listen(struct server *s, const char *path);

/*
 * Serve until a signal says stop (or, with @once, the front-end has gone).
 * Return: 0; a negative errno with because().
 */
int server_run(struct server *s);

/* The counterpart of server_listen(). */
void server_close(struct server *s);

#endif /* SERVER_H */
