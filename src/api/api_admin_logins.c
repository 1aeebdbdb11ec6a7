/* SPDX-License-Identifier: ISC */
/*
 * Routes of login sessions, lock-outs, and second factors for operators and admins.
 */
#include "api/user_ref.h"
#include "svc/account/administer.h"

#define LOGINS_USUAL 50

static int64_t time_or_none(int64_t us)
{
	return us > 0 ? us : SHAPE_NONE;
}

static void login_shape(struct admin_login_out *out, const struct admin_login *login)
{
	*out = (struct admin_login_out){ .id = login->id, .user_id = login->user_id, .username = login->username,
		.kind = login->kind, .name = login->name, .created_at = login->created_us,
		.last_used_at = time_or_none(login->last_used_us), .expires_at = time_or_none(login->expires_us),
		.address = login->address, .user_agent = login->user_agent, .ended_at = time_or_none(login->ended_us),
		.end_reason = login->end_reason };
}

static void on_logins(void *arg, const struct admin_login_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct admin_login_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		login_shape(&items[i], &list->rows[i]);
	if (list->more)
		request_link_next(request, "%sbefore=%lld&limit=%d", page_filters(request),
		    (long long)items[list->count - 1].id, list->count);
	request_reply_list(request, &shape_admin_login_out, items, list->count);
}

void api_admin_logins(struct request *request)
{
	const struct admin_logins_query *q = request->query;
	struct admin_login_ask ask = { .user = q->user, .state = q->state, .address = q->address,
		.before = q->before == SHAPE_NONE ? 0 : q->before,
		.limit = q->limit == SHAPE_NONE ? LOGINS_USUAL : (int)q->limit };

	repo_admin_login_list(request->svc->db, request->req->task, &ask, on_logins, request);
}

static void on_done(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

void api_admin_login_end(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		administer_login_end(request->svc, request->req->task, id, on_done, request);
}

static void unlock(struct request *request, int64_t user_id)
{
	repo_admin_user_unlock(request->svc->db, request->req->task, request->req->task->who.user_id, user_id, on_done,
	    request);
}

void api_admin_user_unlock(struct request *request)
{
	struct pl_str name;
	int64_t id;

	if (user_ref_param(request, 0, &id, &name))
		user_ref_find(request, id, name, unlock);
}

static void mfa_off(struct request *request, int64_t user_id)
{
	administer_mfa_off(request->svc, request->req->task, user_id, on_done, request);
}

void api_admin_user_mfa_off(struct request *request)
{
	struct pl_str name;
	int64_t id;

	if (user_ref_param(request, 0, &id, &name))
		user_ref_find(request, id, name, mfa_off);
}
