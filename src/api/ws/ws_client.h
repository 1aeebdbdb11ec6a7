/* SPDX-License-Identifier: ISC */
/*
 * A client on a WebSocket: who it is and which dialect it speaks.
 *
 * Life: made at the handshake, counted; the socket holds it once, and so does every operation in flight. When the
 * socket closes, `conn` becomes NULL and what completes later finds nobody to answer.
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
	void *state;				/* the dialect's own */
	int holds;
	bool authed;
	int64_t limited_ns;			/* when ws_client_refuse() last told it that it is limited */
	int64_t expires_us;			/* wall time of the token's end */
	struct pl_caller who;
};

/* The server of this worker's sockets; set once by app.c. */
extern struct ws_server *ws_sockets;

struct ws_client *ws_client_hold(struct ws_client *client);
void ws_client_release(struct ws_client **client);
/* A task for one frame: the client's caller, 10 s. */
struct pl_task *ws_client_task(struct ws_client *client);
/* Closes with the code of errors.def; nothing when it is closed already. */
void ws_client_close(struct ws_client *client, enum pl_code code);
void ws_client_error(struct ws_client *client, struct pl_str id, const struct pl_err *err);
/* Takes from the class `read`. false: beyond the limit, of which it is told once a second. */
bool ws_client_counts(struct ws_client *client, struct pl_str id) PL_MUSTCHECK;
/*
 * The error for an invalid frame, or one that came early: counts it as `read`. Beyond the limit the socket is told so
 * once a second only, so that answers cannot be asked for without end. (Known frames have one answer each, refusals
 * included.)
 */
void ws_client_refuse(struct ws_client *client, struct pl_str id, const struct pl_err *err);
/* {"type":"error","message","code"}: errors of the compatible sockets. */
void ws_compat_error(struct ws_client *client, struct pl_str id, const struct pl_err *err);
/* Closes with 4408 unless a token comes in time. */
void ws_client_wait_auth(struct ws_client *client);
/* Sends what was written into buf. */
void ws_client_send(struct ws_client *client, const struct pl_buf *buf);
/* ws_query.c: the socket of questions; the path's parameter is a name or "me". */
void ws_open_query(struct request *request);
/* Common part of the openers: token from subprotocol, ticket or query, then the take-over. */
void ws_open_client(struct request *request, const struct ws_dialect *dialect);
/* Checks an `auth` frame's token; `done` runs at once or later with the client held. */
void ws_client_auth(struct ws_client *client, struct pl_task *task, struct pl_str token,
    void (*done)(struct ws_client *client, struct pl_str id, const struct pl_err *err), struct pl_str id);

/* ws_subs.c: an event for this client, whose `sub` it is; as hub_sub_ops.event. */
bool ws_client_event(struct ws_client *client, const struct hub_sub *sub, struct hub_event *event);

/* ws_render.c: an event as a frame of a dialect; NULL when that dialect has none for it. Kept in the event. */
struct ws_buf *ws_render(struct hub_event *event, enum hub_dialect dialect);

#endif
