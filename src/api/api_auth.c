/* SPDX-License-Identifier: ISC */
/*
 * Routes of accounts: register, log in, refresh, log out, who am I, login sessions, tickets.
 */
#include "api/http/call.h"
#include "api/user_shape.h"
#include "db/repo/name.h"
#include "db/repo/repo_user.h"

#define AGENT_BYTES 512
#define LOGINS_MAX 200		/* of one list */

static struct pl_str access_word(int access)
{
	return pl_str(access_words[access >= 0 && access < 4 ? access : 0]);
}

void user_shape(struct user_out *out, const struct user *user)
{
	*out = (struct user_out){ .id = user->id, .username = user->username, .email = user->email, .name = user->name,
		.access = access_word(user->access), .is_active = !user->disabled, .created_at = user->created_us };
}

static void reply_tokens(void *arg, const struct auth_tokens *tokens, const struct pl_err *err)
{
	struct call *call = arg;
	struct user_out user;
	struct token_out out;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	user_shape(&user, &tokens->user);
	out = (struct token_out){ .access_token = tokens->access, .refresh_token = tokens->refresh,
		.token_type = PL_STR("bearer"), .expires_in = tokens->expires_in_s, .user = &user };
	if (call->route->status == 201)
		call_location(call, "/api/auth/me");
	call_reply(call, &shape_token_out, &out);
}

/* One more field that breaks a rule; for what shapes cannot say. */
static void fail_field(struct call *call, const char *field, const char *type, const char *msg)
{
	struct pl_err err = { 0 };

	pl_err_field(&err, call->req->task->pool, pl_sprintf(call->req->task->pool, "body.%s", field), type, "%s", msg);
	call_fail(call, &err);
}

/* What the client calls itself may be any bytes; only text is kept, and not much of it. */
static struct auth_client client_of(const struct call *call)
{
	struct pl_str agent = req_header(call->req, "User-Agent");

	if (agent.ptr == NULL || !pl_utf8_ok(agent.ptr, agent.len))
		return (struct auth_client){ PL_STR_NONE };
	agent.len = pl_utf8_cut(agent.ptr, agent.len, AGENT_BYTES);
	return (struct auth_client){ agent };
}

void api_register(struct call *call)
{
	const struct register_in *in = call->in;
	struct user_new user = { .username = in->username, .email = in->email, .name = in->name };
	struct pl_err err = { 0 };
	int64_t made;

	if (call_made_id(call, &made)) {
		auth_register_again(call->svc, call->req->config, call->req->task, made, client_of(call), reply_tokens,
		    call);
	} else if (!auth_may_register(call->req->config, call->req->task->pool, in->username, in->password, &err)) {
		call_fail(call, &err);
	} else {
		req_defer(call->req);
		auth_register(call->svc, call->req->config, call->req->task, &user, in->password,
		    client_of(call), reply_tokens, call);
	}
}

static void refresh(struct call *call, struct pl_str token)
{
	struct pl_err err = { 0 };

	req_defer(call->req);
	if (!auth_refresh(call->svc, call->req->config, call->req->task, token, reply_tokens, call, &err))
		call_fail(call, &err);
}

static void login(struct call *call, struct pl_str username, struct pl_str password)
{
	if (username.ptr == NULL) {
		fail_field(call, "username", "missing", "is required");
	} else if (password.ptr == NULL) {
		fail_field(call, "password", "missing", "is required");
	} else {
		req_defer(call->req);
		auth_login(call->svc, call->req->config, call->req->task, username, password, client_of(call),
		    reply_tokens, call);
	}
}

void api_login(struct call *call)
{
	const struct login_in *in = call->in;
	bool by_refresh = pl_str_is(in->grant_type, "refresh_token");

	if (in->grant_type.len > 0 && !by_refresh && !pl_str_is(in->grant_type, "password")) {
		call_fail_code(call, PL_E_BAD_GRANT_TYPE);
	} else if (by_refresh) {
		if (in->refresh_token.ptr == NULL)
			fail_field(call, "refresh_token", "missing", "is required");
		else
			refresh(call, in->refresh_token);
	} else {
		login(call, in->username, in->password);
	}
}

void api_refresh(struct call *call)
{
	const struct refresh_in *in = call->in;

	if (in->refresh_token.ptr != NULL)
		refresh(call, in->refresh_token);
	else if (in->username.ptr == NULL && in->password.ptr == NULL)
		fail_field(call, "refresh_token", "missing", "is required");
	else if (call_limits_more(call, LIMIT_LOGIN, PL_STR_NONE))
		login(call, in->username, in->password);
}

static void reply_done(void *arg, const bool *done, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL)
		call_fail(call, err);
	else
		call_reply_empty(call);
}

void api_logout(struct call *call)
{
	const struct logout_in *in = call->in;
	enum logout_scope scope = pl_str_is(in->scope, "global") ? LOGOUT_ALL :
	    pl_str_is(in->scope, "others") ? LOGOUT_OTHERS : LOGOUT_THIS;

	auth_logout(call->svc, call->req->task, call->req->task->who.login_id, scope, false, reply_done, call);
}

void api_password(struct call *call)
{
	const struct password_in *in = call->in;
	struct pl_err err = { 0 };

	if (!password_may_be(call->req->config, call->req->task->pool, "body.new_password", in->new_password, &err)) {
		call_fail(call, &err);
	} else if (pl_str_eq(in->new_password, in->current_password)) {
		fail_field(call, "new_password", "value_error", "must not be the current password");
	} else {
		req_defer(call->req);
		password_change(call->svc, call->req->task, in->current_password, in->new_password, reply_done, call);
	}
}

static void reply_user(void *arg, const struct user *user, const struct pl_err *err)
{
	struct call *call = arg;
	struct user_out out;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		call_fail_code(call, PL_E_UNAUTHORIZED); /* the account is gone, the token is not */
	} else if (err != NULL) {
		call_fail(call, err);
	} else {
		user_shape(&out, user);
		call_reply(call, &shape_user_out, &out);
	}
}

void api_me(struct call *call)
{
	repo_user_get(call->svc->db, call->req->task, call->req->task->who.user_id, reply_user, call);
}

static void reply_logins(void *arg, const struct login_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct login_session_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		const struct login *l = &list->rows[i];

		items[i] = (struct login_session_out){ .id = l->id, .created_at = l->created_us,
			.last_used_at = l->last_used_us > 0 ? l->last_used_us : SHAPE_NONE, .expires_at = l->expires_us,
			.address = l->address, .user_agent = l->user_agent,
			.current = l->id == call->req->task->who.login_id };
	}
	if (list->more)
		call_link_next(call, "before=%lld&limit=%d", (long long)list->rows[list->count - 1].id, list->count);
	call_reply_list(call, &shape_login_session_out, items, list->count);
}

void api_logins(struct call *call)
{
	const struct login_sessions_query *q = call->query;

	repo_login_list(call->svc->db, call->req->task, call->req->task->who.user_id,
	    q->before == SHAPE_NONE ? 0 : q->before, q->limit == SHAPE_NONE ? LOGINS_MAX : (int)q->limit, reply_logins,
	    call);
}

void api_login_end(struct call *call)
{
	int64_t id;

	if (call_id(call, 0, &id))
		auth_logout(call->svc, call->req->task, id, LOGOUT_THIS, true, reply_done, call);
}

void api_ticket(struct call *call)
{
	struct ticket_out out = { .ticket = ticket_make(call->svc, call->req->config, call->req->task),
		.expires_in = call->req->config->s.ws_ticket_life / 1000 };

	call_reply(call, &shape_ticket_out, &out);
}
