/* SPDX-License-Identifier: ISC */
/*
 * WebSocket connections: the handshake, taking the socket over from evhttp, output queues, pings, and closing.
 *
 * A connection is freed here, at the end of the loop turn in which it closed, after ops->closed. An idle connection
 * uses a few hundred bytes. Text only: binary messages are refused with 1003.
 */
#ifndef NET_WS_H
#define NET_WS_H

#include "net/http.h"
#include "wsframe.h"

struct ws_conn;
struct ws_server;

/* A complete frame, shared by all connections that send it. Counted. */
struct ws_buf;
struct ws_buf *ws_buf_new(enum pl_ws_op op, struct pl_str payload);
struct ws_buf *ws_buf_hold(struct ws_buf *buf);
void ws_buf_release(struct ws_buf **buf);

struct ws_ops {
	void (*opened)(struct ws_conn *conn);			/* after 101 was sent, before any message */
	void (*message)(struct ws_conn *conn, struct pl_str text); /* valid UTF-8, may hold NUL escapes as JSON only */
	/*
	 * Called once, for any reason; code as sent or received, 1006 if the connection was lost. Then `conn` is freed.
	 */
	void (*closed)(struct ws_conn *conn, int code);
	/* After ws_offer() refused: everything that was queued has been written. May be NULL. */
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
 * Checks the handshake (RFC 6455 4.2.1: version 13 else 426, key, GET) and takes the socket over. If it refuses, it
 * sends the reply and returns false. `subprotocol` (NULL: none) is echoed. `user` is the caller's data
 * (ws_conn_user()). Origin, host, rate and token were checked by the caller. The request's task ends with the
 * take-over.
 */
bool ws_accept(struct ws_server *server, struct req *req, const struct ws_ops *ops, const char *subprotocol, void *user)
    PL_MUSTCHECK;

void *ws_conn_user(const struct ws_conn *conn);
const char *ws_conn_addr(const struct ws_conn *conn);	/* client address */
/*
 * Queues; written at the end of the turn. false: the connection is closing.
 *
 * More than ws_queue bytes may wait for a client that reads, because the server may produce them at once. A client that
 * reads nothing for ws_slow while more than ws_queue waits, or for which twice as much waits, is closed with 1013. The
 * largest frame does not count towards the latter.
 */
bool ws_send(struct ws_conn *conn, struct ws_buf *buf);
bool ws_send_text(struct ws_conn *conn, struct pl_str text);
/*
 * For data that can be read again later: queues if nothing waits, or if at most `max_bytes` wait afterwards. false:
 * nothing was queued; ops->drained is called once when everything has been written, or the connection is closed with
 * 1013 after ws_slow. Also true if the connection is closing.
 */
bool ws_offer(struct ws_conn *conn, struct ws_buf *buf, int64_t max_bytes) PL_MUSTCHECK;
/*
 * Sends the queue, then the close frame; waits up to 5 s for the close frame of the peer. Further messages are ignored.
 */
void ws_close(struct ws_conn *conn, int code, const char *reason);
/* One timer per connection (token expiry, auth time-out): at `at_ns` (0 = off) fn(conn) is called, within 250 ms. */
void ws_timer(struct ws_conn *conn, int64_t at_ns, void (*fn)(struct ws_conn *conn));

#endif
