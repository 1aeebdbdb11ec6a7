/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of the HTTP front: the server, its listeners, and its connections.
 *
 * A connection's life: evhttp asks for a bufferevent (http_conn_new), the connection is bound to its socket before the
 * loop polls again, bytes pass the guard, evhttp passes requests one at a time, and evhttp's close callback ends it.
 * Replies are written straight to the socket as long as it takes them; evhttp's own writer is not used, only its order
 * of requests (evhttp_send_reply_end).
 */
#ifndef NET_HTTP_INT_H
#define NET_HTTP_INT_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/listener.h>
#include <sys/uio.h>

#include "net/guard.h"
#include "net/http.h"
#include "net/http_addr.h"
#include "net/http_cors.h"
#include "net/wheel.h"

struct http_listener {
	struct http_server *server;
	struct http_listener *next, *next_of_all;
	struct evhttp *http;
	struct evconnlistener *accept;
	bool is_unix, operator_side, paused;
	int64_t resume_tick;
};

struct http_conn {
	struct wheel_node wheel;	/* first */
	struct http_server *server;
	struct http_listener *listener;
	struct http_conn *next, **at;	/* all of the server */
	struct bufferevent *bev;
	struct evbuffer_cb_entry *watch;
	struct event hold_read;		/* see http_conn_hold_read() */
	struct evhttp_connection *evcon;	/* NULL until bound */
	struct evhttp_request *ev;	/* passed by evhttp and not finished */
	struct req *req;		/* created from ev; NULL after its end */
	int fd;
	uint32_t delivered;		/* requests that evhttp passed on */
	int64_t phase_due;		/* tick when the header or body in progress must be complete */
	bool lingering;			/* refused, or closing: input is dropped until the client has closed */
	bool broken;			/* writing failed */
	bool streaming, chunked, slow, limited;
	bool keep, is_http10;		/* the request allows another one after it; HTTP/1.0 */
	bool stealing, held;
	void (*drained)(void *arg);	/* req_stream_wait(); NULL: nobody waits */
	void *drained_arg;
	bool drain_watched;
	bool early;			/* req is answered by http_early.c: evhttp does not know it */
	uint32_t dropped;
	size_t out_before;		/* output bytes at the last check for progress */
	int64_t write_due;		/* tick of the next check; WHEEL_NEVER: nothing waits to be written */
	int64_t ping_due;		/* tick when a stream of events gets a comment line; WHEEL_NEVER: none */
	bool has_ip;
	struct http_ip ip;
	char addr[HTTP_ADDR_TEXT];
	struct http_cors cors;		/* of req */
	struct guard guard;
};

struct http_server {
	struct event_base *base;
	struct shm *shm;
	CONFIG_HELD struct config *config;
	struct http_hooks hooks;
	struct pl_pool *rules;		/* data derived from config */
	struct http_nets proxies;
	struct wheel wheel;
	struct http_listener *listeners;
	struct http_conn *conns;
	struct http_conn **by_fd;
	struct event *bind_event;	/* runs once after a turn's accepts */
	struct http_steal *steals;
	int by_fd_count, conns_count, pending, spare_fd;
	bool draining, gentle, freeing;
	int64_t conns_max, forwarded_warned_ns;
	char date[30];
	struct pl_buf head;		/* scratch for reply headers */
};

/* http_listen.c */
void http_listeners_tick(struct http_server *server);
void http_listeners_pause(struct http_server *server, bool all, int64_t ticks);
void http_listeners_stop(struct http_server *server);
void http_listener_free(struct http_listener *listener);

/* http_conn.c */
struct bufferevent *http_conn_new(struct http_listener *listener);
/* Binds the connections that were accepted in this turn. */
void http_conns_bind(struct http_server *server);
struct http_conn *http_conn_of(struct http_server *server, struct evhttp_request *ev);
void http_conn_expired(void *arg, struct wheel_node *node);
/* Sets the next deadline of the connection on the wheel. */
void http_conn_arm(struct http_conn *conn);
/* The guard refused and the last good request is being answered: the reply must be the last one. */
bool http_conn_doomed(const struct http_conn *conn);
/* Ends it now: evhttp frees its part, conn is freed. */
void http_conn_close(struct http_conn *conn);
/* Ends the output; input is dropped until the client closes, for at most two seconds. */
void http_conn_linger(struct http_conn *conn);
/*
 * evhttp turns reading off and on around each request, which costs an epoll_ctl() even without effect. While an event
 * of ours reads, too, libevent does not change epoll. Always turned off before the loop polls.
 */
void http_conn_hold_read(struct http_conn *conn, bool hold);
/* Skips empty lines between requests, which evhttp mistakes for requests. */
void http_conn_skip_crlf(struct http_conn *conn);

/* http_write.c */
/*
 * Writes now as much as the socket accepts; the rest waits in the bufferevent: parts[0] as a copy, the others too when
 * `holder` is NULL; else it owns their bytes and is held. parts[] is used up.
 */
void http_conn_write(struct http_conn *conn, struct iovec *parts, int count, struct pl_task *holder);
/* The reply is complete: gives the turn back to evhttp, or ends the connection. conn may be freed afterwards. */
void http_conn_finish(struct http_conn *conn, bool close);

/* Headers that this layer itself needs, collected in one pass. */
struct http_heads {
	struct pl_str host, origin, forwarded, proto, request_id, connection;
	bool close, keep_alive, upgrade, websocket;
};

/* http_request.c */
/* Creates an empty request of this connection. */
struct req *http_req_new(struct http_conn *conn);
/* Takes one header field into *heads; the name is not empty. `value` must live as long as the pool. */
void http_heads_take(struct http_heads *heads, struct pl_pool *pool, struct pl_str name, struct pl_str value);
/* Fills in the data of request line and headers; `target` must live as long as the task. */
void http_req_fill(struct req *req, enum req_method method, struct pl_str target, struct http_heads *heads);
void http_request_start(struct evhttp_request *ev, void *listener);
/* Ends the request: hooks, metrics, and the hold of the task. */
void http_request_over(struct http_conn *conn);

/* http_early.c */
/*
 * `input` holds exactly one complete request. true: it was refused because of overload and answered, and `input` is
 * empty; false: evhttp may read it.
 */
bool http_early_refused(struct http_conn *conn, struct evbuffer *input);
/* Sends the reply to such a request, head and body, and ends the request. */
void http_early_reply(struct http_conn *conn, struct iovec *parts, int count);

/* http_steal.c */
void http_steals_drop(struct http_server *server);
/* evhttp is freeing a connection that is being stolen. */
void http_steal_lost(struct http_conn *conn);

struct req;
/* req_reply.c */
const char *http_status_text(int status);
/* Restarts the ping timer of an event stream; if `silent`, first writes a comment line. */
void req_stream_ping(struct req *req, bool silent);

/* req_params.c */
/* Splits and decodes req->path into req->segment[]. */
void req_path_split(struct req *req);
/* The target without the values of token parameters; the same text if there are none. */
struct pl_str req_target_redact(struct pl_pool *pool, struct pl_str target);

#endif
