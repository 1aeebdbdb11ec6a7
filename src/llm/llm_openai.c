/* SPDX-License-Identifier: ISC */
/*
 * OpenAI chat completions, decoding: a stream of chunks, or one whole completion where a server does not stream.
 *
 * Sources: OpenAI API reference; OpenRouter, Mistral, Groq, xAI, llama-server and vLLM where they differ (noted below).
 */
#include "llm/llm_dialect.h"


enum { EVENT_POOL_BYTES = 2048 };

void llm_openai_init(struct llm_decoder *dec, struct pl_str secret, llm_text_fn *text, void *arg)
{
	*dec = (struct llm_decoder){ .secret = secret, .text = text, .arg = arg, .stop = LLM_STOP_OTHER,
		.prompt_tokens = -1, .completion_tokens = -1 };
	pl_sse_init(&dec->sse, LLM_EVENT_MAX);
}

void llm_openai_fini(struct llm_decoder *dec)
{
	pl_sse_fini(&dec->sse);
	pl_buf_fini(&dec->whole);
	pl_buf_fini(&dec->scrubbed);
}

static bool fail(struct llm_decoder *dec, enum pl_code code, const char *text)
{
	dec->failed = true;
	return pl_err_set(&dec->err, code, "%s", text);
}

/* Asking again would give the same. */
static bool fail_for_good(struct llm_decoder *dec, const char *text)
{
	dec->permanent = true;
	return fail(dec, PL_E_UPSTREAM, text);
}

/* ---- parts of a chunk ---- */

static bool give(struct llm_decoder *dec, struct pl_str text)
{
	if (text.ptr == NULL || text.len == 0)
		return true;
	dec->alive = true;
	return dec->text(dec->arg, text);
}

/* A string, or (Mistral) a list of parts: {"type":"text","text":...}; "thinking" parts hold lists of their own. */
static bool take_content(struct llm_decoder *dec, const struct pl_jval *content)
{
	if (content == NULL || content->type != PL_J_ARRAY)
		return give(dec, pl_json_str(content));
	for (const struct pl_jval *part = content->first; part != NULL; part = part->next) {
		dec->alive = true;
		if (!give(dec, pl_json_str(part)) || !give(dec, pl_json_str(pl_json_get(part, "text"))))
			return false;
	}
	return true;
}

static bool has_text(const struct pl_jval *object, const char *key)
{
	return pl_json_str(pl_json_get(object, key)).len > 0;
}

/* `delta` of a chunk or `message` of a whole completion. */
static bool take_message(struct llm_decoder *dec, const struct pl_jval *message)
{
	if (has_text(message, "reasoning") || has_text(message, "reasoning_content"))
		dec->alive = true;
	return take_content(dec, pl_json_get(message, "content")) &&
	    give(dec, pl_json_str(pl_json_get(message, "refusal")));
}

static void take_finish(struct llm_decoder *dec, struct pl_str reason)
{
	static const struct { const char *word; enum llm_stop stop; } words[] = {
		{ "stop", LLM_STOP_END }, { "eos", LLM_STOP_END }, { "end_turn", LLM_STOP_END },
		{ "length", LLM_STOP_LENGTH }, { "max_tokens", LLM_STOP_LENGTH }, { "model_length", LLM_STOP_LENGTH },
		{ "content_filter", LLM_STOP_FILTER }, { "safety", LLM_STOP_FILTER },
	};

	if (reason.ptr == NULL || reason.len == 0)
		return;
	dec->finished = true;
	dec->stop = LLM_STOP_OTHER;
	for (size_t i = 0; i < PL_COUNT(words); i++) {
		if (pl_str_is(reason, words[i].word))
			dec->stop = words[i].stop;
	}
}

static bool take_choice(struct llm_decoder *dec, const struct pl_jval *choice)
{
	const struct pl_jval *message = pl_json_get(choice, "delta");
	struct pl_str reason = pl_json_str(pl_json_get(choice, "finish_reason"));
	int64_t index;

	if (pl_json_i64(pl_json_get(choice, "index"), 1, INT64_MAX, &index))
		return true;	/* n > 1 was not asked for */
	if (message == NULL)
		message = pl_json_get(choice, "message");
	if (!take_message(dec, message))
		return false;
	if (pl_str_is(reason, "error"))	/* OpenRouter */
		return fail(dec, PL_E_UPSTREAM, "The model's server failed in the middle of its answer.");
	take_finish(dec, reason);
	return true;
}

/* xAI leaves reasoning tokens out of completion_tokens, but not out of total_tokens. */
static void take_usage(struct llm_decoder *dec, const struct pl_jval *usage)
{
	int64_t prompt, completion, total;

	if (!pl_json_i64(pl_json_get(usage, "prompt_tokens"), 0, INT32_MAX, &prompt) ||
	    !pl_json_i64(pl_json_get(usage, "completion_tokens"), 0, INT32_MAX, &completion))
		return;
	if (pl_json_i64(pl_json_get(usage, "total_tokens"), 0, INT32_MAX, &total) && total > prompt + completion)
		completion = total - prompt;
	dec->prompt_tokens = prompt;
	dec->completion_tokens = completion;
}

