/* SPDX-License-Identifier: ISC */
/* WebSocket connections: input, closing, and end. */
#include "net/ws_int.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

static void counted_add(struct ws_server *server, int64_t n)
{
	_Atomic int64_t *sockets = &server->shm->scores[server->shm->slot].sockets;

	atomic_store_explicit(sockets, atomic_load_explicit(sockets, memory_order_relaxed) + n, memory_order_relaxed);
	shm_count(server->shm, SHM_M_ws_conns, n);
}

struct ws_conn *ws_conn_new(struct ws_server *server, const struct ws_ops *ops, void *user, const char *addr)
{
	struct ws_conn *conn = pl_new(sizeof(*conn));

	conn->server = server;
	conn->ops = ops;
	conn->user = user;
	conn->fd = -1;
	conn->queue = conn->few;
	conn->cap = PL_COUNT(conn->few);
	conn->decoder.max_message_bytes = (uint32_t)server->config->s.ws_max_frame;
	memcpy(conn->addr, addr, strnlen(addr, sizeof(conn->addr) - 1));
	conn->next = server->conns;
	conn->at = &server->conns;
	if (conn->next != NULL)
		conn->next->at = &conn->next;
	server->conns = conn;
	server->count++;
	return conn;
}

static void conn_free(struct ws_conn *conn)
{
	struct ws_server *server = conn->server;

	*conn->at = conn->next;
	if (conn->next != NULL)
		conn->next->at = conn->at;
	if (conn->fd >= 0)
		close(conn->fd);
	if (conn->counted)
		counted_add(server, -1);
	server->count--;
	ws_queue_drop(conn, true);
	pl_ws_decoder_fini(&conn->decoder);
	pl_free(conn);
}

void ws_conn_die(struct ws_conn *conn, int code)
{
	if (conn->state == WS_DEAD)
		return;
	if (conn->state == WS_OPENING || conn->state == WS_OPEN)
		conn->code = code;
	if (conn->fd >= 0)
		event_del(&conn->ev);
	conn->state = WS_DEAD;
	wheel_remove(&conn->wheel);
	ws_conn_dirty(conn);
}

static void close_send(struct ws_conn *conn, int code, const char *reason)
{
	char frame[127] = "\x88";
	size_t len = 2;

	if (code != 1005 && code != 1006)
		len = pl_ws_close_frame(frame, code, pl_str(reason));
	ws_queue_push(conn, ws_buf_raw(frame, len));
	conn->close_tick = wheel_tick_in(&conn->server->wheel, WS_CLOSE_MS);
}

void ws_close(struct ws_conn *conn, int code, const char *reason)
{
	if (conn->state != WS_OPEN)
		return;
	close_send(conn, code, reason);
	conn->code = code;
	conn->state = WS_CLOSING;
	ws_conn_arm(conn);
}

void ws_conn_fail(struct ws_conn *conn, int code, const char *reason)
{
	if (conn->state == WS_OPEN) {
		close_send(conn, code, reason);
		conn->code = code;
	}
	conn->state = WS_ENDING;
	ws_conn_arm(conn);
	ws_conn_dirty(conn);
}

static void on_peer_close(struct ws_conn *conn, int code)
{
	conn->peer_closed = true;
	if (conn->state == WS_OPEN) {
		close_send(conn, code, "");
		conn->code = code;
	}
	conn->state = WS_ENDING;
	ws_conn_arm(conn);
	ws_conn_dirty(conn);
}

static bool on_frame(void *arg, const struct pl_ws_msg *msg)
{
	struct ws_conn *conn = arg;

	switch (msg->op) {
	case PL_WS_TEXT:
		if (conn->state == WS_OPEN) {
			shm_count(conn->server->shm, SHM_M_ws_in, 1);
			conn->ops->message(conn, msg->data);
		}
		break;
	case PL_WS_BINARY:
		ws_close(conn, 1003, "Only text messages are supported.");
		break;
	case PL_WS_PING:
		if (conn->state == WS_OPEN && conn->queued_bytes < conn->server->config->s.ws_queue)
			ws_queue_push(conn, ws_buf_new(PL_WS_PONG, msg->data));
		break;
	case PL_WS_CLOSE:
		on_peer_close(conn, msg->code);
		break;
	case PL_WS_PONG:
	case PL_WS_CONT:
		break;
	}
	return conn->state == WS_OPEN || conn->state == WS_CLOSING;
}

