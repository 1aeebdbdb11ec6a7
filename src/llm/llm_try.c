/* SPDX-License-Identifier: ISC */
/*
 * An answer from an upstream: attempts, the breaker, what is tried again and what is not.
 *
 *   try_start -> on_body (decoder -> text) -> on_reply -> finish, or a pause -> try_start
 *
 * Retries follow the official SDKs (2, with 0.5 s doubling to 8 s, less up to a quarter; Retry-After up to 20 s), but
 * only before the first text, and not after a time-out: the asker has waited long enough.
 */
#include "clock.h"
#include "core/shm_parts.h"
#include "leaf.h"
#include "llm/llm_call.h"
#include "log.h"

enum {
	RETRIES_MAX = 2,
	RETRY_FIRST_MS = 500,
	RETRY_MAX_MS = 8000,
	RETRY_AFTER_MAX_MS = 20000,
	GRACE_MS = 1000,		/* after the end marker, for the end of the body: keeps the connection usable */
	FINISHED_MS = 3000,		/* after a reason to stop, for the end marker that some servers leave out */
	REFUSAL_MAX_BYTES = 16384,
	BODY_BYTES = 64 * 1024 * 1024,
	BODY_FACTOR = 512,		/* bytes of a stream for a byte of text: a token an event */
	BYTES_A_TOKEN = 4		/* a rule of thumb */
};

void llm_try_prepare(struct llm_call *call, const struct llm_request *request)
{
	const struct upstream_settings *upstream = call->upstream;
	struct pl_str key = request->key.ptr != NULL ? request->key : pl_str(upstream->key);
	struct pl_secret secret;

	call->model = pl_str_dup(call->pool, request->model.len > 0 ? request->model : pl_str(upstream->model));
	call->known = call->without = llm_memory_get(call->llm, upstream, call->model);
	call->options = (struct llm_request){ .upstream = upstream, .temperature = request->temperature,
		.max_tokens = request->max_tokens };
	call->body = PL_BUF(call->pool);
	call->head = PL_JW(&call->body);
	llm_dialect_of(upstream)->encode(request, &call->head);
	call->head_bytes = call->body.len;
	if (key.len == 0)
		return;
	secret = pl_secret_copy(call->pool, key.ptr, key.len);
	call->key = pl_strn((const char *)secret.ptr, secret.len);
}

/* ---- breaker ---- */

/*
 * One model that fails leaves its neighbors alone. Only models that the configuration names have a breaker of their
 * own: the table in shared memory forgets no name, and users choose models.
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

/* What an attempt says about the upstream's health. A refusal with reason (4xx) comes from a healthy one. */
enum health { HEALTH_UNKNOWN, HEALTH_GOOD, HEALTH_BAD };

static void breaker_report(struct llm_call *call, enum health health)
{
	const struct upstream_settings *upstream = call->upstream;
	struct pl_str name = llm_breaker_name(call->pool, upstream, call->model);
	enum shm_breaker_state before = shm_breaker_get(call->llm->shm, name);

	if (health == HEALTH_UNKNOWN) {
		if (before != SHM_HALF_OPEN)
			return;
		health = HEALTH_BAD;	/* the trial must end one way or the other */
	}
	shm_breaker_report(call->llm->shm, name, health == HEALTH_GOOD, upstream->breaker_failures,
	    upstream->breaker_cooldown, pl_now_ns());
	if (before != SHM_OPEN && shm_breaker_get(call->llm->shm, name) == SHM_OPEN)
		pl_log(PL_LOG_WARN, call->task, "upstream is left alone for a while", "upstream=%s cooldown_ms=%lld",
		    upstream->name, (long long)upstream->breaker_cooldown);
}

static bool is_our_stop(enum pl_code code)
{
	return code == PL_E_CANCELLED || code == PL_E_STOPPING || code == PL_E_DEADLINE;
}

/* status: of the reply or of the error inside it; 0 none. */
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
	return llm_call_text(arg, text);
}

static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

static bool on_body(void *arg, const struct httpc_head *head, const char *data, size_t len)
{
	struct llm_call *call = arg;
	bool more;

	if (!is_success(head->status)) {
		size_t room = REFUSAL_MAX_BYTES - call->refusal.len;

		pl_buf_add(&call->refusal, data, len < room ? len : room);
		return len < room;
	}
	more = llm_dec_feed(&call->dec, data, len);
	if (call->dec.alive && !call->in_grace)
		evtimer_del(call->timer);
	if (call->dec.closed && !call->in_grace) {
		call->in_grace = true;
		llm_call_wait(call, GRACE_MS);
	} else if (call->dec.finished && !call->dec.dialect->needs_end && !call->in_grace) {
		call->in_grace = true;
		llm_call_wait(call, FINISHED_MS);
	}
	return more;
}

