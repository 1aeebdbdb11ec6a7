/* SPDX-License-Identifier: ISC */
/*
 * A dialect: how the frames of a path are handled, and which frames its clients get.
 */
#ifndef API_WS_DIALECT_H
#define API_WS_DIALECT_H

#include "api/ws/ws_frames.h"
#include "json.h"
#include "svc/room/hub.h"

struct request;
struct ws_client;

/* The functions of a path. Members from `drained` on may be NULL: then nothing happens. */
struct ws_dialect {
	enum hub_dialect render;
	enum ws_words words;		/* the rows of frames.def that belong to it */
	size_t state_bytes;		/* of client->state, which is zeroed and freed with the client */
	/*
	 * Every known frame has one answer, refusals included; otherwise, an exceeded limit is reported once a second.
	 */
	bool answers_each;
	bool has_ids;			/* frames may carry "id", which the direct answer repeats */
	/* The error text for a frame of an unknown type (NULL: the text of the code), and for one without a type. */
	const char *unknown;
	const char *untyped;		/* "": the text of bad_frame; NULL: the same as unknown */
	/* Authenticated for the first time: by the handshake, or by an auth frame. */
	void (*ready)(struct ws_client *client, bool by_handshake);
	void (*error)(struct ws_client *client, struct pl_str id, const struct pl_err *err);
	/* Everything that waited was written to the socket. */
	void (*drained)(struct ws_client *client);
	/* The handshake was accepted; called before the socket is open. */
	void (*made)(struct ws_client *client, const struct request *request);
	/* The socket is open without authentication: true if it may continue as a guest (no time-out for auth). */
	bool (*guest)(struct ws_client *client);
	/* Its user is no longer a member of a room. (The hub notifies listeners of that room.) */
	void (*left)(struct ws_client *client, int64_t room_id);
	/* A frame about its user: topic user:me. session: the chat session it is about; "": none. */
	void (*about_user)(struct ws_client *client, const char *session, struct pl_str frame);
	/* Not authenticated: true if a setting allows this frame. f->row: one for SETTING, or NULL: unknown. */
	bool (*lets_in)(const struct ws_frame *f);
	/* Not open yet: true if the frame waits or was refused; call ws_frame_run() when its turn comes. */
	bool (*waits)(struct ws_frame *f);
	/* The socket has closed. */
	void (*closed)(struct ws_client *client);
	/*
	 * Word of setting `anonymous` that allows clients without a token: then ready() runs without one. NULL: never.
	 */
	const char *anonymous;
};

#endif
