/* SPDX-License-Identifier: ISC */
/*
 * The second way to speak on /ws/{session_id}: frames {"type","payload"} that carry the whole session. A socket speaks
 * so from its frame start_session on. Frames: parlour-ws(7), "Agent chat".
 */
#ifndef API_WS_AGENT_H
#define API_WS_AGENT_H

#include "api/ws/ws_frame.h"
#include "leaf.h"

typedef void (ws_agent_fn)(void *arg);

/* A part of the state of the session's socket; zeroed: not started. */
struct ws_agent {
	bool on;
	char channel[33];		/* preferredChannel; "": web */
	char *metadata;			/* JSON object of start_session; NULL: {} */
	struct ws_client *client;
	const char *id;			/* of the session */
	struct event *late;		/* reads again after a failure */
	bool telling, again;		/* the session is being read; it has changed since, or nobody heard of it */
	const char *type;		/* of the next frame, for `done`; NULL: none waits */
	ws_agent_fn *done;
	void *arg;
};

/* From start_session: switches, and keeps what the payload says. id outlives the agent. */
void ws_agent_start(struct ws_agent *agent, struct ws_client *client, const char *id, const struct pl_jval *payload);
/*
 * {"type":type,"payload":the session as it is now}; then `done`. One at a time, in order. After a temporary failure the
 * client gets an error if `done` is there, and in any case a session_update as soon as the session can be read.
 * done NULL: an update that nobody asked for; it waits until the socket has room.
 */
void ws_agent_tell(struct ws_agent *agent, const char *type, ws_agent_fn *done, void *arg);
void ws_agent_drained(struct ws_agent *agent);
/* {"type":"agent_status"}: thinking or idle. */
void ws_agent_status(struct ws_client *client, const char *id, const char *status);
/* The socket is gone. */
void ws_agent_fini(struct ws_agent *agent);

#endif
