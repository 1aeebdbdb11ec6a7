/* SPDX-License-Identifier: ISC */
/*
 * Rows of rooms and messages as shapes.
 */
#include "api/room_shape.h"

#include "api/http/request.h"
#include "svc/room/room.h"

struct pl_str kind_word(int author_kind)
{
	return author_kind == AUTHOR_USER ? PL_STR("user") : author_kind == AUTHOR_ROLE ? PL_STR("role") :
	    PL_STR("system");
}

struct pl_str level_word(int level)
{
	static const char *const words[] = { NULL, "member", "moderator", "owner" };

	return pl_str(words[level >= 0 && level <= LEVEL_OWNER ? level : 0]);
}

/*
 * meta = {"model","usage":{..},"citations":[..],"knowledge","reasoning","reactions":[..],"pinned":{"by","us"}}, written
 * by us
 */
static void meta_shape(struct message_out *out, struct pl_str meta, struct pl_pool *pool)
{
	struct pl_err err = { 0 };
	const struct pl_jval *v = pl_json_parse(pool, meta, &err), *usage, *citations, *reactions, *pinned;

	if (v == NULL)
		return;
	usage = pl_json_get(v, "usage");
	citations = pl_json_get(v, "citations");
	reactions = pl_json_get(v, "reactions");
	pinned = pl_json_get(v, "pinned");
	out->model = pl_json_str(pl_json_get(v, "model"));
	out->knowledge = pl_json_str(pl_json_get(v, "knowledge"));
	out->reasoning = pl_json_str(pl_json_get(v, "reasoning"));
	if (citations != NULL)
		out->citations = citations->raw;
	if (usage != NULL)
		out->usage = usage->raw;
	if (reactions != NULL)
		out->reactions = reactions->raw;
	if (pinned != NULL && (!pl_json_i64(pl_json_get(pinned, "us"), 0, INT64_MAX, &out->pinned_at) ||
	    !pl_json_i64(pl_json_get(pinned, "by"), 0, INT64_MAX, &out->pinned_by)))
		out->pinned_at = out->pinned_by = SHAPE_NONE;
}

void message_shape(struct message_out *out, const struct message *m, struct pl_pool *pool)
{
	struct author_out *author = pl_alloc(pool, sizeof(*author));
	char *id = pl_alloc(pool, 48), *end = id + 48, *p = end;
	int64_t parts[2] = { m->seq, m->room_id };

	/* "room.seq", written backwards, because history pages run this very often */
	for (int i = 0; i < 2; i++) {
		int64_t n = parts[i];

		do
			*--p = (char)('0' + n % 10);
		while ((n /= 10) > 0);
		if (i == 0)
			*--p = '.';
	}
	*author = (struct author_out){ .kind = kind_word(m->author_kind), .id = m->author_id, .name = m->author_name };
	*out = (struct message_out){ .id = pl_strn(p, (size_t)(end - p)), .room_id = m->room_id, .seq = m->seq,
		.author = author, .user_id = m->author_kind == AUTHOR_USER ? m->author_id : SHAPE_NONE,
		.username = m->author_name,
		.user = m->author_display.ptr != NULL ? m->author_display : m->author_name, .timestamp = m->created_us,
		.message_type = m->author_kind == AUTHOR_ROLE ? PL_STR("ai_response") : PL_STR("text"),
		.role_id = m->author_kind == AUTHOR_ROLE ? m->author_id : SHAPE_NONE,
		.is_ai = m->author_kind == AUTHOR_ROLE, .content = m->content, .created_at = m->created_us,
		.reply_to = m->reply_to > 0 ? m->reply_to : SHAPE_NONE, .client_id = m->client_id,
		.generation_id = m->generation_id,
		.edited_at = m->edited_us > 0 ? m->edited_us : SHAPE_NONE,
		.deleted_at = m->deleted_us > 0 ? m->deleted_us : SHAPE_NONE, .pinned_at = SHAPE_NONE,
		.pinned_by = SHAPE_NONE, .duplicate = -1 };
	if (m->meta.ptr != NULL)
		meta_shape(out, m->meta, pool);
}

int messages_limit(const struct messages_query *query)
{
	return query->limit == SHAPE_NONE ? 50 : (int)query->limit;
}

void messages_link_next(struct request *request, int64_t first_seq, int64_t last_seq)
{
	const struct messages_query *q = request->query;

	/* not the count of this page, which may have ended early */
	if (q->after != SHAPE_NONE)
		request_link_next(request, "after=%lld&limit=%d", (long long)last_seq, messages_limit(q));
	else
		request_link_next(request, "before=%lld&limit=%d", (long long)first_seq, messages_limit(q));
}

static struct pl_str policy_word(const struct room *room)
{
	enum reply_policy policy = room_reply_policy(room->reply_policy, room->role_count);

	return policy == REPLY_OFF ? PL_STR("off") : policy == REPLY_ALL ? PL_STR("all") : PL_STR("mention");
}

void room_shape(struct room_out *out, const struct room *r, struct pl_pool *pool)
{
	struct room_role_out *roles = pl_alloc(pool, ((size_t)r->role_count + 1) * sizeof(*roles));

	for (int i = 0; i < r->role_count; i++)
		roles[i] = (struct room_role_out){ .id = r->role_ids[i], .name = r->role_displays[i],
			.mention_name = r->role_names[i] };
	*out = (struct room_out){ .id = r->id, .name = r->name,
		.visibility = r->visibility == ROOM_PUBLIC ? PL_STR("public") : PL_STR("private"),
		.reply_policy = policy_word(r), .owner_id = r->owner_id > 0 ? r->owner_id : SHAPE_NONE,
		.created_by = r->owner_id > 0 ? r->owner_id : SHAPE_NONE,
		.archived = r->archived, .last_seq = r->last_seq, .epoch = r->epoch, .members = r->member_count,
		.level = level_word(r->level), .roles = { roles, r->role_count }, .created_at = r->created_us,
		.last_at = r->last_us > 0 ? r->last_us : SHAPE_NONE,
		.last_read = r->has_marks ? r->last_read : SHAPE_NONE,
		.unread = r->has_marks && r->unread >= 0 ? r->unread : SHAPE_NONE,
		.mentions = r->has_marks && r->mentions >= 0 ? r->mentions : SHAPE_NONE,
		.favorite = r->has_marks ? r->favorite : -1, .muted = r->has_marks ? r->muted : -1,
		.muted_until = r->muted && r->muted_until_us != 0 ? r->muted_until_us : SHAPE_NONE,
		.muted_mentions = r->muted ? r->muted_mentions : -1,
		.topic = r->topic, .description = r->description, .slow_mode_seconds = r->slow_mode_s };
}
