/* SPDX-License-Identifier: ISC */
/*
 * How handlers answer, and what is kept of an answered request (trace, access log, counters).
 */
#include <ctype.h>
#include <stdio.h>

#include "api/http/call.h"
#include "clock.h"
#include "db/repo/repo_user.h"
#include "log.h"

#define UUID_DIGITS 32
#define UUID_MAX 64		/* characters that may hold them */

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

static const char *method_name(enum req_method method)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

	return names[__builtin_ctz(method)];
}

/* One character of the target, escaped or not; how many bytes it takes. */
static size_t unescape(struct pl_str target, size_t at, char *c_r)
{
	if (target.ptr[at] == '%' && at + 2 < target.len && pl_unhex(pl_strn(target.ptr + at + 1, 2), c_r, 1))
		return 3;
	*c_r = target.ptr[at];
	return 1;
}

/* The 32 digits of a UUID from here on, whatever dashes are between them: where the 8th and the last one end. */
static bool is_uuid(struct pl_str target, size_t at, size_t *eighth_r, size_t *end_r)
{
	int digits = 0;
	char c;

	for (int n = 0; n < UUID_MAX && at < target.len && digits < UUID_DIGITS; n++) {
		at += unescape(target, at, &c);
		if (isxdigit((unsigned char)c))
			digits++;
		else if (c != '-' || digits == 0)
			return false;
		if (digits == 8 && c != '-')
			*eighth_r = at;
	}
	*end_r = at;
	return digits == UUID_DIGITS;
}

/*
 * A guest's session id is a credential: of what looks like one, wherever it stands and however it is escaped, the log
 * gets the first 8 characters.
 */
static const char *log_target(struct pl_pool *pool, struct pl_str target)
{
	struct pl_buf out = PL_BUF(pool);
	size_t at = 0, eighth = 0, end;

	while (at < target.len) {
		if (is_uuid(target, at, &eighth, &end)) {
			pl_buf_add(&out, target.ptr + at, eighth - at);
			pl_buf_adds(&out, "...");
			at = end;
		} else {
			pl_buf_addc(&out, target.ptr[at++]);
		}
	}
	return pl_buf_str(&out).ptr;
}

void dispatch_finished(void *arg, struct req *req)
{
	struct svc *svc = arg;
	struct pl_task *task = req->task;
	int64_t us = (pl_now_ns() - task->started_ns) / 1000;	/* net has counted it */
	struct shm_trace_rec rec = { .user_id = task->who.user_id, .wall_us = pl_wall_us(), .total_us = us,
		.sql_us = task->sql_ns / 1000, .upstream_us = req->upstream_us, .status = req->status,
		.slot = svc->shm->slot, .in_bytes = (uint32_t)req->body.len, .out_bytes = (uint32_t)req->reply_bytes };

	memcpy(rec.request_id, task->request_id, sizeof(rec.request_id));
	snprintf(rec.method, sizeof(rec.method), "%s", method_name(req->method));
	snprintf(rec.route, sizeof(rec.route), "%s", req->route != NULL ? req->route : "-");
	memcpy(rec.user, task->who.name, sizeof(rec.user));
	memcpy(rec.addr, task->who.addr, sizeof(rec.addr));
	snprintf(rec.error, sizeof(rec.error), "%s", req->error_code != NULL ? req->error_code : "");
	memcpy(rec.classes, req->classes, sizeof(rec.classes));
	snprintf(rec.upstream, sizeof(rec.upstream), "%s", req->upstream != NULL ? req->upstream : "");
	shm_trace_put(svc->shm, &rec);
	if (pl_access_on())
		pl_access("request_id=%s addr=%s user=%s method=%s target=%s route=%s status=%d bytes=%zu us=%lld "
		    "sql_us=%lld "
		    "limits=%s error=%s checked_ns=%lld", task->request_id, task->who.addr, task->who.name, rec.method,
		    log_target(task->pool, req->target), rec.route, req->status, req->reply_bytes, (long long)us,
		    (long long)rec.sql_us, rec.classes, rec.error, (long long)req->checked_ns);
}
