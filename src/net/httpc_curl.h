/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of httpc only.
 *
 * A transfer is on `transfers` from start to completion, and on `work` when a loop turn must handle it: to pass it to
 * libcurl (TRANSFER_QUEUED), or to complete it (TRANSFER_ENDED). libcurl forbids adding and removing transfers inside
 * its callbacks; `inside` means that one is running.
 */
#ifndef NET_HTTPC_CURL_H
#define NET_HTTPC_CURL_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "net/httpc.h"

enum httpc_state { TRANSFER_QUEUED, TRANSFER_RUNNING, TRANSFER_ENDED };

TAILQ_HEAD(httpc_transfers, httpc_transfer);

struct httpc {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;		/* of libcurl */
	struct event *turn;		/* looks at `work` */
	struct httpc_transfers transfers, work;
	int running;
	bool inside, stopping;
};

struct httpc_transfer {
	TAILQ_ENTRY(httpc_transfer) all, todo;
	struct httpc *client;
	struct pl_pool *pool;		/* the transfer itself, url and body */
	struct pl_task *task;
	struct pl_cancel hook;
	enum httpc_state state;
	bool in_work, failed, retried, got_bytes, compressed;
	CURL *easy;
	struct curl_slist *headers;
	struct event *timer;		/* the nearest time bound */
	const char *url, *ca_file, *proxy;
	struct pl_str body;
	bool is_post, url_secret;
	int64_t connect_ms, first_ms, idle_ms, total_ms;
	size_t max_body_bytes;
	int64_t start_ns, last_ns;	/* last_ns: of the last body byte, 0 = none yet */
	struct httpc_result result;
	struct pl_err err;		/* when failed */
	char curl_error[CURL_ERROR_SIZE];
	httpc_body_fn *on_body;
	httpc_done_fn *on_done;
	void *arg;
};

/* httpc.c: ends it with this error unless it ended already; the connection closes as soon as libcurl allows. */
void httpc_fail(struct httpc_transfer *transfer, enum pl_code code, const char *fmt, ...) PL_PRINTF(3, 4);
/* httpc.c: libcurl finished the transfer. */
void httpc_ended(struct httpc_transfer *transfer, CURLcode code);

/* httpc_easy.c: the transfer's options; the header list of a request; the meaning of libcurl's verdict. */
void httpc_easy_setup(struct httpc_transfer *transfer);
bool httpc_easy_headers(struct httpc_transfer *transfer, const struct httpc_request *request);
void httpc_easy_wipe(struct httpc_transfer *transfer);
void httpc_easy_verdict(struct httpc_transfer *transfer, CURLcode code);

/* httpc_socket.c: libcurl's sockets and timer in the event loop. */
void httpc_socket_init(struct httpc *client);
void httpc_socket_fini(struct httpc *client);
/* Lets libcurl work on one socket (or CURL_SOCKET_TIMEOUT), then calls httpc_ended() for transfers that finished. */
void httpc_socket_action(struct httpc *client, curl_socket_t fd, int events);
/* httpc.c: handles `work` now. */
void httpc_work(struct httpc *client);

#endif
