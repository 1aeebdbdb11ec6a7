/* SPDX-License-Identifier: ISC */
/*
 * Signalling of calls: what a peer's frame may be, and the native topics call:N. Compatible sockets of one room share
 * their peers with these: ws_signaling.c. Frames: parlour-ws(7).
 *
 *   subscribe call:7 -> is it a member? -> subscribed with the peer's id -> join, offer, answer, candidate, leave
 */
#include <ctype.h>

#include "api/ws/ws_native.h"
#include "db/repo/repo_room.h"
#include "svc/room/signaling.h"

#define CALLS_MAX 16		/* of one socket */

struct ws_call {
	struct signaling_peer peer;
	struct ws_client *client;
	int64_t room_id;
	struct opening *opening;	/* while it is not known whether they are a member */
	struct ws_call *next;
};

struct opening { struct ws_frame *frame; struct ws_call *call; };	/* call NULL: taken back */

/* ---- relaying ---- */

static bool is_word(struct pl_str key)
{
	for (size_t i = 0; i < key.len; i++)
		if (strchr("_-", key.ptr[i]) == NULL && !isalnum((unsigned char)key.ptr[i]))
			return false;
	return key.len > 0;
}

/*
 * The server's own members: what a client puts there is dropped. "id" belongs to direct answers on native sockets,
 * wherever the sender is.
 */
static bool is_ours(struct pl_str key)
{
	static const char *const ours[] = { "id", "from", "user_id", "username", "topic" };
	bool found = false;

	for (size_t i = 0; i < PL_COUNT(ours); i++)
		found = found || pl_str_is(key, ours[i]);
	return found;
}

/* The frame with its true sender. false: a member's name is no plain word. */
static bool rewrite(const struct ws_client *client, const struct signaling_peer *peer, const struct pl_jval *frame,
    struct pl_pool *pool, struct pl_buf *out)
{
	struct pl_jw w = PL_JW(out);

	pl_jw_object(&w);
	for (const struct pl_jval *v = frame->first; v != NULL; v = v->next) {
		if (is_ours(v->key))
			continue;
		if (!is_word(v->key))
			return false;
		pl_jw_kraw(&w, pl_str_dup(pool, v->key).ptr, v->raw);
	}
	pl_jw_kcstr(&w, "from", peer->id);
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
static void check(const struct signaling_peer *peer, enum kind kind, const struct pl_jval *frame, struct pl_err *err)
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
	else if (kind != KIND_JOIN && peer->joined_ns == 0)
		pl_err_set(err, PL_E_INVALID, "join comes first");
}

void ws_call_relay(struct ws_client *client, struct signaling_peer *peer, struct pl_task *task,
    const struct pl_jval *frame, struct pl_str id)
{
	enum kind kind = kind_of(pl_json_str(pl_json_get(frame, "type")));
	struct pl_buf out = PL_BUF(task->pool);
	struct pl_err err = { 0 };

	check(peer, kind, frame, &err);
	if (err.code == PL_E_OK && !rewrite(client, peer, frame, task->pool, &out))
		pl_err_set(&err, PL_E_BAD_FRAME, "names of members must be plain words");
	if (err.code != PL_E_OK) {
		ws_client_error(client, id, &err);
		return;
	}
	if (kind == KIND_JOIN)
		signaling_join(peer);
	if (kind == KIND_LEAVE)
		signaling_leave(client->svc->signaling, peer, pl_buf_str(&out));
	else
		signaling_send(client->svc->signaling, peer, pl_json_str(pl_json_get(frame, "to")), pl_buf_str(&out));
}

/* ---- topics call:N ---- */

static void topic_text(int64_t room_id, char text[32])
{
	snprintf(text, 32, "call:%lld", (long long)room_id);
}

/* What the server wrote begins with "{": the topic goes in front. */
static void on_deliver(void *owner, struct pl_str frame)
{
	const struct ws_call *call = owner;
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	char topic[32];

	topic_text(call->room_id, topic);
	pl_buf_addf(&buf, "{\"topic\":\"%s\",", topic);
	pl_buf_add(&buf, frame.ptr + 1, frame.len - 1);
	ws_client_send(call->client, &buf);
	pl_pool_free(&pool);
}

