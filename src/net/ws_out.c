/* SPDX-License-Identifier: ISC */
/*
 * Output of WebSockets: each connection has a ring of shared frames, which are written together at the end of a loop
 * turn.
 */
#include "net/ws_int.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	PARTS_MAX = 64,
	UNSENT_MAX = 131072,	/* limit of unsent bytes in the kernel */
	SNDBUF_ROOM = 262144	/* room for the rest of one frame and the close frame */
};

struct ws_buf *ws_buf_raw(const void *bytes, size_t len)
{
	struct ws_buf *buf;

	PL_BUG(len > UINT32_MAX / 2);
	buf = pl_new(sizeof(*buf) + len);
	buf->holds = 1;
	buf->len = (uint32_t)len;
	memcpy(buf->bytes, bytes, len);
	return buf;
}

struct ws_buf *ws_buf_new(enum pl_ws_op op, struct pl_str payload)
{
	char header[PL_WS_HEADER_MAX];
	size_t header_len = pl_ws_header(header, op, payload.len);
	struct ws_buf *buf;

	PL_BUG(payload.len > UINT32_MAX / 2);
	buf = pl_new(sizeof(*buf) + header_len + payload.len);
	buf->holds = 1;
	buf->len = (uint32_t)(header_len + payload.len);
	memcpy(buf->bytes, header, header_len);
	if (payload.len > 0)
		memcpy(buf->bytes + header_len, payload.ptr, payload.len);
	return buf;
}

struct ws_buf *ws_buf_hold(struct ws_buf *buf)
{
	PL_BUG(buf->holds == 0);
	buf->holds++;
	return buf;
}

void ws_buf_release(struct ws_buf **bufp)
{
	struct ws_buf *buf = *bufp;

	*bufp = NULL;
	if (buf == NULL)
		return;
	PL_BUG(buf->holds == 0);
	if (--buf->holds == 0)
		pl_free(buf);
}

void ws_conn_dirty(struct ws_conn *conn)
{
	if (conn->dirty)
		return;
	conn->dirty = true;
	conn->next_dirty = conn->server->dirty;
	conn->server->dirty = conn;
}

static void queue_grow(struct ws_conn *conn)
{
	struct ws_buf **bigger = pl_new(sizeof(struct ws_buf *) * conn->cap * 2);

	for (uint32_t i = 0; i < conn->count; i++)
		bigger[i] = conn->queue[(conn->head + i) & (conn->cap - 1)];
	if (conn->queue != conn->few)
		pl_free(conn->queue);
	conn->queue = bigger;
	conn->cap *= 2;
	conn->head = 0;
}

void ws_queue_push(struct ws_conn *conn, struct ws_buf *buf)
{
	if (conn->count == conn->cap)
		queue_grow(conn);
	conn->queue[(conn->head + conn->count) & (conn->cap - 1)] = buf;
	conn->count++;
	conn->queued_bytes += buf->len;
	ws_conn_dirty(conn);
}

/* Frees the ring of an idle connection. */
static void queue_shrink(struct ws_conn *conn)
{
	if (conn->count > 0 || conn->queue == conn->few)
		return;
	pl_free(conn->queue);
	conn->queue = conn->few;
	conn->cap = PL_COUNT(conn->few);
	conn->head = 0;
}

void ws_queue_drop(struct ws_conn *conn, bool all)
{
	uint32_t keep = !all && conn->sent > 0 && conn->count > 0 ? 1 : 0;

	while (conn->count > keep) {
		struct ws_buf **last = &conn->queue[(conn->head + conn->count - 1) & (conn->cap - 1)];

		conn->queued_bytes -= (*last)->len;
		ws_buf_release(last);
		conn->count--;
	}
	queue_shrink(conn);
}

void ws_conn_watch(struct ws_conn *conn, bool writing)
{
	if (conn->writing == writing)
		return;
	event_del(&conn->ev);
	event_assign(&conn->ev, conn->server->base, conn->fd, (short)(EV_READ | EV_PERSIST | (writing ? EV_WRITE : 0)),
	    ws_on_event, conn);
	PL_BUG(event_add(&conn->ev, NULL) != 0);
	conn->writing = writing;
}

static int gather(const struct ws_conn *conn, struct iovec parts[PARTS_MAX])
{
	int count = conn->count < PARTS_MAX ? (int)conn->count : PARTS_MAX;

	for (int i = 0; i < count; i++) {
		struct ws_buf *buf = conn->queue[(conn->head + (uint32_t)i) & (conn->cap - 1)];
		size_t skip = i == 0 ? conn->sent : 0;

		parts[i] = (struct iovec){ buf->bytes + skip, buf->len - skip };
	}
	return count;
}

static void queue_sent(struct ws_conn *conn, size_t bytes)
{
	while (conn->count > 0) {
		struct ws_buf **first = &conn->queue[conn->head];
		size_t left = (*first)->len - conn->sent;

		if (bytes < left) {
			conn->sent += (uint32_t)bytes;
			return;
		}
		bytes -= left;
		conn->sent = 0;
		conn->queued_bytes -= (*first)->len;
		ws_buf_release(first);
		conn->head = (conn->head + 1) & (conn->cap - 1);
		conn->count--;
	}
}

/* false: the socket accepts no more bytes for now, or is closed. */
static bool write_some(struct ws_conn *conn)
{
	struct iovec parts[PARTS_MAX];

	while (conn->count > 0) {
		struct msghdr message = { .msg_iov = parts };
		ssize_t sent;

		message.msg_iovlen = (size_t)gather(conn, parts);
		sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent >= 0) {
			conn->written_bytes += (uint32_t)sent;
			queue_sent(conn, (size_t)sent);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
			ws_conn_watch(conn, true);
			return false;
		} else if (errno != EINTR) {
			ws_conn_die(conn, 1006);
			return false;
		}
	}
	return true;
}

