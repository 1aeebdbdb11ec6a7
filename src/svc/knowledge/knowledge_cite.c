/* SPDX-License-Identifier: ISC */
/* Finds the passages that an answer cites: those whose marks, [1] or [1, 3], are in its text. */
#include "svc/knowledge/knowledge.h"

#include "json.h"

#define TEXT_MAX_BYTES 300
#define MARKS_MAX 64

/* Reads one list of numbers in brackets; `at` is after the opening one. Returns the marks; none unless it is closed. */
static uint64_t read_list(const char *at, const char *end, int count)
{
	uint64_t marks = 0;

	for (;;) {
		int number = 0, digits = 0;

		while (at < end && *at == ' ')
			at++;
		for (; at < end && *at >= '0' && *at <= '9' && digits < 4; digits++)
			number = number * 10 + (*at++ - '0');
		while (at < end && *at == ' ')
			at++;
		if (digits == 0 || at == end)
			return 0;
		if (number >= 1 && number <= count)
			marks |= UINT64_C(1) << (number - 1);
		if (*at == ']')
			return marks;
		if (*at++ != ',')
			return 0;
	}
}

uint64_t knowledge_marks(struct pl_str text, int count)
{
	const char *end = text.ptr + text.len;
	uint64_t marks = 0;

	PL_BUG(count > MARKS_MAX);
	for (const char *at = text.ptr; at < end; at++)
		if (*at == '[')
			marks |= read_list(at + 1, end, count);
	return marks;
}

/* Returns the beginning of a passage, in whole words. */
static struct pl_str beginning(struct pl_pool *pool, struct pl_str text)
{
	size_t len = pl_utf8_cut(text.ptr, text.len, TEXT_MAX_BYTES);

	if (len == text.len)
		return text;
	for (size_t at = len; at > len / 2; at--)
		if (text.ptr[at] == ' ' || text.ptr[at] == '\n') {
			len = at;
			break;
		}
	return pl_str(pl_sprintf(pool, "%.*s ...", (int)len, text.ptr));
}

struct pl_str knowledge_cite(struct pl_pool *pool, const struct knowledge_found *found, struct pl_str answer)
{
	uint64_t marks = found->count > 0 ? knowledge_marks(answer, found->count) : 0;
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	if (marks == 0)
		return PL_STR_NONE;
	pl_jw_array(&w);
	for (int i = 0; i < found->count; i++) {
		const struct passage *p = &found->rows[i];

		if ((marks >> i & 1) == 0)
			continue;
		pl_jw_object(&w);
		pl_jw_ki64(&w, "mark", i + 1);
		pl_jw_ki64(&w, "document", p->document_id);
		pl_jw_kstr(&w, "title", p->title);
		pl_jw_ki64(&w, "from", p->first);
		pl_jw_ki64(&w, "to", p->last);
		pl_jw_kstr(&w, "text", beginning(pool, p->text));
		pl_jw_end_object(&w);
	}
	pl_jw_end_array(&w);
	return pl_buf_str(&buf);
}
