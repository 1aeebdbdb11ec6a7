/* SPDX-License-Identifier: ISC */
/*
 * The models of an upstream: the list of the configuration, or else the list that the upstream returns for the key,
 * which is kept for ten minutes. A failure is kept for half a minute; meanwhile, the previous list is used.
 *
 * A list in progress has a separate pool, which contains the names. After a fetch, the names remain in the cache as the
 * entry of their upstream and key, without the key.
 */
#include "clock.h"
#include "leaf.h"
#include "llm/llm_generation.h"

enum {
	KEEP_S = 600,
	KEEP_FAILURE_S = 30,
	MODELS_MAX = 1000,
	REPLY_MAX_BYTES = 8 * 1024 * 1024,	/* the list of OpenRouter is nearly 1 MB */
	LIST_TIMEOUT_MS = 3000,		/* a client waits for the lists of all upstreams */
	LIST_POOL_BYTES = 4096,
	KEPT_MAX = 64			/* users with their own keys have their own lists */
};

TAILQ_HEAD(list_head, llm_list);

struct llm_lists { struct list_head running, kept; struct pl_sipkey tag_key; };

struct llm_list {
	TAILQ_ENTRY(llm_list) link;
	struct llm *llm;
	struct pl_pool *pool;
	struct pl_task *task;
	struct pl_cancel hook;
	struct event *timer;
	CONFIG_HELD const struct config *config;
	struct httpc_transfer *http;
	struct llm_decoder dec;		/* to classify errors */
	struct pl_buf body;		/* heap */
	bool fetched, failed;		/* fetched: the upstream has answered, or has failed */
	struct pl_err err;
	const char *upstream, *url;	/* key of the cache, together with: */
	uint64_t tag[2];		/* of the user's key; 0: the key of the section */
	struct pl_str key;		/* the key of the request */
	struct pl_str *names;
	int count;
	int64_t kept_ns;
	llm_models_fn *on_done;
	void *arg;
};

void llm_lists_init(struct llm *llm)
{
	llm->lists = pl_new(sizeof(*llm->lists));
	llm->lists->tag_key = (struct pl_sipkey){ { pl_random_u64(), pl_random_u64() } };
	TAILQ_INIT(&llm->lists->running);
	TAILQ_INIT(&llm->lists->kept);
}

/* ---- the cache ---- */

static void kept_remove(struct llm_lists *lists, struct llm_list *list)
{
	struct pl_pool *pool = list->pool;

	TAILQ_REMOVE(&lists->kept, list, link);
	pl_pool_free(&pool);
}

static bool same_asker(const struct llm_list *one, const struct llm_list *other)
{
	return strcmp(one->upstream, other->upstream) == 0 && memcmp(one->tag, other->tag, sizeof(one->tag)) == 0;
}

static struct llm_list *kept_find(struct llm_lists *lists, const struct llm_list *wanted)
{
	struct llm_list *list;

	TAILQ_FOREACH(list, &lists->kept, link) {
		if (same_asker(list, wanted) && strcmp(list->url, wanted->url) == 0)
			return list;
	}
	return NULL;
}

static void names_copy(struct llm_list *list, const struct pl_str *names, int count)
{
	list->names = pl_alloc(list->pool, (size_t)(count > 0 ? count : 1) * sizeof(*list->names));
	list->count = count;
	for (int i = 0; i < count; i++)
		list->names[i] = pl_str_dup(list->pool, names[i]);
}

/*
 * One entry per upstream and key. A reload that changes the URL replaces it. If there are too many entries, the oldest
 * is dropped.
 */
static void kept_add(struct llm_lists *lists, const struct llm_list *fetched)
{
	struct pl_pool *pool = pl_pool_new(LIST_POOL_BYTES);
	struct llm_list *list = pl_alloc(pool, sizeof(*list)), *old, *next;
	int count = 0;

	*list = (struct llm_list){ .pool = pool, .failed = fetched->failed, .err = fetched->err,
		.upstream = pl_strdup(pool, fetched->upstream), .url = pl_strdup(pool, fetched->url),
		.tag = { fetched->tag[0], fetched->tag[1] }, .kept_ns = pl_now_ns() };
	names_copy(list, fetched->names, fetched->count);
	for (old = TAILQ_FIRST(&lists->kept); old != NULL; old = next) {
		next = TAILQ_NEXT(old, link);
		count++;
		if (same_asker(old, list))
			kept_remove(lists, old);
	}
	if (count >= KEPT_MAX)
		kept_remove(lists, TAILQ_FIRST(&lists->kept));
	TAILQ_INSERT_TAIL(&lists->kept, list, link);
}

