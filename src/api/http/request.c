/* SPDX-License-Identifier: ISC */
/* Replies of handlers. */
#include "api/http/request.h"
#include "db/repo/repo_user.h"

bool request_id(struct request *request, int index, int64_t *id_r)
{
	if (index < request->params && pl_str_i64(request->param[index], 1, INT64_MAX, id_r))
		return true;
	request_fail_code(request, PL_E_NOT_FOUND);
	return false;
}

bool request_uuid(struct request *request, int index, struct pl_str *id_r)
{
	*id_r = index < request->params ? request->param[index] : PL_STR_NONE;
	if (id_r->ptr != NULL && pl_uuid_ok(*id_r))
		return true;
	request_fail_code(request, PL_E_NOT_FOUND);
	return false;
}

bool request_made_id(const struct request *request, int64_t *id_r)
{
	return request->made.ptr != NULL && pl_str_i64(request->made, 1, INT64_MAX, id_r);
}

bool request_is_admin(const struct request *request)
{
	return request->req->task->who.access == ACCESS_ADMIN;
}

bool request_anonymous(struct request *request, const char *word)
{
	if (request->req->task->who.user_id != 0 || svc_anonymous(request->req->config, word))
		return true;
	request_fail_code(request, PL_E_UNAUTHORIZED);
	return false;
}

bool request_scope(unsigned wanted, unsigned scopes, struct pl_pool *pool, struct pl_err *err)
{
	struct pl_str words = apikey_scope_words(pool, wanted);

	if (scopes == 0 || (wanted & scopes) != 0)
		return true;
	if (wanted == SCOPE_LOGIN)
		return pl_err_set(err, PL_E_KEY_REFUSED, NULL);
	return pl_err_set(err, PL_E_SCOPE, wanted == SCOPE_ALL || (wanted & (wanted - 1)) == 0 ?
	    "The API key lacks the scope %.*s." : "The API key needs one of these scopes: %.*s.", PL_FMT(words));
}

static void reply_text(struct request *request, int status, struct pl_str body)
{
	if (request->idem != NULL)
		idem_reply(request, status, body, PL_STR_NONE);
	else
		req_reply(request->req, status, NULL, body);
}

void request_reply_status(struct request *request, int status, const struct shape *shape, const void *values)
{
	reply_text(request, status, shape_json(shape, values, request->req->task->pool));
}

void request_reply(struct request *request, const struct shape *shape, const void *values)
{
	request_reply_status(request, request->route->status, shape, values);
}

void request_reply_list(struct request *request, const struct shape *shape, const void *items, int count)
{
	reply_text(request, request->route->status, page_wanted(request) ? page_json(request, shape, items, count) :
	    shape_json_list(shape, items, count, request->req->task->pool));
}

void request_reply_empty(struct request *request)
{
	req_reply_empty(request->req, request->route->status);
}

void request_fail(struct request *request, const struct pl_err *err)
{
	if (request->idem != NULL)
		idem_fail(request, err);
	else
		req_fail(request->req, err);
}

void request_fail_code(struct request *request, enum pl_code code)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, code, NULL);
	request_fail(request, &err);
}

void request_location(struct request *request, const char *fmt, ...)
{
	struct pl_buf text = PL_BUF(request->req->task->pool);
	va_list args;

	va_start(args, fmt);
	pl_buf_addv(&text, fmt, args);
	va_end(args);
	req_header_add(request->req, "Location", text.ptr);
}

bool request_none_match(const struct request *request, const char *etag)
{
	struct pl_str rest = req_header(request->req, "If-None-Match"), tag;

	if (pl_str_is(pl_str_trim(rest), "*"))
		return true;
	while (rest.ptr != NULL && pl_str_cut(&rest, ',', &tag)) {	/* our tags contain no commas */
		tag = pl_str_trim(tag);
		if (pl_str_starts(tag, "W/"))
			tag = pl_strn(tag.ptr + 2, tag.len - 2);
		if (pl_str_is(tag, etag))
			return true;
	}
	return false;
}

void request_link_next(struct request *request, const char *fmt, ...)
{
	struct pl_buf text = PL_BUF(request->req->task->pool);
	va_list args;

	if (page_wanted(request))
		return;	/* a page contains the link to the next one */
	pl_buf_addf(&text, "<%.*s?", PL_FMT(request->req->path));
	va_start(args, fmt);
	pl_buf_addv(&text, fmt, args);
	va_end(args);
	pl_buf_adds(&text, ">; rel=\"next\"");
	req_header_add(request->req, "Link", text.ptr);
}
