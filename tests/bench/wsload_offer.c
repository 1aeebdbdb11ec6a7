/* SPDX-License-Identifier: ISC */
/*
 * Open-loop load: requests or frames are sent at a rate, whether or not earlier ones were answered, like those of
 * independent clients. Phases follow each other (phases=RATExSECONDS,...). Each has its own figures, to which a request
 * belongs by the time when it was due. Latencies count from that time, so they include the generator's own delay.
 *
 * Requests use idle connections; a request that finds none is counted as skipped. Frames do not wait for answers; their
 * "id" must be {due}, the time when they were due.
 */
#include "wsload.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { OPENING_MAX = 128, EVENTS = 512, PHASES_MAX = 8, BATCH_MAX = 512, UNSENT_MAX = 65536, LAST_NS = 1000000000 };

struct phase {
	double rate, seconds;
	int64_t begin_ns, end_ns;
	int64_t sent, skipped, accepted, refused, errors, answered;
	int64_t last_bad_ns;		/* due time of the last request that was refused or took longer than slow_ms */
	struct samples good, bad, late;
};

static struct phase phases[PHASES_MAX];
static struct conn *conns, **idle;
static int phase_count, idle_count, epoll_fd = -1, ready, opened, next_socket;

static void parse_phases(void)
{
	char *all = strdup(opt.phases == NULL ? "" : opt.phases), *word;

	while ((word = strsep(&all, ",")) != NULL) {
		struct phase *phase = &phases[phase_count];

		if (phase_count == PHASES_MAX || sscanf(word, "%lfx%lf", &phase->rate, &phase->seconds) != 2)
			die("phases=RATExSECONDS,... is wanted");
		phase_count++;
	}
}

static struct phase *phase_at(int64_t due_ns)
{
	for (int i = 0; i < phase_count; i++) {
		if (due_ns < phases[i].end_ns)
			return &phases[i];
	}
	return &phases[phase_count - 1];
}

static void settle(int64_t due_ns, int status)
{
	struct phase *phase = phase_at(due_ns);
	int64_t took = now_ns() - due_ns;

	phase->answered++;
	if (status >= 200 && status < 300) {
		phase->accepted++;
		samples_add(&phase->good, took);
	} else if (status == 503 || status == 429) {
		phase->refused++;
		samples_add(&phase->bad, took);
	} else {
		phase->errors++;
	}
	if ((status < 200 || status >= 300 || took > (int64_t)opt.slow_ms * 1000000) && due_ns > phase->last_bad_ns)
		phase->last_bad_ns = due_ns;
}

static void on_reply(struct conn *conn, int status)
{
	settle(conn->sent_ns, status);
	idle[idle_count++] = conn;
}

static void became_ready(struct conn *conn)
{
	conn->stage = ST_READY;
	ready++;
}

static bool has(const char *text, size_t bytes, const char *part)
{
	return memmem(text, bytes, part, strlen(part)) != NULL;
}

static void on_frame(struct conn *conn, const char *text, size_t bytes)
{
	const char *id = memmem(text, bytes, "\"id\":\"", 6);

	if (conn->stage != ST_READY) {
		if (conn->stage == ST_HELLO || bytes > 0)
			became_ready(conn);
		return;
	}
	if (id == NULL)
		return;
	if (has(text, bytes < 64 ? bytes : 64, "\"ack\""))
		settle(strtoll(id + 6, NULL, 10), 201);
	else if (has(text, bytes < 64 ? bytes : 64, "\"error\""))
		settle(strtoll(id + 6, NULL, 10), has(text, bytes, "\"busy\"") ? 503 : 500);
}

static void open_all(int count)
{
	struct epoll_event events[EVENTS];

	while (ready < count) {
		while (opened < count && opened - ready < OPENING_MAX) {
			struct conn *conn = &conns[opened];
			struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };

			*conn = (struct conn){ .fd = conn_connect(), .worker = -1, .is_pub = true, .index = opened++ };
			if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0)
				die("epoll_ctl: %s", strerror(errno));
			if (opt.pub_ws) {
				conn_upgrade(conn, opt.sub);
			} else {
				became_ready(conn);
				idle[idle_count++] = conn;
			}
		}
		for (int i = epoll_wait(epoll_fd, events, EVENTS, 10); i > 0; i--) {
			if (!conn_read(events[i - 1].data.ptr))
				die("a connection was closed while opening");
		}
	}
}