static void feed(struct ws_conn *conn, char *bytes, size_t len)
{
	int code;

	conn->heard_tick = conn->server->wheel.tick;
	conn->pinged = false;
	if (conn->state != WS_OPEN && conn->state != WS_CLOSING)
		return;		/* ENDING: input is ignored */
	code = pl_ws_feed(&conn->decoder, bytes, len, on_frame, conn);
	if (code > 0)
		ws_conn_fail(conn, code, "");
}

static void on_readable(struct ws_conn *conn)
{
	struct ws_server *server = conn->server;
	ssize_t got;

	do {
		got = recv(conn->fd, server->scratch, sizeof(server->scratch), MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (got <= 0)
		ws_conn_die(conn, 1006);
	else
		feed(conn, server->scratch, (size_t)got);
}

void ws_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct ws_conn *conn = arg;

	PL_UNUSED(fd);
	if (what & EV_WRITE) {
		conn->writable = true;
		ws_conn_dirty(conn);
	}
	if (what & EV_READ)
		on_readable(conn);
}

void ws_conn_opened(struct ws_conn *conn, int fd, struct pl_str early, struct ws_buf *reply)
{
	struct ws_server *server = conn->server;

	conn->fd = fd;
	ws_conn_tune(conn);
	event_assign(&conn->ev, server->base, fd, EV_READ | EV_PERSIST, ws_on_event, conn);
	PL_BUG(event_add(&conn->ev, NULL) != 0);
	conn->counted = true;
	counted_add(server, 1);
	shm_count(server->shm, SHM_M_ws_opened, 1);
	conn->state = WS_OPEN;
	conn->heard_tick = server->wheel.tick;
	ws_queue_push(conn, reply);
	ws_conn_arm(conn);
	conn->ops->opened(conn);
	while (early.len > 0 && conn->state != WS_DEAD) {
		size_t n = early.len < sizeof(server->scratch) ? early.len : sizeof(server->scratch);

		memcpy(server->scratch, early.ptr, n);
		early = pl_strn(early.ptr + n, early.len - n);
		feed(conn, server->scratch, n);
	}
}

struct ws_server *ws_server_new(struct event_base *base, struct shm *shm, const struct config *config)
{
	struct ws_server *server = pl_new(sizeof(*server));

	server->base = base;
	server->shm = shm;
	server->config = config_hold(config);
	wheel_init(&server->wheel, base, ws_on_expired, ws_on_tick, server);
	return server;
}

void ws_server_config(struct ws_server *server, const struct config *config)
{
	struct config *old = server->config;

	server->config = config_hold(config);
	config_release(&old);
}

int ws_server_count(const struct ws_server *server)
{
	return server->count;
}

/* Both lists may grow meanwhile, because a callback for a closed connection sends to other connections. */
void ws_server_flush(struct ws_server *server)
{
	struct ws_conn *conn;

	while ((conn = server->dirty) != NULL) {
		server->dirty = conn->next_dirty;
		conn->dirty = false;
		if (conn->state != WS_DEAD)
			ws_conn_write(conn);
		if (conn->state == WS_DEAD && !conn->dirty) {
			conn->dirty = true;	/* prevents that the callback puts it on the list again */
			conn->ops->closed(conn, conn->code);
			conn_free(conn);
		}
	}
}

void ws_server_free(struct ws_server **serverp)
{
	struct ws_server *server = *serverp;

	*serverp = NULL;
	if (server == NULL)
		return;
	ws_server_flush(server);
	for (struct ws_conn *conn = server->conns; conn != NULL; conn = conn->next)
		ws_conn_die(conn, 1006);
	ws_server_flush(server);
	wheel_fini(&server->wheel);
	config_release(&server->config);
	pl_free(server);
}

void *ws_conn_user(const struct ws_conn *conn)
{
	return conn->user;
}

const char *ws_conn_addr(const struct ws_conn *conn)
{
	return conn->addr;
}

