/* SPDX-License-Identifier: ISC */
/* Writes hub events as frames, once per event, dialect, and worker, for all listeners. Frames: parlour-ws(7). */
#include <stdio.h>

#include "api/room_shape.h"
#include "api/ws/ws_client.h"

static void write_topic(struct pl_jw *w, int64_t room_id)
{
	char topic[32];

	snprintf(topic, sizeof(topic), "room:%lld", (long long)room_id);
	pl_jw_kcstr(w, "topic", topic);
}

static void write_actor(struct pl_jw *w, const char *key, struct pl_str kind, int64_t id, struct pl_str name)
{
	pl_jw_key(w, key);
	pl_jw_object(w);
	if (kind.ptr != NULL)
		pl_jw_kstr(w, "kind", kind);
	pl_jw_ki64(w, "id", id);
	pl_jw_kstr(w, "name", name);
	pl_jw_end_object(w);
}

static void native_log(struct pl_jw *w, const struct hub_event *e, struct pl_pool *pool)
{
	const struct room_change *c = &e->log.change;
	struct message_out message;

	if (e->log.is_message) {
		message_shape(&message, &e->log.message, pool);
		message.user = message.message_type = PL_STR_NONE;	/* only for front ends that use routes alone */
		message.timestamp = SHAPE_NONE;
		/* in a replay, their events follow */
		message.reactions = PL_STR_NONE;
		message.pinned_at = message.pinned_by = SHAPE_NONE;
		pl_jw_kcstr(w, "type", "message");
		write_topic(w, e->room_id);
		pl_jw_ki64(w, "seq", e->seq);
		pl_jw_key(w, "message");
		shape_write(&shape_message_out, &message, w);
		return;
	}
	pl_jw_kstr(w, "type", c->kind);
	write_topic(w, e->room_id);
	pl_jw_ki64(w, "seq", e->seq);
	write_actor(w, "actor", kind_word(c->actor_kind), c->actor_id, c->actor_name);
	if (c->target_seq > 0)
		pl_jw_ki64(w, "target_seq", c->target_seq);
	if (c->body.ptr != NULL)
		pl_jw_kraw(w, "body", c->body);
	pl_jw_ktime(w, "created_at", c->created_us);
}

static void write_ids(struct pl_jw *w, const char *key, const int64_t *ids, int count)
{
	if (ids == NULL || count == 0)
		return;
	pl_jw_key(w, key);
	pl_jw_array(w);
	for (int i = 0; i < count; i++)
		pl_jw_i64(w, ids[i]);
	pl_jw_end_array(w);
}

static void native_presence(struct pl_jw *w, const struct hub_event *e)
{
	pl_jw_kcstr(w, "type", "presence");
	write_topic(w, e->room_id);
	pl_jw_ki64(w, "count", e->presence.count);
	write_ids(w, "users", e->presence.users, e->presence.users_count);
	write_ids(w, "joined", e->presence.joined, e->presence.joined_count);
	write_ids(w, "left", e->presence.left, e->presence.left_count);
}

static void native_generation(struct pl_jw *w, const struct hub_event *e, bool asker)
{
	static const char *const states[] = { "queued", "started", "delta", "done", "failed", "cancelled",
		"interrupted" };
	const struct hub_generation *g = &e->gen;

	pl_jw_kcstr(w, "type", "generation");
	write_topic(w, e->room_id);
	pl_jw_kcstr(w, "generation_id", g->id);
	pl_jw_ki64(w, "role_id", g->role_id);
	if (g->role_name.len > 0)
		pl_jw_kstr(w, "role", g->role_name);
	pl_jw_ki64(w, "reply_to", g->reply_to);
	pl_jw_kcstr(w, "state", states[g->state]);
	pl_jw_ki64(w, "offset", g->offset);
	if (g->state == HUB_GEN_DELTA)
		pl_jw_kstr(w, "delta", g->text);
	if (g->answer_seq > 0)
		pl_jw_ki64(w, "answer_seq", g->answer_seq);
	if (g->error != PL_E_OK) {
		pl_jw_key(w, "error");
		pl_jw_object(w);
		pl_jw_kcstr(w, "code", pl_err_info(g->error)->code);
		pl_jw_kstr(w, "detail", asker && g->detail.len > 0 ? g->detail : pl_str(pl_err_info(g->error)->text));
		pl_jw_kbool(w, "temporary", pl_err_info(g->error)->temporary && !g->lasting);
		pl_jw_end_object(w);
	}
}

static bool render_native(struct pl_jw *w, const struct hub_event *e, struct pl_pool *pool, bool asker)
{
	pl_jw_object(w);
	switch (e->kind) {
	case HUB_LOG:
		native_log(w, e, pool);
		break;
	case HUB_TYPING:
		pl_jw_kcstr(w, "type", "typing");
		write_topic(w, e->room_id);
		write_actor(w, "user", PL_STR_NONE, e->user_id, e->user_name);
		break;
	case HUB_READ:
		pl_jw_kcstr(w, "type", "read");
		write_topic(w, e->room_id);
		pl_jw_ki64(w, "user_id", e->user_id);
		pl_jw_ki64(w, "seq", e->seq);
		break;
	case HUB_PRESENCE:
		native_presence(w, e);
		break;
	case HUB_GENERATION:
		native_generation(w, e, asker);
		break;
	}
	pl_jw_end_object(w);
	return true;
}

/* The compatible room socket sends whole messages only. */
static bool render_room(struct pl_jw *w, const struct hub_event *e, struct pl_pool *pool)
{
	const struct message *m = &e->log.message;
	bool is_role = m->author_kind == AUTHOR_ROLE;
	struct message_out out;

	if (e->kind != HUB_LOG || !e->log.is_message)
		return false;
	message_shape(&out, m, pool);
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", "message");
	pl_jw_kstr(w, "id", out.id);
	pl_jw_ki64(w, "room_id", m->room_id);
	pl_jw_kstr(w, "content", m->content);
	pl_jw_key(w, "user_id");
	if (m->author_kind == AUTHOR_USER)
		pl_jw_i64(w, m->author_id);
	else
		pl_jw_null(w);
	pl_jw_kstr(w, "username", m->author_name);
	pl_jw_kstr(w, "user", out.user);
	pl_jw_key(w, "role_id");
	if (is_role)
		pl_jw_i64(w, m->author_id);
	else
		pl_jw_null(w);
	pl_jw_kbool(w, "is_ai", is_role);
	pl_jw_kstr(w, "message_type", out.message_type);
	pl_jw_ktime(w, "created_at", m->created_us);
	pl_jw_ktime(w, "timestamp", m->created_us);
	pl_jw_end_object(w);
	return true;
}

static void rendered_free(void **rendered)
{
	struct ws_buf *buf = *rendered;

	ws_buf_release(&buf);
	*rendered = NULL;
}

struct ws_buf *ws_render(struct hub_event *event, enum hub_dialect dialect)
{
	struct pl_buf buf = PL_BUF(event->pool);
	struct pl_jw w = PL_JW(&buf);
	bool any;

	if (event->rendered[dialect] != NULL)
		return event->rendered[dialect];
	any = dialect == HUB_ROOM_COMPAT ? render_room(&w, event, event->pool) :
	    render_native(&w, event, event->pool, dialect == HUB_NATIVE_ASKER);
	if (!any)
		return NULL;
	event->rendered_free = rendered_free;
	event->rendered[dialect] = ws_buf_new(PL_WS_TEXT, pl_buf_str(&buf));
	return event->rendered[dialect];
}
