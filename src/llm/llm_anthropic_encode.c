/* SPDX-License-Identifier: ISC */
/*
 * Anthropic Messages: the body of a request. `system` is separate from the messages. These alternate, begin with the
 * user's, and need max_tokens.
 *
 * Source: Anthropic API reference, "Create a Message"; versions 2023-06-01 and later.
 */
#include <math.h>

#include "llm/llm_dialect.h"

/* The last version that has temperature. Later ones refuse a request with it. */
#define VERSION_WITH_SAMPLING "2023-06-01"

static void put_turn(struct pl_jw *w, enum llm_from from, struct pl_buf *turn)
{
	if (turn->len == 0)
		return;
	pl_jw_object(w);
	pl_jw_kcstr(w, "role", from == LLM_ASSISTANT ? "assistant" : "user");
	pl_jw_kstr(w, "content", pl_buf_str(turn));
	pl_jw_end_object(w);
	pl_buf_reset(turn);
}

static void put_messages(struct pl_jw *w, const struct llm_request *request)
{
	struct pl_buf turn = PL_BUF(NULL);
	enum llm_from from = LLM_USER;

	for (int i = 0; i < request->messages_count; i++) {
		const struct llm_message *message = &request->messages[i];

		if (pl_str_trim(message->text).len == 0)
			continue;	/* empty texts are refused */
		if (message->from != from) {
			if (turn.len == 0)	/* the first turn must be the user's; earlier messages were cut */
				pl_buf_adds(&turn, "...");
			put_turn(w, from, &turn);
			from = message->from;
		}
		llm_add_turn(&turn, message);
	}
	put_turn(w, from, &turn);
	pl_buf_fini(&turn);
}

void llm_anthropic_encode(const struct llm_request *request, struct pl_jw *w)
{
	const struct upstream_settings *upstream = request->upstream;

	pl_jw_object(w);
	pl_jw_kstr(w, "model", request->model.len > 0 ? request->model : pl_str(upstream->model));
	pl_jw_ki64(w, "max_tokens", request->max_tokens > 0 ? request->max_tokens : upstream->max_tokens);
	if (request->system.len > 0)
		pl_jw_kstr(w, "system", request->system);
	pl_jw_key(w, "messages");
	pl_jw_array(w);
	put_messages(w, request);
	pl_jw_end_array(w);
}

void llm_anthropic_options(const struct llm_request *request, unsigned without, struct pl_jw *w)
{
	if (!isnan(request->temperature) && (without & LLM_WITHOUT_TEMPERATURE) == 0 &&
	    strcmp(request->upstream->api_version, VERSION_WITH_SAMPLING) <= 0) {
		pl_jw_key(w, "temperature");
		pl_jw_f64(w, request->temperature > 1 ? 1 : request->temperature);
	}
	pl_jw_kbool(w, "stream", true);
	llm_put_parameters(request->upstream, w);
	pl_jw_end_object(w);
}
