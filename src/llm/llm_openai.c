/* SPDX-License-Identifier: ISC */
/*
 * OpenAI chat completions, decoding: chunks of a stream, or a single completion if a server does not stream.
 *
 * Sources: OpenAI API reference; OpenRouter, Mistral, Groq, xAI, llama-server, and vLLM where they differ (noted
 * below).
 */
#include <math.h>

#include "llm/llm_dialect.h"

/* ---- parts of a chunk ---- */

/* "thinking": a string, or a list of parts with texts (Mistral). */
static void take_thinking(struct llm_decoder *dec, const struct pl_jval *thinking)
{
	llm_dec_think(dec, pl_json_str(thinking));
	if (thinking == NULL || thinking->type != PL_J_ARRAY)
		return;
	for (const struct pl_jval *part = thinking->first; part != NULL; part = part->next)
		llm_dec_think(dec, pl_json_str(pl_json_get(part, "text")));
}

/* A string, or (Mistral) a list of parts: {"type":"text","text":...}, {"type":"thinking","thinking":[...]}. */
static bool take_content(struct llm_decoder *dec, const struct pl_jval *content)
{
	if (content == NULL || content->type != PL_J_ARRAY)
		return llm_dec_give(dec, pl_json_str(content));
	for (const struct pl_jval *part = content->first; part != NULL; part = part->next) {
		dec->alive = true;
		take_thinking(dec, pl_json_get(part, "thinking"));
		if (!llm_dec_give(dec, pl_json_str(part)) || !llm_dec_give(dec, pl_json_str(pl_json_get(part, "text"))))
			return false;
	}
	return true;
}

static bool has_text(const struct pl_jval *object, const char *key)
{
	return pl_json_str(pl_json_get(object, key)).len > 0;
}

/* `delta` of a chunk, or `message` of a single completion. */
static bool take_message(struct llm_decoder *dec, const struct pl_jval *message)
{
	/* some proxies send both names */
	llm_dec_think(dec, pl_json_str(pl_json_get(message,
	    has_text(message, "reasoning") ? "reasoning" : "reasoning_content")));
	return take_content(dec, pl_json_get(message, "content")) &&
	    llm_dec_give(dec, pl_json_str(pl_json_get(message, "refusal")));
}

static void take_finish(struct llm_decoder *dec, struct pl_str reason)
{
	static const struct llm_stop_word words[] = {
		{ "stop", LLM_STOP_END }, { "eos", LLM_STOP_END }, { "end_turn", LLM_STOP_END },
		{ "length", LLM_STOP_LENGTH }, { "max_tokens", LLM_STOP_LENGTH }, { "model_length", LLM_STOP_LENGTH },
		{ "content_filter", LLM_STOP_FILTER }, { "safety", LLM_STOP_FILTER }, { "recitation", LLM_STOP_FILTER },
	};

	llm_take_stop(dec, reason, words, PL_COUNT(words));
}

static bool take_choice(struct llm_decoder *dec, const struct pl_jval *choice)
{
	const struct pl_jval *message = pl_json_get(choice, "delta");
	struct pl_str reason = pl_json_str(pl_json_get(choice, "finish_reason"));
	int64_t index;

	if (pl_json_i64(pl_json_get(choice, "index"), 1, INT64_MAX, &index))
		return true;	/* n > 1 was not requested */
	if (message == NULL)
		message = pl_json_get(choice, "message");
	if (!take_message(dec, message))
		return false;
	if (pl_str_is(reason, "error"))	/* OpenRouter */
		return llm_dec_fail(dec, PL_E_UPSTREAM, "The model's server failed in the middle of its answer.");
	take_finish(dec, reason);
	return true;
}

/* Gemini counts 3.0 tokens. */
static bool count_of(const struct pl_jval *value, int64_t *count_r)
{
	double number;

	if (pl_json_i64(value, 0, INT32_MAX, count_r))
		return true;
	if (!pl_json_f64(value, &number) || number < 0 || number > INT32_MAX || number != floor(number))
		return false;
	*count_r = (int64_t)number;
	return true;
}

