/* SPDX-License-Identifier: ISC */
/*
 * Life of outbound calls: start, time bounds, the one free repetition, cancel, completion.
 *
 *   httpc_start -> (next turn) libcurl -> httpc_ended -> [once: libcurl again] -> complete
 *                     httpc_fail (cancel, time bound, reader's word) ------------^
 */
#include "net/httpc.h"

#include <stdarg.h>
#include <stdio.h>

#include "clock.h"
#include "net/httpc_curl.h"

enum { BODY_MAX_BYTES = 64 * 1024 * 1024 };

static void work_add(struct httpc_call *call)
{
	if (!call->in_work) {
		call->in_work = true;
		TAILQ_INSERT_TAIL(&call->client->work, call, todo);
	}
	event_active(call->client->turn, EV_TIMEOUT, 0);
}

/* Takes the transfer away from libcurl, which closes its connection unless the reply was complete. */
static void detach(struct httpc_call *call)
{
	if (call->easy == NULL)
		return;
	curl_multi_remove_handle(call->client->multi, call->easy);
	curl_easy_cleanup(call->easy);
	call->easy = NULL;
}

void httpc_fail(struct httpc_call *call, enum pl_code code, const char *fmt, ...)
{
	va_list args;

	if (call->failed || call->state == CALL_ENDED)
		return;
	call->failed = true;
	pl_err_set(&call->err, code, NULL);
	if (fmt != NULL) {
		va_start(args, fmt);
		vsnprintf(call->err.detail, sizeof(call->err.detail), fmt, args);
		va_end(args);
	}
	if (!call->client->inside)
		detach(call);
	work_add(call);
}

static void on_task_cancelled(void *arg)
{
	httpc_fail(arg, PL_E_CANCELLED, NULL);
}

void httpc_cancel(struct httpc_call *call)
{
	httpc_fail(call, PL_E_CANCELLED, NULL);
}

/* ---- time bounds ---- */

struct bound { int64_t at_ns; enum pl_code code; const char *text; };

static void bound_nearer(struct bound *nearest, int64_t at_ns, enum pl_code code, const char *text)
{
	if (at_ns < nearest->at_ns)
		*nearest = (struct bound){ at_ns, code, text };
}

static struct bound bound_nearest(const struct httpc_call *call)
{
	struct bound nearest = { call->task->deadline_ns, PL_E_DEADLINE, NULL };

	if (call->total_ms > 0)
		bound_nearer(&nearest, call->start_ns + call->total_ms * PL_NS_PER_MS, PL_E_UPSTREAM_SLOW,
		    "The upstream's reply took too long.");
	if (call->last_ns == 0 && call->first_ms > 0)
		bound_nearer(&nearest, call->start_ns + call->first_ms * PL_NS_PER_MS, PL_E_UPSTREAM_SLOW,
		    "The upstream did not answer in time.");
	if (call->last_ns != 0 && call->idle_ms > 0)
		bound_nearer(&nearest, call->last_ns + call->idle_ms * PL_NS_PER_MS, PL_E_UPSTREAM_SLOW,
		    "The upstream fell silent in the middle of its reply.");
	return nearest;
}

/* Bytes only move the bounds; the timer finds out when it fires, so that a slice costs no timer operation. */
static void timer_set(struct httpc_call *call)
{
	struct bound nearest = bound_nearest(call);
	int64_t now_ns = pl_now_ns(), wait_ns;
	struct timeval wait;

	if (call->last_ns == 0 && call->idle_ms > 0)	/* the first byte may bring a nearer bound */
		bound_nearer(&nearest, now_ns + call->idle_ms * PL_NS_PER_MS, PL_E_OK, NULL);
	if (nearest.at_ns == INT64_MAX)
		return;
	wait_ns = nearest.at_ns > now_ns ? nearest.at_ns - now_ns : 0;
	wait = (struct timeval){ .tv_sec = wait_ns / PL_NS_PER_S, .tv_usec = wait_ns % PL_NS_PER_S / 1000 + 1 };
	if (wait.tv_usec >= PL_US_PER_S)
		wait = (struct timeval){ .tv_sec = wait.tv_sec + 1 };
	evtimer_add(call->timer, &wait);
}

static void on_call_timer(evutil_socket_t fd, short what, void *arg)
{
	struct httpc_call *call = arg;
	struct bound nearest = bound_nearest(call);

	PL_UNUSED(fd);
	PL_UNUSED(what);
	if (call->failed || call->state == CALL_ENDED)
		return;
	if (pl_now_ns() < nearest.at_ns)
		timer_set(call);
	else if (nearest.text != NULL)
		httpc_fail(call, nearest.code, "%s", nearest.text);
	else
		httpc_fail(call, nearest.code, NULL);
}

/* ---- start ---- */

static struct httpc_call *call_new(struct httpc *client, struct pl_task *task, const struct httpc_request *request)
{
	struct pl_pool *pool = pl_pool_new(4096);
	struct httpc_call *call = pl_alloc(pool, sizeof(*call));

