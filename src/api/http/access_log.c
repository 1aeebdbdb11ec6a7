/* SPDX-License-Identifier: ISC */
/* Records answered requests: the trace in shared memory (parlourctl why) and the line in the access log. */
#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "api/http/request.h"
#include "clock.h"
#include "log.h"

#define UUID_DIGITS 32
#define UUID_MAX 64		/* maximum number of characters of an escaped UUID */

static const char *method_name(enum req_method method)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

	return names[__builtin_ctz(method)];
}

/* Decodes one character of the target, escaped or not. Returns its number of bytes. */
static size_t unescape(struct pl_str target, size_t at, char *c_r)
{
	if (target.ptr[at] == '%' && at + 2 < target.len && pl_unhex(pl_strn(target.ptr + at + 1, 2), c_r, 1))
		return 3;
	*c_r = target.ptr[at];
	return 1;
}

/* Matches the 32 digits of a UUID, with any dashes between them. Returns where the 8th and the last digit end. */
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
 * The id of a guest's session is a credential. So the log gets only the first 8 characters of everything that looks
 * like one, wherever it is and however it is escaped.
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

/*
 * Escapes like nginx in this format: everything except printable ASCII, and quotes and backslashes. An empty text is
 * "-".
 */
static void add_escaped(struct pl_buf *out, struct pl_str text, bool blanks)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c > '~' || c == '"' || c == '\\' || (c == ' ' && !blanks))
			pl_buf_addf(out, "\\x%02X", c);
		else
			pl_buf_addc(out, (char)c);
	}
	if (text.len == 0)
		pl_buf_addc(out, '-');
}

/* The address of a page without its query, which does not belong in a log. */
static struct pl_str without_query(struct pl_str address)
{
	struct pl_str page = address;

	return address.ptr != NULL && pl_str_cut(&address, '?', &page) ? page : PL_STR_NONE;
}

/* The combined format of Apache and nginx. */
static void write_combined(struct req *req)
{
	struct pl_task *task = req->task;
	struct pl_buf line = PL_BUF(task->pool);
	struct pl_str referer = without_query(req_header(req, "Referer"));
	time_t now = (time_t)(pl_wall_us() / PL_US_PER_S);
	char when[40];
	struct tm tm;

	strftime(when, sizeof(when), "%d/%b/%Y:%H:%M:%S +0000", gmtime_r(&now, &tm));
	add_escaped(&line, pl_str(task->who.addr), false);
	pl_buf_adds(&line, " - ");
	add_escaped(&line, pl_str(task->who.name), false);
	pl_buf_addf(&line, " [%s] \"%s ", when, method_name(req->method));
	add_escaped(&line, req->target.len > 0 ? pl_str(log_target(task->pool, req->target)) : PL_STR_NONE, true);
	pl_buf_addf(&line, " HTTP/1.%d\" %d %zu \"", !req->is_http10, req->status,
	    req->reply_bytes - req->reply_head_bytes);
	add_escaped(&line, referer.len > 0 ? pl_str(log_target(task->pool, referer)) : PL_STR_NONE, true);
	pl_buf_adds(&line, "\" \"");
	add_escaped(&line, req_header(req, "User-Agent"), true);
	pl_buf_adds(&line, "\"\n");
	pl_access_line(line.ptr, line.len);
}

static void write_line(struct req *req, const struct shm_trace_rec *rec, int64_t us)
{
	struct pl_task *task = req->task;

	if (req->config->s.access_log_format == ACCESS_COMBINED)
		write_combined(req);
	else
		pl_access("request_id=%s addr=%s user=%s method=%s target=%s route=%s status=%d bytes=%zu us=%lld "
		    "sql_us=%lld limits=%s error=%s", task->request_id, task->who.addr, task->who.name, rec->method,
		    log_target(task->pool, req->target), rec->route, req->status, req->reply_bytes, (long long)us,
		    (long long)rec->sql_us, rec->classes, rec->error);
}

void access_log_finished(void *arg, struct req *req)
{
	struct svc *svc = arg;
	struct pl_task *task = req->task;
	int64_t us = (pl_now_ns() - task->started_ns) / 1000;	/* net counts it already */
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
		write_line(req, &rec, us);
}
