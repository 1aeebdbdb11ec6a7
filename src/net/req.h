/* SPDX-License-Identifier: ISC */
/*
 * One HTTP request and its one reply.
 *
 * Life: created by the front, in the pool of its task. A handler may answer at once, or hold the task and answer later.
 * req_reply* and req_fail may be called once; a second call is a bug. When the client leaves, `gone` is set, the task
 * is cancelled, and a later answer is dropped here.
 */
#ifndef NET_REQ_H
#define NET_REQ_H

#include "core/settings.h"
#include "err.h"
#include "str.h"
#include "task.h"

enum req_method { REQ_GET = 1, REQ_HEAD = 2, REQ_POST = 4, REQ_PUT = 8, REQ_PATCH = 16, REQ_DELETE = 32,
    REQ_OPTIONS = 64 };

#define REQ_SEGMENTS_MAX 12

struct req_header { const char *name, *value; struct req_header *next; };

struct req {
	struct pl_task *task;
	CONFIG_HELD const struct config *config;	/* as long as the task */
	enum req_method method;
	struct pl_str target;		/* as received, without tokens */
	struct pl_str path;		/* before '?', not decoded */
	struct pl_str query;		/* after '?', not decoded; absent if none */
	/* decoded parts of the path, "" parts at the end dropped; UTF-8, no NUL */
	struct pl_str segment[REQ_SEGMENTS_MAX];
	int segments;			/* -1: too many, or a part that does not decode: no route */
	struct pl_str body;		/* whole body */
	bool is_http10;
	bool is_upgrade;		/* Connection: upgrade + Upgrade: websocket were given */
	bool operator_side;		/* received on metrics_listen */
	bool from_unix, forwarded_tls;
	bool gone, replied, deferred;
	/* for finished(): */
	int status;
	size_t reply_bytes, reply_head_bytes;	/* the whole reply; its header */
	const char *route;		/* set by the dispatcher: the row's path */
	int endpoint;			/* likewise: its number in /metrics; 0: no route */
	const char *error_code;		/* set by req_fail */
	char classes[48];		/* set by the limits: "read 3/200" */
	struct pl_str mfa_ticket;	/* for the body of PL_E_MFA_REQUIRED */
	const char *upstream;
	int64_t upstream_us;
	/* private to net/ */
	struct evhttp_request *ev;
	struct http_conn *conn;
	struct req_header *reply_headers;
	const char *cors_origin;	/* allowed Origin to echo; NULL: none sent or not allowed */
	bool origin_sent, origin_ok;
};

/* The value of a request header, or absent. Names are case-insensitive. */
struct pl_str req_header(const struct req *req, const char *name);
/* A query or form parameter, decoded; absent when not given; the first one wins. Bad UTF-8 or %00: absent, *bad set. */
struct pl_str req_query(const struct req *req, const char *name, bool *bad_r);
/* The same from an application/x-www-form-urlencoded body. */
struct pl_str req_form(const struct req *req, const char *name, bool *bad_r);
/* Content-Type without parameters, lower case; "" when absent. */
const char *req_content_type(const struct req *req);

/* Adds a header to the reply. The value is copied; CR, LF and NUL in it are dropped. */
void req_header_add(struct req *req, const char *name, const char *value);
/* The same, but replaces an earlier one with that name. */
void req_header_set(struct req *req, const char *name, const char *value);
void req_header_addf(struct req *req, const char *name, const char *fmt, ...) PL_PRINTF(3, 4);

/* The reply. `body` is taken over (pool memory may be referenced until it is written). type NULL: application/json. */
void req_reply(struct req *req, int status, const char *type, struct pl_str body);
/* 204 and the like. */
void req_reply_empty(struct req *req, int status);
/* The only place that writes error bodies (PROTOCOL section 1): JSON or problem+json, Retry-After, WWW-Authenticate. */
void req_fail(struct req *req, const struct pl_err *err);
void req_fail_code(struct req *req, enum pl_code code);
/*
 * Must be called before a handler returns without a reply: turns reading on again, so that the server notices when the
 * client leaves. May be called twice.
 */
void req_defer(struct req *req);

/*
 * A streamed reply (SSE, CSV): start, any number of chunks, end. false from chunk: the client has left or is too slow.
 */
void req_stream_start(struct req *req, int status, const char *type);
bool req_stream_chunk(struct req *req, struct pl_str bytes);
void req_stream_end(struct req *req);
/*
 * For long replies: true if the client has everything so far. Otherwise, fn(arg) runs once from the loop when that is
 * so; never if the connection ends before. A client that reads nothing for write_timeout is disconnected.
 */
bool req_stream_wait(struct req *req, void (*fn)(void *arg), void *arg) PL_MUSTCHECK;
/* Ends an incomplete reply: closes the connection so that the client notices. */
void req_stream_cut(struct req *req);

#endif
