/* SPDX-License-Identifier: ISC */
/*
 * An answer from an upstream: attempts, the breaker, and the decision to retry.
 *
 *   try_start -> on_body (decoder -> text) -> on_reply -> finish, or a pause -> try_start
 *
 * Retries follow the official SDKs: two, after 0.5 s that double up to 8 s, less up to a quarter; Retry-After up to
 * 20 s. They happen only before the first text, and not after a timeout, because the user has waited long enough.
 */
#include "clock.h"
#include "core/shm_parts.h"
#include "leaf.h"
#include "llm/llm_generation.h"
#include "log.h"

enum {
	RETRIES_MAX = 2,
	RETRY_FIRST_MS = 500,
	RETRY_MAX_MS = 8000,
	RETRY_AFTER_MAX_MS = 20000,
	GRACE_MS = 1000,		/* after the end marker, for the end of the body: keeps the connection usable */
	FINISHED_MS = 3000,		/* after a reason to stop, for the end marker, which some servers omit */
	REFUSAL_MAX_BYTES = 16384,
	BODY_BYTES = 64 * 1024 * 1024,
	BODY_FACTOR = 512,		/* bytes of a stream per byte of text, with one token per event */
	BYTES_A_TOKEN = 4		/* an estimate */
};

void llm_try_prepare(struct llm_generation *generation, const struct llm_request *request)
{
	const struct upstream_settings *upstream = generation->upstream;
	struct pl_str key = request->key.ptr != NULL ? request->key : pl_str(upstream->key);
	struct pl_secret secret;

	generation->model =
	    pl_str_dup(generation->pool, request->model.len > 0 ? request->model : pl_str(upstream->model));
	generation->known = generation->without = llm_memory_get(generation->llm, upstream, generation->model);
	generation->options = (struct llm_request){ .upstream = upstream, .temperature = request->temperature,
		.max_tokens = request->max_tokens, .schema = pl_str_dup(generation->pool, request->schema) };
	generation->body = PL_BUF(generation->pool);
	generation->head = PL_JW(&generation->body);
	llm_dialect_of(upstream)->encode(request, &generation->head);
	generation->head_bytes = generation->body.len;
	if (key.len == 0)
		return;
	secret = pl_secret_copy(generation->pool, key.ptr, key.len);
	generation->key = pl_strn((const char *)secret.ptr, secret.len);
}

/* ---- breaker ---- */

/*
 * A model that fails does not affect other models of the upstream. Only models that the configuration names have
 * separate breakers, because users choose models, and the table in shared memory never drops a name.
 */
struct pl_str llm_breaker_name(struct pl_pool *pool, const struct upstream_settings *upstream, struct pl_str model)
{
	bool named = pl_str_is(model, upstream->model);

	for (int i = 0; i < upstream->models.count; i++)
		named = named || pl_str_is(model, upstream->models.items[i]);
	if (!named || model.len == 0)
		return pl_str(upstream->name);
	return pl_str(pl_sprintf(pool, "%s/%.*s", upstream->name, PL_FMT(model)));
}

/* What an attempt shows about the health of the upstream. A refusal (4xx) comes from a healthy one. */
enum health { HEALTH_UNKNOWN, HEALTH_GOOD, HEALTH_BAD };

static void breaker_report(struct llm_generation *generation, enum health health)
{
	const struct upstream_settings *upstream = generation->upstream;
	struct pl_str name = llm_breaker_name(generation->pool, upstream, generation->model);
	enum shm_breaker_state before = shm_breaker_get(generation->llm->shm, name);

	if (health == HEALTH_UNKNOWN) {
		if (before != SHM_HALF_OPEN)
			return;
		health = HEALTH_BAD;	/* the trial must end with a result */
	}
	shm_breaker_report(generation->llm->shm, name, health == HEALTH_GOOD, upstream->breaker_failures,
	    upstream->breaker_cooldown, pl_now_ns());
	if (before != SHM_OPEN && shm_breaker_get(generation->llm->shm, name) == SHM_OPEN)
		pl_log(PL_LOG_WARN, generation->task, "upstream failed repeatedly; requests to it are paused",
		    "upstream=%s cooldown_ms=%lld", upstream->name, (long long)upstream->breaker_cooldown);
}

