/* SPDX-License-Identifier: ISC */
/* OpenAI chat completions: the body of a request. */
#include <math.h>

#include "llm/llm_dialect.h"

static void put_message(struct pl_jw *w, const char *role, struct pl_str text)
{
	pl_jw_object(w);
	pl_jw_kcstr(w, "role", role);
	pl_jw_kstr(w, "content", text.ptr != NULL ? text : PL_STR(""));
	pl_jw_end_object(w);
}

/*
 * Consecutive messages of one side are joined: chat templates of Mistral, Gemma, and others require alternating roles.
 */
static void put_messages(struct pl_jw *w, const struct llm_request *request)
{
	struct pl_buf turn = PL_BUF(NULL);

	pl_jw_key(w, "messages");
	pl_jw_array(w);
	if (request->system.len > 0)
		put_message(w, "system", request->system);
	for (int i = 0; i < request->messages_count; i++) {
		const struct llm_message *message = &request->messages[i];
		bool last = i + 1 == request->messages_count || message[1].from != message->from;

		/* the name goes into the text: the field `name` has its own rules, and most servers drop it */
		llm_add_turn(&turn, message);
		if (!last)
			continue;
		put_message(w, message->from == LLM_ASSISTANT ? "assistant" : "user", pl_buf_str(&turn));
		pl_buf_reset(&turn);
	}
	pl_jw_end_array(w);
	pl_buf_fini(&turn);
}

void llm_openai_encode(const struct llm_request *request, struct pl_jw *w)
{
	const struct upstream_settings *upstream = request->upstream;

	pl_jw_object(w);
	pl_jw_kstr(w, "model", request->model.len > 0 ? request->model : pl_str(upstream->model));
	put_messages(w, request);
}

/* Returns whether a setting `parameter` of the section determines the format of answers. */
static bool sets_format(const struct upstream_settings *upstream)
{
	struct pl_str lines = pl_str(upstream->parameter), name, value;

	while (config_line(&lines, &name, &value)) {
		if (pl_str_is(name, "response_format"))
			return true;
	}
	return false;
}

static void put_schema(struct pl_jw *w, struct pl_str schema)
{
	pl_jw_key(w, "response_format");
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", "json_schema");
	pl_jw_key(w, "json_schema");
	pl_jw_object(w);
	pl_jw_kcstr(w, "name", "answer");
	pl_jw_kraw(w, "schema", schema);
	pl_jw_end_object(w);
	pl_jw_end_object(w);
}

void llm_openai_options(const struct llm_request *request, unsigned without, struct pl_jw *w)
{
	const struct upstream_settings *upstream = request->upstream;
	bool other = (without & LLM_OTHER_MAX_TOKENS) != 0;

	if (!isnan(request->temperature) && (without & LLM_WITHOUT_TEMPERATURE) == 0) {
		pl_jw_key(w, "temperature");
		pl_jw_f64(w, request->temperature);
	}
	if (request->max_tokens > 0)
		pl_jw_ki64(w, (upstream->max_tokens_field == MAX_TOKENS_NEW) != other ? "max_completion_tokens" :
		    "max_tokens", request->max_tokens);
	pl_jw_kbool(w, "stream", true);
	if (upstream->include_usage && (without & LLM_WITHOUT_STREAM_OPTIONS) == 0)
		pl_jw_kraw(w, "stream_options", PL_STR("{\"include_usage\":true}"));
	if (request->schema.len > 0 && (without & LLM_WITHOUT_SCHEMA) == 0 && !sets_format(upstream))
		put_schema(w, request->schema);
	llm_put_parameters(upstream, w);
	pl_jw_end_object(w);
}
