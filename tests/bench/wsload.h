/* SPDX-License-Identifier: ISC */
/*
 * wsload: a load generator for WebSocket and HTTP servers, plain POSIX and epoll, so that the generator is not what is
 * measured. wsload.c options and modes; wsload_conn.c connections and what they carry; wsload_run.c the load itself;
 * wsload_offer.c open-loop load;
 * wsload_probe.c one-message-at-a-time probes.
 */
#ifndef WSLOAD_H
#define WSLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All options are key=value words; a text may hold {room}, {n} (a number never used before), {i}, {token} and {due}. */
struct options {
	const char *host, *dir;			/* dir: where the probe's fdatasync() file goes */
	int port;
	int subs, pubs;				/* sockets that listen, connections that send */
	double seconds;
	int count, inflight;			/* probes: how many, how many at once */
	int opening;				/* load: how many connections open at once */
	bool once;				/* every sender sends only one message */
	bool marks;				/* look for "T=<monotonic ns>;" in what listeners get */
	int edge_ms;				/* also report the marks of the first and the last so many ms apart */
	const char *over;			/* with marks: the text after the last one of a stream */
	/* listeners are HTTP requests (sub, hello = body) with a streamed reply */
	bool stream;
	bool native;				/* sockets speak parlour.v1: the first frame is "authed" */
	bool pub_ws;				/* senders use sockets, else HTTP POST */
	const char *sub, *hello, *hello_ok;	/* path, first text, part of the frame that says it worked */
	const char *pub, *body;			/* path, body or frame of senders */
	const char *phases;			/* mode offer: RATExSECONDS,... */
	int slow_ms;				/* mode offer: an answer that takes longer counts as late */
	const char *deliver;			/* part of a frame that counts as delivered; NULL: any text frame */
	const char **tokens, **rooms;
	int token_count, room_count;
};

enum stage { ST_HANDSHAKE, ST_AUTHED, ST_HELLO, ST_READY, ST_CLOSED };

struct conn {
	int fd, index;
	bool is_pub, is_ws;
	enum stage stage;
	char *kept;				/* bytes of a frame or reply that is not complete */
	size_t kept_bytes;
	char *request;			/* of conn_get() */
	size_t request_bytes;
	int64_t sent_ns, last_mark, over_mark;	/* over_mark: last_mark of the stream that was over */
	int worker;				/* from the authed frame; -1 */
};

/* Times in ns, kept for percentiles. */
struct samples {
	int64_t *ns;
	size_t count, room;
};

struct totals {
	int64_t delivered, bytes, published, errors, closed;
	struct samples latency, marks, stamps, overs;	/* stamps: when each of marks was written */
};

extern struct options opt;
extern struct totals totals;

int64_t now_ns(void);
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void samples_add(struct samples *samples, int64_t ns);
/* "NAME_p50_us": .., "NAME_p99_us": .., "NAME_max_us": .., "NAME_count": .. */
void samples_print(const char *name, struct samples *samples);

/* A connected socket, not blocking; dies when it cannot. */
int conn_connect(void);
/* Replaces the placeholders. out must have room for the result; a longer one is cut. Returns its length. */
size_t conn_expand(const struct conn *conn, const char *text, char *out, size_t room);
void conn_send(struct conn *conn, const char *data, size_t bytes);
/* A masked text frame. */
void conn_send_text(struct conn *conn, const char *text, size_t bytes);
void conn_upgrade(struct conn *conn, const char *path);
void conn_post(struct conn *conn, const char *path, const char *body);
void conn_get(struct conn *conn, const char *path);
/* Reads what is there and calls the mode's functions for what is complete; false: closed. */
bool conn_read(struct conn *conn);

/*
 * The handlers of the mode: for a text frame (empty: the handshake is over), a reply, a stamp, and the end of a stream.
 */
struct mode {
	void (*frame)(struct conn *conn, const char *text, size_t bytes);
	void (*reply)(struct conn *conn, int status);
	void (*mark)(struct conn *conn, int64_t stamp_ns, int64_t seen_ns);
	void (*over)(struct conn *conn, int64_t seen_ns);
};
extern struct mode mode;

int run_load(void);
int run_pair(void);
int run_connect(void);
int run_offer(void);

#endif