static bool is_our_stop(enum pl_code code)
{
	return code == PL_E_CANCELLED || code == PL_E_STOPPING || code == PL_E_DEADLINE;
}

/* status: of the reply or of the error inside it; 0: none. */
static enum health health_of(const struct llm_decoder *dec, int status, bool got_head, const struct pl_err *err)
{
	if (err->code == PL_E_OK || dec->empty)
		return HEALTH_GOOD;
	if (is_our_stop(err->code))
		return got_head ? HEALTH_GOOD : HEALTH_UNKNOWN;
	return status >= 300 && status < 500 && status != 408 ? HEALTH_GOOD : HEALTH_BAD;
}

/* ---- one attempt ---- */

static bool on_text(void *arg, struct pl_str text)
{
	return llm_generation_text(arg, text);
}

static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

static bool on_body(void *arg, const struct httpc_head *head, const char *data, size_t len)
{
	struct llm_generation *generation = arg;
	bool more;

	if (!is_success(head->status)) {
		size_t room = REFUSAL_MAX_BYTES - generation->refusal.len;

		pl_buf_add(&generation->refusal, data, len < room ? len : room);
		return len < room;
	}
	more = llm_dec_feed(&generation->dec, data, len);
	if (generation->dec.alive && !generation->in_grace)
		evtimer_del(generation->timer);
	if (generation->dec.closed && !generation->in_grace) {
		generation->in_grace = true;
		llm_generation_wait(generation, GRACE_MS);
	} else if (generation->dec.finished && !generation->dec.dialect->needs_end && !generation->in_grace) {
		generation->in_grace = true;
		llm_generation_wait(generation, FINISHED_MS);
	}
	return more;
}

/* Computes the result of the attempt. PL_E_OK in err_r->code: a complete answer. Returns the status that counts. */
static int outcome(struct llm_generation *generation, const struct httpc_result *reply, const struct pl_err *err,
    struct pl_err *err_r)
{
	struct llm_decoder *dec = &generation->dec;
	int status = reply->head.status;

	*err_r = (struct pl_err){ .code = PL_E_OK };
	if (dec->closed || (generation->in_grace && dec->finished))
		llm_dec_whole(dec);
	if ((dec->closed || (generation->in_grace && dec->finished)) && !dec->failed)
		return status;
	if (generation->stopped) {
		*err_r = generation->err;
	} else if (dec->failed) {
		*err_r = dec->err;
		status = dec->error_status > 0 ? dec->error_status : status;
	} else if (status != 0 && !is_success(status) && (err == NULL || !is_our_stop(err->code) ||
	    generation->refusal.len == REFUSAL_MAX_BYTES)) {
		llm_dec_refused(dec, status, pl_buf_str(&generation->refusal));
		*err_r = dec->err;
	} else if (err != NULL) {
		*err_r = *err;
	} else {
		llm_dec_end(dec);
		if (dec->failed) {
			*err_r = dec->err;
			status = dec->error_status > 0 ? dec->error_status : status;
		}
	}
	return status;
}

static bool is_temporary(int status)
{
	return status == 408 || status == 409 || status == 429 || status >= 500;
}

static bool is_worth_retry(
    const struct llm_generation *generation, const struct httpc_head *head, const struct pl_err *err)
{
	if (generation->stopped || generation->result.text_bytes > 0 || generation->result.tries > RETRIES_MAX)
		return false;
	if (is_our_stop(err->code) || err->code == PL_E_UPSTREAM_SLOW)
		return false;
	if (head->should_retry >= 0)
		return head->should_retry == 1;
	/* Anthropic: a limit without a time at which it ends is a spending limit */
	if (generation->upstream->dialect == DIALECT_ANTHROPIC && generation->dec.error_status == 429 &&
	    head->retry_after_ms < 0)
		return false;
	return !generation->dec.permanent;
}

