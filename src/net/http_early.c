/* SPDX-License-Identifier: ISC */
/*
 * Refuses requests during overload before evhttp reads them, because each refusal takes processor time from accepted
 * requests. A request that arrived in one read is parsed here, from the bytes that the guard has checked, and answered
 * with one sendmsg(). Any other request takes the usual path, where the dispatcher refuses it.
 */
#include "net/http_int.h"

#include <sys/socket.h>

enum { BYTES_MAX = 4096 };	/* libevent reads at most this much at once */

static enum req_method method_of(struct pl_str word)
{
	static const struct { const char *word; enum req_method method; } methods[] = {
		{ "GET", REQ_GET }, { "HEAD", REQ_HEAD }, { "POST", REQ_POST }, { "PUT", REQ_PUT },
		{ "PATCH", REQ_PATCH }, { "DELETE", REQ_DELETE },
	};

	for (size_t i = 0; i < PL_COUNT(methods); i++) {
		if (pl_str_is(word, methods[i].word))
			return methods[i].method;
	}
	return REQ_OPTIONS;
}

/* The guard has checked that each line ends with CR LF. */
static struct pl_str line_cut(struct pl_str *bytes)
{
	struct pl_str line;

	if (!pl_str_cut(bytes, '\n', &line))
		return PL_STR("");
	return line.len > 0 ? pl_strn(line.ptr, line.len - 1) : line;
}

/* Fills req, whose texts point into `bytes`. false: the request needs the usual path. */
static bool read_request(struct req *req, struct pl_str bytes)
{
	struct http_heads heads = { .close = false };
	struct pl_str line = line_cut(&bytes), method, target, name, value;

	if (!pl_str_cut(&line, ' ', &method) || !pl_str_cut(&line, ' ', &target))
		return false;
	while ((line = line_cut(&bytes)).len > 0) {
		if (!pl_str_cut(&line, ':', &name) || name.len == 0)
			return false;
		value = line;
		if (pl_str_ieq(name, PL_STR("accept")) && memmem(value.ptr, value.len, "problem+json", 12) != NULL)
			return false;
		http_heads_take(&heads, req->task->pool, name, value);
	}
	http_req_fill(req, method_of(method), target, &heads);
	req->body = bytes;
	return !heads.close && req->method != REQ_OPTIONS &&
	    http_host_allowed(&req->config->s.trusted_hosts, heads.host);
}

static bool suits(const struct http_conn *conn, size_t len)
{
	return len <= BYTES_MAX && !conn->guard.http10 && !conn->listener->operator_side && !conn->server->draining &&
	    !conn->broken && evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0;
}

bool http_early_refused(struct http_conn *conn, struct evbuffer *input)
{
	struct http_server *server = conn->server;
	size_t len = evbuffer_get_length(input);
	struct pl_task *task, *unused;
	const char *bytes;
	bool refused;

	if (server->hooks.overloaded == NULL || !server->hooks.overloaded(server->hooks.arg) || !suits(conn, len))
		return false;
	bytes = (const char *)evbuffer_pullup(input, -1);
	if (bytes == NULL || bytes[0] == '\r')
		return false;
	conn->req = http_req_new(conn);
	task = pl_task_hold(conn->req->task);
	conn->early = conn->keep = true;
	conn->is_http10 = false;
	server->pending++;
	refused = read_request(conn->req, pl_strn(bytes, len)) && server->hooks.refuse(server->hooks.arg, conn->req);
	conn->early = false;
	if (!refused) {
		server->pending--;
		conn->req = NULL;
		unused = task;
		pl_task_release(&unused);
	}
	pl_task_release(&task);
	return refused;
}

void http_early_reply(struct http_conn *conn, struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	size_t bytes = conn->req->reply_bytes;

	conn->delivered++;
	shm_count(conn->server->shm, SHM_M_shed_early, 1);
	if (sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes) {
		http_request_over(conn);
		evbuffer_drain(input, evbuffer_get_length(input));
		http_conn_arm(conn);
		return;
	}
	http_request_over(conn);
	http_conn_linger(conn);	/* the client does not read its replies, or has left */
}
