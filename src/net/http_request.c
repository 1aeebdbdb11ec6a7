/* SPDX-License-Identifier: ISC */
/* Turns a request of evhttp into struct req, does the work that is the same for all requests, and ends it. */
#include "net/http_int.h"

#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <sys/queue.h>

#include "clock.h"
#include "core/shm_stats.h"
#include "log.h"

enum { REQUEST_ID_MIN = 8 };

static enum req_method method_of(enum evhttp_cmd_type type)
{
	switch (type) {
	case EVHTTP_REQ_GET:
		return REQ_GET;
	case EVHTTP_REQ_HEAD:
		return REQ_HEAD;
	case EVHTTP_REQ_POST:
		return REQ_POST;
	case EVHTTP_REQ_PUT:
		return REQ_PUT;
	case EVHTTP_REQ_PATCH:
		return REQ_PATCH;
	case EVHTTP_REQ_DELETE:
		return REQ_DELETE;
	default:
		return REQ_OPTIONS;
	}
}

static void connection_words(struct http_heads *heads, struct pl_str value)
{
	/* evhttp accepts only this spelling and otherwise closes an HTTP/1.0 connection */
	heads->keep_alive = heads->connection.ptr == NULL && pl_str_ieq(value, PL_STR("keep-alive"));
	heads->connection = value;
	heads->close |= guard_list_has(value, PL_STR("close"));
	heads->upgrade |= guard_list_has(value, PL_STR("upgrade"));
}

void http_heads_take(struct http_heads *heads, struct pl_pool *pool, struct pl_str name, struct pl_str value)
{
	value = pl_str_trim(value);
	switch (name.ptr[0] | 0x20) {
	case 'h':
		if (pl_str_ieq(name, PL_STR("host")))
			heads->host = value;
		break;
	case 'o':
		if (pl_str_ieq(name, PL_STR("origin")))
			heads->origin = value;
		break;
	case 'c':
		if (pl_str_ieq(name, PL_STR("connection")))
			connection_words(heads, value);
		break;
	case 'u':
		if (pl_str_ieq(name, PL_STR("upgrade")))
			heads->websocket |= guard_list_has(value, PL_STR("websocket"));
		break;
	case 'x':
		if (pl_str_ieq(name, PL_STR("x-request-id")))
			heads->request_id = value;
		else if (pl_str_ieq(name, PL_STR("x-forwarded-proto")))
			heads->proto = value;
		else if (pl_str_ieq(name, PL_STR("x-forwarded-for")))	/* each proxy may add a line */
			heads->forwarded = heads->forwarded.ptr == NULL ? value :
			    pl_str(pl_sprintf(pool, "%.*s,%.*s", PL_FMT(heads->forwarded), PL_FMT(value)));
		break;
	default:
		break;
	}
}

static void heads_read(struct http_heads *heads, struct pl_pool *pool, struct evhttp_request *ev)
{
	const struct evkeyval *header;

	*heads = (struct http_heads){ .close = false };
	TAILQ_FOREACH(header, evhttp_request_get_input_headers(ev), next)
		http_heads_take(heads, pool, pl_str(header->key), pl_str(header->value));
}

static bool request_id_ok(struct pl_str id)
{
	if (id.len < REQUEST_ID_MIN || id.len > PL_REQUEST_ID_LEN)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		char c = id.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    c == '_' || c == '.' || c == '-'))
			return false;
	}
	return true;
}

/* What a header says about the client's address counts only if a trusted proxy sent it. */
static void client_find(struct http_conn *conn, struct req *req, const struct http_heads *heads)
{
	struct http_server *server = conn->server;
	char *addr = req->task->who.addr;
	bool trusted;

	memcpy(addr, conn->addr, sizeof(conn->addr));
	if (heads->forwarded.ptr == NULL && heads->proto.ptr == NULL && heads->request_id.ptr == NULL)
		return;
	trusted = conn->listener->is_unix ? server->proxies.has_unix :
	    conn->has_ip && http_nets_have(&server->proxies, &conn->ip);
	if (!trusted) {
		if (heads->forwarded.ptr != NULL && pl_now_ns() - server->forwarded_warned_ns > 60 * PL_NS_PER_S) {
			server->forwarded_warned_ns = pl_now_ns();
			pl_log(PL_LOG_WARN, req->task, "X-Forwarded-For ignored: not from a trusted proxy",
			    "addr=%s", addr);
		}
		return;
	}
	http_forwarded_client(&server->proxies, heads->forwarded, addr);
	req->forwarded_tls = pl_str_ieq(heads->proto, PL_STR("https"));
	if (request_id_ok(heads->request_id)) {
		memcpy(req->task->request_id, heads->request_id.ptr, heads->request_id.len);
		req->task->request_id[heads->request_id.len] = '\0';
	}
}

