/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of the WebSocket server.
 *
 * A connection's life: OPENING (the socket is being taken over), OPEN, CLOSING (our close frame is queued; the one of
 * the peer is awaited), ENDING (no more messages are read; the queue is written, then the socket closes), DEAD
 * (unlinked from events; ops->closed and the free happen in ws_server_flush()).
 */
#ifndef NET_WS_INT_H
#define NET_WS_INT_H

#include <event2/event_struct.h>

#include "net/wheel.h"
#include "net/ws.h"

#define WS_CLOSE_MS 5000	/* for the peer's close frame, and for the rest of the output */
#define WS_LINGER_MS 2000	/* for the peer to close after ours went out */
#define WS_SCRATCH_BYTES 65536

enum ws_state { WS_OPENING, WS_OPEN, WS_CLOSING, WS_ENDING, WS_DEAD };

struct ws_buf {
	uint32_t holds, len;
	char bytes[];
};

struct ws_conn {
	struct wheel_node wheel;		/* first */
	struct event ev;
	struct ws_server *server;
	const struct ws_ops *ops;
	void *user;
	struct ws_conn *next, **at;		/* all of the server */
	struct ws_conn *next_dirty;
	struct ws_buf **queue, *few[2];		/* a ring; few[] while it is short */
	uint32_t head, count, cap;		/* cap is a power of two */
	uint32_t sent;				/* bytes of the first one that were written */
	int64_t queued_bytes;
	/*
	 * bytes written to the socket, and how many of them the peer had acknowledged at the last check; both wrap
	 * around
	 */
	uint32_t written_bytes, taken_bytes;
	struct pl_ws_decoder decoder;
	void (*timer_fn)(struct ws_conn *conn);
	int64_t timer_tick;
	int64_t heard_tick, ping_tick;		/* last input; when the pending ping was sent */
	int64_t close_tick;			/* CLOSING, ENDING, or short_of_room: when to close */
	int fd, code;
	uint8_t state;
	bool dirty, writing, writable;		/* on the list; EV_WRITE is on; and it has come */
	bool pinged, peer_closed, shut, counted;
	bool short_of_room;			/* until all is written: a frame was refused, or > ws_queue waits */
	char addr[46];
};
_Static_assert(sizeof(struct ws_conn) <= 400, "an idle WebSocket is to cost a few hundred bytes");

struct ws_server {
	struct event_base *base;
	struct shm *shm;
	CONFIG_HELD struct config *config;
	struct wheel wheel;
	struct ws_conn *conns, *dirty;
	int count;
	bool draining;
	int drain_code;
	int64_t drain_end_tick;
	char drain_reason[64];
	char scratch[WS_SCRATCH_BYTES];		/* received bytes */
};

/* ws.c */
void ws_conn_opened(struct ws_conn *conn, int fd, struct pl_str early, struct ws_buf *reply);
struct ws_conn *ws_conn_new(struct ws_server *server, const struct ws_ops *ops, void *user, const char *addr);
/* The socket is no longer usable; idempotent. */
void ws_conn_die(struct ws_conn *conn, int code);
/* Sends a close frame and ignores further input. */
void ws_conn_fail(struct ws_conn *conn, int code, const char *reason);

/* ws_out.c */
struct ws_buf *ws_buf_raw(const void *bytes, size_t len);
/* Queues without a limit; takes the hold over. */
void ws_queue_push(struct ws_conn *conn, struct ws_buf *buf);
/* Drops frames of which nothing was written (all: also a frame that was partly written). */
void ws_queue_drop(struct ws_conn *conn, bool all);
void ws_conn_dirty(struct ws_conn *conn);
/* Writes as much as the socket accepts, then continues work that waited for this. */
void ws_conn_write(struct ws_conn *conn);
/* The peer has taken bytes since the last call. */
bool ws_conn_taken(struct ws_conn *conn);
/* Drops the queue and closes with 1013. */
void ws_conn_cut(struct ws_conn *conn);
/* Limits unsent bytes in the kernel, so that the queue of this server shows how far the client is behind. */
void ws_conn_tune(struct ws_conn *conn);
/* Registers again for the events that are needed now. */
void ws_conn_watch(struct ws_conn *conn, bool writing);
void ws_on_event(evutil_socket_t fd, short what, void *arg);

/* ws_timer.c */
void ws_on_expired(void *arg, struct wheel_node *node);
void ws_on_tick(void *arg);
void ws_conn_arm(struct ws_conn *conn);

#endif
