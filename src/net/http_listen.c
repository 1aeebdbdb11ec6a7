/* SPDX-License-Identifier: ISC */
/*
 * Listeners: one evhttp per listening socket, so that each connection knows on which socket it was accepted. Accepting
 * can be paused.
 *
 * The sockets belong to the caller and are never closed here. A closed socket that another process still shares would
 * stay registered in epoll and make the loop spin. evhttp itself spins on EMFILE; here accepting pauses instead.
 */
#include "net/http_int.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"

#define EVHTTP_HEADER_MAX (4 << 20)	/* above the guard's limit, so that the guard refuses first */
#define EVHTTP_BODY_MAX (128 << 20)
enum { PAUSE_TICKS = 2 };

static struct http_listener *listeners_all;	/* the listeners of this process */

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	PL_UNUSED(base);
	return http_conn_new(arg);
}

static void listener_pause(struct http_listener *listener, int64_t ticks)
{
	evconnlistener_disable(listener->accept);
	listener->paused = true;
	listener->resume_tick = listener->server->wheel.tick + ticks;
}

/* The argument of the error callback belongs to evhttp, so the listener is searched for. */
static void on_accept_error(struct evconnlistener *accept, void *arg)
{
	struct http_listener *listener = listeners_all;
	int error = EVUTIL_SOCKET_ERROR();

	PL_UNUSED(arg);
	while (listener != NULL && listener->accept != accept)
		listener = listener->next_of_all;
	PL_BUG(listener == NULL);
	if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
		shm_count(listener->server->shm, SHM_M_accept_pauses, 1);
		pl_log(PL_LOG_WARN, NULL, "accepting pauses", "error=%s", strerror(error));
	}
	listener_pause(listener, PAUSE_TICKS);
}

bool http_server_listen(struct http_server *server, int fd, bool is_unix, bool operator_side)
{
	struct http_listener *listener = pl_new(sizeof(*listener));

	listener->server = server;
	listener->is_unix = is_unix;
	listener->operator_side = operator_side;
	listener->http = evhttp_new(server->base);
	PL_BUG(listener->http == NULL);
	listener->accept = evconnlistener_new(server->base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (listener->accept == NULL || evhttp_bind_listener(listener->http, listener->accept) == NULL) {
		if (listener->accept != NULL)
			evconnlistener_free(listener->accept);
		evhttp_free(listener->http);
		pl_free(listener);
		return false;
	}
	evconnlistener_set_error_cb(listener->accept, on_accept_error);
	evhttp_set_bevcb(listener->http, on_connection, listener);
	evhttp_set_gencb(listener->http, http_request_start, listener);
	evhttp_set_max_headers_size(listener->http, EVHTTP_HEADER_MAX);
	evhttp_set_max_body_size(listener->http, EVHTTP_BODY_MAX);
	evhttp_set_default_content_type(listener->http, NULL);
	evhttp_set_allowed_methods(listener->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
	    EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
	listener->next = server->listeners;
	server->listeners = listener;
	listener->next_of_all = listeners_all;
	listeners_all = listener;
	return true;
}

void http_listener_free(struct http_listener *listener)
{
	struct http_listener **at = &listeners_all;

	while (*at != listener)
		at = &(*at)->next_of_all;
	*at = listener->next_of_all;
	evhttp_free(listener->http);	/* also frees the evconnlistener; the socket remains open */
	pl_free(listener);
}

void http_listeners_pause(struct http_server *server, bool all, int64_t ticks)
{
	for (struct http_listener *listener = server->listeners; listener != NULL; listener = listener->next) {
		if (all || !listener->operator_side)
			listener_pause(listener, ticks);
	}
}

void http_listeners_stop(struct http_server *server)
{
	for (struct http_listener *listener = server->listeners; listener != NULL; listener = listener->next) {
		evconnlistener_disable(listener->accept);
		listener->paused = false;
	}
}

void http_listeners_tick(struct http_server *server)
{
	for (struct http_listener *listener = server->listeners; listener != NULL; listener = listener->next) {
		if (!listener->paused || server->draining || listener->resume_tick > server->wheel.tick)
			continue;
		if (atomic_load_explicit(&server->shm->scores[server->shm->slot].sockets, memory_order_relaxed) >=
		    server->conns_max && !listener->operator_side)
			continue;
		listener->paused = false;
		evconnlistener_enable(listener->accept);
	}
}
