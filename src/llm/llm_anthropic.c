/* SPDX-License-Identifier: ISC */
/*
 * Anthropic Messages, decoding: named events, or one whole message if a server does not stream.
 *
 *   message_start -> (content_block_start -> content_block_delta* -> content_block_stop)* -> message_delta ->
 *   message_stop
 *
 * `ping` comes at any time. Events and deltas of unknown types are skipped, because new ones appear without a new
 * version.
 * Source: Anthropic API reference, "Streaming Messages", "Errors"; recordings of proxies where they differ.
 */
#include "llm/llm_dialect.h"

/* ---- errors ---- */

static int status_of_type(struct pl_str type)
{
	static const struct { const char *type; int status; } types[] = {
		{ "invalid_request_error", 400 }, { "authentication_error", 401 }, { "billing_error", 402 },
		{ "permission_error", 403 }, { "not_found_error", 404 }, { "conflict_error", 409 },
		{ "request_too_large", 413 }, { "rate_limit_error", 429 }, { "api_error", 500 },
		{ "timeout_error", 504 }, { "overloaded_error", 529 },
	};

	for (size_t i = 0; i < PL_COUNT(types); i++) {
		if (pl_str_is(type, types[i].type))
			return types[i].status;
	}
	return 0;
}

/* {"type":"error","error":{"type","message"},"request_id"}; proxies omit the outer type. */
static bool take_error(struct llm_decoder *dec, int http_status, const struct pl_jval *root)
{
	const struct pl_jval *error = pl_json_get(root, "error");
	bool is_error = pl_str_is(pl_json_str(pl_json_get(root, "type")), "error");

	if (http_status == 0 && !is_error && (error == NULL || error->type == PL_J_NULL))
		return false;
	if (http_status == 0)
		http_status = status_of_type(pl_json_str(pl_json_get(error, "type")));
	llm_dec_refuse(dec, http_status, pl_json_str(pl_json_get(error, "message")));
	return true;
}

/* ---- parts ---- */

static void take_stop(struct llm_decoder *dec, struct pl_str reason)
{
	static const struct llm_stop_word words[] = {
		{ "end_turn", LLM_STOP_END }, { "stop_sequence", LLM_STOP_END }, { "max_tokens", LLM_STOP_LENGTH },
		{ "model_context_window_exceeded", LLM_STOP_LENGTH }, { "refusal", LLM_STOP_FILTER },
	};

	llm_take_stop(dec, reason, words, PL_COUNT(words));
}

/* All counts are totals so far, so a later one replaces an earlier one. The three kinds of input do not overlap. */
static void take_usage(struct llm_decoder *dec, const struct pl_jval *usage)
{
	static const char *const inputs[] = { "input_tokens", "cache_creation_input_tokens",
		"cache_read_input_tokens" };
	int64_t count, sum = 0;

	for (size_t i = 0; i < PL_COUNT(inputs); i++) {
		if (pl_json_i64(pl_json_get(usage, inputs[i]), 0, INT32_MAX, &count)) {
			dec->input_tokens[i] = count;
			dec->prompt_tokens = 0;	/* is known from now on */
		}
		sum += dec->input_tokens[i];
	}
	if (dec->prompt_tokens >= 0)
		dec->prompt_tokens = sum;
	if (pl_json_i64(pl_json_get(usage, "output_tokens"), 0, INT32_MAX, &count)) {
		dec->completion_tokens = count;
		dec->early = false;
	}
}

static bool take_block(struct llm_decoder *dec, const struct pl_jval *block)
{
	struct pl_str type = pl_json_str(pl_json_get(block, "type"));

	if (pl_str_is(type, "text") || pl_str_is(type, "text_delta"))
		return llm_dec_give(dec, pl_json_str(pl_json_get(block, "text")));
	if (pl_str_is(type, "thinking") || pl_str_is(type, "thinking_delta"))
		llm_dec_think(dec, pl_json_str(pl_json_get(block, "thinking")));
	dec->alive = true;	/* the model thinks, or prepares something that is not text */
	return true;
}

