/* SPDX-License-Identifier: ISC */
/*
 * Routes that delete the caller's account.
 */
#include "api/http/request.h"
#include "leaf.h"
#include "svc/account/account_delete.h"
#include "text.h"

#define PASSWORD_MAX 1024

static void on_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

static void delete(struct request *request, const struct account_proof *proof)
{
	req_defer(request->req);
	account_delete(request->svc, request->req->config, request->req->task, proof, on_deleted, request);
}

void api_profile_delete(struct request *request)
{
	const struct account_delete_in *in = request->in;
	struct account_proof proof = { .password = in->password, .given = { in->code, in->recovery_code },
		.loc_password = "body.password", .loc_code = in->recovery_code.ptr != NULL ? "body.recovery_code" :
		"body.code" };
	struct pl_err err = { 0 };

	if (in->code.ptr != NULL && in->recovery_code.ptr != NULL) {
		pl_err_field(&err, request->req->task->pool, "body.recovery_code", "value_error",
		    "must not be given together with code");
		request_fail(request, &err);
	} else {
		delete(request, &proof);
	}
}

/* Codes of apps are digits. */
static struct mfa_given code_of(struct pl_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return (struct mfa_given){ .recovery_code = text };
	return (struct mfa_given){ .code = text };
}

/* For clients that use the method DELETE, whose requests have no body here. */
void api_profile_delete_header(struct request *request)
{
	struct pl_str text = req_header(request->req, "X-Current-Password");
	struct pl_pool *pool = request->req->task->pool;
	struct account_proof proof = { .loc_password = "header.X-Current-Password", .loc_code = "header.X-Mfa-Code" };
	char *password = pl_alloc(pool, PASSWORD_MAX);
	struct pl_err err = { 0 };
	size_t bytes = 0;

	if (text.ptr == NULL)
		pl_err_field(&err, pool, proof.loc_password, "missing", "is required");
	else if (!pl_b64url_decode(text, password, PASSWORD_MAX, &bytes) || bytes == 0 ||
	    !pl_utf8_ok(password, bytes))
		pl_err_field(&err, pool, proof.loc_password, "value_error",
		    "must be 1 to %d bytes of UTF-8 text in base64url without padding", PASSWORD_MAX);
	if (err.code != PL_E_OK) {
		request_fail(request, &err);
		return;
	}
	proof.password = pl_text_password(pool, pl_strn(password, bytes));
	proof.given = code_of(req_header(request->req, "X-Mfa-Code"));
	delete(request, &proof);
}
