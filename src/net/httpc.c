/* SPDX-License-Identifier: ISC */
/*
 * Outbound transfers: start, time limits, the single free repetition, cancellation, and completion.
 *
 *   httpc_start -> (next turn) libcurl -> httpc_ended -> [once: libcurl again] -> complete
 *                     httpc_fail (canceled, too slow, refused by the reader) ----^
 */
#include "net/httpc.h"

#include <stdarg.h>
#include <stdio.h>

#include "clock.h"
#include "net/httpc_curl.h"

enum { BODY_MAX_BYTES = 64 * 1024 * 1024 };

static void work_add(struct httpc_transfer *transfer)
{
	if (!transfer->in_work) {
		transfer->in_work = true;
		TAILQ_INSERT_TAIL(&transfer->client->work, transfer, todo);
	}
	event_active(transfer->client->turn, EV_TIMEOUT, 0);
}

/* Removes the transfer from libcurl, which closes its connection unless the reply was complete. */
static void detach(struct httpc_transfer *transfer)
{
	if (transfer->easy == NULL)
		return;
	curl_multi_remove_handle(transfer->client->multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
}

void httpc_fail(struct httpc_transfer *transfer, enum pl_code code, const char *fmt, ...)
{
	va_list args;

	if (transfer->failed || transfer->state == TRANSFER_ENDED)
		return;
	transfer->failed = true;
	pl_err_set(&transfer->err, code, NULL);
	if (fmt != NULL) {
		va_start(args, fmt);
		vsnprintf(transfer->err.detail, sizeof(transfer->err.detail), fmt, args);
		va_end(args);
	}
	if (!transfer->client->inside)
		detach(transfer);
	work_add(transfer);
}

static void on_task_cancelled(void *arg)
{
	httpc_fail(arg, PL_E_CANCELLED, NULL);
}

void httpc_cancel(struct httpc_transfer *transfer)
{
	httpc_fail(transfer, PL_E_CANCELLED, NULL);
}

/* ---- time limits ---- */

struct bound { int64_t at_ns; enum pl_code code; const char *text; };

static void bound_nearer(struct bound *nearest, int64_t at_ns, enum pl_code code, const char *text)
{
	if (at_ns < nearest->at_ns)
		*nearest = (struct bound){ at_ns, code, text };
}

static struct bound bound_nearest(const struct httpc_transfer *transfer)
{
	struct bound nearest = { transfer->task->deadline_ns, PL_E_DEADLINE, NULL };

	if (transfer->total_ms > 0)
		bound_nearer(&nearest, transfer->start_ns + transfer->total_ms * PL_NS_PER_MS, PL_E_UPSTREAM_SLOW,
		    "The upstream's reply took too long.");
	if (transfer->last_ns == 0 && transfer->first_ms > 0)
		bound_nearer(&nearest, transfer->start_ns + transfer->first_ms * PL_NS_PER_MS, PL_E_UPSTREAM_SLOW,
		    "The upstream did not answer in time.");
	if (transfer->last_ns != 0 && transfer->idle_ms > 0)
		bound_nearer(&nearest, transfer->last_ns + transfer->idle_ms * PL_NS_PER_MS, PL_E_UPSTREAM_SLOW,
		    "The upstream stopped sending in the middle of its reply.");
	return nearest;
}

/* Received bytes only move the limits; the timer checks them when it fires. So a piece of a reply changes no timer. */
static void timer_set(struct httpc_transfer *transfer)
{
	struct bound nearest = bound_nearest(transfer);
	int64_t now_ns = pl_now_ns(), wait_ns;
	struct timeval wait;

	if (transfer->last_ns == 0 && transfer->idle_ms > 0)	/* after the first byte a shorter limit may apply */
		bound_nearer(&nearest, now_ns + transfer->idle_ms * PL_NS_PER_MS, PL_E_OK, NULL);
	if (nearest.at_ns == INT64_MAX)
		return;
	wait_ns = nearest.at_ns > now_ns ? nearest.at_ns - now_ns : 0;
	wait = (struct timeval){ .tv_sec = wait_ns / PL_NS_PER_S, .tv_usec = wait_ns % PL_NS_PER_S / 1000 + 1 };
	if (wait.tv_usec >= PL_US_PER_S)
		wait = (struct timeval){ .tv_sec = wait.tv_sec + 1 };
	evtimer_add(transfer->timer, &wait);
}

static void on_transfer_timer(evutil_socket_t fd, short what, void *arg)
{
	struct httpc_transfer *transfer = arg;
	struct bound nearest = bound_nearest(transfer);

	PL_UNUSED(fd);
	PL_UNUSED(what);
	if (transfer->failed || transfer->state == TRANSFER_ENDED)
		return;
	if (pl_now_ns() < nearest.at_ns)
		timer_set(transfer);
	else if (nearest.text != NULL)
		httpc_fail(transfer, nearest.code, "%s", nearest.text);
	else
		httpc_fail(transfer, nearest.code, NULL);
}

/* ---- start ---- */

static struct httpc_transfer *transfer_new(struct httpc *client, struct pl_task *task,
    const struct httpc_request *request)
{
	struct pl_pool *pool = pl_pool_new(4096);
	struct httpc_transfer *transfer = pl_alloc(pool, sizeof(*transfer));

	transfer->pool = pool;
	transfer->client = client;
	transfer->task = pl_task_hold(task);
	transfer->url = pl_strdup(pool, request->url);
	transfer->url_secret = request->url_secret;
	transfer->ca_file = request->ca_file != NULL ? pl_strdup(pool, request->ca_file) : "";
	transfer->proxy = request->proxy != NULL ? pl_strdup(pool, request->proxy) : "";
	transfer->is_post = strcmp(request->method, "POST") == 0;
	transfer->body = transfer->is_post ? pl_str_dup(pool, request->body.ptr != NULL ? request->body : PL_STR("")) :
	    PL_STR_NONE;
	transfer->connect_ms = request->connect_ms;
	transfer->first_ms = request->first_ms;
	transfer->idle_ms = request->idle_ms;
	transfer->total_ms = request->total_ms;
	transfer->max_body_bytes = request->max_body_bytes > 0 ? request->max_body_bytes : BODY_MAX_BYTES;
	transfer->start_ns = pl_now_ns();
	transfer->result.head = (struct httpc_head){ .retry_after_ms = -1, .should_retry = -1 };
	transfer->timer = evtimer_new(client->base, on_transfer_timer, transfer);
	PL_BUG(transfer->timer == NULL);
	return transfer;
}

struct httpc_transfer *httpc_start(struct httpc *client, struct pl_task *task, const struct httpc_request *request,
    httpc_body_fn *body, httpc_done_fn *done, void *arg)
{
	struct httpc_transfer *transfer = transfer_new(client, task, request);

	PL_BUG(!transfer->is_post && strcmp(request->method, "GET") != 0);
	transfer->on_body = body;
	transfer->on_done = done;
	transfer->arg = arg;
	TAILQ_INSERT_TAIL(&client->transfers, transfer, all);
	client->running++;
	pl_task_on_cancel(task, &transfer->hook, on_task_cancelled, transfer);
	if (client->stopping)
		httpc_fail(transfer, PL_E_STOPPING, NULL);
	else if (task->cancelled)
		httpc_fail(transfer, PL_E_CANCELLED, NULL);
	else if (!httpc_easy_headers(transfer, request))
		httpc_fail(transfer, PL_E_UPSTREAM, "A header for the upstream contains a control character.");
	timer_set(transfer);
	work_add(transfer);
	return transfer;
}

/* ---- end ---- */

/*
 * No byte of a reply came on a connection that was used before: the server had closed it while it was idle. libcurl
 * repeats some of these requests itself, but not those that fail while it still sends.
 */
static bool repeatable(const struct httpc_transfer *transfer, CURLcode code)
{
	long connects = -1;

	if (transfer->retried || transfer->failed || transfer->got_bytes)
		return false;
	if (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING)
		return false;
	return curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects == 0;
}

void httpc_ended(struct httpc_transfer *transfer, CURLcode code)
{
	if (repeatable(transfer, code)) {
		transfer->retried = true;
		detach(transfer);
		transfer->state = TRANSFER_QUEUED;
	} else {
		httpc_easy_verdict(transfer, code);
		detach(transfer);
		transfer->state = TRANSFER_ENDED;
	}
	work_add(transfer);
}

static void complete(struct httpc_transfer *transfer)
{
	struct httpc *client = transfer->client;
	struct pl_task *task = transfer->task;
	struct pl_pool *pool = transfer->pool;

	detach(transfer);
	transfer->state = TRANSFER_ENDED;
	event_free(transfer->timer);
	pl_task_unhook(task, &transfer->hook);
	httpc_easy_wipe(transfer);
	TAILQ_REMOVE(&client->transfers, transfer, all);
	client->running--;
	transfer->result.total_us = (pl_now_ns() - transfer->start_ns) / 1000;
	transfer->on_done(transfer->arg, &transfer->result, transfer->failed ? &transfer->err : NULL);
	pl_pool_free(&pool);
	pl_task_release(&task);
}

void httpc_work(struct httpc *client)
{
	struct httpc_transfers now = TAILQ_HEAD_INITIALIZER(now);
	struct httpc_transfer *transfer;

	TAILQ_CONCAT(&now, &client->work, todo);
	while ((transfer = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, transfer, todo);
		transfer->in_work = false;
		if (transfer->failed || transfer->state == TRANSFER_ENDED) {
			complete(transfer);
		} else if (transfer->state == TRANSFER_QUEUED) {
			httpc_easy_setup(transfer);
			transfer->state = TRANSFER_RUNNING;
			PL_BUG(curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK);
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
	TAILQ_INIT(&client->transfers);
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
	struct httpc_transfer *transfer;

	*clientp = NULL;
	if (client == NULL)
		return;
	PL_BUG(client->inside);
	client->stopping = true;
	TAILQ_FOREACH(transfer, &client->transfers, all)
		httpc_fail(transfer, PL_E_STOPPING, NULL);
	while (!TAILQ_EMPTY(&client->work))
		httpc_work(client);
	PL_BUG(!TAILQ_EMPTY(&client->transfers));
	curl_multi_cleanup(client->multi);
	event_free(client->turn);
	httpc_socket_fini(client);
	pl_free(client);
	curl_global_cleanup();
}

