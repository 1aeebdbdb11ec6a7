/* SPDX-License-Identifier: ISC */
/*
 * /ws/signaling/{room_id} without parlour.v1: signalling of calls between members of a room. Frames: parlour-ws(7).
 *
 *   opened -> authenticated -> is it a member? -> open: frames are relayed
 *
 * What comes before it is known to be a member waits.
 */
#include <ctype.h>

#include "api/ws_client.h"
#include "db/repo_room.h"
#include "svc/limits.h"
#include "svc/signaling.h"

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

/* ---- relaying ---- */

static bool is_word(struct pl_str key)
{
	for (size_t i = 0; i < key.len; i++)
		if (strchr("_-", key.ptr[i]) == NULL && !isalnum((unsigned char)key.ptr[i]))
			return false;
	return key.len > 0;
}

/* The frame with its true sender; what the client said about that is dropped. false: a member's name is no plain word. */
static bool rewrite(const struct ws_client *client, const struct pl_jval *frame, struct pl_pool *pool, struct pl_buf *out)
{
	static const char *const ours[] = { "from", "user_id", "username" };
	struct pl_jw w = PL_JW(out);

	pl_jw_object(&w);
	for (const struct pl_jval *v = frame->first; v != NULL; v = v->next) {
		bool skip = false;

		for (size_t i = 0; i < PL_COUNT(ours); i++)
			skip = skip || pl_str_is(v->key, ours[i]);
		if (skip)
			continue;
		if (!is_word(v->key))
			return false;
		pl_jw_kraw(&w, pl_str_dup(pool, v->key).ptr, v->raw);
	}
	pl_jw_kcstr(&w, "from", client->signaling->peer.id);
	pl_jw_ki64(&w, "user_id", client->who.user_id);
	pl_jw_kcstr(&w, "username", client->who.name);
	pl_jw_end_object(&w);
	return true;
}

enum kind { KIND_JOIN, KIND_LEAVE, KIND_OFFER, KIND_ANSWER, KIND_CANDIDATE, KIND_COUNT };

static enum kind kind_of(struct pl_str type)
{
	static const char *const words[] = { "join", "leave", "offer", "answer", "candidate" };
	int kind = 0;

	while (kind < KIND_COUNT && !pl_str_is(type, words[kind]))
		kind++;
	return (enum kind)kind;
}

/* What forbids relaying it, as err->code; PL_E_OK: nothing. */
static void check(struct ws_client *client, enum kind kind, const struct pl_jval *frame, struct pl_err *err)
{
	const struct pl_jval *to = pl_json_get(frame, "to");

	if (kind == KIND_COUNT)
		pl_err_set(err, PL_E_UNKNOWN_TYPE, "type must be join, offer, answer, candidate or leave");
	else if (frame->raw.len > SIGNALING_FRAME_MAX - 256)
		pl_err_set(err, PL_E_TOO_LARGE, "a frame may have at most %d bytes", SIGNALING_FRAME_MAX - 256);
	else if (to != NULL && (to->type != PL_J_STRING || to->text.len != SIGNALING_ID))
		pl_err_set(err, PL_E_INVALID, "to must be the id of a peer, as it came in from");
	else if (to == NULL && kind >= KIND_OFFER)
		pl_err_set(err, PL_E_INVALID, "to is needed: an %s goes to one peer", kind == KIND_OFFER ? "offer" :
		    kind == KIND_ANSWER ? "answer" : "ICE candidate");
	else if (kind != KIND_JOIN && client->signaling->peer.joined_ns == 0)
		pl_err_set(err, PL_E_INVALID, "join comes first");
	else
		(void)limits_take(client->svc, svc_config(client->svc), LIMIT_READ, &client->who, PL_STR_NONE, NULL, err);
}

static void relay(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	struct signaling_peer *peer = &client->signaling->peer;
	enum kind kind = kind_of(pl_json_str(pl_json_get(frame, "type")));
	struct pl_buf out = PL_BUF(task->pool);
	struct pl_err err = { 0 };

	check(client, kind, frame, &err);
	if (err.code == PL_E_OK && !rewrite(client, frame, task->pool, &out))
		pl_err_set(&err, PL_E_BAD_FRAME, "names of members must be plain words");
	if (err.code != PL_E_OK) {
		if (err.code == PL_E_RATE)
			ws_client_error(client, PL_STR_NONE, &err);
		else
			ws_client_refuse(client, PL_STR_NONE, &err);
		return;
	}
	if (kind == KIND_JOIN)
		signaling_join(peer);
	if (kind == KIND_LEAVE)
		signaling_leave(client->svc->signaling, peer, pl_buf_str(&out));
	else
		signaling_send(client->svc->signaling, peer, pl_json_str(pl_json_get(frame, "to")), pl_buf_str(&out));
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

static void on_auth(struct ws_client *client, struct pl_str id, const struct pl_err *err)
{
	if (err != NULL)
		ws_client_close(client, err->code == PL_E_REVOKED ? PL_E_REVOKED : PL_E_UNAUTHORIZED);
}

static void signaling_frame(struct ws_client *client, struct pl_task *task, const struct pl_jval *frame)
{
	struct pl_err err = { 0 };

	if (pl_str_is(pl_json_str(pl_json_get(frame, "type")), "auth")) {
		ws_client_auth(client, task, pl_json_str(pl_json_get(frame, "token")), on_auth, PL_STR_NONE);
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