/* Splits the target. If it is an absolute URL, its host replaces the Host header (RFC 9112 3.2.2). */
static void target_split(struct req *req, struct pl_str target, struct http_heads *heads)
{
	const char *mark;

	if (target.len > 0 && target.ptr[0] != '/' && target.ptr[0] != '*') {
		size_t from = (size_t)((const char *)memchr(target.ptr, '/', target.len) - target.ptr) + 2, at = from;

		while (at < target.len && target.ptr[at] != '/' && target.ptr[at] != '?')
			at++;
		heads->host = pl_strn(target.ptr + from, at - from);
		heads->close = true;	/* evhttp treats it as a request to a proxy and closes the connection */
		target = pl_strn(target.ptr + at, target.len - at);
		if (target.len == 0 || target.ptr[0] == '?') {
			req->path = PL_STR("/");
			req->query = target.len > 0 ? pl_strn(target.ptr + 1, target.len - 1) : PL_STR_NONE;
			return;
		}
	}
	mark = memchr(target.ptr, '?', target.len);
	req->path = mark != NULL ? pl_strn(target.ptr, (size_t)(mark - target.ptr)) : target;
	if (mark != NULL)
		req->query = pl_strn(mark + 1, target.len - req->path.len - 1);
}

static void body_take(struct req *req, struct pl_pool *pool)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(req->ev);
	size_t len = evbuffer_get_length(input);
	char *copy;

	if (len == 0)
		return;
	copy = pl_alloc(pool, len + 1);
	PL_BUG(evbuffer_copyout(input, copy, len) != (ev_ssize_t)len);
	evbuffer_drain(input, len);
	req->body = pl_strn(copy, len);
}

struct req *http_req_new(struct http_conn *conn)
{
	struct pl_task *task = pl_task_new(INT64_MAX);
	struct req *req = pl_alloc(task->pool, sizeof(*req));

	task->owner = req;
	req->task = task;
	req->config = config_keep(task->pool, conn->server->config);
	req->conn = conn;
	req->from_unix = conn->listener->is_unix;
	req->operator_side = conn->listener->operator_side;
	req->body = PL_STR("");
	return req;
}

void http_req_fill(struct req *req, enum req_method method, struct pl_str target, struct http_heads *heads)
{
	struct http_conn *conn = req->conn;
	struct pl_pool *pool = req->task->pool;

	req->method = method;
	client_find(conn, req, heads);
	req->target = req_target_redact(pool, target);
	target_split(req, target, heads);
	req_path_split(req);
	conn->cors = http_cors_decide(&req->config->s, pool, heads->origin, heads->host, req->forwarded_tls);
	req->origin_sent = conn->cors.sent;
	req->origin_ok = conn->cors.allowed;
	req->cors_origin = conn->cors.echo;
}

static struct req *req_make(struct http_conn *conn, struct evhttp_request *ev, struct http_heads *heads)
{
	struct req *req = http_req_new(conn);
	struct pl_pool *pool = req->task->pool;

	req->ev = ev;
	heads_read(heads, pool, ev);
	http_req_fill(req, method_of(evhttp_request_get_command(ev)),
	    pl_str_dup(pool, pl_str(evhttp_request_get_uri(ev))), heads);
	body_take(req, pool);
	req->is_http10 = ev->minor == 0;
	req->is_upgrade = heads->upgrade && heads->websocket && req->method == REQ_GET && ev->minor > 0;
	return req;
}

