/* SPDX-License-Identifier: ISC */
/*
 * From a request to its handler: route -> token -> [check of the token in PostgreSQL] -> rate class -> query and body
 * by shape -> [Idempotency-Key] -> handler.
 */
#include <stdio.h>

#include "api/http/request.h"
#include "clock.h"
#include "log.h"
#include "multipart.h"

static void checked(struct request *request);

/* Replies with 405, or to OPTIONS. */
static void tell_methods(struct req *req, unsigned methods)
{
	static const struct { enum req_method method; const char *name; } names[] = {
		{ REQ_GET, "GET, HEAD" }, { REQ_POST, "POST" }, { REQ_PUT, "PUT" }, { REQ_PATCH, "PATCH" },
		    { REQ_DELETE, "DELETE" },
	};
	struct pl_buf allow = PL_BUF(req->task->pool);

	for (size_t i = 0; i < PL_COUNT(names); i++)
		if (methods & names[i].method)
			pl_buf_addf(&allow, "%s%s", allow.len > 0 ? ", " : "", names[i].name);
	pl_buf_adds(&allow, allow.len > 0 ? ", OPTIONS" : "OPTIONS");
	req_header_add(req, "Allow", allow.ptr);
	if (req->method == REQ_OPTIONS)
		req_reply_empty(req, 204);
	else
		req_fail_code(req, PL_E_BAD_METHOD);
}

/* ---- limits ---- */

/* The limit with the least room goes into the reply and the log. */
static bool limits_checked(struct request *request, bool ok, const struct pl_err *err)
{
	const struct limit_result *result = &request->limits;
	char limit[96], policy[96];

	if (result->tightest != LIMIT_NONE) {
		limits_headers(result, limit, policy);
		req_header_set(request->req, "RateLimit", limit);
		req_header_set(request->req, "RateLimit-Policy", policy);
		snprintf(request->req->classes, sizeof(request->req->classes), "%s %lld/%lld",
		    limit_name(result->tightest), (long long)result->state.remaining, (long long)result->rate.burst);
	}
	if (!ok)
		request_fail(request, err);
	return ok;
}

bool request_limits(struct request *request, enum limit_class klass, struct pl_str extra)
{
	struct pl_err err = { 0 };
	bool ok = limits_take(
	    request->svc, request->req->config, klass, &request->req->task->who, extra, &request->limits, &err);

	return limits_checked(request, ok, &err);
}

bool request_limits_more(struct request *request, enum limit_class klass, struct pl_str extra)
{
	struct pl_err err = { 0 };
	bool ok = limits_take_more(request->svc, request->req->config, klass, &request->req->task->who, extra,
	    request->route->klass, &request->limits, &err);

	return limits_checked(request, ok, &err);
}

static bool check_limits(struct request *request, enum limit_class klass)
{
	return request_limits(request, klass, PL_STR_NONE);
}

/*
 * Requests without a route or a valid token count against their address, and the reply has the same limit headers as
 * others.
 */
static void dispatch_refuse(struct request *request, const struct pl_err *err)
{
	if (check_limits(request, LIMIT_READ))
		request_fail(request, err);
}

static void dispatch_refuse_code(struct request *request, enum pl_code code)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, code, NULL);
	dispatch_refuse(request, &err);
}

/* ---- token ---- */

/* May the route be used with an API key of these scopes? false: the request has failed. */
static bool scope_ok(struct request *request)
{
	unsigned wanted = request->ws != NULL ? request->ws->scope : request->route->scope;
	struct pl_err err = { 0 };

	if (request_scope(wanted, request->who.scopes, request->req->task->pool, &err))
		return true;
	dispatch_refuse(request, &err);
	return false;
}

/* The token of the Authorization header, or the API key in x-api-key. Absent: there is none; `bad`: it is malformed. */
static struct pl_str sent_token(const struct req *req, bool *bad)
{
	struct pl_str header = req_header(req, "Authorization");

