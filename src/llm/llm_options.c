/* SPDX-License-Identifier: ISC */
/*
 * Options that a model refuses: recognized in the refusal, left out of the next attempt, and remembered per upstream
 * and model by this process if that attempt succeeds.
 */
#include <ctype.h>
#include <math.h>

#include "clock.h"
#include "llm/llm_generation.h"

enum { REMEMBERED_MAX = 256, REMEMBER_S = 86400 };	/* for a limited time, because a server may be updated */

struct llm_memory { struct { uint64_t tag; unsigned without; int64_t until_ns; } kept[REMEMBERED_MAX]; };

void llm_memory_init(struct llm *llm)
{
	llm->memory = pl_new(sizeof(*llm->memory));
}

void llm_memory_fini(struct llm *llm)
{
	pl_free(llm->memory);
	llm->memory = NULL;
}

/* FNV-1a; never 0. */
static uint64_t tag_of(const struct upstream_settings *upstream, struct pl_str model)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (const char *c = upstream->url; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3ULL;
	hash = (hash ^ 0xff) * 0x100000001b3ULL;
	for (size_t i = 0; i < model.len; i++)
		hash = (hash ^ (unsigned char)model.ptr[i]) * 0x100000001b3ULL;
	return hash | 1;
}

unsigned llm_memory_get(const struct llm *llm, const struct upstream_settings *upstream, struct pl_str model)
{
	uint64_t tag = tag_of(upstream, model);

	for (int i = 0; i < REMEMBERED_MAX; i++) {
		if (llm->memory->kept[i].tag == tag && llm->memory->kept[i].until_ns > pl_now_ns())
			return llm->memory->kept[i].without;
	}
	return 0;
}

/* The entry that expires first is replaced. */
void llm_memory_set(struct llm *llm, const struct upstream_settings *upstream, struct pl_str model, unsigned without)
{
	uint64_t tag = tag_of(upstream, model);
	int at = 0;

	for (int i = 0; i < REMEMBERED_MAX; i++) {
		if (llm->memory->kept[i].tag == tag) {
			at = i;
			break;
		}
		if (llm->memory->kept[i].until_ns < llm->memory->kept[at].until_ns)
			at = i;
	}
	llm->memory->kept[at].tag = tag;
	llm->memory->kept[at].without = without;
	llm->memory->kept[at].until_ns = pl_now_ns() + REMEMBER_S * PL_NS_PER_S;
}

static bool says(struct pl_str body, const char *word)
{
	return body.len > 0 && memmem(body.ptr, body.len, word, strlen(word)) != NULL;
}

/* Phrases of servers about a field that a model does not accept at all, in lower case. */
static const char *const refusals[] = { "not support", "n't support", "unsupported", "no longer supported",
	"only the default", "unknown", "unrecognized", "unexpected", "not permitted", "not allowed", "not accepted",
	"not available", "forbidden", "deprecated", "removed", "cannot be", "can't be", "incompatible",
	"not compatible", "only be set", "is allowed for this model", "invalid parameter" };

static bool refuses(struct pl_str text)
{
	for (size_t i = 0; i < PL_COUNT(refusals); i++)
		if (says(text, refusals[i]))
			return true;
	return false;
}

/*
 * Checks whether the object that contains the name also contains the refusal. Otherwise, the value may be wrong, or the
 * request is only quoted: another request may use the option.
 */
static bool refused_for_sure(struct pl_str body, const char *name)
{
	char *lower = pl_new(body.len + 1), *end = lower + body.len, *at = lower;
	bool sure = false;

	for (size_t i = 0; i < body.len; i++)
		lower[i] = (char)tolower((unsigned char)body.ptr[i]);
	while (!sure && (at = memmem(at, (size_t)(end - at), name, strlen(name))) != NULL) {
		char *from = at, *to = at;

		while (from > lower && from[-1] != '{' && from[-1] != '}')
			from--;
		while (to < end && *to != '{' && *to != '}')
			to++;
		sure = refuses(pl_strn(from, (size_t)(to - from)));
		at += strlen(name);
	}
	pl_free(lower);
	return sure;
}

/* "max_tokens is too large" and similar: another name for the limit would not help. */
static bool says_too_large(struct pl_str body)
{
	return says(body, "too large") || says(body, "context length") || says(body, "context_length") ||
	    says(body, "less than or equal");
}

static unsigned refused_option(const struct llm_request *options, unsigned without, int status, struct pl_str body)
{
	bool openai = options->upstream->dialect != DIALECT_ANTHROPIC;

	if (status != 400 && status != 422)
		return 0;
	if (!isnan(options->temperature) && (without & LLM_WITHOUT_TEMPERATURE) == 0 && says(body, "temperature"))
		return LLM_WITHOUT_TEMPERATURE;
	if (!openai)
		return 0;
	if (options->upstream->include_usage && (without & LLM_WITHOUT_STREAM_OPTIONS) == 0 &&
	    says(body, "stream_options"))
		return LLM_WITHOUT_STREAM_OPTIONS;
	if (options->schema.len > 0 && (without & LLM_WITHOUT_SCHEMA) == 0 &&
	    (says(body, "response_format") || says(body, "json_schema")))
		return LLM_WITHOUT_SCHEMA;
	if (options->max_tokens > 0 && (without & LLM_OTHER_MAX_TOKENS) == 0 &&
	    (says(body, "max_tokens") || says(body, "max_completion_tokens")) && !says_too_large(body))
		return LLM_OTHER_MAX_TOKENS;
	return 0;
}

unsigned llm_refused_options(const struct llm_request *options, unsigned without, int status, struct pl_str body,
    bool *sure_r)
{
	unsigned option = refused_option(options, without, status, body);

	*sure_r = option != 0 && (refused_for_sure(body, llm_option_name(option)) ||
	    (option == LLM_OTHER_MAX_TOKENS && refused_for_sure(body, "max_completion_tokens")) ||
	    (option == LLM_WITHOUT_SCHEMA && refused_for_sure(body, "json_schema")));
	return option;
}

const char *llm_option_name(unsigned option)
{
	if (option == LLM_WITHOUT_TEMPERATURE)
		return "temperature";
	if (option == LLM_WITHOUT_SCHEMA)
		return "response_format";
	return option == LLM_WITHOUT_STREAM_OPTIONS ? "stream_options" : "max_tokens";
}
