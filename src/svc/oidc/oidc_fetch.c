/* SPDX-License-Identifier: ISC */
/*
 * Requests to providers, over libcurl in the worker's loop, and the metadata and key sets that are kept.
 */
#include "clock.h"
#include "net/httpc.h"
#include "svc/oidc/oidc_int.h"

enum {
	KEPT_MAX = 32,
	KEEP_MS = 3600 * 1000,
	REPLY_MAX_BYTES = 256 * 1024
};

struct kept { struct pl_pool *pool; const char *url; struct pl_str body; int64_t fetched_ns; };
struct oidc_cache { struct kept kept[KEPT_MAX]; };

struct fetch {
	struct svc *svc;
	struct pl_task *task;
	const char *url;
	bool keep;
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
	*kept = (struct kept){ .pool = NULL };
}

void oidc_cache_free(struct oidc_cache **cache)
{
	for (int i = 0; *cache != NULL && i < KEPT_MAX; i++)
		kept_drop(&(*cache)->kept[i]);
	pl_free(*cache);
	*cache = NULL;
}

static struct kept *kept_find(struct oidc_cache *cache, const char *url)
{
	for (int i = 0; i < KEPT_MAX; i++)
		if (cache->kept[i].url != NULL && strcmp(cache->kept[i].url, url) == 0)
			return &cache->kept[i];
	return NULL;
}

static bool younger(const struct kept *kept, int64_t ms)
{
	return kept != NULL && pl_now_ns() - kept->fetched_ns < ms * (PL_NS_PER_S / 1000);
}

void oidc_forget(struct svc *svc, const char *url)
{
	struct kept *kept = kept_find(svc->oidc, url);

	if (kept != NULL)
		kept_drop(kept);
}

bool oidc_fetch_again(struct svc *svc, const char *url, int64_t interval_ms)
{
	return !younger(kept_find(svc->oidc, url), interval_ms);
}

/* In the place of the same address, in an empty one, or in the oldest one. */
static void keep(struct oidc_cache *cache, const char *url, struct pl_str body)
{
	struct kept *place = kept_find(cache, url);

	for (int i = 0; place == NULL && i < KEPT_MAX; i++)
		if (cache->kept[i].url == NULL)
			place = &cache->kept[i];
	if (place == NULL)
		place = &cache->kept[0];
	for (int i = 0; place->url != NULL && strcmp(place->url, url) != 0 && i < KEPT_MAX; i++)
		if (cache->kept[i].fetched_ns < place->fetched_ns)
			place = &cache->kept[i];
	kept_drop(place);
	place->pool = pl_pool_new(0);
	place->url = pl_strdup(place->pool, url);
	place->body = pl_str_dup(place->pool, body);
	place->fetched_ns = pl_now_ns();
}

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
	struct pl_str body = pl_buf_str(&f->body);

	if (err != NULL) {
		f->done(f->arg, 0, PL_STR_NONE, pl_sprintf(f->task->pool, "%s: %s", f->url, pl_err_text(err)));
		return;
	}
	if (f->keep && result->head.status == 200)
		keep(f->svc->oidc, f->url, body);
	f->done(f->arg, result->head.status, body, NULL);
}

void oidc_fetch(struct svc *svc, struct pl_task *task, const struct oidc_settings *provider,
    const struct oidc_fetch *in, oidc_fetched_fn *done, void *arg)
{
	bool post = in->form.ptr != NULL;
	const struct kept *kept = in->kept ? kept_find(svc->oidc, in->url) : NULL;
	struct fetch *f = pl_alloc(task->pool, sizeof(*f));
	const struct httpc_header headers[] = {
		{ "Accept", PL_STR("application/json") },
		{ "Content-Type", post ? PL_STR("application/x-www-form-urlencoded") : PL_STR_NONE },
		{ "Authorization", in->authorization },
	};
	const struct httpc_request request = { .method = post ? "POST" : "GET", .url = in->url, .headers = headers,
		.headers_count = PL_COUNT(headers), .ca_file = provider->ca_file, .proxy = provider->proxy,
		.body = in->form, .connect_ms = provider->timeout, .total_ms = provider->timeout,
		.max_body_bytes = REPLY_MAX_BYTES };

	*f = (struct fetch){ .svc = svc, .task = task, .url = in->url, .done = done, .arg = arg,
		.keep = !post && in->authorization.ptr == NULL, .body = PL_BUF(task->pool) };
	if (younger(kept, KEEP_MS))
		done(arg, 200, pl_str_dup(task->pool, kept->body), NULL);
	else
		httpc_start(svc->httpc, task, &request, on_body, on_done, f);
}