	if (header.ptr == NULL) {
		header = req_header(req, "X-Api-Key");
		*bad = header.ptr != NULL && !apikey_like(header);
		return header;
	}
	*bad = !pl_str_istarts(header, "bearer ");
	return *bad ? header : pl_str_trim(pl_strn(header.ptr + 7, header.len - 7));
}

static void token_on_confirmed(void *arg, const bool *alive, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	auth_caller(&request->who, &request->req->task->who);
	if (scope_ok(request))
		checked(request);
}

/* true: continue now. Otherwise, the request has failed or continues later. */
static bool check_token(struct request *request, enum route_who who)
{
	struct pl_str token;
	struct pl_err err = { 0 };
	bool bad;

	if (who == WHO_ANY)
		return true;
	token = sent_token(request->req, &bad);
	if (token.ptr == NULL && who == WHO_OPT)
		return true;
	if (token.ptr == NULL || bad) {
		dispatch_refuse_code(request, PL_E_UNAUTHORIZED);
		return false;
	}
	if (!auth_check(request->svc, request->req->config, token, &request->req->task->who, &request->who,
		&err) &&
	    (err.code != PL_E_MFA_ENROLMENT || request->route == NULL || !(request->route->flags & ROUTE_ENROL))) {
		dispatch_refuse(request, &err);
		return false;
	}
	auth_caller(&request->who, &request->req->task->who);
	if (!request->who.ask)
		return request->who.scopes == 0 || scope_ok(request);
	req_defer(request->req);
	auth_confirm(request->svc, request->req->task, &request->who, token_on_confirmed, request);
	return false;
}

/* ---- body ---- */

static struct pl_str get_query(void *arg, const char *name, bool *bad)
{
	return req_query(arg, name, bad);
}

static struct pl_str get_form(void *arg, const char *name, bool *bad)
{
	return req_form(arg, name, bad);
}

/* Returns one field of multipart/form-data, which browsers send for FormData. */
static struct pl_str get_part(void *arg, const char *name, bool *bad)
{
	const struct req *req = arg;

	return pl_multipart_get(req->body, pl_multipart_boundary(req_header(req, "Content-Type")), name, bad);
}

/*
 * JSON is UTF-8 (RFC 8259 8.1), and so are forms here. Bodies with another encoding or compression are refused (RFC
 * 9110 8.4.1).
 */
static bool is_plain_utf8(const struct req *req)
{
	struct pl_str coding = req_header(req, "Content-Encoding"), rest = req_header(req, "Content-Type"), part, name;

	if (coding.ptr != NULL && !pl_str_ieq(coding, PL_STR("identity")))
		return false;
	while (rest.ptr != NULL && pl_str_cut(&rest, ';', &part)) {
		if (!pl_str_cut(&part, '=', &name) || part.ptr == NULL ||
		    !pl_str_ieq(pl_str_trim(name), PL_STR("charset")))
			continue;
		part = pl_str_trim(part);
		if (part.len >= 2 && part.ptr[0] == '"' && part.ptr[part.len - 1] == '"')
			part = pl_strn(part.ptr + 1, part.len - 2);
		if (!pl_str_ieq(part, PL_STR("utf-8")) && !pl_str_ieq(part, PL_STR("utf8")) &&
		    !pl_str_ieq(part, PL_STR("us-ascii")))
			return false;
	}
	return true;
}

