/* SPDX-License-Identifier: ISC */
/*
 * Routes of a room's members.
 */
#include "api/http/call.h"
#include "api/room_shape.h"
#include "db/repo/repo_user.h"
#include "svc/room/room.h"

static void on_members(void *arg, const struct member_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct member_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		const struct member *m = &list->rows[i];

		items[i] = (struct member_out){ .user_id = m->user_id, .username = m->username,
			.level = level_word(m->level), .joined_at = m->joined_us,
			.online = shm_present_has(call->svc->shm, call->id, m->user_id) };
	}
	if (list->more)
		call_link_next(call, "after=%lld&limit=%d", (long long)items[list->count - 1].user_id, list->count);
	call_reply_list(call, &shape_member_out, items, list->count);
}

void api_member_list(struct call *call)
{
	const struct members_query *q = call->query;

	if (call_id(call, 0, &call->id))
		repo_member_list(call->svc->db, call->req->task, call->id, call->req->task->who.user_id,
		    call_is_admin(call), q->after == SHAPE_NONE ? 0 : q->after,
		    q->limit == SHAPE_NONE ? 200 : (int)q->limit, on_members, call);
}

struct add { int64_t user_id; enum member_level level; bool joined; };

static void on_added_member(void *arg, const struct member_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	const struct add *a = call->flow;
	struct member_out out;

	if (err != NULL || list->count == 0 || list->rows[0].user_id != a->user_id) {
		if (err != NULL)
			call_fail(call, err);
		else
			call_fail_code(call, PL_E_NOT_FOUND); /* removed again meanwhile */
		return;
	}
	out = (struct member_out){ .user_id = a->user_id, .username = list->rows[0].username,
		.level = level_word(list->rows[0].level), .joined_at = list->rows[0].joined_us,
		.online = shm_present_has(call->svc->shm, call->id, a->user_id) };
	if (a->joined)
		call_location(call, "/api/rooms/%lld/members/%lld", (long long)call->id, (long long)a->user_id);
	call_reply_status(call, a->joined ? 201 : 200, &shape_member_out, &out);
}

static void reply_member(struct call *call)
{
	const struct add *a = call->flow;

	repo_member_list(call->svc->db, call->req->task, call->id, call->req->task->who.user_id, call_is_admin(call),
	    a->user_id - 1, 1, on_added_member, call);
}

static void on_added(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct call *call = arg;
	struct add *a = call->flow;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	a->joined = result->change.seq > 0 && pl_str_is(result->change.kind, "joined");
	reply_member(call);
}

void api_member_add(struct call *call)
{
	const struct member_in *in = call->in;
	struct add *a = pl_alloc(call->req->task->pool, sizeof(*a));

	*a = (struct add){ .user_id = in->user_id, .level = pl_str_is(in->level, "moderator") ? LEVEL_MODERATOR :
		LEVEL_MEMBER };
	call->flow = a;
	if (!call_id(call, 0, &call->id))
		return;
	a->joined = call->made_new;
	if (call->made.ptr != NULL)
		reply_member(call);
	else
		room_member_add(call->svc, call->req->task, call->id, a->user_id, a->level, on_added, call);
}

static void on_removed(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL)
		call_fail(call, err);
	else
		call_reply_empty(call);
}

void api_member_remove(struct call *call)
{
	int64_t user;

	if (call_id(call, 0, &call->id) && call_id(call, 1, &user))
		room_member_remove(call->svc, call->req->task, call->id, user, on_removed, call);
}