static void take_model(struct llm_decoder *dec, struct pl_str model)
{
	size_t len;

	if (model.ptr == NULL || model.len == 0)	/* Azure's first chunk */
		return;
	len = pl_utf8_cut(model.ptr, model.len, LLM_MODEL_NAME_MAX);
	memcpy(dec->model, model.ptr, len);
	dec->model[len] = '\0';
}

/* One chunk or one whole completion. `error` comes first: OpenRouter sends it next to choices, with status 200. */
static bool take_root(struct llm_decoder *dec, const struct pl_jval *root)
{
	const struct pl_jval *choices = pl_json_get(root, "choices");
	const struct pl_jval *usage = pl_json_get(root, "usage");

	if (llm_openai_error(dec, 0, root))
		return false;
	take_model(dec, pl_json_str(pl_json_get(root, "model")));
	if (usage == NULL || usage->type != PL_J_OBJECT)	/* Groq */
		usage = pl_json_get(pl_json_get(root, "x_groq"), "usage");
	take_usage(dec, usage);
	if (choices == NULL || choices->type != PL_J_ARRAY)
		return true;
	for (const struct pl_jval *choice = choices->first; choice != NULL; choice = choice->next) {
		if (!take_choice(dec, choice))
			return false;
	}
	return true;
}

static bool take_json(struct llm_decoder *dec, struct pl_str text)
{
	struct pl_pool *pool = pl_pool_new(EVENT_POOL_BYTES);
	const struct pl_jval *root;
	struct pl_err err = { 0 };
	bool more;

	root = pl_json_parse(pool, llm_scrub(text, &dec->scrubbed), &err);
	if (root == NULL || root->type != PL_J_OBJECT)
		more = fail(dec, PL_E_UPSTREAM, "The model's server sent broken JSON.");
	else
		more = take_root(dec, root);
	pl_pool_free(&pool);
	return more;
}

/* ---- the body ---- */

static bool on_event(void *arg, struct pl_str event, struct pl_str data)
{
	struct llm_decoder *dec = arg;

	if (dec->closed)	/* what follows the end marker has no meaning */
		return true;
	data = pl_str_trim(data);
	if (pl_str_is(data, "[DONE]")) {
		dec->closed = true;
		return true;
	}
	if (data.len == 0)
		return true;
	return take_json(dec, data);
}

/* What the first character says; Content-Type is often wrong or absent. */
static bool find_kind(struct llm_decoder *dec, char first)
{
	if (first == '{')
		dec->kind = LLM_BODY_JSON;
	else if (first != '\0' && strchr(":deir\xef", first) != NULL)	/* comment, a field's name, byte order mark */
		dec->kind = LLM_BODY_STREAM;
	else
		return fail_for_good(dec, first == '<' ?
		    "The upstream answered with a web page instead of a completion: is its url right?" :
		    "The upstream answered with something that is no event stream: is its url right?");
	return true;
}

static bool feed_json(struct llm_decoder *dec, const char *data, size_t len)
{
	if (len > LLM_EVENT_MAX - dec->whole.len)
		return fail_for_good(dec, "The upstream's reply is too large.");
	pl_buf_add(&dec->whole, data, len);
	return true;
}

bool llm_openai_feed(struct llm_decoder *dec, const char *data, size_t len)
{
	if (dec->failed)
		return false;
	while (dec->kind == LLM_BODY_UNKNOWN && len > 0 && strchr(" \t\r\n", *data) != NULL && *data != '\0') {
		data++;
		len--;
	}
	if (len == 0)
		return true;
	if (dec->kind == LLM_BODY_UNKNOWN && !find_kind(dec, *data))
		return false;
	if (dec->kind == LLM_BODY_JSON)
		return feed_json(dec, data, len);
	if (pl_sse_feed(&dec->sse, data, len, on_event, dec))
		return true;
	if (!dec->failed && dec->sse.line.len + dec->sse.data.len + len > LLM_EVENT_MAX)
		return fail_for_good(dec, "The upstream sent an event of more than 1 MiB.");
	return false;
}

void llm_openai_end(struct llm_decoder *dec)
{
	if (dec->failed)
		return;
	if (dec->kind == LLM_BODY_JSON) {
		if (!take_json(dec, pl_buf_str(&dec->whole)))
			return;
		dec->closed = dec->finished;
	}
	/* A server may leave out its end marker, but then it has to have given a reason to stop. */
	if (!dec->closed && !dec->finished)
		fail(dec, PL_E_UPSTREAM_CUT, "The model's answer broke off.");
}
