/* SPDX-License-Identifier: ISC */
/*
 * Requests to providers, over libcurl in the worker's loop, and the metadata and key sets that are kept.
 *
 * Anybody may start a sign-in. So that this does not pile up requests to a provider that is slow or down, a document is
 * fetched by one request, for which all others wait, and after a failure not for a second.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "net/httpc.h"
#include "svc/oidc/oidc_int.h"

enum {
	KEPT_MAX = 32,
	KEEP_MS = 3600 * 1000,
	FAILED_MS = 1000,
	REPLY_MAX_BYTES = 256 * 1024
};

struct waiter {
	struct waiter *next;
	struct pl_task *task;		/* held */
	oidc_fetched_fn *done;
	void *arg;
};

/*
 * A document of one provider. Two sections may name the same address with different authorities or proxies, or with
 * issuers that differ, so neither uses what was fetched for the other.
 */
struct kept {
	struct pl_pool *pool;		/* of the names; NULL: an empty place */
	const char *provider, *issuer, *url;
	struct pl_buf body;		/* empty: none */
	int64_t fetched_ns;
	int64_t failed_ns;		/* 0: the last time was good */
	int failed_status;
	char failed_why[256];
	bool busy;			/* it is fetched now */
	struct waiter *waiters;
};
struct oidc_cache { struct kept kept[KEPT_MAX]; };

struct fetch {
	struct pl_task *task;
	const char *url;
	struct kept *kept;		/* NULL: not a document that is kept */
	struct pl_buf body;
	oidc_fetched_fn *done;
	void *arg;
};

struct oidc_cache *oidc_cache_new(void)
{
	return pl_new(sizeof(struct oidc_cache));
}

static void kept_drop(struct kept *kept)
{
	if (kept->pool != NULL)
		pl_pool_free(&kept->pool);
	pl_buf_fini(&kept->body);
	*kept = (struct kept){ .body = PL_BUF(NULL) };
}

void oidc_cache_free(struct oidc_cache **cache)
{
	for (int i = 0; *cache != NULL && i < KEPT_MAX; i++)
		kept_drop(&(*cache)->kept[i]);
	pl_free(*cache);
	*cache = NULL;
}

static struct kept *kept_find(struct oidc_cache *cache, const struct oidc_settings *provider, const char *url)
{
	for (int i = 0; i < KEPT_MAX; i++) {
		struct kept *kept = &cache->kept[i];

		if (kept->pool != NULL && strcmp(kept->url, url) == 0 && strcmp(kept->provider, provider->name) == 0 &&
		    strcmp(kept->issuer, provider->issuer) == 0)
			return kept;
	}
	return NULL;
}

/* The place of this document, or an empty one, or the oldest one. NULL: all are being fetched. */
static struct kept *kept_place(struct oidc_cache *cache, const struct oidc_settings *provider, const char *url)
{
	struct kept *place = kept_find(cache, provider, url);

	if (place != NULL)
		return place;
	for (int i = 0; i < KEPT_MAX; i++) {
		struct kept *kept = &cache->kept[i];

		if (!kept->busy && (place == NULL || (place->pool != NULL &&
		    (kept->pool == NULL || kept->fetched_ns < place->fetched_ns))))
			place = kept;
	}
	if (place == NULL)
		return NULL;
	kept_drop(place);
	place->pool = pl_pool_new(0);
	place->provider = pl_strdup(place->pool, provider->name);
	place->issuer = pl_strdup(place->pool, provider->issuer);
	place->url = pl_strdup(place->pool, url);
	return place;
}

static bool younger(int64_t since_ns, int64_t ms)
{
	return since_ns != 0 && pl_now_ns() - since_ns < ms * (PL_NS_PER_S / 1000);
}

static void kept_failed(struct kept *kept, int status, const char *why)
{
	kept->failed_ns = pl_now_ns();
	kept->failed_status = status;
	snprintf(kept->failed_why, sizeof(kept->failed_why), "%s", why != NULL ? why : "");
}

void oidc_forget(struct svc *svc, const struct oidc_settings *provider, const char *url, const char *why)
{
	struct kept *kept = kept_find(svc->oidc, provider, url);

	if (kept == NULL)
		return;
	pl_buf_fini(&kept->body);
	kept->fetched_ns = 0;
	if (!younger(kept->failed_ns, FAILED_MS))
		kept_failed(kept, 0, why);
}

bool oidc_fetch_again(struct svc *svc, const struct oidc_settings *provider, const char *url, int64_t interval_ms)
{
	const struct kept *kept = kept_find(svc->oidc, provider, url);

	return kept == NULL || !younger(kept->fetched_ns, interval_ms);
}

/* ---- a request ---- */

static bool on_body(void *arg, const struct httpc_head *head, const char *data, size_t len)
{
	struct fetch *f = arg;

	PL_UNUSED(head);
	pl_buf_add(&f->body, data, len);
	return true;
}

static void on_done(void *arg, const struct httpc_result *result, const struct pl_err *err)
{
	struct fetch *f = arg;

	if (err != NULL)
		f->done(f->arg, 0, PL_STR_NONE, pl_sprintf(f->task->pool, "%s: %s", f->url, pl_err_text(err)));
	else
		f->done(f->arg, result->head.status, pl_buf_str(&f->body), NULL);
}

