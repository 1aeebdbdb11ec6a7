/* SPDX-License-Identifier: ISC */
/* Error replies: the same shape for all routes, or RFC 9457 if the client accepts application/problem+json. */
#include "net/req.h"

#include <strings.h>

#include "json.h"

static void add_fields(struct pl_jw *w, const struct pl_field_err *field)
{
	struct pl_str loc, part;
	int64_t index;

	pl_jw_array(w);
	for (; field != NULL; field = field->next) {
		pl_jw_object(w);
		pl_jw_key(w, "loc");
		pl_jw_array(w);
		loc = pl_str(field->loc);
		while (pl_str_cut(&loc, '.', &part)) {
			if (pl_str_i64(part, 0, INT32_MAX, &index))
				pl_jw_i64(w, index);
			else
				pl_jw_str(w, part);
		}
		pl_jw_end_array(w);
		pl_jw_kcstr(w, "msg", field->msg);
		pl_jw_kcstr(w, "type", field->type);
		pl_jw_end_object(w);
	}
	pl_jw_end_array(w);
}

/* OAuth clients (RFC 6749 5.2) and some clients that handle rate limits read `error`. */
static const char *error_of(const struct pl_err *err)
{
	switch (err->code) {
	case PL_E_BAD_LOGIN:
	case PL_E_MFA_REQUIRED:
	case PL_E_BAD_GRANT_TYPE:
		return pl_err_info(err->code)->code;
	case PL_E_RATE:
	case PL_E_SESSION_LIMIT:
		return pl_err_text(err);
	default:
		return NULL;
	}
}

static void add_common(struct pl_jw *w, const struct req *req, const struct pl_err *err)
{
	const struct pl_err_info *info = pl_err_info(err->code);

	pl_jw_kcstr(w, "code", info->code);
	if (error_of(err) != NULL)
		pl_jw_kcstr(w, "error", error_of(err));
	if (err->code == PL_E_MFA_REQUIRED)
		pl_jw_kstr(w, "mfa_ticket", req->mfa_ticket);
	pl_jw_kbool(w, "temporary", pl_err_temporary(err));
	if (err->retry_after_s > 0)
		pl_jw_ki64(w, "retry_after", err->retry_after_s);
	pl_jw_kcstr(w, "request_id", req->task->request_id);
}

static void add_plain(struct pl_jw *w, const struct req *req, const struct pl_err *err)
{
	struct pl_field_err whole = { .loc = "body", .msg = pl_err_text(err), .type = "value_error" };

	pl_jw_key(w, "detail");
	if (pl_err_info(err->code)->http_status == 422)
		add_fields(w, err->fields != NULL ? err->fields : &whole);
	else
		pl_jw_cstr(w, pl_err_text(err));
	add_common(w, req, err);
}

static void add_problem(struct pl_jw *w, const struct req *req, const struct pl_err *err)
{
	const struct pl_err_info *info = pl_err_info(err->code);

	pl_jw_kcstr(w, "type", "about:blank");
	pl_jw_kcstr(w, "title", info->text);
	pl_jw_ki64(w, "status", info->http_status);
	pl_jw_kcstr(w, "detail", pl_err_text(err));
	if (err->fields != NULL) {
		pl_jw_key(w, "errors");
		add_fields(w, err->fields);
	}
	add_common(w, req, err);
}

static bool wants_problem(const struct req *req)
{
	struct pl_str accept = req_header(req, "Accept"), part, type;

	while (pl_str_cut(&accept, ',', &part)) {
		if (pl_str_cut(&part, ';', &type) && pl_str_ieq(pl_str_trim(type), PL_STR("application/problem+json")))
			return true;
	}
	return false;
}

static bool has_header(const struct req *req, const char *name)
{
	for (const struct req_header *header = req->reply_headers; header != NULL; header = header->next) {
		if (strcasecmp(header->name, name) == 0)
			return true;
	}
	return false;
}

void req_fail(struct req *req, const struct pl_err *err)
{
	const struct pl_err_info *info = pl_err_info(err->code);
	struct pl_buf buf = PL_BUF(req->task->pool);
	struct pl_jw w = PL_JW(&buf);
	bool problem;

	req->error_code = info->code;
	if (req->gone) {
		req_reply_empty(req, info->http_status);	/* that client no longer reads */
		return;
	}
	problem = wants_problem(req);
	pl_jw_object(&w);
	if (problem)
		add_problem(&w, req, err);
	else
		add_plain(&w, req, err);
	pl_jw_end_object(&w);
	if (info->http_status == 401 && !has_header(req, "WWW-Authenticate"))
		req_header_add(req, "WWW-Authenticate", "Bearer");
	if (!has_header(req, "Retry-After") && (err->retry_after_s > 0 || info->http_status == 503))
		req_header_addf(req, "Retry-After", "%d", err->retry_after_s > 0 ? err->retry_after_s : 1);
	req_reply(req, info->http_status, problem ? "application/problem+json" : NULL, pl_buf_str(&buf));
}

void req_fail_code(struct req *req, enum pl_code code)
{
	struct pl_err err = { .code = code };

	req_fail(req, &err);
}
