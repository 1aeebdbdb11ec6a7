/* SPDX-License-Identifier: ISC */
/*
 * Routes that delete the caller's account.
 */
#include "api/confirm_shape.h"
#include "svc/account/account_delete.h"

static void on_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

static void delete(struct request *request, const struct confirm_given *given)
{
	req_defer(request->req);
	account_delete(request->svc, request->req->config, request->req->task, given, on_deleted, request);
}

void api_profile_delete(struct request *request)
{
	const struct account_delete_in *in = request->in;
	struct confirm_given given;

	if (confirm_of(request, "body.password", in->password, in->code, in->recovery_code, &given))
		delete(request, &given);
}

/* For clients that use the method DELETE, whose requests have no body here. */
void api_profile_delete_header(struct request *request)
{
	struct confirm_given given;

	if (confirm_of_headers(request, &given))
		delete(request, &given);
}
