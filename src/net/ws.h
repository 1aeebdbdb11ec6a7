/* SPDX-License-Identifier: ISC */
/*
 * WebSocket connections: the handshake, the stolen socket, output queues, pings, closing.
 *
 * A connection is freed in here, at the end of the loop turn in which it closed, after ops->closed. It costs a few
 * hundred bytes while idle. Text only: binary messages are refused with 1003.
 */
#ifndef NET_WS_H
#define NET_WS_H

#include "net/http.h"
#include "wsframe.h"

struct ws_conn;
struct ws_server;

/* A frame ready to be written, shared by all who get it. Counted. */
struct ws_buf;
struct ws_buf *ws_buf_new(enum pl_ws_op op, struct pl_str payload);
struct ws_buf *ws_buf_hold(struct ws_buf *buf);
void ws_buf_release(struct ws_buf **buf);

struct ws_ops {
	void (*opened)(struct ws_conn *conn);			/* after 101 went out, before any message */
	void (*message)(struct ws_conn *conn, struct pl_str text); /* valid UTF-8, may hold NUL escapes as JSON only */
	/*
	 * Once, for whatever reason; code as sent or received, 1006 when the socket just died. `conn` is freed after.
	 */
	void (*closed)(struct ws_conn *conn, int code);
	/* After ws_offer() refused: the socket has taken everything that was queued. May be NULL. */
	void (*drained)(struct ws_conn *conn);
};

struct ws_server *ws_server_new(struct event_base *base, struct shm *shm, const struct config *config);
void ws_server_config(struct ws_server *server, const struct config *config);
/* End of the loop turn: one writev per socket with output, deferred frees. Called by the worker. */
void ws_server_flush(struct ws_server *server);
int ws_server_count(const struct ws_server *server);
/* Closes all with `code`, spread over `spread_ms`; counted down through ws_server_count(). */
void ws_server_drain(struct ws_server *server, int code, const char *reason, int64_t spread_ms);
void ws_server_free(struct ws_server **server);

/*
 * Checks the handshake (RFC 6455 4.2.1: version 13 else 426, key, GET) and takes the socket over. On refusal it has
 * replied and returns false. `subprotocol` (NULL: none) is echoed. `user` is the caller's data (ws_conn_user()).
 * Origin, host, rate and token were checked by the caller. The request's task ends with the take-over.
 */
bool ws_accept(struct ws_server *server, struct req *req, const struct ws_ops *ops, const char *subprotocol, void *user)
    PL_MUSTCHECK;

void *ws_conn_user(const struct ws_conn *conn);
const char *ws_conn_addr(const struct ws_conn *conn);	/* client address */
/*
 * Queues; written at the end of the turn. false: the connection is closing.
 *
 * More than ws_queue bytes may wait for a client that reads, since the server itself may produce them at once. A client
 * that takes nothing for ws_slow while more than that waits, or one with twice as much, is closed with 1013. The
 * largest frame does not count towards the latter.
 */
bool ws_send(struct ws_conn *conn, struct ws_buf *buf);
bool ws_send_text(struct ws_conn *conn, struct pl_str text);
/*
 * For what can be read again later: queues when nothing waits, or when no more than `max_bytes` wait afterwards. false:
 * nothing was queued; ops->drained is called once when the socket has taken all that waits, or the connection is closed
 * with 1013 after ws_slow. true also when the connection is closing: nobody will read it.
 */
bool ws_offer(struct ws_conn *conn, struct ws_buf *buf, int64_t max_bytes) PL_MUSTCHECK;
/* Sends what is queued, then the close frame; waits up to 5 s for the peer's. Further messages are ignored. */
void ws_close(struct ws_conn *conn, int code, const char *reason);
/* One timer per connection (token expiry, auth time-out): at `at_ns` (0 = off) fn(conn) is called, within 250 ms. */
void ws_timer(struct ws_conn *conn, int64_t at_ns, void (*fn)(struct ws_conn *conn));

#endif
