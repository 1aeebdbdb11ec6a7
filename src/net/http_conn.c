/* SPDX-License-Identifier: ISC */
/*
 * HTTP connections, from the moment when evhttp asks for a bufferevent to its close callback. The guard reads all bytes
 * first.
 */
#include "net/http_int.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "leaf.h"
#include "log.h"

enum { LINGER_MS = 2000, LINGER_BYTES = 1 << 20 };

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg);

static void sockets_add(struct http_server *server, int64_t n)
{
	_Atomic int64_t *sockets = &server->shm->scores[server->shm->slot].sockets;

	atomic_store_explicit(sockets, atomic_load_explicit(sockets, memory_order_relaxed) + n, memory_order_relaxed);
	server->conns_count += (int)n;
	shm_count(server->shm, SHM_M_http_conns, n);
}

struct bufferevent *http_conn_new(struct http_listener *listener)
{
	struct http_server *server = listener->server;
	struct http_conn *conn = pl_new(sizeof(*conn));

	conn->server = server;
	conn->listener = listener;
	conn->fd = -1;
	conn->write_due = conn->ping_due = WHEEL_NEVER;
	conn->bev = bufferevent_socket_new(server->base, -1, 0);
	PL_BUG(conn->bev == NULL);
	conn->watch = evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn);
	PL_BUG(conn->watch == NULL);
	conn->next = server->conns;
	conn->at = &server->conns;
	if (conn->next != NULL)
		conn->next->at = &conn->next;
	server->conns = conn;
	sockets_add(server, 1);
	event_active(server->bind_event, EV_TIMEOUT, 0);
	if (atomic_load_explicit(&server->shm->scores[server->shm->slot].sockets, memory_order_relaxed) >=
	    server->conns_max)
		http_listeners_pause(server, false, 1);
	return conn->bev;
}

/* Runs only when evhttp refuses a request that the guard accepted. */
static void on_held(evutil_socket_t fd, short what, void *arg)
{
	PL_UNUSED(fd);
	PL_UNUSED(what);
	http_conn_hold_read(arg, false);
}

void http_conn_hold_read(struct http_conn *conn, bool hold)
{
	if (conn->held == hold)
		return;
	conn->held = hold;
	if (hold)
		event_add(&conn->hold_read, NULL);
	else
		event_del(&conn->hold_read);
}

/* Frees our part of the connection; evhttp's part is not changed. */
static void conn_free(struct http_conn *conn)
{
	struct http_server *server = conn->server;

	http_conn_hold_read(conn, false);
	wheel_remove(&conn->wheel);
	if (conn->watch != NULL)
		evbuffer_remove_cb_entry(bufferevent_get_input(conn->bev), conn->watch);
	*conn->at = conn->next;
	if (conn->next != NULL)
		conn->next->at = conn->at;
	if (conn->fd >= 0 && conn->fd < server->by_fd_count && server->by_fd[conn->fd] == conn)
		server->by_fd[conn->fd] = NULL;
	sockets_add(server, -1);
	pl_free(conn);
}

/* evhttp is about to free its part, because the client left, the reply asked for it, or we closed the connection. */
static void on_closed(struct evhttp_connection *evcon, void *arg)
{
	struct http_conn *conn = arg;
	struct evhttp_request *ev = conn->ev;

	evhttp_connection_set_closecb(evcon, NULL, NULL);
	if (conn->stealing)
		http_steal_lost(conn);
	if (conn->req != NULL) {
		conn->req->gone = true;
		http_request_over(conn);
	}
	conn->ev = NULL;
	if (ev != NULL && evhttp_request_get_connection(ev) == NULL)
		evhttp_request_free(ev);	/* evhttp no longer owns it */
	conn_free(conn);
}

void http_conn_close(struct http_conn *conn)
{
	evhttp_connection_free(conn->evcon);	/* calls on_closed() */
}

