/* SPDX-License-Identifier: ISC */
/* Routes of reactions to messages, and of pinning them. */
#include "api/http/request.h"
#include "emoji.h"
#include "svc/room/revise.h"

static void on_changed(void *arg, const struct message_changed *result, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply_empty(request);
}

static bool read_emoji(struct request *request, struct pl_str text, const char *field, struct pl_str *emoji_r)
{
	struct pl_err err = { 0 };

	*emoji_r = pl_emoji(request->req->task->pool, text);
	if (emoji_r->ptr != NULL)
		return true;
	pl_err_field(&err, request->req->task->pool, field, "value_error", "must be one emoji");
	request_fail(request, &err);
	return false;
}

static void react(struct request *request, bool on)
{
	struct pl_str emoji;
	int64_t room_id, seq;

	if (request_id(request, 0, &room_id) && request_id(request, 1, &seq) &&
	    read_emoji(request, request->param[2], "path.emoji", &emoji))
		message_react(request->svc, request->req->task, room_id, seq, emoji, on, on_changed, request);
}

void api_reaction_put(struct request *request)
{
	react(request, true);
}

void api_reaction_del(struct request *request)
{
	react(request, false);
}

static void on_reactions(void *arg, const struct reaction_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct reaction_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		const struct reaction *r = &list->rows[i];

		items[i] = (struct reaction_out){ .id = r->id, .emoji = r->emoji, .user_id = r->user_id,
			.username = r->username, .name = r->name, .created_at = r->created_us };
	}
	if (list->more)
		request_link_next(request, "%safter=%lld&limit=%d", page_filters(request),
		    (long long)items[list->count - 1].id, list->count);
	request_reply_list(request, &shape_reaction_out, items, list->count);
}

void api_reactions(struct request *request)
{
	const struct reactions_query *q = request->query;
	struct reaction_range range = { .after = q->after == SHAPE_NONE ? 0 : q->after,
		.user_id = q->user_id == SHAPE_NONE ? 0 : q->user_id,
		.limit = q->limit == SHAPE_NONE ? 50 : (int)q->limit };
	int64_t room_id, seq;

	if (request_id(request, 0, &room_id) && request_id(request, 1, &seq) &&
	    (q->emoji.ptr == NULL || read_emoji(request, q->emoji, "query.emoji", &range.emoji)))
		repo_message_reactions(request->svc->db, request->req->task, room_id, seq, &range, on_reactions,
		    request);
}

static void pin(struct request *request, bool on)
{
	int64_t room_id, seq;

	if (request_id(request, 0, &room_id) && request_id(request, 1, &seq))
		message_pin(request->svc, request->req->task, room_id, seq, on, on_changed, request);
}

void api_pin_put(struct request *request)
{
	pin(request, true);
}

void api_pin_del(struct request *request)
{
	pin(request, false);
}
