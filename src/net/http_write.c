/* SPDX-License-Identifier: ISC */
/*
 * Output of the HTTP server: directly to the socket while it accepts bytes, otherwise through the bufferevent. Also the
 * end of a request, when evhttp continues with the connection.
 *
 * A reply that fits into the socket's buffer costs one sendmsg() and no change to epoll.
 */
#include "net/http_int.h"

#include <errno.h>
#include <sys/socket.h>

#include "task.h"

enum { REFERENCE_MIN = 4096 };

static void on_written(const void *data, size_t len, void *arg)
{
	struct pl_task *task = arg;

	PL_UNUSED(data);
	PL_UNUSED(len);
	pl_task_release(&task);
}

static void write_later(struct http_conn *conn, const struct iovec *part, struct pl_task *holder)
{
	struct evbuffer *output = bufferevent_get_output(conn->bev);

	if (holder != NULL && part->iov_len >= REFERENCE_MIN)
		PL_BUG(evbuffer_add_reference(output, part->iov_base, part->iov_len, on_written,
		    pl_task_hold(holder)) != 0);
	else
		PL_BUG(evbuffer_add(output, part->iov_base, part->iov_len) != 0);
}

static size_t write_now(struct http_conn *conn, struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };
	ssize_t sent;

	do {
		sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
		conn->broken = true;
	return sent > 0 ? (size_t)sent : 0;
}

void http_conn_write(struct http_conn *conn, struct iovec *parts, int count, struct pl_task *holder)
{
	size_t sent = 0;
	bool later = false;

	if (conn->broken)
		return;
	if (evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0)
		sent = write_now(conn, parts, count);
	if (conn->broken)
		return;
	for (int i = 0; i < count; i++) {
		size_t n = sent < parts[i].iov_len ? sent : parts[i].iov_len;

		sent -= n;
		parts[i].iov_base = (char *)parts[i].iov_base + n;
		parts[i].iov_len -= n;
		if (parts[i].iov_len > 0) {
			write_later(conn, &parts[i], i > 0 ? holder : NULL);
			later = true;
		}
	}
	if (later)
		bufferevent_enable(conn->bev, EV_WRITE);
}

/* evhttp has written everything, and reads the next request or closes the connection. */
static void on_complete(struct evhttp_request *ev, void *arg)
{
	struct http_conn *conn = arg;

	PL_UNUSED(ev);
	http_request_over(conn);
	conn->ev = NULL;
	if (conn->limited)
		bufferevent_setwatermark(conn->bev, EV_READ, 0, 0);
	conn->limited = conn->streaming = conn->chunked = conn->slow = false;
	http_conn_skip_crlf(conn);
	http_conn_arm(conn);
}

void http_conn_finish(struct http_conn *conn, bool close)
{
	bool flushed = evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0;

	if (conn->broken) {
		http_request_over(conn);
		http_conn_close(conn);
		return;
	}
	if (close && flushed &&
	    (http_conn_doomed(conn) || evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0)) {
		http_request_over(conn);
		http_conn_linger(conn);
		return;
	}
	if (close)
		evhttp_add_header(evhttp_request_get_output_headers(conn->ev), "Connection", "close");
	evhttp_request_set_on_complete_cb(conn->ev, on_complete, conn);
	conn->ev->chunked = 0;	/* from the request; evhttp would append a last chunk to the reply */
	if (!flushed)
		http_conn_arm(conn);
	if (!flushed || close)
		http_conn_hold_read(conn, false);
	evhttp_send_reply_end(conn->ev);
	if (flushed && !close)
		http_conn_hold_read(conn, false);
}
