/* SPDX-License-Identifier: ISC */
/*
 * The HTTP/1.1 front: evhttp, the raw-byte guard in front of it, and what every reply carries.
 *
 * One server per worker. It turns bytes into struct req and hands it to hooks->request after the checks that belong to
 * every request: guard, request id, client address behind trusted proxies, CORS decision, trusted host. It knows no
 * routes, no users and no database.
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
	 * A request that ends here, because of its Host or as a preflight: counts it and adds its headers; false: it
	 * was refused for asking too often, and answered. May be NULL.
	 */
	bool (*admit)(void *arg, struct req *req);
	/* Is new work being refused because of overload? Asked for each request, so it must be cheap. May be NULL. */
	bool (*overloaded)(void *arg);
	/*
	 * If so: true: refused this request with its one reply, now; false: did nothing, and request() gets it later.
	 * req_header() finds nothing in this request, and its body is still in its transfer coding. NULL if overloaded
	 * is NULL.
	 */
	bool (*refuse)(void *arg, struct req *req);
	/* A request is over (reply handed to the kernel's buffer, or client gone): for the trace and the access log. */
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
/* Lets others accept while this worker has far more sockets than the average (called by a timer of the worker). */
void http_server_balance(struct http_server *server);
/*
 * Stops accepting permanently; keep-alive connections get Connection: close with their next reply, idle ones are closed
 * now or, gently, after a second without a request; until they are gone they count as pending.
 */
void http_server_drain(struct http_server *server, bool gentle);
/* Requests whose reply is pending. */
int http_server_pending(const struct http_server *server);
/* Closes everything. Pending requests are told they are gone. */
void http_server_free(struct http_server **server);

/*
 * The two-phase socket steal: gives `done(arg, fd, early)` the client's socket (non-blocking, close-on-exec, ours) and
 * the bytes that came behind the request's header, from a later turn of the loop; fd -1 when the client left meanwhile.
 * The request is finished for evhttp; `req` stays valid until `done` returned. LIBRARIES: take-over B.
 */
void http_steal(struct req *req, void (*done)(void *arg, int fd, struct pl_str early), void *arg);

#endif