	call->pool = pool;
	call->client = client;
	call->task = pl_task_hold(task);
	call->url = pl_strdup(pool, request->url);
	call->url_secret = request->url_secret;
	call->ca_file = request->ca_file != NULL ? pl_strdup(pool, request->ca_file) : "";
	call->proxy = request->proxy != NULL ? pl_strdup(pool, request->proxy) : "";
	call->is_post = strcmp(request->method, "POST") == 0;
	call->body = call->is_post ? pl_str_dup(pool, request->body.ptr != NULL ? request->body : PL_STR("")) :
	    PL_STR_NONE;
	call->connect_ms = request->connect_ms;
	call->first_ms = request->first_ms;
	call->idle_ms = request->idle_ms;
	call->total_ms = request->total_ms;
	call->max_body_bytes = request->max_body_bytes > 0 ? request->max_body_bytes : BODY_MAX_BYTES;
	call->start_ns = pl_now_ns();
	call->result.head = (struct httpc_head){ .retry_after_ms = -1, .should_retry = -1 };
	call->timer = evtimer_new(client->base, on_call_timer, call);
	PL_BUG(call->timer == NULL);
	return call;
}

struct httpc_call *httpc_start(struct httpc *client, struct pl_task *task, const struct httpc_request *request,
    httpc_body_fn *body, httpc_done_fn *done, void *arg)
{
	struct httpc_call *call = call_new(client, task, request);

	PL_BUG(!call->is_post && strcmp(request->method, "GET") != 0);
	call->on_body = body;
	call->on_done = done;
	call->arg = arg;
	TAILQ_INSERT_TAIL(&client->calls, call, all);
	client->running++;
	pl_task_on_cancel(task, &call->hook, on_task_cancelled, call);
	if (client->stopping)
		httpc_fail(call, PL_E_STOPPING, NULL);
	else if (task->cancelled)
		httpc_fail(call, PL_E_CANCELLED, NULL);
	else if (!httpc_easy_headers(call, request))
		httpc_fail(call, PL_E_UPSTREAM, "A header for the upstream holds a control character.");
	timer_set(call);
	work_add(call);
	return call;
}

/* ---- end ---- */

/*
 * Nothing came back on a connection that had served before: it was closed while it was idle. libcurl repeats some of
 * these itself; what it leaves to us are those it notices while it still sends.
 */
static bool repeatable(const struct httpc_call *call, CURLcode code)
{
	long connects = -1;

	if (call->retried || call->failed || call->got_bytes)
		return false;
	if (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING)
		return false;
	return curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects == 0;
}

void httpc_ended(struct httpc_call *call, CURLcode code)
{
	if (repeatable(call, code)) {
		call->retried = true;
		detach(call);
		call->state = CALL_QUEUED;
	} else {
		httpc_easy_verdict(call, code);
		detach(call);
		call->state = CALL_ENDED;
	}
	work_add(call);
}

static void complete(struct httpc_call *call)
{
	struct httpc *client = call->client;
	struct pl_task *task = call->task;
	struct pl_pool *pool = call->pool;

	detach(call);
	call->state = CALL_ENDED;
	event_free(call->timer);
	pl_task_unhook(task, &call->hook);
	httpc_easy_wipe(call);
	TAILQ_REMOVE(&client->calls, call, all);
	client->running--;
	call->result.total_us = (pl_now_ns() - call->start_ns) / 1000;
	call->on_done(call->arg, &call->result, call->failed ? &call->err : NULL);
	pl_pool_free(&pool);
	pl_task_release(&task);
}

void httpc_work(struct httpc *client)
{
	struct httpc_calls now = TAILQ_HEAD_INITIALIZER(now);
	struct httpc_call *call;

	TAILQ_CONCAT(&now, &client->work, todo);
	while ((call = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, call, todo);
		call->in_work = false;
		if (call->failed || call->state == CALL_ENDED) {
			complete(call);
		} else if (call->state == CALL_QUEUED) {
			httpc_easy_setup(call);
			call->state = CALL_RUNNING;
			PL_BUG(curl_multi_add_handle(client->multi, call->easy) != CURLM_OK);
		}
	}
}

void httpc_flush(struct httpc *client)
{
	PL_BUG(client->inside);
	httpc_work(client);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	PL_UNUSED(fd);
	PL_UNUSED(what);
	httpc_work(arg);
}

/* ---- the client ---- */

struct httpc *httpc_new(struct event_base *base)
{
	struct httpc *client = pl_new(sizeof(*client));

	PL_BUG(curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK);
	client->base = base;
	TAILQ_INIT(&client->calls);
	TAILQ_INIT(&client->work);
	client->multi = curl_multi_init();
	client->turn = event_new(base, -1, 0, on_turn, client);
	PL_BUG(client->multi == NULL || client->turn == NULL);
	httpc_socket_init(client);
	return client;
}

void httpc_free(struct httpc **clientp)
{
	struct httpc *client = *clientp;
	struct httpc_call *call;

	*clientp = NULL;
	if (client == NULL)
		return;
	PL_BUG(client->inside);
	client->stopping = true;
	TAILQ_FOREACH(call, &client->calls, all)
		httpc_fail(call, PL_E_STOPPING, NULL);
	while (!TAILQ_EMPTY(&client->work))
		httpc_work(client);
	PL_BUG(!TAILQ_EMPTY(&client->calls));
	curl_multi_cleanup(client->multi);
	event_free(client->turn);
	httpc_socket_fini(client);
	pl_free(client);
	curl_global_cleanup();
}

