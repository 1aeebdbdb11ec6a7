/* SPDX-License-Identifier: ISC */
/*
 * Reads what confirms a sensitive act from bodies and headers.
 */
#include "api/confirm_shape.h"

#include "leaf.h"
#include "text.h"

#define PASSWORD_MAX 1024

bool confirm_of(struct request *request, const char *loc_password, struct pl_str password, struct pl_str code,
    struct pl_str recovery_code, struct confirm_given *given)
{
	struct pl_err err = { 0 };

	*given = (struct confirm_given){ .password = password, .given = { code, recovery_code },
		.loc_password = loc_password,
		.loc_code = recovery_code.ptr != NULL ? "body.recovery_code" : "body.code" };
	if (code.ptr == NULL || recovery_code.ptr == NULL)
		return true;
	pl_err_field(&err, request->req->task->pool, "body.recovery_code", "value_error",
	    "must not be given together with code");
	request_fail(request, &err);
	return false;
}

/* Codes of apps are digits. */
static struct mfa_given code_of(struct pl_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return (struct mfa_given){ .recovery_code = text };
	return (struct mfa_given){ .code = text };
}

bool confirm_of_headers(struct request *request, struct confirm_given *given)
{
	struct pl_str text = req_header(request->req, "X-Current-Password");
	struct pl_pool *pool = request->req->task->pool;
	char *password = pl_alloc(pool, PASSWORD_MAX);
	struct pl_err err = { 0 };
	size_t bytes = 0;

	*given = (struct confirm_given){ .given = code_of(req_header(request->req, "X-Mfa-Code")),
		.loc_password = "header.X-Current-Password", .loc_code = "header.X-Mfa-Code" };
	if (text.ptr == NULL)
		return true;
	if (!pl_b64url_decode(text, password, PASSWORD_MAX, &bytes) || bytes == 0 || !pl_utf8_ok(password, bytes)) {
		pl_err_field(&err, pool, given->loc_password, "value_error",
		    "must be 1 to %d bytes of UTF-8 text in base64url without padding", PASSWORD_MAX);
		request_fail(request, &err);
		return false;
	}
	given->password = pl_text_password(pool, pl_strn(password, bytes));
	return true;
}
