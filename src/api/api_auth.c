/* SPDX-License-Identifier: ISC */
/* Routes of accounts: register, log in, refresh, log out, passwords, own account, login sessions, tickets. */
#include "api/auth_shape.h"
#include "api/confirm_shape.h"
#include "api/user_shape.h"
#include "db/repo/name.h"
#include "db/repo/repo_user.h"
#include "svc/room/room.h"

#define AGENT_BYTES 512
#define LOGINS_MAX 200		/* maximum per list */

static struct pl_str access_word(int access)
{
	return pl_str(access_words[access >= 0 && access < 4 ? access : 0]);
}

void user_shape(struct user_out *out, const struct user *user)
{
	*out = (struct user_out){ .id = user->id, .username = user->username, .email = user->email,
		.email_verified = user->email.ptr != NULL ? user->email_verified : -1, .name = user->name,
		.access = access_word(user->access), .is_active = !user->disabled, .created_at = user->created_us };
}

void auth_reply_tokens(void *arg, const struct auth_tokens *tokens, const struct pl_err *err)
{
	struct request *request = arg;
	struct mailed_out made = { .message = PL_STR("The account was created. Open the link in the mail that is "
	    "on its way to its address, then log in.") };
	struct user_out user;
	struct token_out out;

	if (err != NULL) {
		if (tokens != NULL)
			request->req->mfa_ticket = tokens->mfa_ticket;
		request_fail(request, err);
		return;
	}
	user_shape(&user, &tokens->user);
	room_joined_by_invite(request->svc, &tokens->joined);
	if (tokens->access.ptr == NULL) {
		request_location(request, "/api/auth/login");
		request_reply_status(request, 202, &shape_mailed_out, &made);
		return;
	}
	out = (struct token_out){ .access_token = tokens->access, .refresh_token = tokens->refresh,
		.token_type = PL_STR("bearer"), .expires_in = tokens->expires_in_s,
		.mfa_enrolment_required = tokens->enrol ? 1 : -1, .user = &user,
		.room_id = tokens->joined.room_id > 0 ? tokens->joined.room_id : SHAPE_NONE };
	if (request->route->status == 201)
		request_location(request, "/api/auth/me");
	request_reply(request, &shape_token_out, &out);
}

/* Reports an invalid field that a shape cannot detect. */
static void fail_field(struct request *request, const char *field, const char *type, const char *msg)
{
	struct pl_err err = { 0 };

	pl_err_field(
	    &err, request->req->task->pool, pl_sprintf(request->req->task->pool, "body.%s", field), type, "%s", msg);
	request_fail(request, &err);
}

/* Clients may send any bytes as User-Agent; only text is kept, up to a limit. */
struct auth_client auth_client_of(const struct request *request)
{
	struct pl_str agent = req_header(request->req, "User-Agent");

	if (agent.ptr == NULL || !pl_utf8_ok(agent.ptr, agent.len))
		return (struct auth_client){ PL_STR_NONE };
	agent.len = pl_utf8_cut(agent.ptr, agent.len, AGENT_BYTES);
	return (struct auth_client){ agent };
}

void api_register(struct request *request)
{
	const struct register_in *in = request->in;
	struct user_new user = { .username = in->username, .email = in->email, .name = in->name,
		.invite = in->invite.ptr != NULL ?
		    invite_rule(request->req->config, request->req->task->pool, in->invite) : NULL };
	struct pl_err err = { 0 };
	int64_t made;

	if (request_made_id(request, &made)) {
		auth_register_again(request->svc, request->req->config, request->req->task, made,
		    auth_client_of(request), auth_reply_tokens, request);
	} else if (!auth_may_register(
		       request->req->config, request->req->task->pool, &user, in->password, &err)) {
		request_fail(request, &err);
	} else {
		req_defer(request->req);
		auth_register(request->svc, request->req->config, request->req->task, &user, in->password,
		    auth_client_of(request), auth_reply_tokens, request);
	}
}

static void refresh(struct request *request, struct pl_str token)
{
	struct pl_err err = { 0 };

	req_defer(request->req);
	if (!auth_refresh(
		request->svc, request->req->config, request->req->task, token, auth_reply_tokens, request, &err))
		request_fail(request, &err);
}

static void login(struct request *request, struct pl_str username, struct pl_str password)
{
	if (username.ptr == NULL) {
		fail_field(request, "username", "missing", "is required");
	} else if (password.ptr == NULL) {
		fail_field(request, "password", "missing", "is required");
	} else {
		req_defer(request->req);
		auth_login(request->svc, request->req->config, request->req->task, username, password,
		    auth_client_of(request), auth_reply_tokens, request);
	}
}

void api_login(struct request *request)
{
	const struct login_in *in = request->in;
	bool by_refresh = pl_str_is(in->grant_type, "refresh_token");

	if (in->grant_type.len > 0 && !by_refresh && !pl_str_is(in->grant_type, "password")) {
		request_fail_code(request, PL_E_BAD_GRANT_TYPE);
	} else if (by_refresh) {
		if (in->refresh_token.ptr == NULL)
			fail_field(request, "refresh_token", "missing", "is required");
		else
			refresh(request, in->refresh_token);
	} else {
		login(request, in->username, in->password);
	}
}