static bool send_one(struct phase *phase, int64_t due_ns)
{
	struct conn *conn;
	char text[8192];
	size_t bytes;
	int unsent = 0;

	if (!opt.pub_ws) {
		if (idle_count == 0)
			return false;
		conn = idle[--idle_count];
		conn->sent_ns = due_ns;
		if (opt.body == NULL)
			conn_get(conn, opt.pub);
		else
			conn_post(conn, opt.pub, opt.body);
	} else {
		conn = &conns[next_socket++ % opened];
		if (conn->stage != ST_READY || (ioctl(conn->fd, SIOCOUTQ, &unsent) == 0 && unsent > UNSENT_MAX))
			return false;
		conn->sent_ns = due_ns;
		bytes = conn_expand(conn, opt.body, text, sizeof(text));
		conn_send_text(conn, text, bytes);
	}
	samples_add(&phase->late, now_ns() - due_ns);
	return true;
}

static void turn(int64_t until_ns)
{
	struct epoll_event events[EVENTS];
	int64_t left = until_ns - now_ns();
	struct timespec wait = { .tv_nsec = left < 0 ? 0 : left > 20000000 ? 20000000 : left };
	int count = epoll_pwait2(epoll_fd, events, EVENTS, &wait, NULL);

	for (int i = 0; i < count; i++) {
		struct conn *conn = events[i].data.ptr;

		if (conn->stage == ST_CLOSED || conn_read(conn))
			continue;
		totals.closed++;
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
		conn->stage = ST_CLOSED;
	}
}

/* Sends everything that is due, at most BATCH_MAX before replies are read again. */
static void run_phase(struct phase *phase)
{
	int64_t step_ns = (int64_t)(1e9 / phase->rate), due_ns = phase->begin_ns, now;

	while (due_ns < phase->end_ns) {
		now = now_ns();
		for (int i = 0; i < BATCH_MAX && due_ns <= now && due_ns < phase->end_ns; i++, due_ns += step_ns) {
			if (send_one(phase, due_ns))
				phase->sent++;
			else
				phase->skipped++;
		}
		turn(due_ns);
	}
}

static void print_phase(struct phase *phase)
{
	printf("{\"rate\": %.1f, \"seconds\": %.3f, \"sent\": %lld, \"skipped\": %lld, \"accepted\": %lld, "
	    "\"refused\": %lld, \"errors\": %lld, \"unanswered\": %lld, \"recovered_ms\": %.1f, ",
	    phase->rate, phase->seconds,
	    (long long)phase->sent, (long long)phase->skipped, (long long)phase->accepted, (long long)phase->refused,
	    (long long)phase->errors, (long long)(phase->sent - phase->answered),
	    phase->last_bad_ns == 0 ? 0.0 : (double)(phase->last_bad_ns - phase->begin_ns) / 1e6);
	samples_print("good", &phase->good);
	printf(", ");
	samples_print("bad", &phase->bad);
	printf(", ");
	samples_print("late", &phase->late);
	printf("}");
}

int run_offer(void)
{
	int64_t at_ns;

	mode = (struct mode){ .frame = on_frame, .reply = on_reply };
	parse_phases();
	conns = calloc((size_t)opt.pubs, sizeof(*conns));
	idle = calloc((size_t)opt.pubs, sizeof(*idle));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (conns == NULL || idle == NULL || epoll_fd < 0)
		die("out of memory");
	open_all(opt.pubs);
	at_ns = now_ns();
	for (int i = 0; i < phase_count; i++) {
		phases[i].begin_ns = at_ns;
		phases[i].end_ns = at_ns += (int64_t)(phases[i].seconds * 1e9);
	}
	for (int i = 0; i < phase_count; i++)
		run_phase(&phases[i]);
	while (now_ns() < at_ns + LAST_NS)
		turn(at_ns + LAST_NS);
	printf("{\"closed\": %lld, \"phases\": [", (long long)totals.closed);
	for (int i = 0; i < phase_count; i++) {
		printf(i > 0 ? ", " : "");
		print_phase(&phases[i]);
	}
	printf("]}\n");
	return 0;
}
