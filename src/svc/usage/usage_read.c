/* SPDX-License-Identifier: ISC */
/*
 * Records of usage: cutting, checking, normalising.
 */
#include <math.h>
#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "svc/usage/usage_read.h"

#define REFUSALS_MAX 1000
#define TOKENS_MAX 1000000000000LL
#define COST_USD_MAX 1e6
#define NAME_MAX_CHARS 128

/* ---- cutting ---- */

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

void usage_text_init(struct usage_text *text, struct pl_str all)
{
	struct pl_str at = all;

	*text = (struct usage_text){ .rest = all };
	skip_blanks(&at);
	if (at.len == 0 || at.ptr[0] != '[')
		return;
	text->array = true;
	text->rest = pl_strn(at.ptr + 1, at.len - 1);
}

/* Length of the element at the start of s: up to a comma or bracket of the outer array. */
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
		/* whatever stands behind the array is a record that will be refused */
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
	text->cut = false;	/* an array that does not end: an empty record stands for the rest, and is refused */
give:
	*record_r = pl_strn(text->rest.ptr, len);
	while (record_r->len > 0 && is_blank(record_r->ptr[record_r->len - 1]))
		record_r->len--;
	*line_r = ++text->line;
	len += len < text->rest.len;
	text->rest = pl_strn(text->rest.ptr + len, text->rest.len - len);
	return true;
}

