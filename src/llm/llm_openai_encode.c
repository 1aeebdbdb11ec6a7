/* SPDX-License-Identifier: ISC */
/*
 * OpenAI chat completions: the request's body.
 */
#include <math.h>

#include "llm/llm_dialect.h"

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
