/* SPDX-License-Identifier: ISC */
/*
 * Dialects: our request as the upstream's bytes, its bytes as text and an outcome. No I/O, no clock.
 */
#ifndef LLM_LLM_DIALECT_H
#define LLM_LLM_DIALECT_H

#include "json.h"
#include "llm/llm.h"
#include "sse.h"

#define LLM_EVENT_MAX (1024 * 1024)	/* one event, or a whole reply that is not a stream; see llm_dec_allow() */
#define LLM_MODEL_NAME_MAX 128
#define LLM_MESSAGE_ID_MAX 63
#define LLM_HEADERS_MAX (6 + CONFIG_HEADERS_MAX)

struct llm_dialect;
enum llm_body_kind { LLM_BODY_UNKNOWN, LLM_BODY_STREAM, LLM_BODY_JSON };

#define LLM_THOUGHT_MAX 65536		/* of what a model thinks is kept */

/* Marks of halves of characters, as parts of U+10F000: bytes 0x80 to 0xff, and surrogates from 0xd800. */
enum { LLM_MARK_BYTE = 0x700, LLM_MARK_UNIT = 0x800 };
/* The first half of a character whose other half is still to come. */
struct llm_half { uint32_t unit, state; uint8_t count; char bytes[4]; };
/* In front of the answer, where a model may think aloud; inside of that; in the answer. */
enum llm_part { LLM_PART_BEFORE, LLM_PART_THOUGHT, LLM_PART_TEXT };

/* true to go on. Text is valid UTF-8 without NUL and never empty. */
typedef bool (llm_text_fn)(void *arg, struct pl_str text);

/* One attempt's reply so far. */
struct llm_decoder {
	const struct llm_dialect *dialect;
	enum llm_body_kind kind;
	struct pl_sse sse;
	struct pl_buf whole, scrubbed;	/* heap */
	size_t event_max;
	struct pl_str secret;		/* must not appear in error texts; borrowed */
	struct pl_str headers;		/* lines of the setting header: their values neither; borrowed */
	llm_text_fn *text;
	void *arg;

	/* llm_text.c */
	bool marked;			/* the event's texts hold marks */
	struct llm_half text_half, thought_half;
	enum llm_part part;
	int tag;			/* that opened the last thought; -1: none did */
	struct pl_buf hold, joined, thought;	/* heap */

	bool finished;			/* a reason to stop was given */
	bool closed;			/* the end marker was there: nothing can be missing */
	bool alive;			/* text, or a sign of thinking, arrived */
	bool early;			/* completion_tokens was sent before the text, and does not count it */
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

/* Options that some models refuse. OTHER_MAX_TOKENS: max_completion_tokens instead of max_tokens, or the reverse. */
enum llm_without { LLM_WITHOUT_TEMPERATURE = 1, LLM_OTHER_MAX_TOKENS = 2, LLM_WITHOUT_STREAM_OPTIONS = 4,
	LLM_WITHOUT_SCHEMA = 8 };

/* A wire format. `root` gets one event's JSON, or a whole reply; the others what their names say. */
struct llm_dialect {
	const char *path;		/* behind the upstream's url */
	bool needs_end;			/* a reason to stop is not enough: the end marker must come */
	/* The request's body: up to the messages, then the options and its end. without: bits of enum llm_without */
	void (*encode)(const struct llm_request *request, struct pl_jw *w);
	void (*options)(const struct llm_request *request, unsigned without, struct pl_jw *w);
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
/* One event, or a whole reply, may hold an answer of so many bytes. */
void llm_dec_allow(struct llm_decoder *dec, size_t answer_bytes);
/* A slice of a 2xx body. false: stop reading; dec->failed, or the text callback said so. */
bool llm_dec_feed(struct llm_decoder *dec, const char *data, size_t len) PL_MUSTCHECK;
/* The body ended. Fails the decoder when the answer is not whole. */
void llm_dec_end(struct llm_decoder *dec);
/* The reply is whole: fails the decoder when there is no text in it. */
void llm_dec_whole(struct llm_decoder *dec);

/* For dialects. The first two return false. */
bool llm_dec_fail(struct llm_decoder *dec, enum pl_code code, const char *text);
bool llm_dec_fail_for_good(struct llm_decoder *dec, const char *text);	/* asking again would give the same */
/* The next piece of the answer, or of what the model thinks. */
bool llm_dec_give(struct llm_decoder *dec, struct pl_str text);
void llm_dec_think(struct llm_decoder *dec, struct pl_str text);
/* There is no more: gives what was held back. */
void llm_dec_flush(struct llm_decoder *dec);
/* The stream broke, and nobody asks again: the same, but half a character is dropped. */
void llm_dec_broke(struct llm_decoder *dec);
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
void llm_openai_encode(const struct llm_request *request, struct pl_jw *w);
void llm_openai_options(const struct llm_request *request, unsigned without, struct pl_jw *w);
/* Body of POST {url}/messages. */
void llm_anthropic_encode(const struct llm_request *request, struct pl_jw *w);
void llm_anthropic_options(const struct llm_request *request, unsigned without, struct pl_jw *w);

/* The section's own parameters. */
void llm_put_parameters(const struct upstream_settings *upstream, struct pl_jw *w);

/* llm_options.c: the option that a refusal (its status and body) is about, if it was sent; 0: none. */
unsigned llm_refused_options(const struct llm_request *options, unsigned without, int status, struct pl_str body,
    bool *sure_r);
const char *llm_option_name(unsigned option);

/*
 * Foreign JSON made acceptable to pl_json_parse(): NUL, \u0000, invalid UTF-8 and lone surrogates become U+FFFD. Gives
 * `json` itself when it is clean, else a view of *out, which is overwritten.
 */
struct pl_str llm_scrub(struct pl_str json, struct pl_buf *out);
/* The same, but lone surrogates and invalid bytes become marks; *marked_r: there are some. */
struct pl_str llm_scrub_marked(struct pl_str json, struct pl_buf *out, bool *marked_r);

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