static struct ws_call *find(const struct ws_client *client, int64_t room_id)
{
	struct ws_call *call = client->calls;

	while (call != NULL && call->room_id != room_id)
		call = call->next;
	return call;
}

static void drop(struct ws_call *call)
{
	struct ws_client *client = call->client;
	struct ws_call **at = &client->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	if (call->opening != NULL)
		call->opening->call = NULL;
	signaling_close(client->svc->signaling, &call->peer);
	shm_count(client->svc->shm, SHM_M_subscriptions, -1);
	pl_free(call);
}

static void answer(struct ws_frame *f, const struct ws_call *call)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w;
	char topic[32];

	topic_text(call->room_id, topic);
	w = ws_frame_subscribed(f, &buf, topic, &(struct hub_subscribed){ .seq = 0 });
	pl_jw_kcstr(&w, "peer", call->peer.id);
	ws_frame_finish(f, &w);
}

static void on_room(void *arg, const struct room *room, const struct pl_err *err)
{
	struct opening *o = arg;
	struct ws_call *call = o->call;
	struct pl_err bad = { 0 };

	if (call != NULL) {
		call->opening = NULL;
		if (err != NULL)
			bad = *err;
		else if (room->level == LEVEL_NONE)
			pl_err_set(&bad, PL_E_FORBIDDEN, "Calls are for members of the room.");
		else if (!signaling_open(call->client->svc->signaling, &call->peer, call->room_id))
			pl_err_set(&bad, PL_E_BUSY, NULL);
		if (bad.code == PL_E_OK) {
			answer(o->frame, call);
		} else {
			drop(call);
			ws_frame_fail(o->frame, &bad);
		}
	}
	ws_frame_end(o->frame);
}

void ws_call_open(struct ws_frame *f, int64_t room_id)
{
	struct opening *o = pl_alloc(f->task->pool, sizeof(*o));
	struct ws_call *call = find(f->client, room_id);
	int count = 0;

	for (const struct ws_call *c = f->client->calls; c != NULL; c = c->next)
		count++;
	if (call == NULL && count >= CALLS_MAX) {
		ws_frame_fail_field(f, "topic", "is one too many: a socket may be in 16 calls");
		return;
	}
	ws_call_close(f->client, room_id);	/* again: another peer */
	call = pl_new(sizeof(*call));
	*call = (struct ws_call){ .peer = { .deliver = on_deliver, .owner = call }, .client = f->client,
		.room_id = room_id, .opening = o, .next = f->client->calls };
	f->client->calls = call;
	shm_count(f->client->svc->shm, SHM_M_subscriptions, 1);
	*o = (struct opening){ .frame = f, .call = call };
	ws_frame_hold(f);
	repo_room_get(f->client->svc->db, f->task, room_id, f->client->who.user_id, false, on_room, o);
}

/* Whoever asked for it and has no answer yet gets one. */
void ws_call_close(struct ws_client *client, int64_t room_id)
{
	struct ws_call *call = find(client, room_id);

	if (call == NULL)
		return;
	if (call->opening != NULL)
		ws_frame_fail(call->opening->frame, &(struct pl_err){ .code = PL_E_CANCELLED });
	drop(call);
}

void ws_call_close_all(struct ws_client *client)
{
	while (client->calls != NULL)
		drop(client->calls);
}

void ws_call_ended(struct ws_client *client, int64_t room_id)
{
	struct ws_call *call = find(client, room_id);
	char topic[32];

	if (call == NULL || call->opening != NULL)
		return;
	drop(call);
	topic_text(room_id, topic);
	ws_native_unsubscribed(client, topic, PL_E_NOT_FOUND);
}

void ws_on_call(struct ws_frame *f)
{
	struct pl_str topic = pl_json_str(pl_json_get(f->json, "topic"));
	struct ws_call *call = NULL;
	int64_t room_id;

	if (pl_str_starts(topic, "call:") && pl_str_i64(pl_strn(topic.ptr + 5, topic.len - 5), 1, INT64_MAX, &room_id))
		call = find(f->client, room_id);
	if (call != NULL && call->opening == NULL)
		ws_call_relay(f->client, &call->peer, f->task, f->json, f->id);
	else
		ws_frame_fail_field(f, "topic", "must be a call's, such as \"call:7\", and subscribed on this socket");
}
