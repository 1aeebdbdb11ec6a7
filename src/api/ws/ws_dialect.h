/* SPDX-License-Identifier: ISC */
/*
 * A dialect: what is done with the frames of a path, and in which words its clients are told things.
 */
#ifndef API_WS_DIALECT_H
#define API_WS_DIALECT_H

#include "api/ws/ws_frames.h"
#include "json.h"
#include "svc/room/hub.h"

struct request;
struct ws_client;

/* What a path does with its frames. Members from `drained` on may be NULL: nothing happens then. */
struct ws_dialect {
	enum hub_dialect render;
	enum ws_words words;		/* which rows of frames.def are its own */
	size_t state_bytes;		/* of client->state, which is zeroed and freed with the client */
	/* Every known frame has one answer, refusals included; else who is beyond a limit is told once a second. */
	bool answers_each;
	bool has_ids;			/* frames may carry "id", which the direct answer repeats */
	/* What is said to a frame of an unknown type (NULL: the text of the code), and to one without a type. */
	const char *unknown;
	const char *untyped;		/* "": the text of bad_frame; NULL: the same as unknown */
	/* Authenticated for the first time: by the handshake, or by an auth frame. */
	void (*ready)(struct ws_client *client, bool by_handshake);
	void (*error)(struct ws_client *client, struct pl_str id, const struct pl_err *err);
	/* The socket has taken all that waited. */
	void (*drained)(struct ws_client *client);
	/* The handshake is good; before the socket is open. */
	void (*made)(struct ws_client *client, const struct request *request);
	/* Open, and nobody is logged in: true if it may go on as a guest's (no time-out for auth). */
	bool (*guest)(struct ws_client *client);
	/* Its user is no member of a room any more. (Listeners of that room learn it from the hub.) */
	void (*left)(struct ws_client *client, int64_t room_id);
	/* A frame about its user: topic user:me. session: the chat session it is about; "": none. */
	void (*about_user)(struct ws_client *client, const char *session, struct pl_str frame);
	/* Nobody is logged in; true if a setting lets this frame in. f->row: one for SETTING, or NULL: unknown. */
	bool (*lets_in)(const struct ws_frame *f);
	/* Not open yet: true if the frame waits, or was refused; ws_frame_run() when its turn comes. */
	bool (*waits)(struct ws_frame *f);
	/* The socket is gone. */
	void (*closed)(struct ws_client *client);
	/* Word of setting `anonymous` that makes a token needless: then ready() runs without one. NULL: never. */
	const char *anonymous;
};

#endif