/* xAI counts reasoning tokens in total_tokens, but not in completion_tokens. */
static void take_usage(struct llm_decoder *dec, const struct pl_jval *usage)
{
	int64_t prompt, completion, total;
	double cost;

	if (pl_json_f64(pl_json_get(usage, "cost"), &cost) && cost >= 0 && cost < 1e6)	/* OpenRouter */
		dec->cost_micros = llround(cost * 1e6);
	if (!count_of(pl_json_get(usage, "prompt_tokens"), &prompt) ||
	    !count_of(pl_json_get(usage, "completion_tokens"), &completion))
		return;
	if (count_of(pl_json_get(usage, "total_tokens"), &total) && total > prompt + completion)
		completion = total - prompt;
	dec->prompt_tokens = prompt;
	dec->completion_tokens = completion;
}

/* "Out of credit" looks like a rate limit, but waiting does not help. */
static bool is_no_credit(const struct pl_jval *error)
{
	static const char *const words[] = { "insufficient_quota", "billing_hard_limit_reached", "billing_not_active" };

	for (size_t i = 0; i < PL_COUNT(words); i++) {
		if (pl_str_is(pl_json_str(pl_json_get(error, "code")), words[i]) ||
		    pl_str_is(pl_json_str(pl_json_get(error, "type")), words[i]))
			return true;
	}
	return false;
}

/* llama-server's line "error: {...}" contains a message and no fields of a chunk. */
static bool is_flat_error(const struct pl_jval *root)
{
	return pl_str_is(pl_json_str(pl_json_get(root, "object")), "error") ||
	    (has_text(root, "message") && pl_json_get(root, "choices") == NULL);
}

/*
 * {"error":{"message","type","code"}}, {"error":"text"}, or flat {"object":"error","message"} (older vLLM, Mistral).
 * `code` may be a word, null, or the HTTP status as a number (OpenRouter, llama-server).
 */
static bool take_error(struct llm_decoder *dec, int http_status, const struct pl_jval *root)
{
	const struct pl_jval *error = pl_json_get(root, "error");
	struct pl_str message;
	int64_t code;
	int status = http_status;

	if (error == NULL || error->type == PL_J_NULL) {
		if (http_status == 0 && !is_flat_error(root))
			return false;
		error = root;
	}
	message = error->type == PL_J_STRING ? pl_json_str(error) : pl_json_str(pl_json_get(error, "message"));
	if (status == 0 && pl_json_i64(pl_json_get(error, "code"), 400, 599, &code))
		status = (int)code;
	dec->permanent = is_no_credit(error);
	llm_dec_refuse(dec, status, message);
	return true;
}

static void take_usage_of(struct llm_decoder *dec, const struct pl_jval *root)
{
	const struct pl_jval *usage = pl_json_get(root, "usage");

	if (usage == NULL || usage->type != PL_J_OBJECT)	/* Groq */
		usage = pl_json_get(pl_json_get(root, "x_groq"), "usage");
	take_usage(dec, usage);
}

/*
 * One chunk, or a single completion. `error` is checked first, because OpenRouter sends it together with choices and
 * status 200.
 */
static bool take_root(struct llm_decoder *dec, const struct pl_jval *root)
{
	const struct pl_jval *choices = pl_json_get(root, "choices");

	if (take_error(dec, 0, root))
		return false;
	llm_dec_model(dec, pl_json_str(pl_json_get(root, "model")));
	take_usage_of(dec, root);
	if (choices == NULL || choices->type != PL_J_ARRAY)
		return true;
	for (const struct pl_jval *choice = choices->first; choice != NULL; choice = choice->next) {
		if (!take_choice(dec, choice))
			return false;
	}
	return true;
}

/* After the end marker, only the usage counts (Gemini). */
static void take_late(struct llm_decoder *dec, struct pl_str data)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_err ignored = { 0 };
	const struct pl_jval *root = pl_json_parse(pool, llm_scrub(data, &dec->scrubbed), &ignored);

	if (root != NULL)
		take_usage_of(dec, root);
	pl_pool_free(&pool);
}

static bool take_event(struct llm_decoder *dec, struct pl_str event, struct pl_str data)
{
	PL_UNUSED(event);
	if (dec->closed) {
		take_late(dec, data);
		return true;
	}
	if (!pl_str_is(data, "[DONE]"))
		return data.len == 0 || llm_dec_json(dec, data);
	if (!dec->finished)	/* a server may send its end marker after a failure */
		return llm_dec_fail(dec, PL_E_UPSTREAM_CUT, "The model's answer ended before it was complete.");
	dec->closed = true;
	return true;
}

const struct llm_dialect llm_openai = {
	.path = "/chat/completions",
	.encode = llm_openai_encode,
	.options = llm_openai_options,
	.event = take_event,
	.root = take_root,
	.error = take_error,
};
