/* SPDX-License-Identifier: ISC */
/*
 * Replies of upstreams in any dialect: an event stream or a single JSON text, with size limits and a check for the end.
 */
#include "llm/llm_dialect.h"

enum { EVENT_POOL_BYTES = 2048 };

#define ESCAPED 6		/* maximum bytes of JSON per byte of text */

void llm_dec_init(struct llm_decoder *dec, const struct llm_dialect *dialect, struct pl_str secret, llm_text_fn *text,
    void *arg)
{
	*dec = (struct llm_decoder){ .dialect = dialect, .secret = secret, .text = text, .arg = arg,
		.stop = LLM_STOP_OTHER, .prompt_tokens = -1, .completion_tokens = -1, .cost_micros = -1,
		.tag = -1, .event_max = LLM_EVENT_MAX };
	pl_sse_init(&dec->sse, LLM_EVENT_MAX);
}

void llm_dec_allow(struct llm_decoder *dec, size_t answer_bytes)
{
	dec->event_max = LLM_EVENT_MAX + ESCAPED * answer_bytes;
	dec->sse.max_bytes = dec->event_max;
}

void llm_dec_fini(struct llm_decoder *dec)
{
	pl_sse_fini(&dec->sse);
	pl_buf_fini(&dec->whole);
	pl_buf_fini(&dec->scrubbed);
	pl_buf_fini(&dec->hold);
	pl_buf_fini(&dec->joined);
	pl_buf_fini(&dec->thought);
}

bool llm_dec_fail(struct llm_decoder *dec, enum pl_code code, const char *text)
{
	dec->failed = true;
	return pl_err_set(&dec->err, code, "%s", text);
}

/* Another attempt would get the same result. */
bool llm_dec_fail_for_good(struct llm_decoder *dec, const char *text)
{
	dec->permanent = true;
	return llm_dec_fail(dec, PL_E_UPSTREAM, text);
}

void llm_dec_model(struct llm_decoder *dec, struct pl_str model)
{
	size_t len;

	if (model.ptr == NULL || model.len == 0)	/* it is missing in Azure's first chunk */
		return;
	len = pl_utf8_cut(model.ptr, model.len, LLM_MODEL_NAME_MAX);
	memcpy(dec->model, model.ptr, len);
	dec->model[len] = '\0';
}

void llm_take_stop(struct llm_decoder *dec, struct pl_str reason, const struct llm_stop_word *words, size_t count)
{
	if (reason.len == 0)
		return;
	dec->finished = true;
	dec->stop = LLM_STOP_OTHER;
	for (size_t i = 0; i < count; i++) {
		if (pl_str_ieq(reason, pl_str(words[i].word)))	/* some servers write STOP and MAX_TOKENS */
			dec->stop = words[i].stop;
	}
	llm_dec_flush(dec);
}

bool llm_dec_json(struct llm_decoder *dec, struct pl_str text)
{
	struct pl_pool *pool = pl_pool_new(EVENT_POOL_BYTES);
	const struct pl_jval *root;
	struct pl_err err = { 0 };
	bool more;

	root = llm_dec_object(pl_json_parse(pool, llm_scrub_marked(text, &dec->scrubbed, &dec->marked), &err));
	if (root == NULL)
		more = llm_dec_fail_for_good(dec, "The model's server sent broken JSON.");
	else
		more = dec->dialect->root(dec, root);
	pl_pool_free(&pool);
	return more;
}

const struct pl_jval *llm_dec_object(const struct pl_jval *root)
{
	if (root != NULL && root->type == PL_J_ARRAY)
		root = root->first;
	return root != NULL && root->type == PL_J_OBJECT ? root : NULL;
}

/* ---- the body ---- */

static bool on_event(void *arg, struct pl_str event, struct pl_str data)
{
	struct llm_decoder *dec = arg;

	return dec->dialect->event(dec, event, pl_str_trim(data));
}

/* Decides by the first character, because Content-Type is often wrong or missing. */
static bool find_kind(struct llm_decoder *dec, char first)
{
	if (first == '{' || first == '[')
		dec->kind = LLM_BODY_JSON;
	else if (first != '\0' && strchr(":deir\xef", first) != NULL)	/* a comment, the name of a field, or a byte
									 * order mark */
		dec->kind = LLM_BODY_STREAM;
	else
		return llm_dec_fail_for_good(dec, first == '<' ?
		    "The upstream answered with a web page instead of a completion: check its url." :
		    "The upstream answered with something that is not an event stream: check its url.");
	return true;
}

static bool feed_json(struct llm_decoder *dec, const char *data, size_t len)
{
	if (len > dec->event_max - dec->whole.len)
		return llm_dec_fail_for_good(dec, "The upstream's reply is too large.");
	pl_buf_add(&dec->whole, data, len);
	return true;
}

bool llm_dec_feed(struct llm_decoder *dec, const char *data, size_t len)
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
	if (!dec->failed && dec->sse.line.len + dec->sse.data.len + len > dec->event_max)
		return llm_dec_fail_for_good(dec, "The upstream sent an event that is too large.");
	return false;
}

void llm_dec_end(struct llm_decoder *dec)
{
	if (dec->failed)
		return;
	if (dec->kind == LLM_BODY_JSON) {
		if (!llm_dec_json(dec, pl_buf_str(&dec->whole)))
			return;
		llm_dec_flush(dec);
		dec->closed = dec->finished || dec->spoke;	/* the text is complete, with or without a reason for
								 * its end */
	}
	/* A server may omit its end marker if it has sent a reason to stop. */
	if (!dec->closed && (!dec->finished || dec->dialect->needs_end))
		llm_dec_fail(dec, PL_E_UPSTREAM_CUT, "The model's answer ended before it was complete.");
	llm_dec_whole(dec);
}

void llm_dec_whole(struct llm_decoder *dec)
{
	if (dec->failed || dec->spoke)
		return;
	dec->empty = true;
	if (dec->stop == LLM_STOP_FILTER)
		llm_dec_fail_for_good(dec, "The model's server withheld the answer (content filter).");
	else if (dec->stop == LLM_STOP_LENGTH)
		llm_dec_fail_for_good(dec, "The model reached its token limit before it produced any text.");
	else
		llm_dec_fail(dec, PL_E_UPSTREAM, "The model returned an empty answer.");
}