static void conn_table(struct http_conn *conn)
{
	struct http_server *server = conn->server;
	int count = server->by_fd_count;

	while (conn->fd >= count)
		count *= 2;
	if (count > server->by_fd_count) {
		server->by_fd = pl_realloc(server->by_fd, sizeof(*server->by_fd) * (size_t)count);
		memset(server->by_fd + server->by_fd_count, 0,
		    sizeof(*server->by_fd) * (size_t)(count - server->by_fd_count));
		server->by_fd_count = count;
	}
	server->by_fd[conn->fd] = conn;
}

static void conn_bind(struct http_conn *conn)
{
	bufferevent_data_cb read_cb, write_cb;
	bufferevent_event_cb event_cb;
	void *ctx = NULL;
	char *address = NULL;
	ev_uint16_t port = 0;
	int on = 1;

	bufferevent_getcb(conn->bev, &read_cb, &write_cb, &event_cb, &ctx);
	conn->evcon = ctx;
	conn->fd = bufferevent_getfd(conn->bev);
	PL_BUG(conn->evcon == NULL || conn->fd < 0);
	evhttp_connection_set_closecb(conn->evcon, on_closed, conn);
	event_assign(&conn->hold_read, conn->server->base, conn->fd, EV_READ, on_held, conn);
	conn_table(conn);
	if (conn->listener->is_unix) {
		memcpy(conn->addr, "unix", sizeof("unix"));
	} else {
		evhttp_connection_get_peer(conn->evcon, &address, &port);
		conn->has_ip = address != NULL && http_ip_parse(pl_str(address), &conn->ip);
		if (conn->has_ip)
			http_ip_text(&conn->ip, conn->addr);
		(void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	http_conn_arm(conn);
}

/* Sets up new connections, which are at the head of the list. */
void http_conns_bind(struct http_server *server)
{
	for (struct http_conn *conn = server->conns; conn != NULL && conn->evcon == NULL; conn = conn->next)
		conn_bind(conn);
}

struct http_conn *http_conn_of(struct http_server *server, struct evhttp_request *ev)
{
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evhttp_request_get_connection(ev)));

	PL_BUG(fd < 0 || fd >= server->by_fd_count || server->by_fd[fd] == NULL);
	return server->by_fd[fd];
}

bool http_conn_doomed(const struct http_conn *conn)
{
	return conn->guard.phase == GUARD_REFUSED && conn->delivered == conn->guard.messages;
}

static void input_drop(struct http_conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);

	evbuffer_drain(input, evbuffer_get_length(input));
}

void http_conn_linger(struct http_conn *conn)
{
	bufferevent_data_cb read_cb, write_cb;
	bufferevent_event_cb event_cb;
	void *ctx;

	conn->lingering = true;
	http_conn_hold_read(conn, false);
	bufferevent_getcb(conn->bev, &read_cb, &write_cb, &event_cb, &ctx);
	bufferevent_setcb(conn->bev, NULL, NULL, event_cb, ctx);
	bufferevent_disable(conn->bev, EV_WRITE);
	shutdown(conn->fd, SHUT_WR);
	input_drop(conn);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, 0);
	bufferevent_enable(conn->bev, EV_READ);
	wheel_set_ms(&conn->server->wheel, &conn->wheel, LINGER_MS);
}

