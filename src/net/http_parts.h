/* SPDX-License-Identifier: ISC */
/*
 * What the files of the HTTP front call in each other. Included by http_int.h.
 */
#ifndef NET_HTTP_PARTS_H
#define NET_HTTP_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "str.h"

struct bufferevent;
struct evhttp_request;
struct http_conn;
struct http_listener;
struct http_server;
struct pl_task;
struct req;
struct wheel_node;

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
/* Puts the deadline of what the connection waits for onto the wheel. */
void http_conn_arm(struct http_conn *conn);
/* The guard refused and the last good request is being answered: the reply must be the last one. */
bool http_conn_doomed(const struct http_conn *conn);
/* Ends it now: evhttp frees its part, conn is freed. */
void http_conn_close(struct http_conn *conn);
/* Says goodbye: no more output; input is dropped until the client closes, for two seconds at most. */
void http_conn_linger(struct http_conn *conn);
/* Forgets the connection without touching evhttp's part. */
void http_conn_free(struct http_conn *conn);
/*
 * evhttp turns reading off and on around each request, which costs an epoll_ctl() even when it comes to nothing. While
 * an event of our own wants to read too, libevent has nothing to tell epoll. Never left on when the loop polls.
 */
void http_conn_hold_read(struct http_conn *conn, bool hold);
/* Empty lines between requests (evhttp takes them for requests). */
void http_conn_skip_crlf(struct http_conn *conn);

/* http_write.c */
/*
 * Writes now what the socket takes; the rest waits in the bufferevent: parts[0] as a copy, the others too when `holder`
 * is NULL; else it owns their bytes and is held. parts[] is used up.
 */
void http_conn_write(struct http_conn *conn, struct iovec *parts, int count, struct pl_task *holder);
/* The reply is complete: gives the turn back to evhttp, or ends the connection. conn may be gone afterwards. */
void http_conn_finish(struct http_conn *conn, bool close);

/* http_request.c */
void http_request_start(struct evhttp_request *ev, void *listener);
/* The request is over for us: hooks, figures, the task's hold. */
void http_request_over(struct http_conn *conn);

/* http_steal.c */
void http_steals_drop(struct http_server *server);
/* evhttp is freeing a connection that is being stolen. */
void http_steal_lost(struct http_conn *conn);

/* req_reply.c */
const char *http_status_text(int status);

/* req_params.c */
/* Splits and decodes req->path into req->segment[]. */
void req_path_split(struct req *req);
/* The target with the values of token parameters taken out; the same text when there are none. */
struct pl_str req_target_redact(struct pl_pool *pool, struct pl_str target);

#endif
