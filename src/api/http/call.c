/* SPDX-License-Identifier: ISC */
/*
 * How handlers answer.
 */
#include "api/http/call.h"
#include "db/repo/repo_user.h"

bool call_id(struct call *call, int index, int64_t *id_r)
{
	if (index < call->params && pl_str_i64(call->param[index], 1, INT64_MAX, id_r))
		return true;
	call_fail_code(call, PL_E_NOT_FOUND);
	return false;
}

bool call_uuid(struct call *call, int index, struct pl_str *id_r)
{
	*id_r = index < call->params ? call->param[index] : PL_STR_NONE;
	if (id_r->ptr != NULL && pl_uuid_ok(*id_r))
		return true;
	call_fail_code(call, PL_E_NOT_FOUND);
	return false;
}

bool call_made_id(const struct call *call, int64_t *id_r)
{
	return call->made.ptr != NULL && pl_str_i64(call->made, 1, INT64_MAX, id_r);
}

bool call_is_admin(const struct call *call)
{
	return call->req->task->who.access == ACCESS_ADMIN;
}

bool call_anonymous(struct call *call, const char *word)
{
	if (call->req->task->who.user_id != 0 || svc_anonymous(call->req->config, word))
		return true;
	call_fail_code(call, PL_E_UNAUTHORIZED);
	return false;
}

static void reply_text(struct call *call, int status, struct pl_str body)
{
	if (call->idem != NULL)
		idem_reply(call, status, body, PL_STR_NONE);
	else
		req_reply(call->req, status, NULL, body);
}

void call_reply_status(struct call *call, int status, const struct shape *shape, const void *values)
{
	reply_text(call, status, shape_json(shape, values, call->req->task->pool));
}

void call_reply(struct call *call, const struct shape *shape, const void *values)
{
	call_reply_status(call, call->route->status, shape, values);
}

void call_reply_list(struct call *call, const struct shape *shape, const void *items, int count)
{
	reply_text(call, call->route->status, page_wanted(call) ? page_json(call, shape, items, count) :
	    shape_json_list(shape, items, count, call->req->task->pool));
}

void call_reply_empty(struct call *call)
{
	req_reply_empty(call->req, call->route->status);
}

void call_fail(struct call *call, const struct pl_err *err)
{
	if (call->idem != NULL)
		idem_fail(call, err);
	else
		req_fail(call->req, err);
}

void call_fail_code(struct call *call, enum pl_code code)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, code, NULL);
	call_fail(call, &err);
}

void call_location(struct call *call, const char *fmt, ...)
{
	struct pl_buf text = PL_BUF(call->req->task->pool);
	va_list args;

	va_start(args, fmt);
	pl_buf_addv(&text, fmt, args);
	va_end(args);
	req_header_add(call->req, "Location", text.ptr);
}

bool call_none_match(const struct call *call, const char *etag)
{
	struct pl_str rest = req_header(call->req, "If-None-Match"), tag;

	if (pl_str_is(pl_str_trim(rest), "*"))
		return true;
	while (rest.ptr != NULL && pl_str_cut(&rest, ',', &tag)) {	/* no tag of ours has a comma */
		tag = pl_str_trim(tag);
		if (pl_str_starts(tag, "W/"))
			tag = pl_strn(tag.ptr + 2, tag.len - 2);
		if (pl_str_is(tag, etag))
			return true;
	}
	return false;
}

void call_link_next(struct call *call, const char *fmt, ...)
{
	struct pl_buf text = PL_BUF(call->req->task->pool);
	va_list args;

	if (page_wanted(call))
		return;	/* a page says itself what comes next */
	pl_buf_addf(&text, "<%.*s?", PL_FMT(call->req->path));
	va_start(args, fmt);
	pl_buf_addv(&text, fmt, args);
	va_end(args);
	pl_buf_adds(&text, ">; rel=\"next\"");
	req_header_add(call->req, "Link", text.ptr);
}
