/* SPDX-License-Identifier: ISC */
/* Routes of a room's bans, and the change of its owner. */
#include "api/http/request.h"
#include "api/room_shape.h"
#include "api/user_ref.h"
#include "svc/room/room.h"

static void on_bans(void *arg, const struct room_ban_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct ban_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		const struct room_ban *b = &list->rows[i];

		items[i] = (struct ban_out){ .user_id = b->user_id, .username = b->username, .name = b->name,
			.banned_by = b->by_id > 0 ? b->by_id : SHAPE_NONE, .banned_by_username = b->by_name,
			.reason = b->reason, .created_at = b->created_us };
	}
	request_reply_list(request, &shape_ban_out, items, list->count);
}

void api_ban_list(struct request *request)
{
	if (request_id(request, 0, &request->id))
		repo_room_bans(request->svc->db, request->req->task, request->id, request->req->task->who.user_id,
		    request_is_admin(request), on_bans, request);
}

static void on_banned(void *arg, const struct room_result *result, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

static void ban(struct request *request, int64_t user_id)
{
	const struct ban_in *in = request->in;

	room_ban(request->svc, request->req->task, request->id, user_id, in->reason, on_banned, request);
}

void api_ban_add(struct request *request)
{
	struct pl_str name;
	int64_t user;

	if (request_id(request, 0, &request->id) && user_ref_param(request, 1, &user, &name))
		user_ref_find(request, user, name, ban);
}

static void on_unbanned(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

static void unban(struct request *request, int64_t user_id)
{
	repo_room_unban(request->svc->db, request->req->task, request->id, request->req->task->who.user_id,
	    request_is_admin(request), user_id, on_unbanned, request);
}

void api_ban_remove(struct request *request)
{
	struct pl_str name;
	int64_t user;

	if (request_id(request, 0, &request->id) && user_ref_param(request, 1, &user, &name))
		user_ref_find(request, user, name, unban);
}

static void on_handed_over(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct request *request = arg;
	struct room_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	room_shape(&out, &result->room, request->req->task->pool);
	request_reply(request, &shape_room_out, &out);
}

static void hand_over(struct request *request, int64_t user_id)
{
	room_hand_over(request->svc, request->req->task, request->id, user_id, on_handed_over, request);
}

void api_room_owner(struct request *request)
{
	const struct owner_in *in = request->in;

	if (request_id(request, 0, &request->id) && user_ref_body_ok(request, in->user_id, in->username))
		user_ref_find(request, in->user_id, in->username, hand_over);
}
