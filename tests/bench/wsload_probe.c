/* SPDX-License-Identifier: ISC */
/*
 * Probes. pair: a message from one socket to another on another worker, one at a time, and after each an fdatasync() of
 * one 8 KiB page, so that both are measured under the same conditions. connect: new connections, one request each.
 */
#include "wsload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAGE = 8192, FILE_BYTES = 1 << 20, TRIES = 200, WAIT_MS = 10000 };

/* Reads until condition or a timeout that ends the probe. */
#define READ_UNTIL(conn, condition)								\
	do {											\
		struct pollfd in = { .fd = (conn)->fd, .events = POLLIN };			\
												\
		if (poll(&in, 1, WAIT_MS) != 1 || !conn_read(conn))				\
			die("line %d: the server does not answer", __LINE__);			\
	} while (!(condition))

static struct conn *new_socket(void)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		die("out of memory");
	*conn = (struct conn){ .fd = conn_connect(), .worker = -1 };
	conn_upgrade(conn, opt.sub);
	READ_UNTIL(conn, conn->worker >= 0);
	return conn;
}

static int64_t sync_once(int fd, int round)
{
	static char page[PAGE];
	int64_t began = now_ns();

	memset(page, round, sizeof(page));
	if (pwrite(fd, page, sizeof(page), (off_t)(round % (FILE_BYTES / PAGE)) * PAGE) != PAGE || fdatasync(fd) != 0)
		die("fdatasync: %s", strerror(errno));
	return now_ns() - began;
}

static int sync_file(void)
{
	static char zeros[FILE_BYTES];
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/wsload-sync", opt.dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, zeros, sizeof(zeros)) != FILE_BYTES || fsync(fd) != 0)
		die("%s: %s", path, strerror(errno));
	unlink(path);
	return fd;
}

static void pair_round(struct conn *from, struct conn *to, int file, int round, struct samples *syncs)
{
	char text[4096];
	size_t bytes = conn_expand(from, opt.body, text, sizeof(text));
	int64_t delivered = totals.delivered, published = totals.published, began = now_ns();

	conn_send_text(from, text, bytes);
	READ_UNTIL(to, totals.delivered > delivered);
	samples_add(&totals.latency, now_ns() - began);
	while (totals.published == published)
		READ_UNTIL(from, true);
	samples_add(syncs, sync_once(file, round));
	poll(NULL, 0, 1);
}

/* Without marks the probe's listener uses last_mark as "subscribed". */
static void subscribe(struct conn *conn)
{
	char text[4096];
	size_t bytes = conn_expand(conn, opt.hello, text, sizeof(text));

	conn_send_text(conn, text, bytes);
	READ_UNTIL(conn, conn->last_mark != 0);
}

static void probe_frame(struct conn *conn, const char *text, size_t bytes)
{
	const char *worker = memmem(text, bytes, "\"worker\":", 9);
	size_t head = bytes < 64 ? bytes : 64;

	if (conn->worker < 0) {
		if (worker != NULL)
			conn->worker = atoi(worker + 9);
	} else if (memmem(text, head, "\"subscribed\"", 12) != NULL) {
		conn->last_mark = 1;
	} else if (memmem(text, head, "\"type\":\"message\"", 16) != NULL) {
		totals.delivered++;
	} else if (memmem(text, head, "\"ack\"", 5) != NULL) {
		totals.published++;
	} else if (memmem(text, head, "\"error\"", 7) != NULL) {
		die("%.*s", (int)bytes, text);
	}
}

int run_pair(void)
{
	struct conn *from, *to = NULL;
	struct samples syncs = { 0 };
	int file = sync_file();

	mode = (struct mode){ .frame = probe_frame };
	from = new_socket();
	for (int i = 0; i < TRIES && (to == NULL || to->worker == from->worker); i++)
		to = new_socket();
	if (to == NULL || to->worker == from->worker)
		die("no connection came to another worker");
	subscribe(to);
	for (int i = 0; i < opt.count; i++)
		pair_round(from, to, file, i, &syncs);
	printf("{");
	samples_print("message", &totals.latency);
	printf(", ");
	samples_print("sync", &syncs);
	printf("}\n");
	return 0;
}

/* ---- new connections ---- */

static void dial(struct conn *conn, int epoll_fd)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port) };
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = conn };

	inet_pton(AF_INET, opt.host, &to.sin_addr);
	*conn = (struct conn){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
		.sent_ns = now_ns() };
	if (conn->fd < 0 || (connect(conn->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0)
		die("connect: %s", strerror(errno));
}

/* True when the connection is over. */
static bool dialled(struct conn *conn, uint32_t events, int epoll_fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
	char text[4096];
	int bytes;

	if (conn->stage == ST_HANDSHAKE && (events & EPOLLOUT) != 0) {
		bytes = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		    opt.sub);
		conn_send(conn, text, (size_t)bytes);
		conn->stage = ST_READY;
		epoll_ctl(epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
		return false;
	}
	if (recv(conn->fd, text, sizeof(text), 0) > 12 && memcmp(text + 9, "200", 3) == 0)
		samples_add(&totals.latency, now_ns() - conn->sent_ns);
	else
		totals.errors++;
	close(conn->fd);
	return true;
}

int run_connect(void)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), begun = 0, over = 0;
	struct conn *conns = calloc((size_t)opt.count, sizeof(*conns));
	struct epoll_event events[64];
	int64_t moved = now_ns();

	if (conns == NULL)
		die("out of memory");
	while (over < opt.count) {
		int count;

		while (begun < opt.count && begun - over < opt.inflight)
			dial(&conns[begun++], epoll_fd);
		count = epoll_wait(epoll_fd, events, 64, 100);
		for (int i = 0; i < count; i++)
			over += dialled(events[i].data.ptr, events[i].events, epoll_fd);
		if (count > 0)
			moved = now_ns();
		else if (now_ns() - moved > (int64_t)(opt.seconds * 1e9))
			break;		/* connections that are still open got no reply */
	}
	printf("{\"unanswered\": %d, \"errors\": %lld, ", opt.count - over, (long long)totals.errors);
	samples_print("connect", &totals.latency);
	printf("}\n");
	return 0;
}