/* What the attempt came to; err_r->code PL_E_OK is a whole answer. Returns the status that counts. */
static int outcome(struct llm_call *call, const struct httpc_result *reply, const struct pl_err *err,
    struct pl_err *err_r)
{
	struct llm_decoder *dec = &call->dec;
	int status = reply->head.status;

	*err_r = (struct pl_err){ .code = PL_E_OK };
	if (dec->closed || (call->in_grace && dec->finished))
		llm_dec_whole(dec);
	if ((dec->closed || (call->in_grace && dec->finished)) && !dec->failed)
		return status;
	if (call->stopped) {
		*err_r = call->err;
	} else if (dec->failed) {
		*err_r = dec->err;
		status = dec->error_status > 0 ? dec->error_status : status;
	} else if (status != 0 && !is_success(status) && (err == NULL || !is_our_stop(err->code) ||
	    call->refusal.len == REFUSAL_MAX_BYTES)) {
		llm_dec_refused(dec, status, pl_buf_str(&call->refusal));
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

static bool is_worth_retry(const struct llm_call *call, const struct httpc_head *head, const struct pl_err *err)
{
	if (call->stopped || call->result.text_bytes > 0 || call->result.tries > RETRIES_MAX)
		return false;
	if (is_our_stop(err->code) || err->code == PL_E_UPSTREAM_SLOW)
		return false;
	if (head->should_retry >= 0)
		return head->should_retry == 1;
	/* Anthropic: a limit that does not say when it ends is one of money */
	if (call->upstream->dialect == DIALECT_ANTHROPIC && call->dec.error_status == 429 && head->retry_after_ms < 0)
		return false;
	return !call->dec.permanent;
}

/* Milliseconds until the next attempt, or -1: there is none. Retry-After means something beside a refusal only. */
static int64_t retry_pause_ms(const struct llm_call *call, const struct httpc_head *head, const struct pl_err *err)
{
	int64_t pause_ms = RETRY_FIRST_MS << (call->result.tries - 1);
	int64_t after_ms = is_temporary(head->status) ? head->retry_after_ms : -1;

	if (!is_worth_retry(call, head, err))
		return -1;
	if (pause_ms > RETRY_MAX_MS)
		pause_ms = RETRY_MAX_MS;
	pause_ms -= pl_jitter((uint32_t)pause_ms / 4);
	if (after_ms > RETRY_AFTER_MAX_MS)
		return -1;
	if (after_ms >= 0)
		pause_ms = after_ms;
	if (call->task->deadline_ns - pl_now_ns() <= pause_ms * PL_NS_PER_MS)
		return -1;
	return pause_ms;
}

static void take_result(struct llm_call *call)
{
	const struct llm_decoder *dec = &call->dec;

	call->result.stop = dec->stop;
	call->result.prompt_tokens = dec->prompt_tokens;
	call->result.completion_tokens = dec->completion_tokens;
	call->result.cost_micros = dec->cost_micros;
	/* an attempt before this one may have thought, and failed */
	call->result.reasoning = dec->thought.len > 0 ? pl_str_dup(call->pool, pl_buf_str(&dec->thought)) : PL_STR_NONE;
	if (dec->model[0] != '\0')
		call->result.model = pl_str_dup(call->pool, pl_str(dec->model));
}

/* What the decoder held back belongs to an answer that broke off. A bound that ended the call lets it through. */
static void give_rest(struct llm_call *call, const struct pl_err *err)
{
	bool stopped = call->stopped;

	if (!call->dec_open || is_our_stop(err->code))
		return;
	call->stopped = false;
	llm_dec_broke(&call->dec);
	call->stopped = call->stopped || stopped;
	take_result(call);
}

/* Whether it is asked again without an option that it refused. That is no attempt that failed. */
static bool adapt(struct llm_call *call, int status, const struct pl_err *err)
{
	struct pl_str reason = call->refusal.len > 0 ? pl_buf_str(&call->refusal) : pl_str(pl_err_text(err));
	unsigned option = 0;
	bool sure = false;

	if (!call->stopped && call->result.text_bytes == 0)
		option = llm_refused_options(&call->options, call->without, status, reason, &sure);
	if (option == 0)
		return false;
	if (!sure)
		call->unsure |= option;
	pl_log(PL_LOG_INFO, call->task, "upstream is asked without what it refuses", "upstream=%s model=%.*s option=%s",
	    call->upstream->name, PL_FMT(call->model), llm_option_name(option));
	call->without |= option;
	call->result.tries--;
	llm_try_fini(call);
	llm_call_wait(call, 0);
	return true;
}

static void on_reply(void *arg, const struct httpc_result *reply, const struct pl_err *http_err)
{
	struct llm_call *call = arg;
	struct pl_err err;
	int64_t pause_ms;
	int status;

	call->http = NULL;
	evtimer_del(call->timer);
	status = outcome(call, reply, http_err, &err);
	call->dec.permanent = call->dec.permanent || reply->hopeless;
	take_result(call);
	if (err.code != PL_E_OK && adapt(call, status, &err))
		return;
	pause_ms = err.code == PL_E_OK ? -1 : retry_pause_ms(call, &reply->head, &err);
	/* a question counts once, however often it is asked again */
	if (pause_ms < 0)
		breaker_report(call, health_of(&call->dec, status, reply->head.status != 0, &err));
	if (err.code == PL_E_OK) {
		if ((call->without & ~call->unsure) != call->known)
			llm_memory_set(call->llm, call->upstream, call->model, call->without & ~call->unsure);
		llm_call_finish(call, NULL);
		return;
	}
	if ((status == 429 || status == 503) && reply->head.retry_after_ms >= 0)
		err.retry_after_s = (int)((reply->head.retry_after_ms + 999) / 1000);
	err.lasting = call->dec.permanent;
	if (pause_ms < 0) {
		give_rest(call, &err);
		llm_call_finish(call, &err);
		return;
	}
	pl_log(PL_LOG_INFO, call->task, "upstream is asked again",
	    "upstream=%s tries=%d status=%d pause_ms=%lld why=%s", call->upstream->name,
	    call->result.tries, status, (long long)pause_ms, pl_err_text(&err));
	call->err = err;
	llm_try_fini(call);
	llm_call_wait(call, pause_ms);
}

static size_t answer_max(const struct llm_call *call)
{
	return call->config != NULL ? (size_t)call->config->s.max_answer : 0;
}

static void try_send(struct llm_call *call)
{
	const struct upstream_settings *upstream = call->upstream;
	const struct llm_dialect *dialect = llm_dialect_of(upstream);
	struct httpc_header headers[LLM_HEADERS_MAX + 1];
	struct pl_jw w = call->head;
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

	call->body.len = call->head_bytes;
	dialect->options(&call->options, call->without, &w);
	request.body = pl_buf_str(&call->body);
	request.headers_count = llm_headers(call->pool, call->config, upstream, call->key, "text/event-stream",
	    headers);
	headers[request.headers_count++] = (struct httpc_header){ "Content-Type", PL_STR("application/json") };
	request.url = llm_url(call->pool, upstream, dialect->path);
	request.max_body_bytes = BODY_BYTES + BODY_FACTOR * answer_max(call);
	llm_dec_init(&call->dec, dialect, call->key, on_text, call);
	call->dec.headers = pl_str(upstream->header);
	llm_dec_allow(&call->dec, answer_max(call));
	call->dec_open = true;
	call->in_grace = false;
	call->result.tries++;
	/* Comments and pings keep the connection from being idle, but they are no text: that bound is kept here. */
	llm_call_wait(call, upstream->first_timeout);
	call->http = httpc_start(call->llm->httpc, call->task, &request, on_body, on_reply, call);
}

void llm_try_estimate(struct llm_call *call)
{
	struct llm_result *result = &call->result;
	int64_t said = result->text_bytes + (int64_t)result->reasoning.len;

	if ((result->completion_tokens >= 0 && !call->dec.early) || result->tries == 0 || (said == 0 && !call->stopped))
		return;
	if (result->prompt_tokens < 0)
		result->prompt_tokens = ((int64_t)call->head_bytes + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN;
	result->completion_tokens = (said + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN;
	result->estimated = true;
}

static void try_start(struct llm_call *call)
{
	const struct upstream_settings *upstream = call->upstream;
	struct pl_str name = llm_breaker_name(call->pool, upstream, call->model);
	struct pl_err err = { 0 };

	/* the question that is the breaker's trial may be repeated like any other */
	if (call->admitted ||
	    shm_breaker_allow(call->llm->shm, name, upstream->breaker_cooldown, pl_now_ns())) {
		call->admitted = true;
		try_send(call);
		return;
	}
	pl_err_set(&err, PL_E_UNAVAILABLE, "The model's server failed too often; it is left alone for now.");
	err.retry_after_s = (int)((upstream->breaker_cooldown + 999) / 1000);
	llm_call_finish(call, &err);
}

void llm_try_timer(struct llm_call *call)
{
	if (call->http == NULL)
		try_start(call);
	else if (call->in_grace)
		httpc_cancel(call->http);
	else
		llm_call_stop(call, PL_E_UPSTREAM_SLOW, "The model did not begin its answer in time.");
}

void llm_try_fini(struct llm_call *call)
{
	if (call->dec_open)
		llm_dec_fini(&call->dec);
	call->dec_open = false;
	pl_buf_fini(&call->refusal);
	call->refusal = PL_BUF(NULL);
}
