/* SPDX-License-Identifier: ISC */
/*
 * /ws/signaling/{room_id} without parlour.v1: signaling of calls between members of a room. Frames: parlour-ws(7).
 *
 *   opened -> authenticated -> is it a member? -> open: frames are relayed
 *
 * Frames that come before the membership is known wait.
 */
#include "api/ws/ws_call.h"
#include "api/ws/ws_wait.h"
#include "db/repo/repo_room.h"
#include "svc/account/limits.h"
#include "svc/room/signaling.h"

struct signaling_state {
	int64_t room_id;
	struct signaling_peer peer;
	struct ws_wait wait;
	bool open;
};

struct opening { struct ws_client *client; struct pl_task *task; };

static void on_deliver(void *owner, struct pl_str frame)
{
	struct ws_client *client = owner;

	if (client->conn != NULL)
		(void)ws_send_text(client->conn, frame);
}

void ws_on_signaling(struct ws_frame *f)
{
	struct signaling_state *s = f->client->state;

	ws_call_relay(f, &s->peer);
}

/* ---- opening ---- */

static void relay_waiting(struct signaling_state *s)
{
	struct ws_frame *f;

	while ((f = ws_wait_pop(&s->wait)) != NULL) {
		ws_frame_run(f);
		ws_frame_end(f);
	}
}

static void on_room(void *arg, const struct room *room, const struct pl_err *err)
{
	struct opening *o = arg;
	struct ws_client *client = o->client;
	struct pl_task *task = o->task;
	struct signaling_state *s = client->state;
	bool here = client->conn != NULL;

	if (here && err != NULL) {
		ws_client_close(client, err->code);
	} else if (here && room->level == LEVEL_NONE) {
		ws_client_close(client, PL_E_FORBIDDEN);	/* a public room: visible, but the user is not a
								 * member */
	} else if (here && !signaling_open(client->svc->signaling, &s->peer, s->room_id)) {
		ws_client_close(client, PL_E_BUSY);
	} else if (here) {
		s->open = true;
		relay_waiting(s);
	}
	ws_client_release(&client);
	pl_task_release(&task);
}

static void signaling_ready(struct ws_client *client, bool by_handshake)
{
	struct pl_task *task = ws_client_task(client);
	struct opening *o = pl_alloc(task->pool, sizeof(*o));
	struct signaling_state *s = client->state;

	s->peer = (struct signaling_peer){ .deliver = on_deliver, .owner = client, .hears = true };
	*o = (struct opening){ .client = ws_client_hold(client), .task = task };
	repo_room_get(client->svc->db, task, s->room_id, client->who.user_id, false, on_room, o);
}

/* ---- frames ---- */

static bool signaling_waits(struct ws_frame *f)
{
	struct signaling_state *s = f->client->state;

	if (s->open)
		return false;
	if (!ws_wait_push(&s->wait, WS_WAIT_MAX, f))
		ws_frame_fail(f, &(struct pl_err){ .code = PL_E_BUSY });
	return true;
}

static void signaling_closed(struct ws_client *client)
{
	struct signaling_state *s = client->state;

	ws_wait_clear(&s->wait);
	signaling_close(client->svc->signaling, &s->peer);
}

static void signaling_made(struct ws_client *client, const struct request *request)
{
	struct signaling_state *s = client->state;

	s->room_id = request->id;
}

static void signaling_left(struct ws_client *client, int64_t room_id)
{
	const struct signaling_state *s = client->state;

	if (s->room_id == room_id)
		ws_client_close(client, PL_E_NOT_FOUND);
}

static const struct ws_dialect ws_signaling = { .render = HUB_ROOM_COMPAT, .words = WS_WORDS_signaling,
	.state_bytes = sizeof(struct signaling_state), .answers_each = true,
	.unknown = "type must be join, offer, answer, candidate, ice_candidate or leave", .made = signaling_made,
	.ready = signaling_ready, .error = ws_compat_error, .waits = signaling_waits, .left = signaling_left,
	.closed = signaling_closed };

void ws_open_signaling(struct request *request)
{
	if (pl_str_i64(request->param[0], 1, INT64_MAX, &request->id))
		ws_open_client(request, &ws_signaling);
	else
		request_fail_code(request, PL_E_NOT_FOUND);
}
