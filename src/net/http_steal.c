/* SPDX-License-Identifier: ISC */
/*
 * Takes the socket from evhttp in two phases. evhttp cannot give a socket away. So the socket is duplicated, and a
 * placeholder takes its old number, which evhttp closes.
 *
 * Phase 1 stops the events. Phase 2 runs from a separate timer, because epoll removes the old number only at its next
 * poll (EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST collects changes until then).
 */
#include "net/http_int.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "task.h"

struct http_steal {
	struct event timer;
	struct http_steal *next, **at;
	struct http_conn *conn;		/* NULL: the connection ended meanwhile */
	struct http_server *server;
	struct pl_task *task;
	void (*done)(void *arg, int fd, struct pl_str early);
	void *arg;
};

static void steal_end(struct http_steal *steal, int fd, struct pl_str early)
{
	struct pl_task *task = steal->task;

	*steal->at = steal->next;
	if (steal->next != NULL)
		steal->next->at = steal->at;
	event_del(&steal->timer);
	steal->done(steal->arg, fd, early);
	pl_free(steal);
	pl_task_release(&task);
}

/* Copies the early bytes, because their buffer is freed with the connection. */
static struct pl_str early_take(struct http_conn *conn, struct pl_pool *pool)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	size_t len = evbuffer_get_length(input);
	char *copy;

	if (len == 0)
		return PL_STR("");
	copy = pl_alloc(pool, len);
	PL_BUG(evbuffer_copyout(input, copy, len) != (ev_ssize_t)len);
	return pl_strn(copy, len);
}

static void on_phase2(evutil_socket_t unused, short what, void *arg)
{
	struct http_steal *steal = arg;
	struct http_conn *conn = steal->conn;
	struct pl_str early = PL_STR("");
	int fd = -1;

	PL_UNUSED(unused);
	PL_UNUSED(what);
	if (conn != NULL) {
		fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			pl_log(PL_LOG_WARN, steal->task, "socket not taken over", "error=%s", strerror(errno));
		early = early_take(conn, steal->task->pool);
		if (fd >= 0 && dup3(steal->server->spare_fd, conn->fd, O_CLOEXEC) < 0) {
			close(fd);
			fd = -1;
		}
		conn->stealing = false;
		conn->req->status = fd >= 0 ? 101 : 503;
		conn->req->replied = true;
		http_request_over(conn);
		http_conn_close(conn);
	}
	steal_end(steal, fd, early);
}

void http_steal(struct req *req, void (*done)(void *arg, int fd, struct pl_str early), void *arg)
{
	static const struct timeval now;
	struct http_conn *conn = req->conn;
	struct http_steal *steal = pl_new(sizeof(*steal));
	struct http_server *server;

	PL_BUG(req->replied || conn == NULL);
	server = conn->server;
	*steal = (struct http_steal){ .conn = conn, .server = server, .task = pl_task_hold(req->task), .done = done,
		.arg = arg, .next = server->steals, .at = &server->steals };
	if (steal->next != NULL)
		steal->next->at = &steal->next;
	server->steals = steal;
	req->replied = true;
	conn->stealing = true;
	wheel_set(&server->wheel, &conn->wheel, WHEEL_NEVER);
	http_conn_hold_read(conn, false);
	bufferevent_disable(conn->bev, EV_READ | EV_WRITE);
	evtimer_assign(&steal->timer, server->base, on_phase2, steal);
	PL_BUG(evtimer_add(&steal->timer, &now) != 0);
}

void http_steal_lost(struct http_conn *conn)
{
	for (struct http_steal *steal = conn->server->steals; steal != NULL; steal = steal->next) {
		if (steal->conn == conn)
			steal->conn = NULL;
	}
}

/* The server ends: those that wait for a socket receive -1. */
void http_steals_drop(struct http_server *server)
{
	while (server->steals != NULL) {
		if (server->steals->conn != NULL)
			server->steals->conn->stealing = false;
		steal_end(server->steals, -1, PL_STR(""));
	}
}