void api_refresh(struct request *request)
{
	const struct refresh_in *in = request->in;

	if (in->refresh_token.ptr != NULL)
		refresh(request, in->refresh_token);
	else if (in->username.ptr == NULL && in->password.ptr == NULL)
		fail_field(request, "refresh_token", "missing", "is required");
	else if (request_limits_more(request, LIMIT_LOGIN, PL_STR_NONE))
		login(request, in->username, in->password);
}

static void reply_done(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply_empty(request);
}

void api_logout(struct request *request)
{
	const struct logout_in *in = request->in;
	enum logout_scope scope = pl_str_is(in->scope, "global") ? LOGOUT_ALL :
	    pl_str_is(in->scope, "others") ? LOGOUT_OTHERS : LOGOUT_THIS;

	auth_logout(
	    request->svc, request->req->task, request->req->task->who.login_id, scope, false, reply_done, request);
}

void api_password(struct request *request)
{
	const struct password_in *in = request->in;
	struct confirm_given given;
	struct pl_err err = { 0 };

	if (!password_may_be(
		request->req->config, request->req->task->pool, "body.new_password", in->new_password, &err)) {
		request_fail(request, &err);
	} else if (in->current_password.ptr != NULL && pl_str_eq(in->new_password, in->current_password)) {
		fail_field(request, "new_password", "value_error", "must not be the current password");
	} else if (confirm_of(request, "body.current_password", in->current_password, in->code, in->recovery_code,
		       &given)) {
		req_defer(request->req);
		password_change(request->svc, request->req->config, request->req->task, &given, in->new_password,
		    reply_done, request);
	}
}

static void reply_asked(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;
	struct reset_out out = { .message = PL_STR("If this account exists and has an e-mail address, "
	    "the server sends a mail with a link for a new password.") };

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply(request, &shape_reset_out, &out);
}

struct pl_str mail_login(struct request *request)
{
	const struct reset_in *in = request->in;
	struct pl_err err = { 0 };

	if (in->email.ptr == NULL && in->username.ptr == NULL)
		fail_field(request, "email", "missing", "is required, or username");
	else if (in->email.ptr != NULL && in->username.ptr != NULL)
		fail_field(request, "username", "value_error", "must not be given together with email");
	else if (!password_reset_may_be(request->req->config, &err))
		request_fail(request, &err);
	else
		return in->email.ptr != NULL ? in->email : in->username;
	return PL_STR_NONE;
}

void api_reset_ask(struct request *request)
{
	struct pl_str login = mail_login(request);

	if (login.ptr != NULL)
		password_reset_ask(request->svc, request->req->task, login, reply_asked, request);
}

void api_reset(struct request *request)
{
	const struct reset_confirm_in *in = request->in;
	struct pl_err err = { 0 };

	if (!password_may_be(
		request->req->config, request->req->task->pool, "body.new_password", in->new_password, &err)) {
		request_fail(request, &err);
	} else {
		req_defer(request->req);
		password_reset(request->svc, request->req->task, in->token, in->new_password, reply_done, request);
	}
}

static void reply_user(void *arg, const struct user *user, const struct pl_err *err)
{
	struct request *request = arg;
	struct user_out out;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		request_fail_code(request, PL_E_UNAUTHORIZED); /* the account was deleted, the token is still valid */
	} else if (err != NULL) {
		request_fail(request, err);
	} else {
		user_shape(&out, user);
		request_reply(request, &shape_user_out, &out);
	}
}

void api_me(struct request *request)
{
	repo_user_get(request->svc->db, request->req->task, request->req->task->who.user_id, reply_user, request);
}

static void reply_logins(void *arg, const struct login_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct login_session_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		const struct login *l = &list->rows[i];

		items[i] = (struct login_session_out){ .id = l->id, .created_at = l->created_us,
			.last_used_at = l->last_used_us > 0 ? l->last_used_us : SHAPE_NONE, .expires_at = l->expires_us,
			.address = l->address, .user_agent = l->user_agent,
			.current = l->id == request->req->task->who.login_id };
	}
	if (list->more)
		request_link_next(
		    request, "before=%lld&limit=%d", (long long)list->rows[list->count - 1].id, list->count);
	request_reply_list(request, &shape_login_session_out, items, list->count);
}

void api_logins(struct request *request)
{
	const struct login_sessions_query *q = request->query;

	repo_login_list(request->svc->db, request->req->task, request->req->task->who.user_id,
	    q->before == SHAPE_NONE ? 0 : q->before, q->limit == SHAPE_NONE ? LOGINS_MAX : (int)q->limit, reply_logins,
	    request);
}

void api_login_end(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		auth_logout(request->svc, request->req->task, id, LOGOUT_THIS, true, reply_done, request);
}

void api_ticket(struct request *request)
{
	struct ticket_out out = { .ticket = ticket_make(request->svc, request->req->config, request->req->task),
		.expires_in = request->req->config->s.ws_ticket_life / 1000 };

	request_reply(request, &shape_ticket_out, &out);
}
