/* SPDX-License-Identifier: ISC */
/*
 * Dialects: our request as the upstream's bytes, its bytes as text and an outcome. No I/O, no clock.
 */
#ifndef LLM_LLM_DIALECT_H
#define LLM_LLM_DIALECT_H

#include "json.h"
#include "llm/llm.h"
#include "sse.h"

#define LLM_EVENT_MAX (1024 * 1024)	/* one event, or a whole reply that is no stream */
#define LLM_MODEL_NAME_MAX 128

enum llm_body_kind { LLM_BODY_UNKNOWN, LLM_BODY_STREAM, LLM_BODY_JSON };

/* true to go on. Text is valid UTF-8 without NUL and never empty. */
typedef bool (llm_text_fn)(void *arg, struct pl_str text);

/* One attempt's reply so far. */
struct llm_decoder {
	enum llm_body_kind kind;
	struct pl_sse sse;
	struct pl_buf whole, scrubbed;	/* heap */
	struct pl_str secret;		/* must not appear in error texts; borrowed */
	llm_text_fn *text;
	void *arg;

	bool finished;			/* a reason to stop was given */
	bool closed;			/* the end marker was there: nothing can be missing */
	bool alive;			/* text, or a sign of thinking, arrived */
	enum llm_stop stop;
	char model[LLM_MODEL_NAME_MAX + 1];
	int64_t prompt_tokens, completion_tokens;	/* -1 unknown */

	bool failed;			/* err says why */
	struct pl_err err;
	int error_status;		/* HTTP status that the failure amounts to; 0 unknown */
	bool permanent;			/* asking again is useless */
};

/* Body of POST {url}/chat/completions. */
void llm_openai_encode(const struct llm_request *request, struct pl_buf *body);
void llm_openai_init(struct llm_decoder *dec, struct pl_str secret, llm_text_fn *text, void *arg);
void llm_openai_fini(struct llm_decoder *dec);
/* A slice of a 2xx body. false: stop reading; dec->failed, or the text callback said so. */
bool llm_openai_feed(struct llm_decoder *dec, const char *data, size_t len) PL_MUSTCHECK;
/* The body ended. Fails the decoder when the answer is not whole. */
void llm_openai_end(struct llm_decoder *dec);
/* A reply that is not 2xx: body may be cut. Sets err, error_status, permanent. */
void llm_openai_refused(struct llm_decoder *dec, int status, struct pl_str body);
/* An error inside JSON: {"error": ...} or older flat forms. http_status 0: it came in a 2xx. false: there is none. */
bool llm_openai_error(struct llm_decoder *dec, int http_status, const struct pl_jval *root);

/*
 * Foreign JSON made acceptable to pl_json_parse(): NUL, \u0000, invalid UTF-8 and lone surrogates become U+FFFD. Gives
 * `json` itself when it is clean, else a view of *out, which is overwritten.
 */
struct pl_str llm_scrub(struct pl_str json, struct pl_buf *out);

/*
 * The local responder's answer to a conversation, never empty: depends on the request and, for questions about the
 * time, on the wall clock.
 */
void llm_local_answer(const struct llm_request *request, struct pl_buf *answer);
/* Length of the next piece to say: a word with the blanks behind it, never part of a character. */
size_t llm_local_piece(struct pl_str rest);
int64_t llm_local_words(struct pl_str text);

/*
 * Model names out of a GET /models reply ({"data":[{"id":...}]}), in its order; parses entry by entry, since such lists
 * exceed what one parse may hold. Returns how many, at most `cap`; -1: it is no such list.
 */
int llm_openai_models(struct pl_pool *pool, struct pl_str body, struct pl_str *names, int cap);

#endif
