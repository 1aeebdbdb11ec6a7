/* SPDX-License-Identifier: ISC */
/* Routes of roles. */
#include "api/http/request.h"
#include "svc/room/role.h"

static void role_shape(struct role_out *out, const struct role *r)
{
	*out = (struct role_out){ .id = r->id, .name = r->display, .mention_name = r->name,
		.instructions = r->instructions, .ai_instructions = r->instructions, .avatar = r->avatar,
		.description = r->description, .user_id = r->owner_id > 0 ? r->owner_id : SHAPE_NONE,
		.upstream = r->upstream, .model = r->model, .temperature = r->temperature < 0 ? (double)NAN :
		r->temperature, .max_tokens = r->max_tokens > 0 ? r->max_tokens : SHAPE_NONE,
		    .owner_id = r->owner_id > 0 ? r->owner_id : SHAPE_NONE,
		.created_at = r->created_us, .updated_at = r->updated_us };
}

static void reply_role(void *arg, const struct role *role, const struct pl_err *err)
{
	struct request *request = arg;
	struct role_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	role_shape(&out, role);
	if (request->route->status == 201)
		request_location(request, "/api/roles/%lld", (long long)role->id);
	request_reply(request, &shape_role_out, &out);
}

/* false: the request has failed. */
static bool check_role(struct request *request, struct pl_str name, struct pl_str upstream)
{
	struct pl_err err = { 0 };

	if (role_valid(request->req->config, request->req->task->pool, name, upstream, &err))
		return true;
	request_fail(request, &err);
	return false;
}

void api_role_create(struct request *request)
{
	const struct role_in *in = request->in;
	struct role role = { .owner_id = request->req->task->who.user_id, .display = pl_str_trim(in->name),
		.instructions = in->instructions.ptr != NULL ? in->instructions : in->ai_instructions,
		.avatar = in->avatar, .description = in->description, .upstream = in->upstream,
		.model = in->model, .temperature = isnan(in->temperature) ? -1 : in->temperature,
		.max_tokens = in->max_tokens == SHAPE_NONE ? 0 : (int)in->max_tokens };
	int64_t made;

	if (request_made_id(request, &made))
		repo_role_get(request->svc->db, request->req->task, made, reply_role, request);
	else if (check_role(request, role.display, in->upstream))
		repo_role_create(request->svc->db, request->req->task, &role, request->req->config->s.roles_per_user,
		    reply_role, request);
}

void api_role_patch(struct request *request)
{
	const struct role_patch_in *in = request->in;
	struct role_patch patch = { .display = in->name.ptr != NULL ? pl_str_trim(in->name) : PL_STR_NONE,
		.instructions = in->instructions.ptr != NULL ? in->instructions : in->ai_instructions,
		.avatar = in->avatar, .description = in->description, .upstream = in->upstream,
		.model = in->model, .set_temperature = !isnan(in->temperature),
		.temperature = isnan(in->temperature) ? -1 : in->temperature,
		.set_max_tokens = in->max_tokens != SHAPE_NONE,
		.max_tokens = in->max_tokens == SHAPE_NONE ? 0 : (int)in->max_tokens };
	int64_t id;

	if (request_id(request, 0, &id) && check_role(request, patch.display, in->upstream))
		repo_role_patch(request->svc->db, request->req->task, id, request->req->task->who.user_id,
		    request_is_admin(request), &patch, reply_role, request);
}

void api_role_get(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		repo_role_get(request->svc->db, request->req->task, id, reply_role, request);
}

static void reply_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	request_reply_empty(request);
}

void api_role_delete(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		role_delete(request->svc, request->req->task, id, reply_deleted, request);
}

static void reply_list(void *arg, const struct role_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct role_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		role_shape(&items[i], &list->rows[i]);
	if (list->more)
		request_link_next(request, "after=%lld&limit=%d", (long long)items[list->count - 1].id, list->count);
	request_reply_list(request, &shape_role_out, items, list->count);
}

void api_role_list(struct request *request)
{
	const struct list_query *q = request->query;

	repo_role_list(request->svc->db, request->req->task, 0, q->after == SHAPE_NONE ? 0 : q->after,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, reply_list, request);
}
