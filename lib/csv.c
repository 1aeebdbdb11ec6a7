/* SPDX-License-Identifier: ISC */
/*
 * Cutting tables into cells.
 */
#include "csv.h"

#include <string.h>

static const char separators[] = { ',', ';', '\t' };

static bool at_end_of_line(struct pl_str s)
{
	return s.len == 0 || s.ptr[0] == '\n' || s.ptr[0] == '\r';
}

static void drop(struct pl_str *s, size_t count)
{
	*s = pl_strn(s->ptr + count, s->len - count);
}

/* Steps over one end of a line. */
static void end_line(struct pl_csv *csv)
{
	if (csv->rest.len == 0)
		return;
	drop(&csv->rest, 1 + (csv->rest.len > 1 && csv->rest.ptr[0] == '\r' && csv->rest.ptr[1] == '\n'));
	csv->line++;
}

static void skip_line(struct pl_csv *csv)
{
	while (!at_end_of_line(csv->rest))
		drop(&csv->rest, 1);
	end_line(csv);
}

static void skip_blanks(struct pl_csv *csv)
{
	while (csv->rest.len > 0 && (csv->rest.ptr[0] == ' ' || csv->rest.ptr[0] == '\t') &&
	    csv->rest.ptr[0] != csv->separator)
		drop(&csv->rest, 1);
}

void pl_csv_init(struct pl_csv *csv, struct pl_str text)
{
	size_t counts[sizeof(separators)] = { 0 }, best = 0;
	bool quoted = false;

	*csv = (struct pl_csv){ .rest = text, .separator = ',' };
	if (text.len > 5 && pl_str_istarts(text, "sep=") && at_end_of_line(pl_strn(text.ptr + 5, text.len - 5))) {
		csv->separator = text.ptr[4];
		skip_line(csv);
		return;
	}
	for (struct pl_str at = text; at.len > 0 && (quoted || !at_end_of_line(at)); drop(&at, 1)) {
		quoted = quoted != (at.ptr[0] == '"');
		for (size_t i = 0; i < sizeof(separators); i++)
			counts[i] += !quoted && at.ptr[0] == separators[i];
	}
	for (size_t i = 1; i < sizeof(separators); i++)
		best = counts[i] > counts[best] ? i : best;
	csv->separator = separators[best];
}

/* Behind the opening quote. NULL, or what is wrong. */
static const char *read_quoted(struct pl_csv *csv, struct pl_pool *pool, struct pl_str *cell_r)
{
	struct pl_buf out = PL_BUF(pool);
	size_t i;

	for (i = 0; i < csv->rest.len; i++) {
		char c = csv->rest.ptr[i];

		if (c == '"' && i + 1 < csv->rest.len && csv->rest.ptr[i + 1] == '"')
			i++;
		else if (c == '"')
			break;
		csv->line += c == '\n' || (c == '\r' && (i + 1 == csv->rest.len || csv->rest.ptr[i + 1] != '\n'));
		pl_buf_addc(&out, c);
	}
	if (i == csv->rest.len)
		return "has a quote that is not closed";
	drop(&csv->rest, i + 1);
	skip_blanks(csv);
	*cell_r = pl_buf_str(&out);
	if (!at_end_of_line(csv->rest) && csv->rest.ptr[0] != csv->separator)
		return "has text after a closing quote";
	return NULL;
}

static const char *read_cell(struct pl_csv *csv, struct pl_pool *pool, struct pl_str *cell_r)
{
	size_t len = 0;

	skip_blanks(csv);
	if (csv->rest.len > 0 && csv->rest.ptr[0] == '"') {
		drop(&csv->rest, 1);
		return read_quoted(csv, pool, cell_r);
	}
	while (len < csv->rest.len && csv->rest.ptr[len] != csv->separator && csv->rest.ptr[len] != '\n' &&
	    csv->rest.ptr[len] != '\r')
		len++;
	*cell_r = pl_str_trim(pl_strn(csv->rest.ptr, len));
	drop(&csv->rest, len);
	return NULL;
}

bool pl_csv_next(struct pl_csv *csv, struct pl_pool *pool, struct pl_str *cells, int max, int *count_r,
    int64_t *line_r, const char **error_r)
{
	struct pl_csv begin;
	bool more = true;

	*count_r = 0;
	*error_r = NULL;
	for (;;) {
		begin = *csv;
		skip_blanks(csv);
		if (csv->rest.len == 0)
			return false;
		if (!at_end_of_line(csv->rest))
			break;
		end_line(csv);
	}
	*csv = begin;
	*line_r = begin.line + 1;
	while (more && *error_r == NULL) {
		if (*count_r == max)
			*error_r = "has too many columns";
		else
			*error_r = read_cell(csv, pool, &cells[(*count_r)++]);
		more = csv->rest.len > 0 && csv->rest.ptr[0] == csv->separator;
		if (more)
			drop(&csv->rest, 1);
	}
	if (*error_r != NULL) {
		*csv = begin;
		*count_r = 0;
		skip_line(csv);
		return true;
	}
	end_line(csv);
	return true;
}

void pl_csv_cell(struct pl_buf *out, struct pl_str s)
{
	bool formula = s.len > 0 && strchr("=+-@\t\r", s.ptr[0]) != NULL;
	bool quote = false;

	for (size_t i = 0; i < s.len && !quote; i++)
		quote = s.ptr[i] == '"' || s.ptr[i] == ',' || s.ptr[i] == '\n' || s.ptr[i] == '\r';
	if (quote)
		pl_buf_addc(out, '"');
	if (formula)
		pl_buf_addc(out, '\'');
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"')
			pl_buf_addc(out, '"');
		pl_buf_addc(out, s.ptr[i]);
	}
	if (quote)
		pl_buf_addc(out, '"');
}
