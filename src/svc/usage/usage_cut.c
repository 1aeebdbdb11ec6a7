/* SPDX-License-Identifier: ISC */
/*
 * Cuts a text into records: JSON lines, an array, or a table whose rows become JSON objects.
 */
#include "json.h"
#include "svc/usage/usage_read.h"

/* Columns of tables. Others are ignored, like unknown members of objects. */
static const char *const session_columns[] = { "session_id", "developer_id", "timestamp", "ended_at", "model",
	"prompt_tokens", "completion_tokens", "total_tokens", "cost_usd", "accepted_flag", "errors", "feedback_score",
	"source", "tokens_in", "tokens_out", "latency_ms", "status_code", "diff_ratio", "accepted_lines", "repo_slug",
	NULL };
static const char *const figure_columns[] = { "day", "developer", "name", "value", NULL };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct pl_str *s)
{
	while (s->len > 0 && is_blank(s->ptr[0])) {
		s->ptr++;
		s->len--;
	}
}

/* "Session ID" is session_id. */
static bool is_column(struct pl_str cell, const char *name)
{
	if (cell.len != strlen(name))
		return false;
	for (size_t i = 0; i < cell.len; i++) {
		char c = cell.ptr[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c == ' ' || c == '-' ? '_' : c) != name[i])
			return false;
	}
	return true;
}

/* Reads the names of the columns from the first record. false: it has none of them and is not consumed. */
static bool read_head(struct usage_text *text, const char *const *known)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_csv behind = text->table;
	struct pl_str cells[USAGE_COLUMNS_MAX];
	const char *error;
	int64_t line;
	bool found = false;

	if (pl_csv_next(&behind, pool, cells, USAGE_COLUMNS_MAX, &text->columns_count, &line, &error)) {
		for (int i = 0; i < text->columns_count; i++) {
			text->columns[i] = NULL;
			for (const char *const *name = known; *name != NULL; name++)
				if (is_column(cells[i], *name))
					text->columns[i] = *name;
			found = found || text->columns[i] != NULL;
		}
	}
	if (found)
		text->table = behind;
	pl_pool_free(&pool);
	return found;
}

static bool begin_table(struct usage_text *text, struct pl_str all, enum usage_kind kind)
{
	pl_csv_init(&text->table, all);
	if (read_head(text, kind == USAGE_FIGURES ? figure_columns : session_columns))
		return true;
	if (kind == USAGE_SESSIONS)
		return false;
	for (text->columns_count = 0; figure_columns[text->columns_count] != NULL; text->columns_count++)
		text->columns[text->columns_count] = figure_columns[text->columns_count];
	return true;
}

void usage_text_init(struct usage_text *text, struct pl_str all, enum usage_kind kind)
{
	struct pl_str at = pl_str_unmarked(all);

	*text = (struct usage_text){ .rest = at };
	if (pl_str_starts(at, "\xff\xfe") || pl_str_starts(at, "\xfe\xff")) {
		text->utf16 = true;
		return;
	}
	skip_blanks(&at);
	if (at.len > 0 && at.ptr[0] == '[') {
		text->form = USAGE_ARRAY;
		text->rest = pl_strn(at.ptr + 1, at.len - 1);
	} else if (kind != USAGE_OBJECTS && at.len > 0 && at.ptr[0] != '{' && begin_table(text, text->rest, kind)) {
		text->form = USAGE_TABLE;
	}
}

/* Returns the length of the element at the start of s: up to a comma or bracket of the outer array. */
static size_t element_length(struct pl_str s)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (depth == 0 && (c == ',' || c == ']')) {
			return i;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return s.len;
}

static bool next_element(struct usage_text *text, struct pl_str *record_r, int64_t *line_r)
{
	size_t len;

	skip_blanks(&text->rest);
	if (text->ended || (text->rest.len > 0 && text->rest.ptr[0] == ']' && text->line == 0)) {
		/* text after the array becomes a record that is refused */
		if (!text->ended && text->rest.len > 0)
			text->rest = pl_strn(text->rest.ptr + 1, text->rest.len - 1);
		text->ended = true;
		skip_blanks(&text->rest);
		len = text->rest.len;
	} else {
		len = element_length(text->rest);
		text->cut = len >= text->rest.len;
		text->ended = text->cut || text->rest.ptr[len] == ']';
		if (len > 0 || !text->cut)
			goto give;
	}
	if (len == 0 && !text->cut)
		return false;
	text->cut = false;	/* the array does not end: an empty record replaces the rest and is refused */
give:
	*record_r = pl_strn(text->rest.ptr, len);
	while (record_r->len > 0 && is_blank(record_r->ptr[record_r->len - 1]))
		record_r->len--;
	*line_r = ++text->line;
	len += len < text->rest.len;
	text->rest = pl_strn(text->rest.ptr + len, text->rest.len - len);
	return true;
}

static bool next_line(struct usage_text *text, struct pl_str *record_r, int64_t *line_r)
{
	while (text->rest.len > 0) {
		const char *end = memchr(text->rest.ptr, '\n', text->rest.len);
		size_t len = end != NULL ? (size_t)(end - text->rest.ptr) : text->rest.len;
		struct pl_str record = pl_strn(text->rest.ptr, len);

		len += end != NULL;
		text->rest = pl_strn(text->rest.ptr + len, text->rest.len - len);
		text->line++;
		if (record.len > 0 && record.ptr[record.len - 1] == '\r')
			record.len--;
		record = pl_str_trim(record);
		if (record.len == 0)
			continue;
		*record_r = record;
		*line_r = text->line;
		return true;
	}
	return false;
}

/* Returns a row of a table as a JSON object. An empty cell, or psql's \N, is an absent member. */
static struct pl_str row_object(struct usage_text *text, struct pl_pool *pool, const struct pl_str *cells, int count)
{
	struct pl_buf out = PL_BUF(pool);
	struct pl_jw w = PL_JW(&out);

	pl_jw_object(&w);
	for (int i = 0; i < count && text->error == NULL; i++) {
		bool twice = false;

		if (cells[i].len == 0 || pl_str_is(cells[i], "\\N"))
			continue;
		if (!pl_utf8_ok(cells[i].ptr, cells[i].len))
			text->error = "is not UTF-8";
		else if (i >= text->columns_count)
			text->error = "has more values than columns";
		for (int k = 0; k < i && k < text->columns_count; k++)
			twice = twice || text->columns[k] == text->columns[i];
		if (text->error == NULL && text->columns[i] != NULL && !twice)
			pl_jw_kstr(&w, text->columns[i], cells[i]);
	}
	pl_jw_end_object(&w);
	return pl_buf_str(&out);
}

static bool next_row(struct usage_text *text, struct pl_pool *pool, struct pl_str *record_r, int64_t *line_r)
{
	struct pl_str cells[USAGE_COLUMNS_MAX];
	int count;

	if (!pl_csv_next(&text->table, pool, cells, USAGE_COLUMNS_MAX, &count, line_r, &text->error))
		return false;
	*record_r = row_object(text, pool, cells, count);
	return true;
}

bool usage_text_next(struct usage_text *text, struct pl_pool *pool, struct pl_str *record_r, int64_t *line_r)
{
	text->error = NULL;
	if (text->utf16) {
		text->error = "is UTF-16: convert the file to UTF-8";
		*record_r = text->rest;
		*line_r = ++text->line;
		return text->line == 1;
	}
	if (text->form == USAGE_ARRAY)
		return next_element(text, record_r, line_r);
	return text->form == USAGE_TABLE ? next_row(text, pool, record_r, line_r) : next_line(text, record_r, line_r);
}
