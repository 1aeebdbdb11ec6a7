/* SPDX-License-Identifier: ISC */
/* Replies: the header fields that each of them has, whole bodies, and streams. */
#include "net/req.h"

#include <stdio.h>
#include <strings.h>

#include "net/http_int.h"

#define LENGTH_NONE (-1)
#define LENGTH_CHUNKED (-2)

/* Headers that a handler may set in place of the usual ones. */
struct own_headers { bool cache_control, csp, close; };

const char *http_status_text(int status)
{
	static const struct { int status; const char *text; } texts[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" }, { 304, "Not Modified" },
		{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 406, "Not Acceptable" },
		{ 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" }, { 411, "Length Required" },
		{ 412, "Precondition Failed" }, { 413, "Content Too Large" }, { 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" }, { 422, "Unprocessable Content" }, { 426, "Upgrade Required" },
		{ 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" },
		{ 499, "Client Closed Request" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < PL_COUNT(texts); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return "Unknown";
}

static struct own_headers own_headers(const struct req *req)
{
	struct own_headers own = { .close = false };

	for (const struct req_header *header = req->reply_headers; header != NULL; header = header->next) {
		own.cache_control |= strcasecmp(header->name, "Cache-Control") == 0;
		own.csp |= strcasecmp(header->name, "Content-Security-Policy") == 0;
		own.close |= strcasecmp(header->name, "Connection") == 0;
	}
	return own;
}

static void add_line(struct pl_buf *out, struct pl_str name, const char *value)
{
	pl_buf_addstr(out, name);
	pl_buf_adds(out, value);
	pl_buf_add(out, "\r\n", 2);
}

static void add_status(struct pl_buf *out, int status, const char *date)
{
	pl_buf_addstr(out, PL_STR("HTTP/1.1 "));
	pl_buf_addi(out, status);
	pl_buf_addc(out, ' ');
	add_line(out, PL_STR(""), http_status_text(status));
	add_line(out, PL_STR("Date: "), date);
}

static void add_security(struct pl_buf *out, const char *type, const struct own_headers *own)
{
	pl_buf_addstr(out, PL_STR("X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
	    "Referrer-Policy: no-referrer\r\n"));
	if (!own->csp && (type == NULL || strncmp(type, "text/html", 9) != 0))
		pl_buf_addstr(out, PL_STR("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"));
	if (!own->cache_control)
		pl_buf_addstr(out, PL_STR("Cache-Control: no-store\r\n"));
}

/* Builds the whole header in the server's scratch buffer. true: the connection closes after this reply. */
static bool head_build(struct req *req, int status, const char *type, int64_t length)
{
	struct http_conn *conn = req->conn;
	struct pl_buf *out = &conn->server->head;
	struct own_headers own = own_headers(req);
	bool close = !conn->keep || own.close || conn->server->draining || http_conn_doomed(conn);

	pl_buf_reset(out);
	add_status(out, status, conn->server->date);
	if (type != NULL)
		add_line(out, PL_STR("Content-Type: "), type);
	if (length >= 0) {
		pl_buf_addstr(out, PL_STR("Content-Length: "));
		pl_buf_addi(out, length);
		pl_buf_add(out, "\r\n", 2);
	} else if (length == LENGTH_CHUNKED && !conn->is_http10) {
		pl_buf_addstr(out, PL_STR("Transfer-Encoding: chunked\r\n"));
	}
	close |= length == LENGTH_CHUNKED && conn->is_http10;	/* without a length and chunks, the end of the
								 * connection ends the body */
	if (close)
		pl_buf_addstr(out, PL_STR("Connection: close\r\n"));
	else if (conn->is_http10)
		pl_buf_addstr(out, PL_STR("Connection: keep-alive\r\n"));
	add_line(out, PL_STR("X-Request-Id: "), req->task->request_id);
	if (conn->cors.sent)
		http_cors_headers(&conn->cors, &req->config->s, out);
	add_security(out, type, &own);
	for (const struct req_header *header = req->reply_headers; header != NULL; header = header->next) {
		if (strcasecmp(header->name, "Connection") == 0)
			continue;
		pl_buf_adds(out, header->name);
		add_line(out, PL_STR(": "), header->value);
	}
	pl_buf_add(out, "\r\n", 2);
	return close;
}

static bool has_body(const struct req *req, int status)
{
	return req->method != REQ_HEAD && status >= 200 && status != 204 && status != 304;
}

static void reply(struct req *req, int status, const char *type, struct pl_str body)
{
	struct http_conn *conn = req->conn;
	struct iovec parts[2];
	int64_t length = status == 204 || status == 304 ? LENGTH_NONE : (int64_t)body.len;
	bool close;

	PL_BUG(req->replied);
	req->replied = true;
	if (req->gone || conn == NULL)
		return;
	req->status = status;
	close = head_build(req, status, type, length);
	parts[0] = (struct iovec){ conn->server->head.ptr, conn->server->head.len };
	parts[1] = (struct iovec){ (void *)(uintptr_t)body.ptr, has_body(req, status) ? body.len : 0 };
	req->reply_head_bytes = parts[0].iov_len;
	req->reply_bytes = parts[0].iov_len + parts[1].iov_len;
	if (conn->early) {
		http_early_reply(conn, parts, 2);
		return;
	}
	http_conn_write(conn, parts, parts[1].iov_len > 0 ? 2 : 1, req->task);
	http_conn_finish(conn, close);
}

void req_reply(struct req *req, int status, const char *type, struct pl_str body)
{
	reply(req, status, type != NULL ? type : "application/json", body);
}

void req_reply_empty(struct req *req, int status)
{
	reply(req, status, NULL, PL_STR(""));
}

static void ping_later(struct req *req)
{
	int64_t ms = req->config->s.sse_ping;

	req->conn->ping_due = wheel_tick_in(&req->conn->server->wheel, ms > 0 ? ms : -1);
}

void req_stream_ping(struct req *req, bool silent)
{
	ping_later(req);
	if (silent)
		(void)req_stream_chunk(req, PL_STR(":\n\n"));
}

void req_stream_start(struct req *req, int status, const char *type)
{
	struct http_conn *conn = req->conn;
	struct iovec part;

	PL_BUG(req->replied);
	req->replied = true;
	if (req->gone || conn == NULL)
		return;
	if (strncmp(type, "text/event-stream", 17) == 0) {
		req_header_add(req, "X-Accel-Buffering", "no");	/* otherwise nginx would buffer the events */
		ping_later(req);
	}
	req->status = status;
	conn->streaming = true;
	conn->keep = !head_build(req, status, type, LENGTH_CHUNKED);
	conn->chunked = !conn->is_http10 && has_body(req, status);
	part = (struct iovec){ conn->server->head.ptr, conn->server->head.len };
	req->reply_bytes = req->reply_head_bytes = part.iov_len;
	http_conn_hold_read(conn, false);
	http_conn_write(conn, &part, 1, NULL);
	req_defer(req);
	http_conn_arm(conn);
}

bool req_stream_chunk(struct req *req, struct pl_str bytes)
{
	struct http_conn *conn = req->conn;
	struct iovec parts[3];
	char size[24];
	int count = 0;

	if (req->gone || conn == NULL || conn->slow || conn->broken)
		return false;
	if (bytes.len == 0 || !has_body(req, req->status))
		return true;
	if (evbuffer_get_length(bufferevent_get_output(conn->bev)) > (size_t)req->config->s.ws_queue) {
		conn->slow = true;
		return false;
	}
	if (conn->chunked) {
		int len = snprintf(size, sizeof(size), "%zx\r\n", bytes.len);

		parts[count++] = (struct iovec){ size, (size_t)len };
	}
	parts[count++] = (struct iovec){ (void *)(uintptr_t)bytes.ptr, bytes.len };
	if (conn->chunked)
		parts[count++] = (struct iovec){ (void *)(uintptr_t)"\r\n", 2 };
	for (int i = 0; i < count; i++)
		req->reply_bytes += parts[i].iov_len;
	http_conn_write(conn, parts, count, NULL);
	if (conn->ping_due != WHEEL_NEVER)
		ping_later(req);
	if (conn->write_due == WHEEL_NEVER && evbuffer_get_length(bufferevent_get_output(conn->bev)) > 0)
		http_conn_arm(conn);
	return !conn->broken;
}

static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_conn *conn = arg;
	void (*fn)(void *arg) = conn->drained;

	PL_UNUSED(info);
	if (fn == NULL || evbuffer_get_length(output) > 0)
		return;
	conn->drained = NULL;
	http_conn_arm(conn);
	fn(conn->drained_arg);
}

bool req_stream_wait(struct req *req, void (*fn)(void *arg), void *arg)
{
	struct http_conn *conn = req->conn;
	struct evbuffer *output;

	if (req->gone || conn == NULL || conn->broken)
		return false;
	output = bufferevent_get_output(conn->bev);
	if (evbuffer_get_length(output) == 0)
		return true;
	if (!conn->drain_watched)
		PL_BUG(evbuffer_add_cb(output, on_output, conn) == NULL);
	conn->drain_watched = true;
	conn->drained = fn;
	conn->drained_arg = arg;
	return false;
}

void req_stream_cut(struct req *req)
{
	if (req->conn != NULL)
		req->conn->slow = true;
	req_stream_end(req);
}

void req_stream_end(struct req *req)
{
	struct http_conn *conn = req->conn;
	struct iovec part = { (void *)(uintptr_t)"0\r\n\r\n", 5 };

	if (req->gone || conn == NULL)
		return;
	conn->ping_due = WHEEL_NEVER;
	if (conn->slow) {	/* without the last chunk, so that the client notices that the reply is incomplete */
		http_request_over(conn);
		http_conn_close(conn);
		return;
	}
	if (conn->chunked) {
		req->reply_bytes += part.iov_len;
		http_conn_write(conn, &part, 1, NULL);
	}
	http_conn_finish(conn, !conn->keep || conn->server->draining || http_conn_doomed(conn));
}