bool usage_text_next(struct usage_text *text, struct pl_str *record_r, int64_t *line_r)
{
	if (text->array)
		return next_element(text, record_r, line_r);
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

/* ---- checking ---- */

void usage_batch_init(struct usage_batch *batch, struct pl_pool *pool)
{
	*batch = (struct usage_batch){ .pool = pool, .rows = PL_BUF(pool) };
	batch->refusals = pl_alloc(pool, REFUSALS_MAX * sizeof(*batch->refusals));
	pl_buf_addc(&batch->rows, '[');
}

struct pl_str usage_batch_json(struct usage_batch *batch)
{
	pl_buf_addc(&batch->rows, ']');
	return pl_buf_str(&batch->rows);
}

/* One record on its way in. The first rule that it breaks is kept. */
struct record { struct usage_batch *batch; const struct pl_jval *object; struct pl_jw w; const char *error; };

static void PL_PRINTF(2, 3) usage_refuse(struct record *r, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (r->error != NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	r->error = pl_strdup(r->batch->pool, text);
}

static const struct pl_jval *field(const struct record *r, const char *name)
{
	const struct pl_jval *value = pl_json_get(r->object, name);

	return value != NULL && value->type != PL_J_NULL ? value : NULL;
}

static struct pl_str text_field(struct record *r, const char *name, bool needed, size_t max)
{
	const struct pl_jval *value = field(r, name);
	struct pl_str text = pl_json_str(value);

	if (value == NULL && !needed)
		return PL_STR_NONE;
	if (text.ptr == NULL || text.len == 0 || pl_utf8_count(text.ptr, text.len) > max)
		usage_refuse(r, "%s must be a string of 1 to %zu characters", name, max);
	return text;
}

static int64_t count_field(struct record *r, const char *name, int64_t max)
{
	const struct pl_jval *value = field(r, name);
	int64_t number = 0;

	if (value != NULL && !pl_json_i64(value, 0, max, &number))
		usage_refuse(r, "%s must be a whole number from 0 to %lld", name, (long long)max);
	return number;
}

/* NaN when absent. */
static double number_field(struct record *r, const char *name, double min, double max)
{
	const struct pl_jval *value = field(r, name);
	double number = NAN;

	if (value != NULL && (!pl_json_f64(value, &number) || !(number >= min) || !(number <= max)))
		usage_refuse(r, "%s must be a number from %g to %g", name, min, max);
	return number;
}

/* Times without a zone are UTC: that is how the systems that export them write. 0 when absent. */
static int64_t time_field(struct record *r, const char *name, bool needed)
{
	const struct pl_jval *value = field(r, name);
	struct pl_str text = pl_json_str(value);
	int64_t at_us = 0;

	if (value == NULL && !needed)
		return 0;
	if (text.ptr != NULL && pl_time_parse_lax(text.ptr, text.len, &at_us) && at_us > 0)
		return at_us;
	usage_refuse(r, "%s must be a time after 1970 such as 2026-11-20T09:30:00Z", name);
	return 0;
}

static void refused(struct usage_batch *batch, int64_t line, const char *error)
{
	batch->refused++;
	if (batch->refusals_count < REFUSALS_MAX)
		batch->refusals[batch->refusals_count++] = (struct usage_refusal){ line, error };
}

static bool record_begin(struct record *r, struct usage_batch *batch, struct pl_str text)
{
	struct pl_err err = { 0 };

	*r = (struct record){ .batch = batch };
	r->object = pl_json_parse(batch->pool, text, &err);
	if (r->object == NULL)
		usage_refuse(r, "%s", pl_err_text(&err));
	else if (r->object->type != PL_J_OBJECT)
		usage_refuse(r, "must be a JSON object");
	return r->error == NULL;
}

/* Only a record without a fault reaches the text. */
static void record_end(struct record *r, int64_t line, const struct pl_buf *row)
{
	struct usage_batch *batch = r->batch;

	if (r->error != NULL) {
		refused(batch, line, r->error);
		return;
	}
	if (batch->good++ > 0)
		pl_buf_addc(&batch->rows, ',');
	pl_buf_addstr(&batch->rows, pl_buf_str(row));
}

/* Writes what was counted; prompt and completion alone give the total. */
static void write_counts(struct record *r)
{
	int64_t prompt = count_field(r, "prompt_tokens", TOKENS_MAX), completion = count_field(r, "completion_tokens",
	    TOKENS_MAX);
	int64_t total = count_field(r, "total_tokens", TOKENS_MAX);
	double cost = number_field(r, "cost_usd", 0, COST_USD_MAX), score = number_field(r, "feedback_score", 1, 5);

	if (field(r, "total_tokens") == NULL)
		total = prompt + completion;
	else if (total < prompt + completion)
		usage_refuse(r, "total_tokens must not be less than prompt_tokens and completion_tokens together");
	pl_jw_ki64(&r->w, "prompt", prompt);
	pl_jw_ki64(&r->w, "completion", completion);
	pl_jw_ki64(&r->w, "total", total);
	pl_jw_ki64(&r->w, "cost_micros", isnan(cost) || r->error != NULL ? 0 : llround(cost * 1e6));
	pl_jw_ki64(&r->w, "errors", count_field(r, "errors", 1000000));
	pl_jw_key(&r->w, "score");
	pl_jw_f64(&r->w, score);
}

void usage_batch_session(struct usage_batch *batch, struct pl_str text, int64_t line, struct pl_str source)
{
	struct pl_buf row = PL_BUF(batch->pool);
	const struct pl_jval *accepted;
	struct pl_str own_source;
	int64_t at_us, ended_us;
	struct record r;

	if (record_begin(&r, batch, text)) {
		r.w = PL_JW(&row);
		pl_jw_object(&r.w);
		pl_jw_kstr(&r.w, "id", text_field(&r, "session_id", true, NAME_MAX_CHARS));
		pl_jw_kstr(&r.w, "developer", text_field(&r, "developer_id", true, NAME_MAX_CHARS));
		at_us = time_field(&r, "timestamp", true);
		ended_us = time_field(&r, "ended_at", false);
		if (ended_us != 0 && ended_us < at_us)
			usage_refuse(&r, "ended_at must not be before timestamp");
		pl_jw_ktime(&r.w, "at", at_us);
		if (ended_us != 0)
			pl_jw_ktime(&r.w, "ended", ended_us);
		pl_jw_kstr(&r.w, "model", text_field(&r, "model", false, NAME_MAX_CHARS));
		own_source = text_field(&r, "source", false, 64);
		pl_jw_kstr(&r.w, "source", own_source.ptr != NULL ? own_source : source);
		write_counts(&r);
		accepted = field(&r, "accepted_flag");
		if (accepted != NULL && accepted->type != PL_J_BOOL)
			usage_refuse(&r, "accepted_flag must be true, false or null");
		else if (accepted != NULL)
			pl_jw_kbool(&r.w, "accepted", accepted->truth);
		pl_jw_end_object(&r.w);
	}
	record_end(&r, line, &row);
}

/* ---- figures ---- */

static bool name_ok(struct pl_str name)
{
	if (name.len == 0 || name.len > 64 || name.ptr[0] < 'a' || name.ptr[0] > 'z')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if ((name.ptr[i] < 'a' || name.ptr[i] > 'z') && (name.ptr[i] < '0' || name.ptr[i] > '9') &&
		    name.ptr[i] != '_')
			return false;
	return true;
}

/* A CSV line as the JSON object it means; values that are no numbers stay texts and are refused later. */
static struct pl_str csv_object(struct usage_batch *batch, struct pl_str line)
{
	static const char *const names[] = { "day", "developer", "name" };
	struct pl_buf out = PL_BUF(batch->pool);
	struct pl_jw w = PL_JW(&out);
	struct pl_str part;

	pl_jw_object(&w);
	for (size_t i = 0; i < PL_COUNT(names) && line.ptr != NULL && pl_str_cut(&line, ',', &part); i++)
		pl_jw_kstr(&w, names[i], pl_str_trim(part));
	if (line.ptr != NULL) {
		pl_jw_key(&w, "value");
		pl_jw_raw(&w, pl_str_trim(line));
	}
	pl_jw_end_object(&w);
	return pl_buf_str(&out);
}

void usage_batch_figure(struct usage_batch *batch, struct pl_str text, int64_t line)
{
	struct pl_buf row = PL_BUF(batch->pool);
	struct pl_str day, name;
	char midnight[32];
	int64_t at_us;
	struct record r;

	if (text.len > 0 && text.ptr[0] != '{') {
		if (!pl_utf8_ok(text.ptr, text.len)) {
			refused(batch, line, "is not UTF-8");
			return;
		}
		text = csv_object(batch, text);
	}
	if (record_begin(&r, batch, text)) {
		r.w = PL_JW(&row);
		pl_jw_object(&r.w);
		day = text_field(&r, "day", true, 10);
		snprintf(midnight, sizeof(midnight), "%.*sT00:00:00Z", (int)(day.len < 11 ? day.len : 11),
		    day.ptr != NULL ? day.ptr : "");
		if (!pl_time_parse(midnight, strlen(midnight), &at_us))
			usage_refuse(&r, "day must be a date such as 2026-11-20");
		pl_jw_kstr(&r.w, "day", day);
		pl_jw_kstr(&r.w, "developer", text_field(&r, "developer", true, NAME_MAX_CHARS));
		name = text_field(&r, "name", true, 64);
		if (name.ptr != NULL && !name_ok(name))
			usage_refuse(&r, "name must be lower case letters, digits and _, a letter first");
		pl_jw_kstr(&r.w, "name", name);
		if (field(&r, "value") == NULL)
			usage_refuse(&r, "value is missing");
		pl_jw_key(&r.w, "value");
		pl_jw_f64(&r.w, number_field(&r, "value", -1e15, 1e15));
		pl_jw_end_object(&r.w);
	}
	record_end(&r, line, &row);
}
