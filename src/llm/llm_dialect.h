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
#define LLM_MESSAGE_ID_MAX 63
#define LLM_HEADERS_MAX 6

struct llm_dialect;
enum llm_body_kind { LLM_BODY_UNKNOWN, LLM_BODY_STREAM, LLM_BODY_JSON };

/* true to go on. Text is valid UTF-8 without NUL and never empty. */
typedef bool (llm_text_fn)(void *arg, struct pl_str text);

/* One attempt's reply so far. */
struct llm_decoder {
	const struct llm_dialect *dialect;
	enum llm_body_kind kind;
	struct pl_sse sse;
	struct pl_buf whole, scrubbed;	/* heap */
	struct pl_str secret;		/* must not appear in error texts; borrowed */
	llm_text_fn *text;
	void *arg;

	bool finished;			/* a reason to stop was given */
	bool closed;			/* the end marker was there: nothing can be missing */
	bool alive;			/* text, or a sign of thinking, arrived */
	bool spoke;			/* text arrived */
	enum llm_stop stop;
	char model[LLM_MODEL_NAME_MAX + 1];
	int64_t prompt_tokens, completion_tokens;	/* -1 unknown */
	int64_t cost_micros;		/* of a US dollar, where the upstream tells it (OpenRouter); -1 unknown */
	char message_id[LLM_MESSAGE_ID_MAX + 1];	/* Anthropic's, to know a repeated beginning */
	bool named;			/* Anthropic's: its events have names */
	int64_t input_tokens[3];	/* Anthropic's disjoint counts: read anew, written to and read from its cache */

	bool empty;			/* it ended without a word, but the server works */
	bool failed;			/* err says why */
	struct pl_err err;
	int error_status;		/* HTTP status that the failure amounts to; 0 unknown */
	bool permanent;			/* asking again is useless */
};

/* A wire format. `root` gets one event's JSON, or a whole reply; the others what their names say. */
struct llm_dialect {
	const char *path;		/* behind the upstream's url */
	bool needs_end;			/* a reason to stop is not enough: the end marker must come */
	void (*encode)(const struct llm_request *request, struct pl_buf *body);
	bool (*event)(struct llm_decoder *dec, struct pl_str event, struct pl_str data);
	bool (*root)(struct llm_decoder *dec, const struct pl_jval *root);
	/* An error inside JSON. http_status 0: it came in a 2xx. false: there is none. */
	bool (*error)(struct llm_decoder *dec, int http_status, const struct pl_jval *root);
};
extern const struct llm_dialect llm_openai, llm_anthropic;
const struct llm_dialect *llm_dialect_of(const struct upstream_settings *upstream);

/* Headers of a request under `key` (absent: none); values in pool, wiped with it. Returns how many. */
int llm_headers(struct pl_pool *pool, const struct config *config, const struct upstream_settings *upstream,
    struct pl_str key, const char *accept, struct httpc_header headers[LLM_HEADERS_MAX]);
/* {url}{path}, without doubled slashes; a query of the url stays behind the path (Azure's api-version). */
const char *llm_url(struct pl_pool *pool, const struct upstream_settings *upstream, const char *path);

/* llm_decode.c */
void llm_dec_init(struct llm_decoder *dec, const struct llm_dialect *dialect, struct pl_str secret, llm_text_fn *text,
    void *arg);
void llm_dec_fini(struct llm_decoder *dec);
/* A slice of a 2xx body. false: stop reading; dec->failed, or the text callback said so. */
bool llm_dec_feed(struct llm_decoder *dec, const char *data, size_t len) PL_MUSTCHECK;
/* The body ended. Fails the decoder when the answer is not whole. */
void llm_dec_end(struct llm_decoder *dec);
/* The reply is whole: fails the decoder when there is no text in it. */
void llm_dec_whole(struct llm_decoder *dec);

/* For dialects. The first two return false. */
bool llm_dec_fail(struct llm_decoder *dec, enum pl_code code, const char *text);
bool llm_dec_fail_for_good(struct llm_decoder *dec, const char *text);	/* asking again would give the same */
bool llm_dec_give(struct llm_decoder *dec, struct pl_str text);
void llm_dec_model(struct llm_decoder *dec, struct pl_str model);
struct llm_stop_word { const char *word; enum llm_stop stop; };
/* The reason to stop, if one is given: a word of the table, or LLM_STOP_OTHER. */
void llm_take_stop(struct llm_decoder *dec, struct pl_str reason, const struct llm_stop_word *words, size_t count);
bool llm_dec_json(struct llm_decoder *dec, struct pl_str text);		/* parses, calls dialect->root */
/* The object itself, or the first of an array (Gemini's errors); NULL: neither. */
const struct pl_jval *llm_dec_object(const struct pl_jval *root);

/* llm_refusal.c */
/* A reply that is not 2xx: body may be cut. Sets err, error_status, permanent. */
void llm_dec_refused(struct llm_decoder *dec, int status, struct pl_str body);
/* Fails it with what `status` (0 unknown) means; `message` is the upstream's. */
void llm_dec_refuse(struct llm_decoder *dec, int status, struct pl_str message);

/* Adds a message to what one turn says; several messages of one side are one turn. */
void llm_add_turn(struct pl_buf *turn, const struct llm_message *message);
/* Body of POST {url}/chat/completions. */
void llm_openai_encode(const struct llm_request *request, struct pl_buf *body);
/* Body of POST {url}/messages. */
void llm_anthropic_encode(const struct llm_request *request, struct pl_buf *body);

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
