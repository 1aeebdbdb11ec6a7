/* SPDX-License-Identifier: ISC */
/*
 * /ws/signaling/{room_id} without parlour.v1: signalling of calls between members of a room. Frames: parlour-ws(7).
 *
 *   opened -> authenticated -> is it a member? -> open: frames are relayed
 *
 * What comes before it is known to be a member waits.
 */
#include "api/ws/ws_client.h"
#include "db/repo/repo_room.h"
#include "svc/account/limits.h"
#include "svc/room/signaling.h"

#define WAITING_MAX 32

/* In its task's pool. */
struct waiting { struct pl_task *task; const struct pl_jval *frame; struct waiting *next; };

struct ws_signaling {
	struct signaling_peer peer;
	struct waiting *waiting;
	int waiting_count;
};

struct opening { struct ws_client *client; struct pl_task *task; };

static void on_deliver(void *owner, struct pl_str frame)
{
	struct ws_client *client = owner;

	if (client->conn != NULL)
		(void)ws_send_text(client->conn, frame);
}

static void relay(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	struct pl_err err = { 0 };

	if (limits_take(client->svc, svc_config(client->svc), LIMIT_READ, &client->who, PL_STR_NONE, NULL, &err))
		ws_call_relay(client, &client->signaling->peer, task, frame, PL_STR_NONE);
	else
		ws_client_error(client, PL_STR_NONE, &err);
}

/* ---- opening ---- */

static void wait(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	struct ws_signaling *s = client->signaling;
	struct waiting *w = pl_alloc(task->pool, sizeof(*w)), **at = &s->waiting;
	struct pl_err err = { 0 };

	if (s->waiting_count >= WAITING_MAX) {
		pl_err_set(&err, PL_E_BUSY, NULL);
		ws_client_error(client, PL_STR_NONE, &err);
		return;
	}
	while (*at != NULL)
		at = &(*at)->next;
	*w = (struct waiting){ .task = pl_task_hold(task), .frame = frame };
	*at = w;
	s->waiting_count++;
}

static void waiting_end(struct ws_client *client, bool send)
{
	struct waiting *w;

	while ((w = client->signaling->waiting) != NULL) {
		struct pl_task *task = w->task;

		client->signaling->waiting = w->next;
		if (send)
			relay(client, task, w->frame);
		pl_task_release(&task);
	}
}

static void on_room(void *arg, const struct room *room, const struct pl_err *err)
{
	struct opening *o = arg;
	struct ws_client *client = o->client;
	struct pl_task *task = o->task;
	bool here = client->signaling != NULL && client->conn != NULL;

	if (here && err != NULL) {
		ws_client_close(client, err->code);
	} else if (here && room->level == LEVEL_NONE) {
		ws_client_close(client, PL_E_FORBIDDEN);	/* a public room: seen, but not one's own */
	} else if (here && !signaling_open(client->svc->signaling, &client->signaling->peer, client->room_id)) {
		ws_client_close(client, PL_E_BUSY);
	} else if (here) {
		client->room_open = true;
		waiting_end(client, true);
	}
	ws_client_release(&client);
	pl_task_release(&task);
}

static void signaling_ready(struct ws_client *client, bool by_handshake)
{
	struct pl_task *task = ws_client_task(client);
	struct opening *o = pl_alloc(task->pool, sizeof(*o));

	client->signaling = pl_new(sizeof(*client->signaling));
	client->signaling->peer = (struct signaling_peer){ .deliver = on_deliver, .owner = client };
	*o = (struct opening){ .client = ws_client_hold(client), .task = task };
	repo_room_get(client->svc->db, task, client->room_id, client->who.user_id, false, on_room, o);
}

/* ---- frames ---- */

static void signaling_frame(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	struct pl_err err = { 0 };

	if (pl_str_is(pl_json_str(pl_json_get(frame, "type")), "auth")) {
		ws_compat_auth(client, task, frame);
	} else if (!client->authed) {
		pl_err_set(&err, PL_E_UNAUTHORIZED, "Send {\"type\":\"auth\",\"token\":...} first.");
		ws_client_refuse(client, PL_STR_NONE, &err);
	} else if (!client->room_open) {
		wait(client, task, frame);
	} else {
		relay(client, task, frame);
	}
}

static void signaling_closed(struct ws_client *client)
{
	if (client->signaling == NULL)
		return;
	waiting_end(client, false);
	signaling_close(client->svc->signaling, &client->signaling->peer);
	pl_free(client->signaling);
	client->signaling = NULL;
}

static void signaling_ended(struct ws_client *client, int64_t room_id)
{
	ws_client_close(client, PL_E_NOT_FOUND);
}

const struct ws_dialect ws_signaling_compat = { .render = HUB_ROOM_COMPAT, .ready = signaling_ready,
	.frame = signaling_frame, .error = ws_compat_error, .ended = signaling_ended, .closed = signaling_closed };

void ws_open_signaling(struct call *call)
{
	int64_t room;

	if (pl_str_i64(call->param[0], 1, INT64_MAX, &room))
		ws_open_client(call, &ws_signaling_compat, room);
	else
		call_fail_code(call, PL_E_NOT_FOUND);
}