static int64_t waiting(const struct ws_conn *conn)
{
	return conn->queued_bytes - conn->sent;
}

bool ws_conn_taken(struct ws_conn *conn)
{
	uint32_t before = conn->taken_bytes;
	int unacked = 0;

	if (ioctl(conn->fd, SIOCOUTQ, &unacked) != 0)
		unacked = 0;
	conn->taken_bytes = conn->written_bytes - (uint32_t)unacked;
	return conn->taken_bytes != before;
}

void ws_conn_tune(struct ws_conn *conn)
{
	int bytes = UNSENT_MAX;

	(void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes)); /* fails on unix sockets */
}

/*
 * Enlarges the kernel's buffer, so that the rest of a frame and the close frame fit even if the client does not read.
 */
static void untune(struct ws_conn *conn)
{
	int unlimited = -1, bytes = INT_MAX, now = 0;
	socklen_t len = sizeof(now);

	(void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unlimited, sizeof(unlimited));
	if (getsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &now, &len) == 0 && now < SNDBUF_ROOM)
		(void)setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

void ws_conn_cut(struct ws_conn *conn)
{
	shm_count(conn->server->shm, SHM_M_ws_slow, 1);
	ws_queue_drop(conn, false);
	untune(conn);
	if (conn->writing)
		conn->writable = true;
	ws_conn_fail(conn, 1013, "This connection does not read fast enough.");
}

/* From now on, the client must read something within each ws_slow until all frames are sent. */
static void be_short_of_room(struct ws_conn *conn)
{
	if (conn->short_of_room)
		return;
	conn->short_of_room = true;
	(void)ws_conn_taken(conn);
	conn->close_tick = wheel_tick_in(&conn->server->wheel, conn->server->config->s.ws_slow);
	ws_conn_arm(conn);
}

/* Writes before a connection counts as slow, because the frames of this turn were not yet offered to the socket. */
static void write_early(struct ws_conn *conn)
{
	if (!conn->writing)
		(void)write_some(conn);
}

/*
 * Returns the bytes that would wait in addition to the largest frame. One frame alone may exceed the limit of waiting
 * bytes.
 */
static int64_t beside_largest(const struct ws_conn *conn, const struct ws_buf *buf)
{
	uint32_t largest = buf->len;

	for (uint32_t i = 0; i < conn->count; i++) {
		uint32_t len = conn->queue[(conn->head + i) & (conn->cap - 1)]->len;

		largest = len > largest ? len : largest;
	}
	return waiting(conn) + buf->len - largest;
}

bool ws_send(struct ws_conn *conn, struct ws_buf *buf)
{
	int64_t max = conn->server->config->s.ws_queue;

	if (conn->state != WS_OPEN)
		return false;
	if (waiting(conn) + buf->len > max && conn->count > 0) {
		write_early(conn);
		if (conn->state != WS_OPEN)
			return false;
	}
	if (waiting(conn) + buf->len > max && conn->count > 0) {
		be_short_of_room(conn);
		if (waiting(conn) + buf->len > 2 * max && beside_largest(conn, buf) > 2 * max) {
			ws_conn_cut(conn);
			return false;
		}
	}
	shm_count(conn->server->shm, SHM_M_ws_out, 1);
	ws_queue_push(conn, ws_buf_hold(buf));
	return true;
}

bool ws_offer(struct ws_conn *conn, struct ws_buf *buf, int64_t max_bytes)
{
	if (conn->state != WS_OPEN)
		return true;
	if (waiting(conn) + buf->len > max_bytes && conn->count > 0) {
		write_early(conn);
		if (conn->state != WS_OPEN)
			return true;
	}
	if (waiting(conn) + buf->len > max_bytes && conn->count > 0) {
		be_short_of_room(conn);
		return false;
	}
	shm_count(conn->server->shm, SHM_M_ws_out, 1);
	ws_queue_push(conn, ws_buf_hold(buf));
	return true;
}

bool ws_send_text(struct ws_conn *conn, struct pl_str text)
{
	struct ws_buf *buf = ws_buf_new(PL_WS_TEXT, text);
	bool sent = ws_send(conn, buf);

	ws_buf_release(&buf);
	return sent;
}

/* All frames are sent: a connection that ends takes its next step. */
static void on_drained(struct ws_conn *conn)
{
	queue_shrink(conn);
	ws_conn_watch(conn, false);
	if (conn->state != WS_ENDING)
		return;
	if (conn->peer_closed) {
		ws_conn_die(conn, conn->code);
	} else if (!conn->shut) {	/* closing now could destroy the close frame before it arrives */
		conn->shut = true;
		shutdown(conn->fd, SHUT_WR);
		conn->close_tick = wheel_tick_in(&conn->server->wheel, WS_LINGER_MS);
		ws_conn_arm(conn);
	}
}

void ws_conn_write(struct ws_conn *conn)
{
	if (conn->state == WS_OPENING || (conn->writing && !conn->writable))
		return;
	conn->writable = false;
	if (!write_some(conn))
		return;
	on_drained(conn);
	if (conn->short_of_room && conn->state == WS_OPEN) {
		conn->short_of_room = false;
		if (conn->ops->drained != NULL)
			conn->ops->drained(conn);
	}
}
