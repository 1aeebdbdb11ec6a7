/* SPDX-License-Identifier: ISC */
/*
 * OpenAI chat completions: the request's body, and what errors mean.
 */
#include <math.h>
#include <stdio.h>

#include "llm/llm_dialect.h"

enum { ERROR_POOL_BYTES = 2048, ERROR_TEXT_MAX = 160 };

/* ---- request ---- */

static void put_message(struct pl_jw *w, const char *role, struct pl_str name, struct pl_str text, struct pl_buf *tmp)
{
	pl_jw_object(w);
	pl_jw_kcstr(w, "role", role);
	if (name.len > 0) {
		/* In the text: the field `name` has rules of its own, and most servers drop it. */
		pl_buf_reset(tmp);
		pl_buf_addstr(tmp, name);
		pl_buf_adds(tmp, ": ");
		pl_buf_addstr(tmp, text);
		text = pl_buf_str(tmp);
	}
	pl_jw_kstr(w, "content", text.ptr != NULL ? text : PL_STR(""));
	pl_jw_end_object(w);
}

static void put_messages(struct pl_jw *w, const struct llm_request *request)
{
	struct pl_buf tmp = PL_BUF(NULL);

	pl_jw_key(w, "messages");
	pl_jw_array(w);
	if (request->system.len > 0)
		put_message(w, "system", PL_STR_NONE, request->system, &tmp);
	for (int i = 0; i < request->messages_count; i++) {
		const struct llm_message *message = &request->messages[i];

		if (message->from == LLM_ASSISTANT)
			put_message(w, "assistant", PL_STR_NONE, message->text, &tmp);
		else
			put_message(w, "user", message->name, message->text, &tmp);
	}
	pl_jw_end_array(w);
	pl_buf_fini(&tmp);
}

void llm_openai_encode(const struct llm_request *request, struct pl_buf *body)
{
	const struct upstream_settings *upstream = request->upstream;
	struct pl_jw w = PL_JW(body);

	pl_jw_object(&w);
	pl_jw_kstr(&w, "model", request->model.len > 0 ? request->model : pl_str(upstream->model));
	put_messages(&w, request);
	if (!isnan(request->temperature)) {
		pl_jw_key(&w, "temperature");
		pl_jw_f64(&w, request->temperature);
	}
	if (request->max_tokens > 0)
		pl_jw_ki64(&w, upstream->max_tokens_field == MAX_TOKENS_NEW ? "max_completion_tokens" : "max_tokens",
		    request->max_tokens);
	pl_jw_kbool(&w, "stream", true);
	if (upstream->include_usage)
		pl_jw_kraw(&w, "stream_options", PL_STR("{\"include_usage\":true}"));
	pl_jw_end_object(&w);
}

/* ---- errors ---- */

/* What the upstream says, as one short line that cannot carry the key. */
static void error_text(struct llm_decoder *dec, const char *lead, struct pl_str message)
{
	char line[ERROR_TEXT_MAX + 1];
	size_t len = pl_utf8_cut(message.ptr, message.len, ERROR_TEXT_MAX);

	if (message.ptr == NULL || len == 0 ||
	    (dec->secret.len > 0 && memmem(message.ptr, message.len, dec->secret.ptr, dec->secret.len) != NULL)) {
		pl_err_set(&dec->err, PL_E_UPSTREAM, "%s.", lead);
		return;
	}
	for (size_t i = 0; i < len; i++)
		line[i] = (unsigned char)message.ptr[i] < 0x20 || message.ptr[i] == 0x7f ? ' ' : message.ptr[i];
	line[len] = '\0';
	pl_err_set(&dec->err, PL_E_UPSTREAM, "%s: %s", lead, line);
}

static bool is_status_permanent(int status)
{
	if (status == 408 || status == 409 || status == 429)
		return false;
	return status >= 300 && status < 500;
}

/* Out of credit looks like a rate limit, but waiting does not help. */
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

static void error_set(struct llm_decoder *dec, int status, struct pl_str message)
{
	char lead[80];

	dec->failed = true;
	dec->error_status = status;
	dec->permanent = dec->permanent || is_status_permanent(status);
	if (status == 401 || status == 403) {
		pl_err_set(&dec->err, PL_E_UPSTREAM_AUTH, NULL);
		return;
	}
	if (status >= 300 && status < 400)
		snprintf(lead, sizeof(lead), "The upstream redirects (%d), which is not followed: is its url right?",
		    status);
	else if (status == 429)
		snprintf(lead, sizeof(lead), "The upstream is over its rate limit or quota (429)");
	else if (status > 0)
		snprintf(lead, sizeof(lead), "The upstream refused with status %d", status);
	else
		snprintf(lead, sizeof(lead), "The upstream reported an error");
	error_text(dec, lead, message);
}

/*
 * {"error":{"message","type","code"}}, {"error":"text"}, or flat {"object":"error","message"} (older vLLM, Mistral).
 * `code` may be a word, null, or the HTTP status as a number (OpenRouter, llama-server).
 */
bool llm_openai_error(struct llm_decoder *dec, int http_status, const struct pl_jval *root)
{
	const struct pl_jval *error = pl_json_get(root, "error");
	struct pl_str message;
	int64_t code;
	int status = http_status;

	if (error == NULL || error->type == PL_J_NULL) {
		if (http_status == 0 && !pl_str_is(pl_json_str(pl_json_get(root, "object")), "error"))
			return false;
		error = root;
	}
	message = error->type == PL_J_STRING ? pl_json_str(error) : pl_json_str(pl_json_get(error, "message"));
	if (status == 0 && pl_json_i64(pl_json_get(error, "code"), 400, 599, &code))
		status = (int)code;
	dec->permanent = is_no_credit(error);
	error_set(dec, status, message);
	return true;
}

void llm_openai_refused(struct llm_decoder *dec, int status, struct pl_str body)
{
	struct pl_pool *pool = pl_pool_new(ERROR_POOL_BYTES);
	const struct pl_jval *root = NULL;
	struct pl_err ignored = { 0 };

	if (body.len > 0)
		root = pl_json_parse(pool, llm_scrub(body, &dec->scrubbed), &ignored);
	if (root != NULL && root->type == PL_J_OBJECT)
		llm_openai_error(dec, status, root);
	else
		error_set(dec, status, PL_STR_NONE);
	pl_pool_free(&pool);
}
