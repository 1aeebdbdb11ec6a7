/* SPDX-License-Identifier: ISC */
/* Timers of WebSockets, all on one wheel: pings, the caller's timer, the wait for a close frame, and draining. */
#include "net/ws_int.h"

#include <stdio.h>

#include "clock.h"

static int64_t ticks_of(int64_t ms)
{
	return (ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
}

static int64_t ping_due(const struct ws_conn *conn)
{
	const struct settings *s = &conn->server->config->s;

	return conn->pinged ? conn->ping_tick + ticks_of(s->ws_pong) : conn->heard_tick + ticks_of(s->ws_ping);
}

void ws_conn_arm(struct ws_conn *conn)
{
	int64_t due = conn->state == WS_OPEN ? ping_due(conn) : conn->close_tick;

	if (conn->state == WS_DEAD || conn->state == WS_OPENING)
		return;
	if (conn->timer_fn != NULL && conn->state == WS_OPEN && conn->timer_tick < due)
		due = conn->timer_tick;
	if (conn->short_of_room && conn->state == WS_OPEN && conn->close_tick < due)
		due = conn->close_tick;
	wheel_set(&conn->server->wheel, &conn->wheel, due);
}

void ws_timer(struct ws_conn *conn, int64_t at_ns, void (*fn)(struct ws_conn *conn))
{
	conn->timer_fn = at_ns > 0 ? fn : NULL;
	conn->timer_tick = at_ns > 0 ? wheel_tick_of(at_ns) : 0;
	ws_conn_arm(conn);
}

static void ping_or_die(struct ws_conn *conn)
{
	if (conn->pinged && conn->count > 0 && ws_conn_taken(conn)) {
		conn->ping_tick = conn->server->wheel.tick;	/* the client reads, but has not yet reached the ping */
		return;
	}
	if (conn->pinged) {
		ws_conn_die(conn, 1006);
		return;
	}
	conn->pinged = true;
	conn->ping_tick = conn->server->wheel.tick;
	ws_queue_push(conn, ws_buf_new(PL_WS_PING, PL_STR("")));
}

/* The client must have read something since the last check. */
static void look_at_slow(struct ws_conn *conn)
{
	if (ws_conn_taken(conn))
		conn->close_tick = wheel_tick_in(&conn->server->wheel, conn->server->config->s.ws_slow);
	else
		ws_conn_cut(conn);
}

void ws_on_expired(void *arg, struct wheel_node *node)
{
	struct ws_conn *conn = (struct ws_conn *)node;
	int64_t tick = conn->server->wheel.tick;
	void (*fn)(struct ws_conn *) = conn->timer_fn;

	PL_UNUSED(arg);
	if (fn != NULL && tick >= conn->timer_tick && conn->state == WS_OPEN) {
		conn->timer_fn = NULL;
		fn(conn);
	}
	if (conn->state == WS_OPEN && conn->short_of_room && tick >= conn->close_tick)
		look_at_slow(conn);
	if (conn->state == WS_OPEN && tick >= ping_due(conn))
		ping_or_die(conn);
	else if ((conn->state == WS_CLOSING || conn->state == WS_ENDING) && tick >= conn->close_tick)
		ws_conn_die(conn, conn->code);
	ws_conn_arm(conn);
}

void ws_server_drain(struct ws_server *server, int code, const char *reason, int64_t spread_ms)
{
	server->draining = true;
	server->drain_code = code;
	server->drain_end_tick = server->wheel.tick + ticks_of(spread_ms);
	snprintf(server->drain_reason, sizeof(server->drain_reason), "%s", reason);
	if (spread_ms <= 0)
		ws_on_tick(server);
}

/* Each tick closes a share of the connections that are still open. */
void ws_on_tick(void *arg)
{
	struct ws_server *server = arg;
	int64_t left = server->drain_end_tick - server->wheel.tick, open = 0;

	if (!server->draining)
		return;
	for (struct ws_conn *conn = server->conns; conn != NULL; conn = conn->next)
		open += conn->state == WS_OPEN;
	if (left > 0)
		open = (open + left) / (left + 1);
	for (struct ws_conn *conn = server->conns; conn != NULL && open > 0; conn = conn->next) {
		if (conn->state == WS_OPEN) {
			ws_close(conn, server->drain_code, server->drain_reason);
			open--;
		}
	}
}
