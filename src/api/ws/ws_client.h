/* SPDX-License-Identifier: ISC */
/*
 * A client on a WebSocket: its user and its dialect.
 *
 * Life: created at the handshake, counted; the socket and every operation in flight have a hold. When the socket
 * closes, `conn` becomes NULL, and later completions send no answer.
 */
#ifndef API_WS_CLIENT_H
#define API_WS_CLIENT_H

#include "api/http/request.h"
#include "api/ws/ws_dialect.h"
#include "net/ws.h"
#include "svc/room/hub_sub.h"

struct ws_client;
struct ws_frame;

extern const struct ws_dialect ws_native;

struct ws_client {
	struct svc *svc;
	struct ws_conn *conn;			/* NULL: closed */
	const struct ws_dialect *dialect;
	struct ws_client *prev, *next;		/* all of this worker */
	void *state;				/* of the dialect */
	int holds;
	bool authed;
	int64_t limited_ns;			/* when ws_client_refuse() last reported the limit */
	int64_t expires_us;			/* wall time of the token's end */
	unsigned scope;				/* of its row in routes.def */
	struct pl_caller who;
};

/* The server of this worker's sockets; set once by app.c. */
extern struct ws_server *ws_sockets;

struct ws_client *ws_client_hold(struct ws_client *client);
void ws_client_release(struct ws_client **client);
/* A task for one frame, with the caller of the client and 10 s. */
struct pl_task *ws_client_task(struct ws_client *client);
/* Closes with the code of errors.def; no effect if it is already closed. */
void ws_client_close(struct ws_client *client, enum pl_code code);
void ws_client_error(struct ws_client *client, struct pl_str id, const struct pl_err *err);
/* Counts a frame in the class `read`. false: the limit is exceeded, which is reported once a second. */
bool ws_client_counts(struct ws_client *client, struct pl_str id) PL_MUSTCHECK;
/*
 * Sends the error for an invalid or premature frame, and counts it as `read`. If the limit is exceeded, this is
 * reported only once a second, so that a client cannot provoke any number of answers. (Known frames have one answer
 * each, refusals included.)
 */
void ws_client_refuse(struct ws_client *client, struct pl_str id, const struct pl_err *err);
/* {"type":"error","message","code"}: errors of the compatible sockets. */
void ws_compat_error(struct ws_client *client, struct pl_str id, const struct pl_err *err);
/* Closes with 4408 unless a token comes in time. */
void ws_client_wait_auth(struct ws_client *client);
/* Sends the contents of buf. */
void ws_client_send(struct ws_client *client, const struct pl_buf *buf);
/* ws_query.c: the socket of questions; the path's parameter is a name or "me". */
void ws_open_query(struct request *request);
/*
 * Common part of the functions that open sockets: token from subprotocol, ticket, or query, then takes the socket over.
 */
void ws_open_client(struct request *request, const struct ws_dialect *dialect);
/* Checks an `auth` frame's token; `done` runs at once or later with the client held. */
void ws_client_auth(struct ws_client *client, struct pl_task *task, struct pl_str token,
    void (*done)(struct ws_client *client, struct pl_str id, const struct pl_err *err), struct pl_str id);

/* ws_subs.c: sends an event of `sub` to this client; as hub_sub_ops.event. */
bool ws_client_event(struct ws_client *client, const struct hub_sub *sub, struct hub_event *event);

/* ws_render.c: an event as a frame of a dialect; NULL if the dialect has no frame for it. Kept in the event. */
struct ws_buf *ws_render(struct hub_event *event, enum hub_dialect dialect);

#endif
