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
struct ws_frame;

/* What a path does with its frames. Members from `drained` on may be NULL: nothing happens then. */
struct ws_dialect {
	enum hub_dialect render;
	size_t state_bytes;		/* of client->state, which is zeroed and freed with the client */
	/* Every known frame has one answer, refusals included; else who is beyond a limit is told once a second. */
	bool answers_each;
	/* Authenticated for the first time: by the handshake, or by an auth frame. */
	void (*ready)(struct ws_client *client, bool by_handshake);
	void (*frame)(struct ws_frame *f);
	void (*error)(struct ws_client *client, struct pl_str id, const struct pl_err *err);
	/* The socket has taken all that waited. */
	void (*drained)(struct ws_client *client);
	/* The handshake is good; before the socket is open. */
	void (*made)(struct ws_client *client, const struct call *call);
	/* Open, and nobody is logged in: true if it may go on as a guest's (no time-out for auth). */
	bool (*guest)(struct ws_client *client);
	/* Its user is no member of a room any more. (Whoever listens to that room learns it from the hub.) */
	void (*left)(struct ws_client *client, int64_t room_id);
	/* A frame about its user: topic user:me. */
	void (*about_user)(struct ws_client *client, struct pl_str frame);
	/* The socket is gone. */
	void (*closed)(struct ws_client *client);
	/* Word of setting `anonymous` that makes a token needless: then ready() runs without one. NULL: never. */
	const char *anonymous;
};

#endif
