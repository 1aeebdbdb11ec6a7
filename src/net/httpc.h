/* SPDX-License-Identifier: ISC */
/*
 * Outbound HTTP(S) in the worker's loop, over libcurl. Only httpc*.c and mailc.c know libcurl.
 *
 * HTTP/1.1 with keep-alive, TLS verified, no proxy unless one is given, no redirect, no cookies, nothing compressed. A
 * request that fails on a reused connection before the first byte of its reply is repeated once, at once, on a fresh
 * connection: servers close idle connections without notice.
 */
#ifndef NET_HTTPC_H
#define NET_HTTPC_H

#include <event2/event.h>

#include "err.h"
#include "task.h"

struct httpc;
struct httpc_transfer;

struct httpc_header { const char *name; struct pl_str value; };	/* absent or empty values are not sent */

/* Borrowed until httpc_start() returned; 0 in a time means no limit. */
struct httpc_request {
	const char *method;		/* GET or POST */
	const char *url;		/* http:// or https://, without user name */
	bool url_secret;		/* the address is a credential: it is not logged */
	const struct httpc_header *headers;	/* copied, and wiped at the end: keys may be among them */
	int headers_count;
	const char *ca_file;		/* NULL or "": the system's authorities */
	const char *proxy;		/* NULL or "": none */
	struct pl_str body;		/* POST only */
	int64_t connect_ms;		/* name, TCP, TLS */
	int64_t first_ms;		/* from the start to the first byte of the reply's body */
	int64_t idle_ms;		/* silence after that */
	int64_t total_ms;		/* the task's deadline bounds it too */
	size_t max_body_bytes;		/* of the reply; 0: 64 MiB */
};

/* The final reply's head; 1xx are skipped. Numbers are -1 if the header is absent or invalid. */
struct httpc_head {
	int status;			/* 0: none */
	char content_type[64];		/* lower case, without parameters; "" when absent */
	int64_t retry_after_ms;		/* Retry-After (seconds or HTTP date) or retry-after-ms */
	int should_retry;		/* x-should-retry: 1 true, 0 false, -1 absent */
};

struct httpc_result {
	struct httpc_head head;
	int64_t body_bytes;
	int64_t total_us;
	bool hopeless;			/* address, certificate, or protocol is wrong: a retry fails, too */
};

/*
 * A slice of the reply's body, in order, any status. May start and cancel transfers. false stops the transfer: the
 * connection is closed and the completion gets PL_E_CANCELLED.
 */
typedef bool (httpc_body_fn)(void *arg, const struct httpc_head *head, const char *data, size_t len);
/*
 * err NULL: the reply is complete according to its framing, with any status (a close-delimited one always is). The
 * transfer is freed when this returns.
 */
typedef void (httpc_done_fn)(void *arg, const struct httpc_result *result, const struct pl_err *err);

/* One per process, made after fork (a thread for name lookups appears with the first one). */
struct httpc *httpc_new(struct event_base *base);
/* Completes running transfers with PL_E_STOPPING, closes all connections, clears *client. Not from a callback. */
void httpc_free(struct httpc **client);

/*
 * Starts a request; holds `task` until `done` ran.
 *   errors:  PL_E_UPSTREAM (no connection, TLS, protocol, reply too large or compressed), PL_E_UPSTREAM_SLOW (a time
 *            bound), PL_E_UPSTREAM_CUT (lost after its first byte), PL_E_DEADLINE, PL_E_CANCELLED, PL_E_STOPPING
 *   async:   `done` once, never before return, also after cancel; pl_task_cancel() cancels
 *   source:  RFC 9110, RFC 9112; curl_multi_socket_action(3)
 */
struct httpc_transfer *httpc_start(struct httpc *client, struct pl_task *task, const struct httpc_request *request,
    httpc_body_fn *body, httpc_done_fn *done, void *arg);
/*
 * Closes the connection at once (in a body callback: after it). No more slices; `done` is called with PL_E_CANCELLED.
 */
void httpc_cancel(struct httpc_transfer *transfer);
/* Runs the completions of cancelled transfers now instead of in the next turn. Not from a callback. */
void httpc_flush(struct httpc *client);

#endif
