/* SPDX-License-Identifier: ISC */
/*
 * Routes of second factors.
 */
#include "api/auth_shape.h"
#include "api/confirm_shape.h"
#include "svc/account/mfa.h"

/* Reads one of the two. false: 422 was sent. */
static bool given_of(struct request *request, struct pl_str code, struct pl_str recovery_code, struct mfa_given *given)
{
	struct pl_err err = { 0 };

	*given = (struct mfa_given){ code, recovery_code };
	if (code.ptr == NULL && recovery_code.ptr == NULL)
		pl_err_field(&err, request->req->task->pool, "body.code", "missing", "is required, or recovery_code");
	else if (code.ptr != NULL && recovery_code.ptr != NULL)
		pl_err_field(&err, request->req->task->pool, "body.recovery_code", "value_error",
		    "must not be given together with code");
	if (err.code != PL_E_OK)
		request_fail(request, &err);
	return err.code == PL_E_OK;
}

void api_mfa_login(struct request *request)
{
	const struct mfa_login_in *in = request->in;
	struct mfa_given given;

	if (given_of(request, in->code, in->recovery_code, &given))
		mfa_login(request->svc, request->req->config, request->req->task, in->mfa_ticket, given,
		    auth_client_of(request), auth_reply_tokens, request);
}

static void reply_state(void *arg, const struct mfa_state *state, const struct pl_err *err)
{
	struct request *request = arg;
	struct mfa_out out;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		request_fail_code(request, PL_E_UNAUTHORIZED); /* the account was deleted, the token is still valid */
	} else if (err != NULL) {
		request_fail(request, err);
	} else {
		out = (struct mfa_out){ .totp = state->on, .totp_since = state->on ? state->confirmed_us : SHAPE_NONE,
			.recovery_codes_left = state->codes_left,
			.has_password = state->has_password,
			.required = mfa_must(request->req->config, request->req->task->who.access) };
		request_reply(request, &shape_mfa_out, &out);
	}
}

void api_mfa(struct request *request)
{
	repo_mfa_state(request->svc->db, request->req->task, request->req->task->who.user_id, reply_state, request);
}

static void reply_made(void *arg, const struct totp_made *made, const struct pl_err *err)
{
	struct request *request = arg;
	struct totp_begin_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	out = (struct totp_begin_out){ .secret = made->secret, .otpauth_uri = made->uri };
	request_reply(request, &shape_totp_begin_out, &out);
}

void api_totp_begin(struct request *request)
{
	const struct totp_begin_in *in = request->in;
	struct confirm_given given = { .password = in->password, .loc_password = "body.password",
		.loc_code = "body.code" };

	totp_begin(request->svc, request->req->config, request->req->task, &given, reply_made, request);
}

static void reply_codes(void *arg, const struct pl_str codes[MFA_CODES], const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_buf buf = PL_BUF(request->req->task->pool);
	struct pl_jw w = PL_JW(&buf);
	struct recovery_codes_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	pl_jw_array(&w);
	for (int i = 0; i < MFA_CODES; i++)
		pl_jw_str(&w, codes[i]);
	pl_jw_end_array(&w);
	out = (struct recovery_codes_out){ .recovery_codes = pl_buf_str(&buf) };
	request_reply(request, &shape_recovery_codes_out, &out);
}

void api_totp_confirm(struct request *request)
{
	const struct totp_confirm_in *in = request->in;

	totp_confirm(request->svc, request->req->config, request->req->task, in->code, reply_codes, request);
}

static void reply_off(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply_empty(request);
}

void api_totp_off(struct request *request)
{
	const struct mfa_proof_in *in = request->in;
	struct confirm_given given;

	if (confirm_of(request, "body.password", in->password, in->code, in->recovery_code, &given))
		totp_off(request->svc, request->req->config, request->req->task, &given, reply_off, request);
}

void api_recovery_codes(struct request *request)
{
	const struct mfa_proof_in *in = request->in;
	struct confirm_given given;

	if (confirm_of(request, "body.password", in->password, in->code, in->recovery_code, &given))
		mfa_codes_renew(request->svc, request->req->config, request->req->task, &given, reply_codes, request);
}