static void start(struct svc *svc, struct fetch *f, const struct oidc_settings *provider, const struct oidc_fetch *in)
{
	bool post = in->form.ptr != NULL;
	const struct httpc_header headers[] = {
		{ "Accept", PL_STR("application/json") },
		{ "Content-Type", post ? PL_STR("application/x-www-form-urlencoded") : PL_STR_NONE },
		{ "Authorization", in->authorization },
	};
	const struct httpc_request request = { .method = post ? "POST" : "GET", .url = f->url, .headers = headers,
		.headers_count = PL_COUNT(headers), .ca_file = provider->ca_file, .proxy = provider->proxy,
		.body = in->form, .connect_ms = provider->timeout, .total_ms = provider->timeout,
		.max_body_bytes = REPLY_MAX_BYTES };

	httpc_start(svc->httpc, f->task, &request, on_body, on_done, f);
}

/* ---- a document for which several wait ---- */

/* The waiters may fetch again, and forget what is kept, so nothing of `kept` is used after the first of them. */
static void on_document(void *arg, int status, struct pl_str body, const char *why)
{
	struct fetch *f = arg;
	struct kept *kept = f->kept;
	struct waiter *waiter = kept->waiters, *next;

	kept->busy = false;
	kept->waiters = NULL;
	if (why != NULL || status != 200) {
		kept_failed(kept, status, why);
	} else {
		pl_buf_fini(&kept->body);
		pl_buf_addstr(&kept->body, body);
		kept->fetched_ns = pl_now_ns();
		kept->failed_ns = 0;
	}
	for (; waiter != NULL; waiter = next) {
		struct pl_task *task = waiter->task;

		next = waiter->next;
		waiter->done(waiter->arg, status, why == NULL ? pl_str_dup(task->pool, body) : PL_STR_NONE,
		    why != NULL ? pl_strdup(task->pool, why) : NULL);
		pl_task_release(&task);
	}
}

/* The request belongs to no client: it goes on if its first client is cancelled. The setting `timeout` ends it. */
static void fetch_document(struct svc *svc, const struct oidc_settings *provider, struct kept *kept)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + provider->timeout * PL_NS_PER_MS + PL_NS_PER_S);
	struct fetch *f = pl_alloc(task->pool, sizeof(*f));
	const struct oidc_fetch request = { .url = kept->url };

	*f = (struct fetch){ .task = task, .url = pl_strdup(task->pool, kept->url), .kept = kept,
		.body = PL_BUF(task->pool), .done = on_document, .arg = f };
	kept->busy = true;
	start(svc, f, provider, &request);
	pl_task_release(&task);
}

struct refusal {
	struct pl_task *task;		/* held */
	int status;
	const char *why;
	oidc_fetched_fn *done;
	void *arg;
};

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct refusal *r = arg;
	struct pl_task *task = r->task;

	PL_UNUSED(fd);
	PL_UNUSED(what);
	r->done(r->arg, r->status, PL_STR_NONE, r->why);
	pl_task_release(&task);
}

/* The failure of a moment ago, in the next turn of the loop. */
static void refuse(struct svc *svc, struct pl_task *task, const struct kept *kept, oidc_fetched_fn *done, void *arg)
{
	static const struct timeval now = { 0 };
	struct refusal *r = pl_alloc(task->pool, sizeof(*r));

	*r = (struct refusal){ .task = pl_task_hold(task), .status = kept->failed_status, .done = done, .arg = arg };
	if (kept->failed_why[0] != '\0')
		r->why = pl_strdup(task->pool, kept->failed_why);
	PL_BUG(event_base_once(svc->worker->base, -1, EV_TIMEOUT, on_turn, r, &now) != 0);
}

void oidc_fetch(struct svc *svc, struct pl_task *task, const struct oidc_settings *provider,
    const struct oidc_fetch *in, oidc_fetched_fn *done, void *arg)
{
	bool document = in->form.ptr == NULL && in->authorization.ptr == NULL;
	struct kept *kept = document ? kept_place(svc->oidc, provider, in->url) : NULL;
	struct waiter *waiter;
	struct fetch *f;

	if (kept == NULL) {
		f = pl_alloc(task->pool, sizeof(*f));
		*f = (struct fetch){ .task = task, .url = in->url, .body = PL_BUF(task->pool), .done = done,
			.arg = arg };
		start(svc, f, provider, in);
	} else if (in->kept && kept->body.len > 0 && younger(kept->fetched_ns, KEEP_MS)) {
		done(arg, 200, pl_str_dup(task->pool, pl_buf_str(&kept->body)), NULL);
	} else if (!kept->busy && younger(kept->failed_ns, FAILED_MS)) {
		refuse(svc, task, kept, done, arg);
	} else {
		waiter = pl_alloc(task->pool, sizeof(*waiter));
		*waiter = (struct waiter){ .next = kept->waiters, .task = pl_task_hold(task), .done = done,
			.arg = arg };
		kept->waiters = waiter;
		if (!kept->busy)
			fetch_document(svc, provider, kept);
	}
}