static bool admitted(struct req *req)
{
	const struct http_hooks *hooks = &req->conn->server->hooks;

	return hooks->admit == NULL || hooks->admit(hooks->arg, req);
}

/* Answers OPTIONS (RFC 9110 9.3.7) and CORS preflights. false: it is another request. */
static bool options_answered(struct req *req)
{
	static const char methods[] = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
	struct pl_str names;

	if (req->method != REQ_OPTIONS)
		return false;
	if (req->origin_sent && req_header(req, "Access-Control-Request-Method").ptr != NULL) {
		if (!admitted(req))
			return true;
		if (!req->origin_ok) {
			req_fail_code(req, PL_E_BAD_ORIGIN);
			return true;
		}
		names = req_header(req, "Access-Control-Request-Headers");
		req_header_add(req, "Access-Control-Allow-Methods", methods);
		req_header_add(req, "Access-Control-Allow-Headers", http_cors_names_ok(names) ? names.ptr :
		    "Authorization, X-Api-Key, Content-Type, Accept, Idempotency-Key, Last-Event-ID, X-Request-Id");
		req_header_addf(req, "Access-Control-Max-Age", "%lld", (long long)(req->config->s.cors_max_age / 1000));
		req_header_add(req, "Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
		req_reply_empty(req, 204);
		return true;
	}
	if (pl_str_is(req->path, "*")) {
		if (!admitted(req))
			return true;
		req_header_add(req, "Allow", methods);
		req_reply_empty(req, 204);
		return true;
	}
	return false;
}

void http_request_start(struct evhttp_request *ev, void *arg)
{
	struct http_listener *listener = arg;
	struct http_server *server = listener->server;
	struct http_conn *conn = http_conn_of(server, ev);
	bufferevent_data_cb read_cb, write_cb;
	bufferevent_event_cb event_cb;
	struct pl_task *task;
	struct http_heads heads;
	struct req *req;
	void *ctx;

	/* evhttp must not see pipelined bytes while the reply is pending, because that ends the process */
	bufferevent_getcb(conn->bev, &read_cb, &write_cb, &event_cb, &ctx);
	bufferevent_setcb(conn->bev, NULL, write_cb, event_cb, ctx);
	conn->delivered++;
	conn->ev = ev;
	req = req_make(conn, ev, &heads);
	conn->req = req;
	conn->keep = ev->minor > 0 ? !heads.close : heads.keep_alive && !heads.close;
	if (req->is_upgrade)
		conn->keep = false;	/* the guard no longer reads this connection: close it if the upgrade is
					 * refused */
	conn->is_http10 = ev->minor == 0;
	server->pending++;
	if (http_conn_doomed(conn))
		evbuffer_drain(bufferevent_get_input(conn->bev), evbuffer_get_length(bufferevent_get_input(conn->bev)));
	task = pl_task_hold(req->task);	/* the handler may use req after its reply */
	if (!req->operator_side && !http_host_allowed(&req->config->s.trusted_hosts, heads.host)) {
		if (admitted(req))
			req_fail_code(req, PL_E_BAD_HOST);
	} else if (!options_answered(req)) {
		server->hooks.request(server->hooks.arg, req);
	}
	if (!req->replied && !req->gone) {
		http_conn_hold_read(conn, false);
		req_defer(req);
	}
	pl_task_release(&task);
}

void http_request_over(struct http_conn *conn)
{
	struct http_server *server = conn->server;
	struct req *req = conn->req;
	struct pl_task *task;
	int64_t us;

	if (req == NULL)
		return;
	task = req->task;
	us = (pl_now_ns() - task->started_ns) / 1000;
	conn->req = NULL;
	conn->drained = NULL;
	server->pending--;
	if (req->gone) {
		shm_count(server->shm, SHM_M_http_gone, 1);
		if (req->status == 0)
			req->status = 499;
	}
	shm_endpoint_count(server->shm, req->endpoint, req->status, us);
	if (server->hooks.finished != NULL)
		server->hooks.finished(server->hooks.arg, req);
	req->ev = NULL;
	req->conn = NULL;
	if (req->gone)
		pl_task_cancel(task);
	pl_task_release(&task);
}