static bool read_body(struct request *request)
{
	struct req *req = request->req;
	const struct route *route = request->route;
	const char *type = req_content_type(req);
	const struct pl_jval *json = NULL;
	struct pl_err err = { 0 };
	bool form = (route->flags & ROUTE_FORM) != 0;

	if (req->body.len > route->body_bytes && route->in != &shape_none) {
		pl_err_set(&err, PL_E_BODY_TOO_LARGE, "The body may have at most %zu bytes here.", route->body_bytes);
		request_fail(request, &err);
		return false;
	}
	if (req->body.len > 0 && !is_plain_utf8(req)) {
		request_fail_code(request, PL_E_BAD_TYPE);
		return false;
	}
	if (req->body.len > 3)
		req->body = pl_str_unmarked(req->body);
	if (route->flags & ROUTE_RAW) {
		if (strcmp(type, "application/json") == 0 || strcmp(type, "application/x-ndjson") == 0 ||
		    strcmp(type, "application/jsonl") == 0 || strcmp(type, "text/csv") == 0)
			return true;
		request_fail_code(request, PL_E_BAD_TYPE);
		return false;
	}
	if (form && strcmp(type, "application/x-www-form-urlencoded") == 0) {
		request->in = shape_read_pairs(route->in, req->task->pool, "body", get_form, req, &err);
	} else if (form && strcmp(type, "multipart/form-data") == 0 &&
	    pl_multipart_boundary(req_header(req, "Content-Type")).ptr != NULL) {
		request->in = shape_read_pairs(route->in, req->task->pool, "body", get_part, req, &err);
	} else {
		if (req->body.len > 0 && strcmp(type, "application/json") != 0) {
			pl_err_set(&err, PL_E_BAD_TYPE,
			    form ? "Send application/json, application/x-www-form-urlencoded or "
			    "multipart/form-data." : NULL);
			request_fail(request, &err);
			return false;
		}
		if (req->body.len > 0 && (json = pl_json_parse(req->task->pool, req->body, &err)) == NULL) {
			request_fail(request, &err);
			return false;
		}
		request->in = shape_read_json(route->in, req->task->pool, json, &err);
		if ((route->flags & ROUTE_STRICT) != 0 && !shape_only(route->in, req->task->pool, json, &err))
			request->in = NULL;
	}
	if (request->in == NULL)
		request_fail(request, &err);
	return request->in != NULL;
}

static bool read_input(struct request *request)
{
	struct pl_err err = { 0 };

	if (request->route->query != &shape_none) {
		void *query = shape_read_pairs(
		    request->route->query, request->req->task->pool, "query", get_query, request->req, &err);

		request->query = query;
		if (query == NULL || !alias_apply(request->route->query, query, request->req->task->pool, &err)) {
			request_fail(request, &err);
			return false;
		}
	}
	if (request->req->method == REQ_GET || request->req->method == REQ_HEAD || request->req->method == REQ_DELETE)
		return true;
	return read_body(request);
}

/* ---- the other steps ---- */

static void run_handler(struct request *request)
{
	page_run(request);
	if (!request->req->replied)
		req_defer(request->req);
}

static bool level_of(enum route_who who, const struct pl_caller *caller)
{
	int least = who == WHO_ADMIN ? ACCESS_ADMIN : who == WHO_OPERATOR ? ACCESS_OPERATOR : ACCESS_USER;

	return caller->access >= least;
}

/* The user is known. */
static void checked(struct request *request)
{
	struct pl_str key;

	if (request->ws != NULL) {
		if (check_limits(request, LIMIT_READ))
			request->ws->open(request);
		return;
	}
	if (!level_of(request->route->who, &request->req->task->who)) {
		dispatch_refuse_code(request, PL_E_FORBIDDEN);
		return;
	}
	if (!(request->route->flags & ROUTE_LATE) && !check_limits(request, request->route->klass))
		return;
	if (!read_input(request))
		return;
	if (request->route->flags & ROUTE_IDEM) {
		key = req_header(request->req, "Idempotency-Key");
		if (key.ptr != NULL) {
			idem_begin(request, key, run_handler);
			return;
		}
	}
	run_handler(request);
}

static struct request *request_new(struct svc *svc, struct req *req)
{
	struct request *request = pl_alloc(req->task->pool, sizeof(*request));

	request->req = req;
	request->svc = svc;
	return request;
}