/* Returns the milliseconds until the next attempt, or -1 for none. Retry-After counts only with a refusal. */
static int64_t retry_pause_ms(
    const struct llm_generation *generation, const struct httpc_head *head, const struct pl_err *err)
{
	int64_t pause_ms = RETRY_FIRST_MS << (generation->result.tries - 1);
	int64_t after_ms = is_temporary(head->status) ? head->retry_after_ms : -1;

	if (!is_worth_retry(generation, head, err))
		return -1;
	if (pause_ms > RETRY_MAX_MS)
		pause_ms = RETRY_MAX_MS;
	pause_ms -= pl_jitter((uint32_t)pause_ms / 4);
	if (after_ms > RETRY_AFTER_MAX_MS)
		return -1;
	if (after_ms >= 0)
		pause_ms = after_ms;
	if (generation->task->deadline_ns - pl_now_ns() <= pause_ms * PL_NS_PER_MS)
		return -1;
	return pause_ms;
}

static void take_result(struct llm_generation *generation)
{
	const struct llm_decoder *dec = &generation->dec;

	generation->result.stop = dec->stop;
	generation->result.prompt_tokens = dec->prompt_tokens;
	generation->result.completion_tokens = dec->completion_tokens;
	generation->result.cost_micros = dec->cost_micros;
	/* a previous attempt may have thought, and then failed */
	generation->result.reasoning =
	    dec->thought.len > 0 ? pl_str_dup(generation->pool, pl_buf_str(&dec->thought)) : PL_STR_NONE;
	if (dec->model[0] != '\0')
		generation->result.model = pl_str_dup(generation->pool, pl_str(dec->model));
}

/*
 * Text that the decoder holds belongs to an incomplete answer. If a time limit ended the generation, the text is passed
 * on.
 */
static void give_rest(struct llm_generation *generation, const struct pl_err *err)
{
	bool stopped = generation->stopped;

	if (!generation->dec_open || is_our_stop(err->code))
		return;
	generation->stopped = false;
	llm_dec_broke(&generation->dec);
	generation->stopped = generation->stopped || stopped;
	take_result(generation);
}

/* Returns whether to ask again without an option that was refused. That does not count as a failed attempt. */
static bool adapt(struct llm_generation *generation, int status, const struct pl_err *err)
{
	struct pl_str reason =
	    generation->refusal.len > 0 ? pl_buf_str(&generation->refusal) : pl_str(pl_err_text(err));
	unsigned option = 0;
	bool sure = false;

	if (!generation->stopped && generation->result.text_bytes == 0)
		option = llm_refused_options(&generation->options, generation->without, status, reason, &sure);
	if (option == 0)
		return false;
	if (!sure)
		generation->unsure |= option;
	pl_log(PL_LOG_INFO, generation->task, "request repeated without an option that the upstream refuses",
	    "upstream=%s model=%.*s option=%s", generation->upstream->name, PL_FMT(generation->model),
	    llm_option_name(option));
	generation->without |= option;
	generation->result.tries--;
	llm_try_fini(generation);
	llm_generation_wait(generation, 0);
	return true;
}

static void on_reply(void *arg, const struct httpc_result *reply, const struct pl_err *http_err)
{
	struct llm_generation *generation = arg;
	struct pl_err err;
	int64_t pause_ms;
	int status;

	generation->http = NULL;
	evtimer_del(generation->timer);
	status = outcome(generation, reply, http_err, &err);
	generation->dec.permanent = generation->dec.permanent || reply->hopeless;
	take_result(generation);
	if (err.code != PL_E_OK && adapt(generation, status, &err))
		return;
	pause_ms = err.code == PL_E_OK ? -1 : retry_pause_ms(generation, &reply->head, &err);
	/* a generation counts once, also if it is asked several times */
	if (pause_ms < 0)
		breaker_report(generation, health_of(&generation->dec, status, reply->head.status != 0, &err));
	if (err.code == PL_E_OK) {
		if ((generation->without & ~generation->unsure) != generation->known)
			llm_memory_set(generation->llm, generation->upstream, generation->model,
			    generation->without & ~generation->unsure);
		llm_generation_finish(generation, NULL);
		return;
	}
	if ((status == 429 || status == 503) && reply->head.retry_after_ms >= 0)
		err.retry_after_s = (int)((reply->head.retry_after_ms + 999) / 1000);
	err.lasting = generation->dec.permanent;
	if (pause_ms < 0) {
		give_rest(generation, &err);
		llm_generation_finish(generation, &err);
		return;
	}
	pl_log(PL_LOG_INFO, generation->task, "request to the upstream repeated",
	    "upstream=%s tries=%d status=%d pause_ms=%lld why=%s", generation->upstream->name,
	    generation->result.tries, status, (long long)pause_ms, pl_err_text(&err));
	generation->err = err;
	llm_try_fini(generation);
	llm_generation_wait(generation, pause_ms);
}