/* Writes a reply of the guard, without evhttp. */
static void conn_refuse(struct http_conn *conn, int status, enum pl_code code, const char *detail)
{
	unsigned char random[PL_REQUEST_ID_LEN / 2];
	char id[PL_REQUEST_ID_LEN + 1], body[512], text[1024];
	int body_len, len;

	pl_random(random, sizeof(random));
	pl_hex(random, sizeof(random), id);
	body_len = snprintf(body, sizeof(body),
	    "{\"detail\":\"%s\",\"code\":\"%s\",\"temporary\":%s,\"request_id\":\"%s\"}",
	    detail, pl_err_info(code)->code, pl_err_info(code)->temporary ? "true" : "false", id);
	len = snprintf(text, sizeof(text), "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
	    "Connection: close\r\nX-Request-Id: %s\r\n\r\n%s", status, http_status_text(status), body_len, id, body);
	PL_BUG(body_len >= (int)sizeof(body) || len >= (int)sizeof(text));
	shm_count(conn->server->shm, SHM_M_http_guard, 1);
	pl_log(PL_LOG_DEBUG, NULL, "request refused", "request_id=%s addr=%s status=%d detail=%s", id, conn->addr,
	    status, detail);
	(void)!send(conn->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	http_conn_linger(conn);
}

void http_conn_arm(struct http_conn *conn)
{
	struct wheel *wheel = &conn->server->wheel;
	const struct settings *s = &conn->server->config->s;

	if (conn->lingering)
		return;
	if (conn->ev != NULL) {
		conn->out_before = evbuffer_get_length(bufferevent_get_output(conn->bev));
		conn->write_due = wheel_tick_in(wheel, conn->out_before > 0 ? s->write_timeout : -1);
		wheel_set(wheel, &conn->wheel, conn->write_due < conn->ping_due ? conn->write_due : conn->ping_due);
	} else if (conn->guard.phase == GUARD_HEADER || conn->guard.phase == GUARD_BODY) {
		wheel_set(wheel, &conn->wheel, conn->phase_due);
	} else {
		wheel_set_ms(wheel, &conn->wheel, s->keepalive_timeout);
	}
}

/* The time for writing or waiting for a reply has passed. */
static void reply_expired(struct http_conn *conn)
{
	struct wheel *wheel = &conn->server->wheel;
	size_t out = evbuffer_get_length(bufferevent_get_output(conn->bev));

	if (out > 0 && conn->write_due <= wheel->tick && out >= conn->out_before) {
		http_conn_close(conn);
		return;
	}
	if (conn->ping_due <= wheel->tick)
		req_stream_ping(conn->req, out == 0);
	if (conn->write_due <= wheel->tick || conn->write_due == WHEEL_NEVER)
		http_conn_arm(conn);
	else
		wheel_set(wheel, &conn->wheel, conn->write_due < conn->ping_due ? conn->write_due : conn->ping_due);
}

void http_conn_expired(void *arg, struct wheel_node *node)
{
	struct http_conn *conn = (struct http_conn *)node;

	PL_UNUSED(arg);
	if (conn->lingering) {
		http_conn_close(conn);
	} else if (conn->ev != NULL) {
		reply_expired(conn);
	} else if (conn->guard.phase == GUARD_HEADER || conn->guard.phase == GUARD_BODY) {
		conn_refuse(conn, 408, PL_E_TIMEOUT, pl_err_info(PL_E_TIMEOUT)->text);
	} else {
		http_conn_close(conn);
	}
}

void http_conn_skip_crlf(struct http_conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	char two[2];

	while (evbuffer_copyout(input, two, 2) == 2 && two[0] == '\r' && two[1] == '\n')
		evbuffer_drain(input, 2);
}

/*
 * If the guard asks for a header field, inserts it at the end of the header, which is at `at`. Returns the length of
 * the field.
 */
static size_t add_length(struct http_conn *conn, struct evbuffer *input, size_t at)
{
	struct evbuffer *whole = evbuffer_new();

	PL_BUG(whole == NULL);
	evbuffer_cb_clear_flags(input, conn->watch, EVBUFFER_CB_ENABLED);
	PL_BUG(evbuffer_remove_buffer(input, whole, at - 2) != (int)(at - 2) ||
	    evbuffer_add(whole, GUARD_NO_LENGTH, sizeof(GUARD_NO_LENGTH) - 1) != 0 ||
	    evbuffer_add_buffer(whole, input) != 0 || evbuffer_add_buffer(input, whole) != 0);
	evbuffer_cb_set_flags(input, conn->watch, EVBUFFER_CB_ENABLED);
	evbuffer_free(whole);
	return sizeof(GUARD_NO_LENGTH) - 1;
}

/* Passes the bytes that were received last to the guard. */
static bool guard_new_bytes(struct http_conn *conn, struct evbuffer *input, const struct evbuffer_cb_info *info)
{
	const struct settings *s = &conn->server->config->s;
	const struct guard_limits limits = { .header_bytes = (uint32_t)s->max_header, .body_bytes = s->max_body };
	struct evbuffer_ptr from;
	struct evbuffer_iovec part;
	size_t at = info->orig_size, end = info->orig_size + info->n_added, more;

	while (at < end && conn->guard.phase != GUARD_REFUSED) {
		PL_BUG(evbuffer_ptr_set(input, &from, at, EVBUFFER_PTR_SET) != 0);
		PL_BUG(evbuffer_peek(input, (ev_ssize_t)(end - at), &from, &part, 1) <= 0);
		at += guard_feed(&conn->guard, &limits, part.iov_base, part.iov_len);
		more = conn->guard.add_length ? add_length(conn, input, at) : 0;
		at += more;
		end += more;
	}
	return conn->guard.phase != GUARD_REFUSED;
}

/*
 * Clients that write header and body separately, with Nagle's algorithm on (Python's httpx), send the body only after
 * the header was acknowledged. The kernel delays that by 40 ms unless we ask for an immediate acknowledgment.
 */
static void acknowledge(struct http_conn *conn)
{
	int on = 1;

	if (!conn->listener->is_unix)
		(void)setsockopt(conn->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

/* These bytes began a phase. Its deadline is absolute, so that slow clients cannot extend it. */
static void phase_begin(struct http_conn *conn)
{
	const struct settings *s = &conn->server->config->s;

	if (conn->guard.phase == GUARD_HEADER || conn->guard.phase == GUARD_BODY)
		acknowledge(conn);
	if (conn->guard.phase == GUARD_HEADER)
		conn->phase_due = wheel_tick_in(&conn->server->wheel, s->header_timeout);
	else if (conn->guard.phase == GUARD_BODY)
		conn->phase_due = wheel_tick_in(&conn->server->wheel, s->body_timeout);
	http_conn_arm(conn);
}

static void on_refused(struct http_conn *conn)
{
	struct guard *guard = &conn->guard;

	if (conn->delivered != guard->messages) {
		/*
		 * the requests before the bad one are still answered; the reply to the last of them closes the
		 * connection
		 */
		bufferevent_disable(conn->bev, EV_READ);
	} else if (conn->ev != NULL || evbuffer_get_length(bufferevent_get_output(conn->bev)) > 0) {
		input_drop(conn);
	} else {
		conn_refuse(conn, guard->status, guard->code, guard->detail);
	}
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_conn *conn = arg;
	struct guard *guard = &conn->guard;
	uint8_t phase = guard->phase;
	uint32_t messages = guard->messages;

	if (info->n_added == 0)
		return;
	if (conn->evcon == NULL)
		http_conns_bind(conn->server);
	if (conn->lingering) {
		conn->dropped += (uint32_t)info->n_added;
		evbuffer_drain(input, evbuffer_get_length(input));
		if (conn->dropped > LINGER_BYTES)
			bufferevent_disable(conn->bev, EV_READ);
		return;
	}
	if (phase == GUARD_RAW || phase == GUARD_REFUSED) {
		if (http_conn_doomed(conn))
			evbuffer_drain(input, evbuffer_get_length(input));
		return;
	}
	if (!guard_new_bytes(conn, input, info)) {
		on_refused(conn);
		return;
	}
	if (conn->ev == NULL && conn->delivered == messages && phase == GUARD_START && guard->phase == GUARD_START &&
	    guard->messages == messages + 1 && evbuffer_get_length(input) == info->n_added &&
	    http_early_refused(conn, input))
		return;
	if (conn->ev == NULL && conn->delivered == messages) {
		if (phase == GUARD_START)
			http_conn_skip_crlf(conn);
		http_conn_hold_read(conn, guard->messages != messages && guard->phase == GUARD_START);
	}
	if (guard->phase != phase || guard->messages != messages)
		phase_begin(conn);
}