static void dispatch_socket(struct request *request)
{
	struct req *req = request->req;

	request->ws = ws_route_find(req, request->param, &request->params);
	if (request->ws == NULL) {
		dispatch_refuse_code(request, PL_E_NO_ROUTE);
		return;
	}
	req->route = request->ws->path;
	req->endpoint = ws_route_endpoint(request->ws);
	req->task->deadline_ns = pl_now_ns() + 10 * PL_NS_PER_S;
	if (req->origin_sent ? !req->origin_ok : !req->config->s.ws_no_origin)
		dispatch_refuse_code(request, PL_E_BAD_ORIGIN);
	else if (check_token(request, request->ws->who))
		checked(request);
}

bool dispatch_admit(void *arg, struct req *req)
{
	return req->operator_side || check_limits(request_new(arg, req), LIMIT_READ);
}

/* Returns the resource that does most of the route's work. */
static enum shed_way way_of(const struct route *route)
{
	if (route->method == REQ_GET)
		return SHED_READ;
	return route->klass == LIMIT_SEND ? SHED_SEND : SHED_OTHER;
}

bool dispatch_overloaded(void *arg)
{
	struct svc *svc = arg;

	return db_overloaded(svc->db);
}

/* A page of another site may read public data, but must not change anything. */
static bool is_foreign_change(const struct req *req)
{
	return req->origin_sent && !req->origin_ok && !(req->method & (REQ_GET | REQ_HEAD));
}

/* Refuses only what dispatch_request() would refuse as overload. All other requests are left to that function. */
bool dispatch_refuse_early(void *arg, struct req *req)
{
	struct request *request = request_new(arg, req);
	struct pl_err err = { 0 };
	unsigned methods = 0;

	request->route = route_find(req, request->param, &request->params, &methods);
	if (request->route == NULL || (request->route->flags & ROUTE_DOWN) || !db_up(request->svc->db) ||
	    is_foreign_change(req) || db_admit(request->svc->db, way_of(request->route), &err))
		return false;
	req->route = request->route->path;
	request_fail(request, &err);
	return true;
}

void dispatch_request(void *arg, struct req *req)
{
	struct request *request = request_new(arg, req);
	struct pl_err err = { 0 };
	unsigned methods = 0;

	request->route = route_find(req, request->param, &request->params, &methods);
	if (request->route != NULL)
		req->endpoint = route_endpoint(request->route);
	if (req->operator_side) {
		if (request->route == NULL || !(request->route->flags & ROUTE_OPERATOR))
			req_fail_code(req, PL_E_NO_ROUTE);
		else
			request->route->handler(request);
		return;
	}
	if (req->is_upgrade) {
		dispatch_socket(request);
		return;
	}
	if (request->route == NULL && methods == 0 && ws_route_find(req, request->param, &request->params) != NULL) {
		req_header_add(req, "Upgrade", "websocket");
		req_header_add(req, "Sec-WebSocket-Version", "13");
		dispatch_refuse_code(request, PL_E_UPGRADE);
		return;
	}
	if (request->route == NULL && methods == 0) {
		dispatch_refuse_code(request, PL_E_NO_ROUTE);
		return;
	}
	if (request->route == NULL) {
		if (check_limits(request, LIMIT_READ))
			tell_methods(req, methods);
		return;
	}
	if (is_foreign_change(req)) {
		dispatch_refuse_code(request, PL_E_BAD_ORIGIN);
		return;
	}
	req->route = request->route->path;
	req->task->deadline_ns = pl_now_ns() + request->route->deadline_ms * PL_NS_PER_MS;
	if (!(request->route->flags & ROUTE_DOWN) && !db_up(request->svc->db)) {
		struct pl_err away = { 0 };

		pl_err_set(&away, PL_E_DB_AWAY, NULL);
		away.retry_after_s = 2;
		dispatch_refuse(request, &away);
		return;
	}
	if (!(request->route->flags & ROUTE_DOWN) && !db_admit(request->svc->db, way_of(request->route), &err)) {
		request_fail(request, &err);
		return;
	}
	if (request->route->flags & ROUTE_OPERATOR) {
		dispatch_refuse_code(request, PL_E_NO_ROUTE); /* only on the operator's listener */
		return;
	}
	if (check_token(request, request->route->who))
		checked(request);
}
