/* SPDX-License-Identifier: ISC */
/*
 * Routes of AI roles.
 */
#include "api/http/call.h"
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
	struct call *call = arg;
	struct role_out out;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	role_shape(&out, role);
	if (call->route->status == 201)
		call_location(call, "/api/roles/%lld", (long long)role->id);
	call_reply(call, &shape_role_out, &out);
}

/* true when fine; otherwise it has failed */
static bool check_role(struct call *call, struct pl_str name, struct pl_str upstream)
{
	struct pl_err err = { 0 };

	if (role_valid(call->req->config, call->req->task->pool, name, upstream, &err))
		return true;
	call_fail(call, &err);
	return false;
}

void api_role_create(struct call *call)
{
	const struct role_in *in = call->in;
	struct role role = { .owner_id = call->req->task->who.user_id, .display = pl_str_trim(in->name),
		.instructions = in->instructions.ptr != NULL ? in->instructions : in->ai_instructions,
		.avatar = in->avatar, .description = in->description, .upstream = in->upstream,
		.model = in->model, .temperature = isnan(in->temperature) ? -1 : in->temperature,
		.max_tokens = in->max_tokens == SHAPE_NONE ? 0 : (int)in->max_tokens };
	int64_t made;

	if (call_made_id(call, &made))
		repo_role_get(call->svc->db, call->req->task, made, reply_role, call);
	else if (check_role(call, role.display, in->upstream))
		repo_role_create(call->svc->db, call->req->task, &role, call->req->config->s.roles_per_user, reply_role,
		    call);
}

void api_role_patch(struct call *call)
{
	const struct role_patch_in *in = call->in;
	struct role_patch patch = { .display = in->name.ptr != NULL ? pl_str_trim(in->name) : PL_STR_NONE,
		.instructions = in->instructions.ptr != NULL ? in->instructions : in->ai_instructions,
		.avatar = in->avatar, .description = in->description, .upstream = in->upstream,
		.model = in->model, .set_temperature = !isnan(in->temperature),
		.temperature = isnan(in->temperature) ? -1 : in->temperature,
		.set_max_tokens = in->max_tokens != SHAPE_NONE,
		.max_tokens = in->max_tokens == SHAPE_NONE ? 0 : (int)in->max_tokens };
	int64_t id;

	if (call_id(call, 0, &id) && check_role(call, patch.display, in->upstream))
		repo_role_patch(call->svc->db, call->req->task, id, call->req->task->who.user_id, call_is_admin(call),
		    &patch, reply_role, call);
}

void api_role_get(struct call *call)
{
	int64_t id;

	if (call_id(call, 0, &id))
		repo_role_get(call->svc->db, call->req->task, id, reply_role, call);
}

static void reply_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	call_reply_empty(call);
}

void api_role_delete(struct call *call)
{
	int64_t id;

	if (call_id(call, 0, &id))
		role_delete(call->svc, call->req->task, id, reply_deleted, call);
}

static void reply_list(void *arg, const struct role_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct role_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		role_shape(&items[i], &list->rows[i]);
	if (list->more)
		call_link_next(call, "after=%lld&limit=%d", (long long)items[list->count - 1].id, list->count);
	call_reply_list(call, &shape_role_out, items, list->count);
}

void api_role_list(struct call *call)
{
	const struct list_query *q = call->query;

	repo_role_list(call->svc->db, call->req->task, 0, q->after == SHAPE_NONE ? 0 : q->after,
	    q->limit == SHAPE_NONE ? 50 : (int)q->limit, reply_list, call);
}
