/* SPDX-License-Identifier: ISC */
/*
 * A client on a WebSocket: who it is, what it listens to, which dialect it speaks.
 *
 * Life: made at the handshake, counted; the socket holds it once, and so does every operation in flight. When the socket
 * closes, `conn` becomes NULL and what completes later finds nobody to answer.
 */
#ifndef API_WS_CLIENT_H
#define API_WS_CLIENT_H

#include "api/call.h"
#include "net/ws.h"
#include "svc/hub.h"

struct ws_client;

/* What a path does with its frames. */
struct ws_dialect {
	enum hub_dialect render;
	/* The handshake is good; before the socket is open. May be NULL. */
	void (*made)(struct ws_client *client, const struct call *call);
	/* Open, and nobody is logged in: true if it may go on as a guest's (no time-out for auth). May be NULL. */
	bool (*guest)(struct ws_client *client);
	/* Authenticated for the first time: by the handshake, or by an auth frame. */
	void (*ready)(struct ws_client *client, bool by_handshake);
	void (*frame)(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame);
	void (*error)(struct ws_client *client, struct pl_str id, const struct pl_err *err);
	/* The client was taken out of the room. */
	void (*ended)(struct ws_client *client, int64_t room_id);
	/* The room's epoch changed: events after seq come. NULL: such a socket is closed with 1012. */
	void (*reset)(struct ws_client *client, int64_t room_id, int64_t epoch, int64_t seq);
	/* The socket is gone; may be NULL. */
	void (*closed)(struct ws_client *client);
	/* Word of setting `anonymous` that makes a token needless: then ready() runs without one. NULL: never. */
	const char *anonymous;
};
extern const struct ws_dialect ws_native, ws_room_compat, ws_signaling_compat, ws_metrics, ws_sessions;

struct ws_client {
	struct svc *svc;
	struct ws_conn *conn;			/* NULL: closed */
	const struct ws_dialect *dialect;
	struct ws_client *prev, *next;		/* all of this worker */
	struct hub_sub *subs;			/* through owner_next */
	int holds;
	uint16_t subs_count;
	bool authed, listens_me;		/* listens_me: topic user:me */
	int64_t room_id;			/* of the path, compatible room sockets */
	struct ws_session *session;		/* chatbot sockets: theirs */
	struct ws_waiting *waiting;		/* compatible room sockets: frames that came before the room was open */
	struct ws_signaling *signaling;		/* signalling sockets, once authenticated */
	bool room_open;
	int64_t limited_ns;			/* when ws_client_refuse() last told it that it is limited */
	struct ws_feed *feed;			/* /ws/metrics and /ws/sessions: what it gets and when */
	int64_t expires_us;			/* wall time of the token's end */
	struct pl_caller who;
};

/* The server of this worker's sockets; set once by app.c. */
extern struct ws_server *ws_sockets;

struct ws_client *ws_client_hold(struct ws_client *client);
void ws_client_release(struct ws_client **client);
/* A task for one frame: the client's caller, 10 s. */
struct pl_task *ws_client_task(struct ws_client *client);
/* Takes the identity of a checked token and arms its expiry; the first time calls dialect->ready. */
void ws_client_login(struct ws_client *client, const struct auth_who *who);
/* Closes with the code of errors.def; nothing when it is closed already. */
void ws_client_close(struct ws_client *client, enum pl_code code);
void ws_client_error(struct ws_client *client, struct pl_str id, const struct pl_err *err);
/*
 * The error for a frame that is none, or came too early: counts it as `read`. Beyond the limit the socket is told so once
 * a second only, so that answers cannot be asked for without end. (Known frames have one answer each, refusals included.)
 */
void ws_client_refuse(struct ws_client *client, struct pl_str id, const struct pl_err *err);
/* {"type":"error","message","code"}: errors of the compatible sockets. */
void ws_compat_error(struct ws_client *client, struct pl_str id, const struct pl_err *err);
/* Closes with 4408 unless a token comes in time. */
void ws_client_wait_auth(struct ws_client *client);
/* Sends what was written into buf. */
void ws_client_send(struct ws_client *client, const struct pl_buf *buf);
/* svc->on_revoked: closes this worker's sockets of a login session with 4410. */
void ws_revoked(int64_t login_id);
/* svc->on_member: tells a user's sockets that listen to user:me; ends signalling of who is no member any more. */
void ws_member(int64_t user_id, int64_t room_id, int64_t seq, bool joined);
/* Common part of the openers: token from subprotocol, ticket or query, then the take-over. */
void ws_open_client(struct call *call, const struct ws_dialect *dialect, int64_t room_id);
/* Checks an `auth` frame's token; `done` runs at once or later with the client held. */
void ws_client_auth(struct ws_client *client, struct pl_task *task, struct pl_str token,
    void (*done)(struct ws_client *client, struct pl_str id, const struct pl_err *err), struct pl_str id);

/* ws_subs.c: what it listens to */
struct hub_sub *ws_subs_find(struct ws_client *client, int64_t room_id);
void ws_subs_add(struct ws_client *client, struct hub_sub *sub);
void ws_subs_remove(struct ws_client *client, struct hub_sub *sub);	/* only unlinks */
void ws_subs_drop(struct ws_client *client, struct hub_sub *sub);	/* unlinks and unsubscribes */
void ws_subs_drop_all(struct ws_client *client);
extern const struct hub_sub_ops ws_sub_ops;

/* ws_render.c: an event as a frame of a dialect; NULL when that dialect has none for it. Kept in the event. */
struct ws_buf *ws_render(struct hub_event *event, enum hub_dialect dialect);

#endif
