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
	bool telling, again;		/* the session is being read; it has changed since */
	const char *type;		/* of the next frame, for `done`; NULL: none waits */
	ws_agent_fn *done;
	void *arg;
};

/* From start_session: switches, and keeps what the payload says. */
void ws_agent_start(struct ws_agent *agent, const struct pl_jval *payload);
/* {"type":type,"payload":the session `id` as it is now}; then `done` (may be NULL). One at a time, in order. */
void ws_agent_tell(struct ws_client *client, struct ws_agent *agent, const char *id, const char *type,
    ws_agent_fn *done, void *arg);
/* {"type":"agent_status"}: thinking or idle. */
void ws_agent_status(struct ws_client *client, const char *id, const char *status);
/* The socket is gone. */
void ws_agent_fini(struct ws_agent *agent);

#endif