static bool take_blocks(struct llm_decoder *dec, const struct pl_jval *content)
{
	if (content == NULL || content->type != PL_J_ARRAY)
		return true;
	for (const struct pl_jval *block = content->first; block != NULL; block = block->next) {
		if (!take_block(dec, block))
			return false;
	}
	return true;
}

/* Some proxies send the beginning twice. Another message within this one would mix two answers. */
static bool take_start(struct llm_decoder *dec, const struct pl_jval *message)
{
	struct pl_str id = pl_json_str(pl_json_get(message, "id"));
	size_t len = pl_utf8_cut(id.ptr, id.len, LLM_MESSAGE_ID_MAX);

	if (dec->message_id[0] != '\0' && strlen(dec->message_id) == len && memcmp(dec->message_id, id.ptr, len) == 0)
		return true;
	if (dec->message_id[0] != '\0' && dec->spoke)
		return llm_dec_fail(dec, PL_E_UPSTREAM,
		    "The model's server started a second answer before the first one ended.");
	if (len > 0)
		memcpy(dec->message_id, id.ptr, len);
	dec->message_id[len] = '\0';
	memset(dec->input_tokens, 0, sizeof(dec->input_tokens));
	dec->prompt_tokens = dec->completion_tokens = -1;
	llm_dec_model(dec, pl_json_str(pl_json_get(message, "model")));
	take_usage(dec, pl_json_get(message, "usage"));
	return take_blocks(dec, pl_json_get(message, "content"));
}

/* ---- events ---- */

static bool take_beginning(struct llm_decoder *dec, const struct pl_jval *message)
{
	bool more = take_start(dec, message);

	dec->early = true;
	return more;
}

static bool take_whole(struct llm_decoder *dec, const struct pl_jval *message)
{
	bool more = take_start(dec, message);

	take_stop(dec, pl_json_str(pl_json_get(message, "stop_reason")));
	return more;
}

static bool take_root(struct llm_decoder *dec, const struct pl_jval *root)
{
	struct pl_str type = pl_json_str(pl_json_get(root, "type"));

	if (take_error(dec, 0, root))
		return false;
	if (pl_str_is(type, "message"))
		return take_whole(dec, root);
	if (pl_str_is(type, "message_start"))
		return take_beginning(dec, pl_json_get(root, "message"));
	if (pl_str_is(type, "content_block_start"))
		return take_block(dec, pl_json_get(root, "content_block"));
	if (pl_str_is(type, "content_block_delta"))
		return take_block(dec, pl_json_get(root, "delta"));
	if (pl_str_is(type, "message_delta")) {
		take_stop(dec, pl_json_str(pl_json_get(pl_json_get(root, "delta"), "stop_reason")));
		take_usage(dec, pl_json_get(root, "usage"));
	} else if (pl_str_is(type, "message_stop")) {
		dec->closed = true;
	}
	return true;
}

/*
 * Some proxies omit the names of events. The type is in the data as well. The data of unknown events may be anything.
 */
static bool take_event(struct llm_decoder *dec, struct pl_str event, struct pl_str data)
{
	static const char *const known[] = { "message_start", "content_block_start", "content_block_delta",
		"message_delta", "message_stop", "error" };

	if (dec->closed)
		return true;
	dec->named = dec->named || event.len > 0;
	if (!dec->named && pl_str_starts(data, "{"))
		return llm_dec_json(dec, data);
	for (size_t i = 0; i < PL_COUNT(known); i++) {
		if (pl_str_is(event, known[i]))
			return llm_dec_json(dec, data);
	}
	return true;
}

const struct llm_dialect llm_anthropic = {
	.path = "/messages",
	.needs_end = true,
	.encode = llm_anthropic_encode,
	.options = llm_anthropic_options,
	.event = take_event,
	.root = take_root,
	.error = take_error,
};
