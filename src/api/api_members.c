/* SPDX-License-Identifier: ISC */
/*
 * Routes of a room's members.
 */
#include "api/http/request.h"
#include "api/room_shape.h"
#include "api/user_ref.h"
#include "db/repo/repo_user.h"
#include "svc/room/room.h"

static struct member_out member_shape(const struct request *request, const struct member *m)
{
	return (struct member_out){ .user_id = m->user_id, .username = m->username, .name = m->name,
		.level = level_word(m->level), .joined_at = m->joined_us,
		.online = shm_present_has(request->svc->shm, request->id, m->user_id) };
}

static void on_members(void *arg, const struct member_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct member_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		items[i] = member_shape(request, &list->rows[i]);
	if (list->more)
		request_link_next(
		    request, "after=%lld&limit=%d", (long long)items[list->count - 1].user_id, list->count);
	request_reply_list(request, &shape_member_out, items, list->count);
}

void api_member_list(struct request *request)
{
	const struct members_query *q = request->query;

	if (request_id(request, 0, &request->id))
		repo_member_list(request->svc->db, request->req->task, request->id, request->req->task->who.user_id,
		    request_is_admin(request), q->after == SHAPE_NONE ? 0 : q->after,
		    q->limit == SHAPE_NONE ? 200 : (int)q->limit, on_members, request);
}

struct add { int64_t user_id; enum member_level level; bool joined; };

static void on_added_member(void *arg, const struct member_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	const struct add *a = request->flow;
	struct member_out out;

	if (err != NULL || list->count == 0 || list->rows[0].user_id != a->user_id) {
		if (err != NULL)
			request_fail(request, err);
		else
			request_fail_code(request, PL_E_NOT_FOUND); /* the member was removed meanwhile */
		return;
	}
	out = member_shape(request, &list->rows[0]);
	if (a->joined)
		request_location(
		    request, "/api/rooms/%lld/members/%lld", (long long)request->id, (long long)a->user_id);
	request_reply_status(request, a->joined ? 201 : 200, &shape_member_out, &out);
}

static void reply_member(struct request *request)
{
	const struct add *a = request->flow;

	repo_member_list(request->svc->db, request->req->task, request->id, request->req->task->who.user_id,
	    request_is_admin(request), a->user_id - 1, 1, on_added_member, request);
}

static void on_added(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct request *request = arg;
	struct add *a = request->flow;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	a->joined = result->change.seq > 0 && pl_str_is(result->change.kind, "joined");
	reply_member(request);
}

static void add(struct request *request, int64_t user_id)
{
	struct add *a = request->flow;

	a->user_id = user_id;
	if (request->made.ptr != NULL)
		reply_member(request);
	else
		room_member_add(request->svc, request->req->task, request->id, a->user_id, a->level, on_added, request);
}

void api_member_add(struct request *request)
{
	const struct member_in *in = request->in;
	struct add *a = pl_alloc(request->req->task->pool, sizeof(*a));

	*a = (struct add){ .level = pl_str_is(in->level, "moderator") ? LEVEL_MODERATOR : LEVEL_MEMBER };
	request->flow = a;
	if (!request_id(request, 0, &request->id) || !user_ref_body_ok(request, in->user_id, in->username))
		return;
	a->joined = request->made_new;
	user_ref_find(request, in->user_id, in->username, add);
}

static void on_removed(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply_empty(request);
}

static void remove_member(struct request *request, int64_t user_id)
{
	room_member_remove(request->svc, request->req->task, request->id, user_id, on_removed, request);
}

void api_member_remove(struct request *request)
{
	struct pl_str name;
	int64_t user;

	if (request_id(request, 0, &request->id) && user_ref_param(request, 1, &user, &name))
		user_ref_find(request, user, name, remove_member);
}
