/* SPDX-License-Identifier: ISC */
/* Routes of rooms: create, list, show, change, delete, join, leave, and the roles in a room. */
#include "api/http/request.h"
#include "api/room_shape.h"
#include "db/repo/repo_role.h"
#include "svc/room/room.h"

static void reply_room(struct request *request, const struct room *room)
{
	struct room_out out;

	room_shape(&out, room, request->req->task->pool);
	if (request->route->status == 201)
		request_location(request, "/api/rooms/%lld", (long long)room->id);
	request_reply(request, &shape_room_out, &out);
}

static void on_room(void *arg, const struct room *room, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		reply_room(arg, room);
}

/* Replies with the room after the change. */
static void on_changed(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_err field = { 0 };

	if (err != NULL && request->route->status == 201 && err->code == PL_E_INVALID) {
		pl_err_field(&field, request->req->task->pool, "body.role_ids", "value_error", "%s", pl_err_text(err));
		request_fail(request, &field);
		return;
	}
	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	if (request->route->status == 204)
		request_reply_empty(request);
	else
		reply_room(request, &result->room);
}

static enum reply_policy policy_of(struct pl_str word)
{
	return pl_str_is(word, "off") ? REPLY_OFF : pl_str_is(word, "mention") ? REPLY_MENTION : REPLY_ALL;
}

void api_room_create(struct request *request)
{
	const struct room_in *in = request->in;
	struct room_new room = { .name = in->name, .role_ids = in->role_ids.items,
		.role_count = in->role_ids.items != NULL ? in->role_ids.count : -1,
		.visibility = pl_str_is(in->visibility, "private") ? ROOM_PRIVATE : ROOM_PUBLIC,
		.reply_policy = REPLY_DEFAULT, .max_per_owner = request->req->config->s.rooms_per_user };
	int64_t made;

	if (request_made_id(request, &made)) {
		repo_room_get(request->svc->db, request->req->task, made, request->req->task->who.user_id,
		    request_is_admin(request), on_room, request);
		return;
	}
	if (in->reply_policy.ptr != NULL)
		room.reply_policy = policy_of(in->reply_policy);
	room_create(request->svc, request->req->task, &room, on_changed, request);
}

void api_room_patch(struct request *request)
{
	const struct room_patch_in *in = request->in;
	struct room_patch patch = { .name = in->name, .topic = in->topic, .description = in->description,
		.archived = in->archived, .visibility = -1, .reply_policy = -1,
		.slow_mode_s = in->slow_mode_seconds == SHAPE_NONE ? -1 : (int)in->slow_mode_seconds };
	int64_t id;

	if (in->visibility.ptr != NULL)
		patch.visibility = pl_str_is(in->visibility, "private") ? ROOM_PRIVATE : ROOM_PUBLIC;
	if (in->reply_policy.ptr != NULL)
		patch.reply_policy = (int)policy_of(in->reply_policy);
	if (request_id(request, 0, &id))
		room_patch(request->svc, request->req->task, id, &patch, on_changed, request);
}

static void on_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

void api_room_delete(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		room_delete(request->svc, request->req->task, id, on_deleted, request);
}

void api_room_get(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		repo_room_get(request->svc->db, request->req->task, id, request->req->task->who.user_id,
		    request_is_admin(request), on_room, request);
}

static struct room_out *rooms_shape(struct request *request, const struct room_list *list)
{
	struct room_out *items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));

	for (int i = 0; i < list->count; i++)
		room_shape(&items[i], &list->rows[i], request->req->task->pool);
	return items;
}

static void on_rooms(void *arg, const struct room_list *list, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	if (list->more)
		request_link_next(
		    request, "after=%lld&limit=%d", (long long)list->rows[list->count - 1].id, list->count);
	req_header_addf(request->req, "X-Total-Count", "%lld", (long long)(page_wanted(request) ? request->page_total :
	    list->total));
	request_reply_list(request, &shape_room_out, rooms_shape(request, list), list->count);
}

void api_room_list(struct request *request)
{
	const struct rooms_query *q = request->query;
	int64_t user = request->req->task->who.user_id;

	repo_room_list(request->svc->db, request->req->task, user, q->after == SHAPE_NONE ? 0 : q->after,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_rooms, request);
}

void api_room_join(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		room_join(request->svc, request->req->task, id, on_changed, request);
}

void api_room_leave(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		room_leave(request->svc, request->req->task, id, on_changed, request);
}

static void room_role(struct request *request, bool attach)
{
	int64_t room, role;

	if (request_id(request, 0, &room) && request_id(request, 1, &role))
		room_role_attach(request->svc, request->req->task, room, role, attach, on_changed, request);
}

void api_room_role_put(struct request *request)
{
	room_role(request, true);
}

void api_room_role_del(struct request *request)
{
	room_role(request, false);
}

/* ---- read markers ---- */

static void on_read(void *arg, const struct unread_count *count, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_err field = { 0 };

	if (err != NULL && err->code == PL_E_INVALID) {
		pl_err_field(&field, request->req->task->pool, "body.seq", "value_error", "%s", pl_err_text(err));
		err = &field;
	}
	if (err != NULL)
		request_fail(request, err);
	else
		request_reply(request, &shape_read_out, &(struct read_out){ .room_id = request->id,
			.last_read = count->last_read, .unread = count->unread, .mentions = count->mentions });
}

static void read_to(struct request *request, bool back)
{
	const struct read_in *in = request->in;

	if (request_id(request, 0, &request->id))
		room_read(request->svc, request->req->task, request->id, in->seq, back, on_read, request);
}

void api_room_read(struct request *request)
{
	read_to(request, false);
}

void api_room_unread(struct request *request)
{
	read_to(request, true);
}
