/* SPDX-License-Identifier: ISC */
/*
 * The HTTP/1.1 front: evhttp, the guard in front of it, and the headers of every reply.
 *
 * One server per worker. It turns bytes into struct req and passes it to hooks->request after the checks of every
 * request: guard, request id, client address behind trusted proxies, CORS decision, trusted host. It has no routes, no
 * users, and no database.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <event2/event.h>

#include "core/settings.h"
#include "core/shm.h"
#include "net/req.h"

struct http_server;

struct http_hooks {
	/* Every request that passed the front; must end in exactly one reply (now or later). */
	void (*request)(void *arg, struct req *req);
	/*
	 * A request that ends here, because of its Host or as a CORS preflight: counts it and adds its headers. false:
	 * its rate limit was exceeded, and it was answered. May be NULL.
	 */
	bool (*admit)(void *arg, struct req *req);
	/*
	 * Returns whether new work is refused because of overload. Called for each request, so it must be cheap. May be
	 * NULL.
	 */
	bool (*overloaded)(void *arg);
	/*
	 * Called during overload. true: it refused the request and sent the reply; false: it did nothing, and request()
	 * gets it later. req_header() finds no headers of this request, and its body still has its transfer coding.
	 * NULL if overloaded is NULL.
	 */
	bool (*refuse)(void *arg, struct req *req);
	/*
	 * A request has ended (the reply is in the kernel's buffer, or the client has left): for the trace and the
	 * access log.
	 */
	void (*finished)(void *arg, struct req *req);
	void *arg;
};

/* The server of one worker. `config` may be swapped later. Never fails except for memory. */
struct http_server *http_server_new(struct event_base *base, struct shm *shm, const struct config *config,
    const struct http_hooks *hooks);
/*
 * Accepts on an inherited listening socket (non-blocking, already bound). Errors of accept (EMFILE, ENFILE, ENOBUFS)
 * pause accepting on it; a timer resumes it. `is_unix`: peers count as "unix". `plain`: the operator's listener, whose
 * requests have req->operator_side set.
 */
bool http_server_listen(struct http_server *server, int fd, bool is_unix, bool operator_side) PL_MUSTCHECK;
void http_server_config(struct http_server *server, const struct config *config);
/* Pauses accepting while this worker has far more sockets than the average (called by a timer of the worker). */
void http_server_balance(struct http_server *server);
/*
 * Stops accepting permanently; keep-alive connections get Connection: close with their next reply, idle ones are closed
 * now or, gently, after a second without a request; until they are gone they count as pending.
 */
void http_server_drain(struct http_server *server, bool gentle);
/* Requests whose reply is pending. */
int http_server_pending(const struct http_server *server);
/* Closes everything. Pending requests end as if their clients had left. */
void http_server_free(struct http_server **server);

/*
 * Takes the socket from evhttp in two phases. done(arg, fd, early) gets the socket of the client (non-blocking,
 * close-on-exec) and the bytes after the request header, in a later loop turn; fd -1 if the client left meanwhile. The
 * request is finished for evhttp; `req` stays valid until `done` returned.
 */
void http_steal(struct req *req, void (*done)(void *arg, int fd, struct pl_str early), void *arg);

#endif
