/* SPDX-License-Identifier: ISC */
/*
 * Signalling of calls: what a peer's frame may be, on native sockets and on compatible ones. Frames: parlour-ws(7).
 */
#include <ctype.h>

#include "api/ws/ws_call.h"
#include "svc/room/signaling.h"

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

void ws_call_relay(struct ws_frame *f, struct signaling_peer *peer)
{
	struct ws_client *client = f->client;
	const struct pl_jval *frame = f->json;
	enum kind kind = kind_of(pl_json_str(pl_json_get(frame, "type")));
	struct pl_buf out = PL_BUF(f->task->pool);
	struct pl_err err = { 0 };

	check(peer, kind, frame, &err);
	if (err.code == PL_E_OK && !rewrite(client, peer, frame, f->task->pool, &out))
		pl_err_set(&err, PL_E_BAD_FRAME, "names of members must be plain words");
	if (err.code != PL_E_OK) {
		ws_frame_fail(f, &err);
		return;
	}
	if (kind == KIND_JOIN)
		signaling_join(peer);
	if (kind == KIND_LEAVE)
		signaling_leave(client->svc->signaling, peer, pl_buf_str(&out));
	else
		signaling_send(client->svc->signaling, peer, pl_json_str(pl_json_get(frame, "to")), pl_buf_str(&out));
}
