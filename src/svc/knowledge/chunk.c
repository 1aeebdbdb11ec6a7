/* SPDX-License-Identifier: ISC */
/* Splits a text into passages. */
#include "svc/knowledge/chunk.h"

#include "json.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Returns the position `chars` characters after `at`, at most the end. */
static size_t forward(struct pl_str text, size_t at, int chars)
{
	while (at < text.len && chars-- > 0)
		do
			at++;
		while (at < text.len && is_tail(text.ptr[at]));
	return at;
}

static size_t back(struct pl_str text, size_t at, int chars)
{
	while (at > 0 && chars-- > 0)
		do
			at--;
		while (at > 0 && is_tail(text.ptr[at]));
	return at;
}

/* Rates a cut before `at`: 3 paragraph, 2 sentence, 1 word, 0 not good. */
static int border(struct pl_str text, size_t at)
{
	char before = text.ptr[at - 1], mark = at >= 2 ? text.ptr[at - 2] : '\0';

	if (!is_blank(before))
		return 0;
	if (before == '\n' && mark == '\n')
		return 3;
	return mark == '.' || mark == '!' || mark == '?' ? 2 : 1;
}

/* Returns the best end; among equal ones the last. `end` itself if there is none in its second half. */
static size_t good_end(struct pl_str text, size_t start, size_t end)
{
	size_t middle = start + (end - start) / 2, best = end;
	int found = 0;

	for (size_t at = end; at > middle && found < 3; at--) {
		int here = border(text, at);

		if (here > found) {
			found = here;
			best = at;
		}
	}
	return best;
}

/* Returns where the next passage begins: at a word within the overlap. */
static size_t next_start(struct pl_str text, size_t start, size_t end)
{
	size_t from = back(text, end, CHUNK_OVERLAP);

	if (from <= start)
		return end;
	while (from < end && border(text, from) == 0)
		from++;
	return from;
}

int chunk_text(struct pl_pool *pool, struct pl_str text, const struct chunk **chunks_r)
{
	size_t start = 0, counted = 0, max = text.len / (CHUNK_CHARS / 2 - CHUNK_OVERLAP) + 2;
	struct chunk *chunks = pl_alloc(pool, max * sizeof(*chunks));
	int64_t chars = 0;
	int n = 0;

	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	while (start < text.len) {
		size_t end, tail;

		if (is_blank(text.ptr[start])) {
			start++;
			continue;
		}
		end = forward(text, start, CHUNK_CHARS);
		if (end < text.len)
			end = good_end(text, start, end);
		for (tail = end; is_blank(text.ptr[tail - 1]); tail--)
			;
		PL_BUG((size_t)n >= max);
		chars += (int64_t)pl_utf8_count(text.ptr + counted, start - counted);
		counted = start;
		chunks[n].text = pl_strn(text.ptr + start, tail - start);
		chunks[n].from = chars;
		chunks[n].to = chars + (int64_t)pl_utf8_count(text.ptr + start, tail - start);
		n++;
		start = end < text.len ? next_start(text, start, end) : end;
	}
	*chunks_r = chunks;
	return n;
}

struct pl_str chunk_json(struct pl_pool *pool, struct pl_str text)
{
	const struct chunk *chunks;
	int count = chunk_text(pool, text, &chunks);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_array(&w);
	for (int i = 0; i < count; i++) {
		pl_jw_object(&w);
		pl_jw_ki64(&w, "from", chunks[i].from);
		pl_jw_ki64(&w, "to", chunks[i].to);
		pl_jw_kstr(&w, "text", chunks[i].text);
		pl_jw_end_object(&w);
	}
	pl_jw_end_array(&w);
	return pl_buf_str(&buf);
}
