/* SPDX-License-Identifier: ISC */
/*
 * Routes of accounts for operators and admins.
 */
#include "api/user_ref.h"
#include "svc/account/administer.h"
#include "svc/account/auth.h"

#define USERS_USUAL 50

static void admin_user_shape(struct admin_user_out *out, const struct admin_user *a)
{
	const struct user *u = &a->user;

	*out = (struct admin_user_out){ .id = u->id, .username = u->username, .email = u->email, .name = u->name,
		.email_verified = u->email.ptr != NULL ? u->email_verified : -1,
		.access = pl_str(access_words[u->access]), .is_active = !u->disabled,
		.second_factor = u->second_factor, .logins = a->logins,
		.last_used_at = a->last_used_us > 0 ? a->last_used_us : SHAPE_NONE, .created_at = u->created_us,
		.updated_at = u->updated_us };
}

static void on_users(void *arg, const struct admin_user_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct admin_user_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		admin_user_shape(&items[i], &list->rows[i]);
	if (list->more)
		request_link_next(request, "%safter=%lld&limit=%d", page_filters(request),
		    (long long)items[list->count - 1].id, list->count);
	request_reply_list(request, &shape_admin_user_out, items, list->count);
}

void api_admin_users(struct request *request)
{
	const struct admin_users_query *q = request->query;
	struct admin_user_ask ask = { .match = q->query, .access = q->access,
		.disabled = q->state.ptr == NULL ? -1 : pl_str_is(q->state, "disabled"),
		.after = q->after == SHAPE_NONE ? 0 : q->after,
		.limit = q->limit == SHAPE_NONE ? USERS_USUAL : (int)q->limit };

	repo_admin_user_list(request->svc->db, request->req->task, &ask, on_users, request);
}

static void on_user(void *arg, const struct admin_user *user, const struct pl_err *err)
{
	struct admin_user_out out;

	if (err != NULL) {
		request_fail(arg, err);
		return;
	}
	admin_user_shape(&out, user);
	request_reply(arg, &shape_admin_user_out, &out);
}

void api_admin_user(struct request *request)
{
	struct pl_str name;
	int64_t id;

	if (user_ref_param(request, 0, &id, &name))
		repo_admin_user_get(request->svc->db, request->req->task, id, name, on_user, request);
}

static void on_changed(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		repo_admin_user_get(
		    request->svc->db, request->req->task, request->id, PL_STR_NONE, on_user, request);
}

static void change(struct request *request, int64_t user_id)
{
	const struct admin_user_in *in = request->in;

	request->id = user_id;
	administer_change(request->svc, request->req->task, user_id, in->access,
	    in->is_active == 0 || in->is_active == 1 ? !in->is_active : -1, on_changed, request);
}

void api_admin_user_patch(struct request *request)
{
	const struct admin_user_in *in = request->in;
	struct pl_err err = { 0 };
	struct pl_str name;
	int64_t id;

	if (in->access.ptr != NULL && !administer_may_grant(request->req->task, &err))
		request_fail(request, &err);
	else if (user_ref_param(request, 0, &id, &name))
		user_ref_find(request, id, name, change);
}

static void on_logged_out(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

static void log_out(struct request *request, int64_t user_id)
{
	administer_logout(request->svc, request->req->task, user_id, on_logged_out, request);
}

void api_admin_user_logout(struct request *request)
{
	struct pl_str name;
	int64_t id;

	if (user_ref_param(request, 0, &id, &name))
		user_ref_find(request, id, name, log_out);
}

static void delete(struct request *request, int64_t user_id)
{
	administer_delete(request->svc, request->req->config, request->req->task, user_id, on_logged_out, request);
}

void api_admin_user_delete(struct request *request)
{
	struct pl_str name;
	int64_t id;

	if (user_ref_param(request, 0, &id, &name))
		user_ref_find(request, id, name, delete);
}

static void reset(struct request *request, int64_t user_id)
{
	repo_admin_user_reset(request->svc->db, request->req->task, request->req->task->who.user_id, user_id,
	    on_logged_out, request);
}

void api_admin_user_reset(struct request *request)
{
	struct pl_err err = { 0 };
	struct pl_str name;
	int64_t id;

	if (!password_reset_may_be(request->req->config, &err))
		request_fail(request, &err);
	else if (user_ref_param(request, 0, &id, &name))
		user_ref_find(request, id, name, reset);
}

struct creating { struct request *request; struct pl_str password; };

static void on_created_read(void *arg, const struct admin_user *user, const struct pl_err *err)
{
	struct creating *c = arg;
	struct admin_user_out account;
	struct admin_user_made out = { .user = &account, .password = c->password };

	if (err != NULL) {
		request_fail(c->request, err);
		return;
	}
	admin_user_shape(&account, user);
	request_location(c->request, "/api/admin/users/%lld", (long long)account.id);
	request_reply(c->request, &shape_admin_user_made, &out);
}

static void on_created(void *arg, const struct administer_made *made, const struct pl_err *err)
{
	struct creating *c = arg;

	if (err != NULL) {
		request_fail(c->request, err);
		return;
	}
	c->password = made->password;
	repo_admin_user_get(
	    c->request->svc->db, c->request->req->task, made->id, PL_STR_NONE, on_created_read, c);
}

static int access_of(struct pl_str word)
{
	for (int i = 0; word.ptr != NULL && access_words[i] != NULL; i++)
		if (pl_str_is(word, access_words[i]))
			return i;
	return ACCESS_USER;
}

/* When the reply to a retried request was lost, the generated password is lost too. */
void api_admin_user_create(struct request *request)
{
	const struct admin_user_new *in = request->in;
	struct user_new user = { .username = in->username, .email = in->email, .name = in->name,
		.access = access_of(in->access) };
	struct creating *c = pl_alloc(request->req->task->pool, sizeof(*c));
	struct pl_err err = { 0 };
	int64_t made;

	*c = (struct creating){ .request = request };
	if (request_made_id(request, &made)) {
		repo_admin_user_get(
		    request->svc->db, request->req->task, made, PL_STR_NONE, on_created_read, c);
	} else if ((user.access != ACCESS_USER && !administer_may_grant(request->req->task, &err)) ||
	    !administer_may_create(
		request->req->config, request->req->task->pool, in->username, in->password, &err)) {
		request_fail(request, &err);
	} else {
		req_defer(request->req);
		administer_create(request->svc, request->req->task, &user, in->password, on_created, c);
	}
}
