/* SPDX-License-Identifier: ISC */
/*
 * How handlers answer, and what is kept of an answered request (trace, access log, counters).
 */
#include <stdio.h>

#include "api/call.h"
#include "clock.h"
#include "db/repo_user.h"
#include "log.h"

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
	reply_text(call, call->route->status, shape_json_list(shape, items, count, call->req->task->pool));
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
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	req_header_add(call->req, "Location", text);
}

void call_link_next(struct call *call, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	req_header_addf(call->req, "Link", "<%.*s?%s>; rel=\"next\"", PL_FMT(call->req->path), text);
}

static const char *method_name(enum req_method method)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

	return names[__builtin_ctz(method)];
}

/* A guest's session id is a credential: the log gets its first 8 characters. */
static const char *log_target(struct pl_pool *pool, struct pl_str target)
{
	static const char *const before[] = { "/api/sessions/", "/ws/" };

	for (size_t i = 0; i < PL_COUNT(before); i++) {
		size_t at = strlen(before[i]);

		if (target.len >= at + PL_UUID_LEN && pl_str_starts(target, before[i]) &&
		    pl_uuid_ok(pl_strn(target.ptr + at, PL_UUID_LEN)))
			return pl_sprintf(pool, "%.*s...%.*s", (int)at + 8, target.ptr, (int)(target.len - at - PL_UUID_LEN),
			    target.ptr + at + PL_UUID_LEN);
	}
	return pl_str_c(pool, target);
}

static void count(struct svc *svc, const struct req *req, int64_t us)
{
	static const enum shm_metric by_class[] = { SHM_M_http_2xx, SHM_M_http_3xx, SHM_M_http_4xx, SHM_M_http_5xx };
	int class = req->status / 100 - 2;

	if (class >= 0 && class < (int)PL_COUNT(by_class))
		shm_count(svc->shm, by_class[class], 1);
	shm_count(svc->shm, SHM_M_http_us, us);
	shm_latency(svc->shm, us);
}

void dispatch_finished(void *arg, struct req *req)
{
	struct svc *svc = arg;
	struct pl_task *task = req->task;
	int64_t us = (pl_now_ns() - task->started_ns) / 1000;
	struct shm_trace_rec rec = { .user_id = task->who.user_id, .wall_us = pl_wall_us(), .total_us = us,
		.sql_us = task->sql_ns / 1000, .upstream_us = req->upstream_us, .status = req->status, .slot = svc->shm->slot,
		.in_bytes = (uint32_t)req->body.len, .out_bytes = (uint32_t)req->reply_bytes };

	count(svc, req, us);
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
		pl_access("request_id=%s addr=%s user=%s method=%s target=%s route=%s status=%d bytes=%zu us=%lld sql_us=%lld "
		    "limits=%s error=%s checked_ns=%lld", task->request_id, task->who.addr, task->who.name, rec.method,
		    log_target(task->pool, req->target), rec.route, req->status, req->reply_bytes, (long long)us,
		    (long long)rec.sql_us, rec.classes, rec.error, (long long)req->checked_ns);
}
