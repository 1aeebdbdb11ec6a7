/* SPDX-License-Identifier: ISC */
/*
 * Routes of rooms: make, list, look, join, leave, and the roles in them.
 */
#include "api/http/call.h"
#include "api/room_shape.h"
#include "db/repo/repo_role.h"
#include "svc/room/room.h"

static void reply_room(struct call *call, const struct room *room)
{
	struct room_out out;

	room_shape(&out, room, call->req->task->pool);
	if (call->route->status == 201)
		call_location(call, "/api/rooms/%lld", (long long)room->id);
	call_reply(call, &shape_room_out, &out);
}

static void on_room(void *arg, const struct room *room, const struct pl_err *err)
{
	if (err != NULL)
		call_fail(arg, err);
	else
		reply_room(arg, room);
}

/* The room after a change. */
static void on_changed(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct call *call = arg;
	struct pl_err field = { 0 };

	if (err != NULL && call->route->status == 201 && err->code == PL_E_INVALID) {
		pl_err_field(&field, call->req->task->pool, "body.role_ids", "value_error", "%s", pl_err_text(err));
		call_fail(call, &field);
		return;
	}
	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	if (call->route->status == 204)
		call_reply_empty(call);
	else
		reply_room(call, &result->room);
}

void api_room_create(struct call *call)
{
	const struct room_in *in = call->in;
	struct room_new room = { .name = in->name, .role_ids = in->role_ids.items,
		.role_count = in->role_ids.items != NULL ? in->role_ids.count : -1,
		.visibility = pl_str_is(in->visibility, "private") ? ROOM_PRIVATE : ROOM_PUBLIC,
		.reply_policy = REPLY_DEFAULT, .max_per_owner = call->req->config->s.rooms_per_user };
	int64_t made;

	if (call_made_id(call, &made)) {
		repo_room_get(call->svc->db, call->req->task, made, call->req->task->who.user_id, call_is_admin(call),
		    on_room, call);
		return;
	}
	if (pl_str_is(in->reply_policy, "off"))
		room.reply_policy = REPLY_OFF;
	else if (pl_str_is(in->reply_policy, "mention"))
		room.reply_policy = REPLY_MENTION;
	else if (pl_str_is(in->reply_policy, "all"))
		room.reply_policy = REPLY_ALL;
	room_create(call->svc, call->req->task, &room, on_changed, call);
}

void api_room_get(struct call *call)
{
	int64_t id;

	if (call_id(call, 0, &id))
		repo_room_get(call->svc->db, call->req->task, id, call->req->task->who.user_id, call_is_admin(call),
		    on_room, call);
}

static struct room_out *rooms_shape(struct call *call, const struct room_list *list)
{
	struct room_out *items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));

	for (int i = 0; i < list->count; i++)
		room_shape(&items[i], &list->rows[i], call->req->task->pool);
	return items;
}

static void on_rooms(void *arg, const struct room_list *list, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	if (list->more)
		call_link_next(call, "after=%lld&limit=%d", (long long)list->rows[list->count - 1].id, list->count);
	req_header_addf(call->req, "X-Total-Count", "%lld", (long long)(page_wanted(call) ? call->page_total :
	    list->total));
	call_reply_list(call, &shape_room_out, rooms_shape(call, list), list->count);
}

void api_room_list(struct call *call)
{
	const struct rooms_query *q = call->query;
	int64_t user = call->req->task->who.user_id;

	repo_room_list(call->svc->db, call->req->task, user, q->after == SHAPE_NONE ? 0 : q->after,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_rooms, call);
}

void api_room_join(struct call *call)
{
	int64_t id;

	if (call_id(call, 0, &id))
		room_join(call->svc, call->req->task, id, on_changed, call);
}

void api_room_leave(struct call *call)
{
	int64_t id;

	if (call_id(call, 0, &id))
		room_leave(call->svc, call->req->task, id, on_changed, call);
}

static void room_role(struct call *call, bool attach)
{
	int64_t room, role;

	if (call_id(call, 0, &room) && call_id(call, 1, &role))
		room_role_attach(call->svc, call->req->task, room, role, attach, on_changed, call);
}

void api_room_role_put(struct call *call)
{
	room_role(call, true);
}

void api_room_role_del(struct call *call)
{
	room_role(call, false);
}
