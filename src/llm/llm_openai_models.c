/* SPDX-License-Identifier: ISC */
/*
 * Reads the names in a list of models. Large lists (OpenRouter: hundreds of entries with dozens of fields) exceed the
 * limits of the guarded parser. So the array `data` is first cut into entries, and each is parsed separately.
 */
#include "llm/llm_dialect.h"

enum { ENTRY_POOL_BYTES = 4096, DEPTH_ROOT = 1, DEPTH_DATA = 2, DEPTH_ENTRY = 3 };

struct cutter {
	const char *at, *end;
	int depth;
};

/* Returns the position after the string that starts at `at` (a quote); NULL if it does not end. */
static const char *string_end(const char *at, const char *end)
{
	for (at++; at < end; at++) {
		if (*at == '\\')
			at++;
		else if (*at == '"')
			return at + 1;
	}
	return NULL;
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0')
		at++;
	return at;
}

/* Finds the position after the '[' of the root's member "data"; false: not found. */
static bool find_data(struct cutter *cut)
{
	while (cut->at < cut->end) {
		char c = *cut->at;

		if (c == '"') {
			const char *start = cut->at, *after = string_end(cut->at, cut->end);
			bool is_data;

			if (after == NULL)
				return false;
			is_data = pl_str_is(pl_strn(start, (size_t)(after - start)), "\"data\"");
			cut->at = skip_blanks(after, cut->end);
			if (cut->depth != DEPTH_ROOT || !is_data || cut->at == cut->end || *cut->at != ':')
				continue;
			cut->at = skip_blanks(cut->at + 1, cut->end);
			if (cut->at < cut->end && *cut->at == '[') {
				cut->at++;
				cut->depth = DEPTH_DATA;
				return true;
			}
			continue;
		}
		cut->depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
		cut->at++;
	}
	return false;
}

enum cut_result { CUT_ENTRY, CUT_END, CUT_BROKEN };

/* Cuts out the next object of the array. */
static enum cut_result next_entry(struct cutter *cut, struct pl_str *entry_r)
{
	const char *start = NULL;

	while (cut->at < cut->end) {
		char c = *cut->at;

		if (c == '"') {
			cut->at = string_end(cut->at, cut->end);
			if (cut->at == NULL)
				return CUT_BROKEN;
			continue;
		}
		cut->at++;
		if (c == '{' || c == '[') {
			if (++cut->depth == DEPTH_ENTRY)
				start = cut->at - 1;
		} else if (c == '}' || c == ']') {
			if (--cut->depth < DEPTH_DATA)
				return CUT_END;
			if (cut->depth == DEPTH_DATA && start != NULL) {
				*entry_r = pl_strn(start, (size_t)(cut->at - start));
				return CUT_ENTRY;
			}
		}
	}
	return CUT_BROKEN;
}

/* Returns a copy of the entry's id; absent if a request could not contain it. */
static struct pl_str entry_name(struct pl_pool *pool, struct pl_str entry, struct pl_buf *scrubbed)
{
	struct pl_pool *own = pl_pool_new(ENTRY_POOL_BYTES);
	struct pl_err ignored = { 0 };
	const struct pl_jval *root = pl_json_parse(own, llm_scrub(entry, scrubbed), &ignored);
	struct pl_str id = pl_json_str(pl_json_get(root, "id")), name = PL_STR_NONE;

	if (id.len > 0 && id.len <= LLM_MODEL_NAME_MAX)
		name = pl_str_dup(pool, id);
	pl_pool_free(&own);
	return name;
}

int llm_openai_models(struct pl_pool *pool, struct pl_str body, struct pl_str *names, int cap)
{
	struct cutter cut = { .at = body.ptr, .end = body.ptr + body.len };
	struct pl_buf scrubbed = PL_BUF(NULL);
	enum cut_result result = CUT_END;
	struct pl_str entry, name;
	int count = 0;

	if (!find_data(&cut))
		return -1;
	while (count < cap && (result = next_entry(&cut, &entry)) == CUT_ENTRY) {
		name = entry_name(pool, entry, &scrubbed);
		if (name.ptr != NULL)
			names[count++] = name;
	}
	pl_buf_fini(&scrubbed);
	return result == CUT_BROKEN ? -1 : count;
}
