/* SPDX-License-Identifier: ISC */
/*
 * What the files of the HTTP front share: the server, its listeners and connections.
 *
 * A connection's life: evhttp asks for a bufferevent (http_conn_new), the connection is bound to its socket before
 * the loop polls again, bytes pass the guard, evhttp hands over requests one at a time, and evhttp's close callback
 * ends it.
 * Replies are written straight to the socket as long as it takes them; evhttp's own writer is not used, only its
 * bookkeeping of whose turn it is (evhttp_send_reply_end).
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
	struct evhttp_request *ev;	/* handed over by evhttp and not finished */
	struct req *req;		/* made of ev; NULL when it is over */
	int fd;
	uint32_t delivered;		/* requests that evhttp handed over */
	int64_t phase_due;		/* tick when the header or body in progress must be complete */
	bool lingering;			/* said no, or said goodbye: input is thrown away until the client is gone */
	bool broken;			/* writing failed */
	bool streaming, chunked, slow, limited;
	bool keep, is_http10;		/* the request allows another one after it; HTTP/1.0 */
	bool stealing, held;
	uint32_t dropped;
	size_t out_before;		/* output bytes at the last look for progress */
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
	struct pl_pool *rules;		/* what was made of config */
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

#include "net/http_parts.h"

#endif
