/* SPDX-License-Identifier: ISC */
/*
 * Routes of e-mail addresses: verify, change.
 */
#include "api/confirm_shape.h"
#include "api/user_shape.h"
#include "svc/account/email.h"

static void reply_verification(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;
	struct mailed_out out = { .message = PL_STR("If there is such an account and its e-mail address is not "
	    "verified, a mail with a link is on its way.") };

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply(request, &shape_mailed_out, &out);
}

void api_email_ask(struct request *request)
{
	struct pl_str login = mail_login(request);

	if (login.ptr != NULL)
		email_verify_ask(request->svc, request->req->task, login, reply_verification, request);
}

static void reply_done(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

void api_email_verify(struct request *request)
{
	const struct verify_in *in = request->in;

	email_verify(request->svc, request->req->task, in->token, reply_done, request);
}

static void reply_address(void *arg, const bool *now, const struct pl_err *err)
{
	struct request *request = arg;
	struct mailed_out out = { .message = PL_STR("A mail with a link is on its way to the new address, which "
	    "counts after the link was used.") };

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		request_fail_code(request, PL_E_UNAUTHORIZED);	/* the account is gone, the token is not */
	} else if (err != NULL) {
		request_fail(request, err);
	} else if (*now) {
		out.message = PL_STR("The address was changed.");
		request_reply_status(request, 200, &shape_mailed_out, &out);
	} else {
		request_reply(request, &shape_mailed_out, &out);
	}
}

void api_email_change(struct request *request)
{
	const struct email_in *in = request->in;
	struct confirm_given given;

	if (!confirm_of(request, "body.password", in->password, in->code, in->recovery_code, &given))
		return;
	req_defer(request->req);
	email_change(request->svc, request->req->config, request->req->task, in->email, &given, reply_address,
	    request);
}
