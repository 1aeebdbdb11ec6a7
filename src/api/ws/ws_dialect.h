/* SPDX-License-Identifier: ISC */
/*
 * A dialect: what is done with the frames of a path, and in which words its clients are told things.
 */
#ifndef API_WS_DIALECT_H
#define API_WS_DIALECT_H

#include "json.h"
#include "svc/room/hub.h"

struct call;
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
	/* What the client missed of a room cannot be read now; it comes later. NULL: the client is not told. */
	void (*stalled)(struct ws_client *client, int64_t room_id, const struct pl_err *err);
	/* The socket has taken all that waited; may be NULL. */
	void (*drained)(struct ws_client *client);
	/* The socket is gone; may be NULL. */
	void (*closed)(struct ws_client *client);
	/* Word of setting `anonymous` that makes a token needless: then ready() runs without one. NULL: never. */
	const char *anonymous;
};

#endif
