/* SPDX-License-Identifier: ISC */
/*
 * The load: listeners are opened, a limited number at a time. When all are ready, the caller gives the signal; then
 * every sender keeps one message in flight, and the messages that listeners receive are counted.
 */
#include "wsload.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EVENTS = 512 };

static struct conn *conns;
static int epoll_fd = -1, opened, ready, total;
static bool running;

static void became_ready(struct conn *conn)
{
	conn->stage = ST_READY;
	ready++;
}

static void next_message(struct conn *conn)
{
	char text[8192];
	size_t bytes;

	conn->sent_ns = now_ns();
	if (!opt.pub_ws) {
		conn_post(conn, opt.pub, opt.body);
		return;
	}
	bytes = conn_expand(conn, opt.body, text, sizeof(text));
	conn_send_text(conn, text, bytes);
}

static void message_done(struct conn *conn, bool good)
{
	if (good) {
		totals.published++;
		samples_add(&totals.latency, now_ns() - conn->sent_ns);
	} else {
		totals.errors++;
	}
	if (running && !opt.once)
		next_message(conn);
}

static bool holds(const char *text, size_t bytes, const char *part)
{
	return memmem(text, bytes < 64 ? bytes : 64, part, strlen(part)) != NULL;
}

static void say_hello(struct conn *conn)
{
	char text[4096];
	size_t bytes;

	if (conn->is_pub || opt.hello == NULL) {
		became_ready(conn);
		return;
	}
	bytes = conn_expand(conn, opt.hello, text, sizeof(text));
	conn_send_text(conn, text, bytes);
}

static void frame_before_ready(struct conn *conn, const char *text, size_t bytes)
{
	if (bytes > 0 && holds(text, bytes, "\"error\""))
		die("while opening: %.*s", (int)bytes, text);
	if (conn->stage == ST_AUTHED && bytes > 0) {
		conn->stage = ST_HELLO;
		say_hello(conn);
	} else if (conn->stage == ST_HELLO && bytes == 0) {
		say_hello(conn);
	} else if (conn->stage == ST_HELLO && holds(text, bytes, opt.hello_ok)) {
		became_ready(conn);
	}
}

static void on_frame(struct conn *conn, const char *text, size_t bytes)
{
	if (conn->stage != ST_READY)
		frame_before_ready(conn, text, bytes);
	else if (!conn->is_pub)
		totals.delivered += opt.deliver == NULL || holds(text, bytes, opt.deliver);
	else if (holds(text, bytes, "\"ack\""))
		message_done(conn, true);
	else if (holds(text, bytes, "\"error\""))
		message_done(conn, false);
}

static void on_reply(struct conn *conn, int status)
{
	message_done(conn, status >= 200 && status < 300);
}

static void on_mark(struct conn *conn, int64_t stamp_ns, int64_t seen_ns)
{
	(void)conn;
	samples_add(&totals.marks, seen_ns - stamp_ns);
	samples_add(&totals.stamps, stamp_ns);
}

static void on_over(struct conn *conn, int64_t seen_ns)
{
	samples_add(&totals.overs, seen_ns - conn->last_mark);
}

static void print_with_comma(const char *name, struct samples *samples)
{
	samples_print(name, samples);
	printf(", ");
}

/*
 * Separates the marks that were written while the streams began, while they ended, and in between; and notes when
 * streams ended.
 */
static void report_edges(void)
{
	const struct samples *stamps = &totals.stamps;
	struct samples start = { 0 }, steady = { 0 }, end = { 0 };
	int64_t first = INT64_MAX, last = 0, edge_ns = (int64_t)opt.edge_ms * 1000000;

	for (size_t i = 0; i < stamps->count; i++) {
		first = stamps->ns[i] < first ? stamps->ns[i] : first;
		last = stamps->ns[i] > last ? stamps->ns[i] : last;
	}
	for (size_t i = 0; i < stamps->count; i++) {
		bool early = stamps->ns[i] - first < edge_ns, late = last - stamps->ns[i] < edge_ns;

		samples_add(early ? &start : late ? &end : &steady, totals.marks.ns[i]);
	}
	print_with_comma("start", &start);
	print_with_comma("steady", &steady);
	print_with_comma("end", &end);
	print_with_comma("over", &totals.overs);
}

static void open_one(void)
{
	struct conn *conn = &conns[opened];
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };

	*conn = (struct conn){ .fd = conn_connect(), .worker = -1, .is_pub = opened >= opt.subs };
	conn->index = conn->is_pub ? opened - opt.subs : opened;
	opened++;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0)
		die("epoll_ctl: %s", strerror(errno));
	if (conn->is_pub ? !opt.pub_ws : opt.stream)
		became_ready(conn);
	else
		conn_upgrade(conn, opt.sub);
}

static void turn(int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(epoll_fd, events, EVENTS, timeout_ms);

	for (int i = 0; i < count; i++) {
		struct conn *conn = events[i].data.ptr;

		if (conn_read(conn))
			continue;
		if (!running && !opt.stream)
			die("a connection was closed while opening");
		totals.closed++;
		close(conn->fd);
		conn->stage = ST_CLOSED;
	}
}

/* Serves the sockets until the caller writes a line. */
static void wait_for_go(void)
{
	struct pollfd in[2] = { { .fd = 0, .events = POLLIN }, { .fd = epoll_fd, .events = POLLIN } };
	char line[64];

	do {
		poll(in, 2, -1);
		if (in[1].revents != 0)
			turn(0);
	} while (in[0].revents == 0);
	if (fgets(line, sizeof(line), stdin) == NULL)
		exit(0);
}

static void start_all(void)
{
	for (int i = 0; i < total; i++) {
		if (conns[i].is_pub)
			next_message(&conns[i]);
		else if (opt.stream)
			conn_post(&conns[i], opt.sub, opt.hello);
	}
}

static void report(double seconds)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("{\"seconds\": %.4f, \"delivered\": %lld, \"bytes\": %lld, \"published\": %lld, \"errors\": %lld, "
	    "\"closed\": %lld, ", seconds, (long long)totals.delivered, (long long)totals.bytes,
	    (long long)totals.published, (long long)totals.errors, (long long)totals.closed);
	samples_print("send", &totals.latency);
	printf(", ");
	if (opt.edge_ms > 0)
		report_edges();
	samples_print("mark", &totals.marks);
	printf(", \"client_cpu_s\": %.3f}\n", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

int run_load(void)
{
	int64_t began, ends;

	mode = (struct mode){ .frame = on_frame, .reply = on_reply, .mark = on_mark, .over = on_over };
	total = opt.subs + opt.pubs;
	conns = calloc((size_t)total, sizeof(*conns));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (conns == NULL || epoll_fd < 0)
		die("out of memory");
	while (ready < total) {
		while (opened < total && opened - ready < opt.opening)
			open_one();
		turn(opened < total || ready < total ? 10 : 0);
	}
	printf("{\"ready\": %d}\n", ready);
	wait_for_go();
	totals = (struct totals){ .closed = totals.closed };
	running = true;
	began = now_ns();
	ends = began + (int64_t)(opt.seconds * 1e9);
	start_all();
	while (now_ns() < ends)
		turn(20);
	running = false;
	report((double)(now_ns() - began) / 1e9);
	return 0;
}
