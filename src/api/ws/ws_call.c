/* SPDX-License-Identifier: ISC */
/* Signaling of calls: checks of a peer's frames, on native and on compatible sockets. Frames: parlour-ws(7). */
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
 * Members that the server sets. They are dropped if a client sends them. "id" belongs to direct answers on native
 * sockets, whatever the sender's socket.
 */
static bool is_ours(struct pl_str key)
{
	static const char *const ours[] = { "id", "from", "user_id", "username", "topic" };
	bool found = false;

	for (size_t i = 0; i < PL_COUNT(ours); i++)
		found = found || pl_str_is(key, ours[i]);
	return found;
}

/* Writes the frame with its true sender. false: the name of a member is not a plain word. */
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

void ws_call_relay(struct ws_frame *f, struct signaling_peer *peer)
{
	struct signaling *signaling = f->client->svc->signaling;
	bool joins = strcmp(f->row->type, "join") == 0, leaves = strcmp(f->row->type, "leave") == 0;
	bool shouts = !joins && !leaves && peer->hears && pl_json_str(pl_json_get(f->json, "to")).ptr == NULL;
	struct pl_buf out = PL_BUF(f->task->pool);
	struct pl_err err = { 0 };

	if (f->json->raw.len > SIGNALING_FRAME_MAX - 256)
		pl_err_set(&err, PL_E_TOO_LARGE, "a frame may have at most %d bytes", SIGNALING_FRAME_MAX - 256);
	else if (shouts && pl_json_get(f->json, "data") == NULL)
		pl_err_set(&err, PL_E_INVALID, "to is required, unless data is sent to all other members");
	else if (!joins && !shouts && peer->joined_ns == 0)
		pl_err_set(&err, PL_E_INVALID, "join must be the first frame");
	else if (!rewrite(f->client, peer, f->json, f->task->pool, &out))
		pl_err_set(&err, PL_E_BAD_FRAME, "names of members must have letters, digits, '_', and '-' only");
	if (err.code != PL_E_OK) {
		ws_frame_fail(f, &err);
		return;
	}
	if (joins)
		signaling_join(peer);
	if (leaves)
		signaling_leave(signaling, peer, pl_buf_str(&out));
	else if (shouts)
		signaling_shout(signaling, peer, pl_buf_str(&out));
	else
		signaling_send(signaling, peer, pl_json_str(pl_json_get(f->json, "to")), pl_buf_str(&out));
}