/* ---- the end ---- */

/* An outdated list is better than none. */
static void list_give(struct llm_list *list)
{
	const struct llm_list *kept = list->failed && list->fetched ? kept_find(list->llm->lists, list) : NULL;

	if (list->failed)
		list->count = 0;
	if (kept != NULL)
		names_copy(list, kept->names, kept->count);
	list->on_done(list->arg, list->names, list->count, list->failed && list->count == 0 ? &list->err : NULL);
}

static bool is_our_stop(enum pl_code code)
{
	return code == PL_E_CANCELLED || code == PL_E_STOPPING || code == PL_E_DEADLINE;
}

static void list_finish(struct llm_list *list)
{
	struct llm *llm = list->llm;
	struct pl_task *task = list->task;
	struct pl_pool *pool = list->pool;

	event_free(list->timer);
	pl_task_unhook(task, &list->hook);
	TAILQ_REMOVE(&llm->lists->running, list, link);
	llm->running--;
	list_give(list);
	pl_buf_fini(&list->body);
	llm_dec_fini(&list->dec);
	if (list->fetched)
		kept_add(llm->lists, list);
	pl_pool_free(&pool);
	pl_task_release(&task);
}

static void list_fail(struct llm_list *list, const struct pl_err *err)
{
	if (!list->failed)
		list->err = *err;
	list->failed = true;
}

static void list_stop(struct llm_list *list, enum pl_code code)
{
	struct timeval now = { 0 };
	struct pl_err err = { 0 };

	pl_err_set(&err, code, NULL);
	list_fail(list, &err);
	if (list->http != NULL)
		httpc_cancel(list->http);
	else
		evtimer_add(list->timer, &now);
}

static void on_task_cancelled(void *arg)
{
	list_stop(arg, PL_E_CANCELLED);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	PL_UNUSED(fd);
	PL_UNUSED(what);
	list_finish(arg);
}

/* ---- requests to the upstream ---- */

static bool on_body(void *arg, const struct httpc_head *head, const char *data, size_t len)
{
	struct llm_list *list = arg;

	PL_UNUSED(head);
	pl_buf_add(&list->body, data, len);
	return true;
}

static void on_reply(void *arg, const struct httpc_result *reply, const struct pl_err *err)
{
	struct llm_list *list = arg;
	struct pl_err no_list = { 0 };

	list->http = NULL;
	list->fetched = !list->failed && (err == NULL || !is_our_stop(err->code));
	if (err != NULL) {
		list_fail(list, err);
	} else if (reply->head.status != 200) {
		llm_dec_refused(&list->dec, reply->head.status, pl_buf_str(&list->body));
		list_fail(list, &list->dec.err);
	} else {
		list->names = pl_alloc(list->pool, MODELS_MAX * sizeof(*list->names));
		list->count = llm_openai_models(list->pool, pl_buf_str(&list->body), list->names, MODELS_MAX);
		if (list->count < 0) {
			pl_err_set(&no_list, PL_E_UPSTREAM, "The upstream's answer is not a list of models.");
			list_fail(list, &no_list);
		}
	}
	list_finish(list);
}

static void list_fetch(struct llm_list *list, const struct upstream_settings *upstream)
{
	struct httpc_header headers[LLM_HEADERS_MAX];
	struct httpc_request request = {
		.method = "GET",
		.headers = headers,
		.ca_file = upstream->ca_file,
		.proxy = upstream->proxy,
		.connect_ms = upstream->connect_timeout,
		.total_ms = LIST_TIMEOUT_MS,
		.max_body_bytes = REPLY_MAX_BYTES,
	};

	request.headers_count = llm_headers(list->pool, list->config, upstream, list->key, "application/json",
	    headers);
	/* Anthropic returns 20 models at a time unless more are requested */
	request.url = llm_url(list->pool, upstream,
	    upstream->dialect == DIALECT_ANTHROPIC ? "/models?limit=1000" : "/models");
	list->dec.secret = list->key;
	list->dec.headers = pl_str(upstream->header);
	list->http = httpc_start(list->llm->httpc, list->task, &request, on_body, on_reply, list);
}

