/* SPDX-License-Identifier: ISC */
/*
 * Dialects encode a request in the wire format of an upstream, and decode its reply to text and an outcome. No I/O, no
 * clock.
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

/* Marks for halves of characters, as offsets from U+10F000: bytes 0x80 to 0xff, and surrogates from 0xd800. */
enum { LLM_MARK_BYTE = 0x700, LLM_MARK_UNIT = 0x800 };
/* The first half of a character whose second half has not arrived. */
struct llm_half { uint32_t unit, state; uint8_t count; char bytes[4]; };
/* Before the answer, where reasoning may begin; in the reasoning; in the answer. */
enum llm_part { LLM_PART_BEFORE, LLM_PART_THOUGHT, LLM_PART_TEXT };

/* Returns true to continue. Text is valid UTF-8 without NUL and never empty. */
typedef bool (llm_text_fn)(void *arg, struct pl_str text);

/* The state of the reply of one attempt. */
struct llm_decoder {
	const struct llm_dialect *dialect;
	enum llm_body_kind kind;
	struct pl_sse sse;
	struct pl_buf whole, scrubbed;	/* heap */
	size_t event_max;
	struct pl_str secret;		/* must not appear in error texts; borrowed */
	struct pl_str headers;		/* lines of the setting header, whose values must not appear; borrowed */
	llm_text_fn *text;
	void *arg;

	/* llm_text.c */
	bool marked;			/* the texts of the event contain marks */
	struct llm_half text_half, thought_half;
	enum llm_part part;
	int tag;			/* tag that opened the last reasoning; -1: none */
	struct pl_buf hold, joined, thought;	/* heap */

	bool finished;			/* a stop reason was given */
	bool closed;			/* the end marker arrived: the answer is complete */
	bool alive;			/* text or reasoning arrived */
	bool early;			/* completion_tokens was sent before the text and does not include it */
	bool spoke;			/* text arrived */
	enum llm_stop stop;
	char model[LLM_MODEL_NAME_MAX + 1];
	int64_t prompt_tokens, completion_tokens;	/* -1 unknown */
	int64_t cost_micros;		/* of a US dollar, if the upstream reports it (OpenRouter); -1 unknown */
	char message_id[LLM_MESSAGE_ID_MAX + 1];	/* Anthropic's, to detect a repeated start */
	bool named;			/* Anthropic's: its events have names */
	int64_t input_tokens[3];	/* Anthropic's disjoint counts: read anew, written to and read from its cache */

	bool empty;			/* it ended without text, but the server works */
	bool failed;			/* err has the reason */
	struct pl_err err;
	int error_status;		/* HTTP status that the failure amounts to; 0 unknown */
	bool permanent;			/* a retry is useless */
};

/* Options that some models refuse. OTHER_MAX_TOKENS: max_completion_tokens instead of max_tokens, or the reverse. */
enum llm_without { LLM_WITHOUT_TEMPERATURE = 1, LLM_OTHER_MAX_TOKENS = 2, LLM_WITHOUT_STREAM_OPTIONS = 4,
	LLM_WITHOUT_SCHEMA = 8 };

/* A wire format. `root` gets the JSON of one event or of a complete reply. */
struct llm_dialect {
	const char *path;		/* appended to the url of the upstream */
	bool needs_end;			/* a stop reason is not sufficient: the end marker is required */
	/* The request's body: up to the messages, then the options and its end. without: bits of enum llm_without */
	void (*encode)(const struct llm_request *request, struct pl_jw *w);
	void (*options)(const struct llm_request *request, unsigned without, struct pl_jw *w);
	bool (*event)(struct llm_decoder *dec, struct pl_str event, struct pl_str data);
	bool (*root)(struct llm_decoder *dec, const struct pl_jval *root);
	/* Reads an error in JSON. http_status 0: it was in a 2xx reply. false: there is none. */
	bool (*error)(struct llm_decoder *dec, int http_status, const struct pl_jval *root);
};
extern const struct llm_dialect llm_openai, llm_anthropic;
const struct llm_dialect *llm_dialect_of(const struct upstream_settings *upstream);

/* Headers of a request under `key` (absent: none); values in pool, wiped with it. Returns how many. */
int llm_headers(struct pl_pool *pool, const struct config *config, const struct upstream_settings *upstream,
    struct pl_str key, const char *accept, struct httpc_header headers[LLM_HEADERS_MAX]);
/* {url}{path}, without double slashes; a query string of the url stays after the path (api-version of Azure). */
const char *llm_url(struct pl_pool *pool, const struct upstream_settings *upstream, const char *path);