static size_t answer_max(const struct llm_generation *generation)
{
	return generation->config != NULL ? (size_t)generation->config->s.max_answer : 0;
}

static void try_send(struct llm_generation *generation)
{
	const struct upstream_settings *upstream = generation->upstream;
	const struct llm_dialect *dialect = llm_dialect_of(upstream);
	struct httpc_header headers[LLM_HEADERS_MAX + 1];
	struct pl_jw w = generation->head;
	struct httpc_request request = {
		.method = "POST",
		.headers = headers,
		.ca_file = upstream->ca_file,
		.proxy = upstream->proxy,
		.connect_ms = upstream->connect_timeout,
		.first_ms = upstream->first_timeout,
		.idle_ms = upstream->idle_timeout,
		.total_ms = upstream->total_timeout,
	};

	generation->body.len = generation->head_bytes;
	dialect->options(&generation->options, generation->without, &w);
	request.body = pl_buf_str(&generation->body);
	request.headers_count =
	    llm_headers(generation->pool, generation->config, upstream, generation->key, "text/event-stream", headers);
	headers[request.headers_count++] = (struct httpc_header){ "Content-Type", PL_STR("application/json") };
	request.url = llm_url(generation->pool, upstream, dialect->path);
	request.max_body_bytes = BODY_BYTES + BODY_FACTOR * answer_max(generation);
	llm_dec_init(&generation->dec, dialect, generation->key, on_text, generation);
	generation->dec.headers = pl_str(upstream->header);
	llm_dec_allow(&generation->dec, answer_max(generation));
	generation->dec_open = true;
	generation->in_grace = false;
	generation->result.tries++;
	/*
	 * Comments and pings keep the connection from being idle, but they are not text. So the time limit for text is
	 * checked here.
	 */
	llm_generation_wait(generation, upstream->first_timeout);
	generation->http =
	    httpc_start(generation->llm->httpc, generation->task, &request, on_body, on_reply, generation);
}

void llm_try_estimate(struct llm_generation *generation)
{
	struct llm_result *result = &generation->result;
	int64_t said = result->text_bytes + (int64_t)result->reasoning.len;

	if ((result->completion_tokens >= 0 && !generation->dec.early) || result->tries == 0 ||
	    (said == 0 && !generation->stopped))
		return;
	if (result->prompt_tokens < 0)
		result->prompt_tokens = ((int64_t)generation->head_bytes + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN;
	result->completion_tokens = (said + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN;
	result->estimated = true;
}

static void try_start(struct llm_generation *generation)
{
	const struct upstream_settings *upstream = generation->upstream;
	struct pl_str name = llm_breaker_name(generation->pool, upstream, generation->model);
	struct pl_err err = { 0 };

	/* the generation that is the breaker's trial may be retried like any other */
	if (generation->admitted ||
	    shm_breaker_allow(generation->llm->shm, name, upstream->breaker_cooldown, pl_now_ns())) {
		generation->admitted = true;
		try_send(generation);
		return;
	}
	pl_err_set(&err, PL_E_UNAVAILABLE, "The model's server failed repeatedly; requests to it are paused.");
	err.retry_after_s = (int)((upstream->breaker_cooldown + 999) / 1000);
	llm_generation_finish(generation, &err);
}

void llm_try_timer(struct llm_generation *generation)
{
	if (generation->http == NULL)
		try_start(generation);
	else if (generation->in_grace)
		httpc_cancel(generation->http);
	else
		llm_generation_stop(generation, PL_E_UPSTREAM_SLOW, "The model did not start its answer in time.");
}

void llm_try_fini(struct llm_generation *generation)
{
	if (generation->dec_open)
		llm_dec_fini(&generation->dec);
	generation->dec_open = false;
	pl_buf_fini(&generation->refusal);
	generation->refusal = PL_BUF(NULL);
}