/* ---- start ---- */

/* Uses the names that are known without a request. false: the upstream must be asked. */
static bool names_known(struct llm_list *list, const struct upstream_settings *upstream)
{
	static const struct pl_str local = { LLM_LOCAL_MODEL, sizeof(LLM_LOCAL_MODEL) - 1 };
	const struct llm_list *kept;

	if (upstream == NULL) {
		names_copy(list, &local, 1);
		return true;
	}
	if (upstream->models.count > 0) {
		list->count = upstream->models.count;
		list->names = pl_alloc(list->pool, (size_t)list->count * sizeof(*list->names));
		for (int i = 0; i < list->count; i++)
			list->names[i] = pl_str_dup(list->pool, pl_str(upstream->models.items[i]));
		return true;
	}
	kept = kept_find(list->llm->lists, list);
	if (kept == NULL ||
	    pl_now_ns() - kept->kept_ns > (kept->failed ? KEEP_FAILURE_S : KEEP_S) * PL_NS_PER_S)
		return false;
	names_copy(list, kept->names, kept->count);
	if (kept->failed && kept->count == 0)
		list_fail(list, &kept->err);
	return true;
}

/* Returns whether the upstream must not be asked now; list->err has the reason. */
static bool list_refused(struct llm_list *list)
{
	struct pl_err err = { 0 };

	if (list->llm->stopping)
		pl_err_set(&err, PL_E_STOPPING, NULL);
	else if (list->task->cancelled)
		pl_err_set(&err, PL_E_CANCELLED, NULL);
	else
		return false;
	list_fail(list, &err);
	return true;
}

void llm_models(struct llm *llm, struct pl_task *task, const struct config *config,
    const struct upstream_settings *upstream, struct pl_str key, llm_models_fn *done, void *arg)
{
	struct pl_pool *pool = pl_pool_new(LIST_POOL_BYTES);
	struct llm_list *list = pl_alloc(pool, sizeof(*list));
	struct timeval now = { 0 };

	list->llm = llm;
	list->pool = pool;
	list->task = pl_task_hold(task);
	list->on_done = done;
	list->arg = arg;
	llm_dec_init(&list->dec, upstream != NULL ? llm_dialect_of(upstream) : &llm_openai, PL_STR_NONE, NULL, NULL);
	if (upstream != NULL) {
		list->config = config != NULL ? config_keep(pool, config) : NULL;
		list->upstream = pl_strdup(pool, upstream->name);
		list->url = pl_strdup(pool, upstream->url);
		list->key = key.ptr != NULL ? key : pl_str(upstream->key);
		if (key.ptr != NULL)
			pl_siphash128(&llm->lists->tag_key, key.ptr, key.len, list->tag);
	}
	list->timer = evtimer_new(llm->base, on_timer, list);
	PL_BUG(list->timer == NULL);
	pl_task_on_cancel(task, &list->hook, on_task_cancelled, list);
	TAILQ_INSERT_TAIL(&llm->lists->running, list, link);
	llm->running++;
	if (names_known(list, upstream) || list_refused(list))
		evtimer_add(list->timer, &now);
	else
		list_fetch(list, upstream);
}

/* ---- shutdown ---- */

void llm_lists_stop(struct llm *llm)
{
	struct llm_list *list, *next;

	for (list = TAILQ_FIRST(&llm->lists->running); list != NULL; list = next) {
		next = TAILQ_NEXT(list, link);
		if (list->http != NULL)
			list_stop(list, PL_E_STOPPING);
		else
			list_finish(list);
	}
}

void llm_lists_fini(struct llm *llm)
{
	struct llm_list *list;

	while ((list = TAILQ_FIRST(&llm->lists->kept)) != NULL)
		kept_remove(llm->lists, list);
	pl_free(llm->lists);
	llm->lists = NULL;
}