/* llm_decode.c */
void llm_dec_init(struct llm_decoder *dec, const struct llm_dialect *dialect, struct pl_str secret, llm_text_fn *text,
    void *arg);
void llm_dec_fini(struct llm_decoder *dec);
/* Sets the maximum bytes of an answer in one event or complete reply. */
void llm_dec_allow(struct llm_decoder *dec, size_t answer_bytes);
/* A slice of a 2xx body. false: stop reading, because dec->failed is set, or the text callback returned false. */
bool llm_dec_feed(struct llm_decoder *dec, const char *data, size_t len) PL_MUSTCHECK;
/* The body ended. Fails the decoder if the answer is not complete. */
void llm_dec_end(struct llm_decoder *dec);
/* The reply is complete: fails the decoder if it has no text. */
void llm_dec_whole(struct llm_decoder *dec);

/* For dialects. The first two return false. */
bool llm_dec_fail(struct llm_decoder *dec, enum pl_code code, const char *text);
bool llm_dec_fail_for_good(struct llm_decoder *dec, const char *text);	/* a retry would fail, too */
/* The next piece of the answer, or of the reasoning. */
bool llm_dec_give(struct llm_decoder *dec, struct pl_str text);
void llm_dec_think(struct llm_decoder *dec, struct pl_str text);
/* The end: passes on the text that was held back. */
void llm_dec_flush(struct llm_decoder *dec);
/* The stream broke and is not retried: the same, but half a character is dropped. */
void llm_dec_broke(struct llm_decoder *dec);
void llm_dec_model(struct llm_decoder *dec, struct pl_str model);
struct llm_stop_word { const char *word; enum llm_stop stop; };
/* Stores the stop reason, if one is given: a word of the table, or LLM_STOP_OTHER. */
void llm_take_stop(struct llm_decoder *dec, struct pl_str reason, const struct llm_stop_word *words, size_t count);
bool llm_dec_json(struct llm_decoder *dec, struct pl_str text);		/* parses, calls dialect->root */
/* The object itself, or the first of an array (Gemini's errors); NULL: neither. */
const struct pl_jval *llm_dec_object(const struct pl_jval *root);

/* llm_refusal.c */
/* Handles a reply that is not 2xx; the body may be cut. Sets err, error_status, and permanent. */
void llm_dec_refused(struct llm_decoder *dec, int status, struct pl_str body);
/* Fails the decoder with the error for `status` (0 unknown) and the `message` of the upstream. */
void llm_dec_refuse(struct llm_decoder *dec, int status, struct pl_str message);

/* Adds a message to a turn; consecutive messages of one side are one turn. */
void llm_add_turn(struct pl_buf *turn, const struct llm_message *message);
/* Body of POST {url}/chat/completions. */
void llm_openai_encode(const struct llm_request *request, struct pl_jw *w);
void llm_openai_options(const struct llm_request *request, unsigned without, struct pl_jw *w);
/* Body of POST {url}/messages. */
void llm_anthropic_encode(const struct llm_request *request, struct pl_jw *w);
void llm_anthropic_options(const struct llm_request *request, unsigned without, struct pl_jw *w);

/* The parameters of the section. */
void llm_put_parameters(const struct upstream_settings *upstream, struct pl_jw *w);

/* llm_options.c: the sent option that a refusal (its status and body) names; 0: none. */
unsigned llm_refused_options(const struct llm_request *options, unsigned without, int status, struct pl_str body,
    bool *sure_r);
const char *llm_option_name(unsigned option);

/*
 * Converts JSON of upstreams for pl_json_parse(): NUL, \u0000, invalid UTF-8, and lone surrogates become U+FFFD.
 * Returns `json` itself if it is clean, else a view of *out, which is overwritten.
 */
struct pl_str llm_scrub(struct pl_str json, struct pl_buf *out);
/* The same, but lone surrogates and invalid bytes become marks; *marked_r: there are some. */
struct pl_str llm_scrub_marked(struct pl_str json, struct pl_buf *out, bool *marked_r);

/*
 * The answer of the local responder to a conversation; never empty. It depends on the request and, for questions about
 * the time, on the wall clock.
 */
void llm_local_answer(const struct llm_request *request, struct pl_buf *answer);
/* Length of the next piece of text: a word and the blanks after it, never part of a character. */
size_t llm_local_piece(struct pl_str rest);
int64_t llm_local_words(struct pl_str text);

/*
 * Reads the model names of a GET /models reply ({"data":[{"id":...}]}), in its order. Parses entry by entry, because
 * such lists exceed the limits of pl_json_parse(). Returns their number, at most `cap`; -1: not such a list.
 */
int llm_openai_models(struct pl_pool *pool, struct pl_str body, struct pl_str *names, int cap);

#endif
