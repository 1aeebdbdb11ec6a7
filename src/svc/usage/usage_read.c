/* SPDX-License-Identifier: ISC */
/* Checks and normalizes usage records. */
#include <math.h>
#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "svc/usage/usage_read.h"

#define REFUSALS_MAX 1000
#define TOKENS_MAX 1000000000000LL
#define COST_USD_MAX 1e6
#define NAME_MAX_CHARS 128

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

/* One record. The first error in it is kept. */
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

/* 2500.0 is the number 2500. In a table numbers are text, and between semicolons 0,5 is a number. */
static bool number_of(const struct record *r, const struct pl_jval *value, double *number_r)
{
	struct pl_jval copy = *value;
	char text[64];

	if (value->type != PL_J_STRING || r->batch->form != USAGE_TABLE)
		return pl_json_f64(value, number_r);
	if (value->text.len == 0 || value->text.len >= sizeof(text))
		return false;
	for (size_t i = 0; i <= value->text.len; i++)
		text[i] = i == value->text.len ? '\0' : value->text.ptr[i];
	if (r->batch->comma && strchr(text, '.') == NULL && strchr(text, ',') != NULL)
		*strchr(text, ',') = '.';
	if (strspn(text, "+-.0123456789eE") != value->text.len || strpbrk(text, "0123456789") == NULL)
		return false;
	copy.type = PL_J_NUMBER;
	copy.text = pl_str(text);
	return pl_json_f64(&copy, number_r);
}

/* Matches what programs write into tables for a missing value. */
static bool is_nothing(const struct record *r, const struct pl_jval *value)
{
	return r->batch->form == USAGE_TABLE && (pl_str_ieq(value->text, PL_STR("null")) ||
	    pl_str_ieq(value->text, PL_STR("none")) || pl_str_ieq(value->text, PL_STR("nan")));
}

static int64_t count_field(struct record *r, const char *name, int64_t max)
{
	const struct pl_jval *value = field(r, name);
	int64_t count = 0;
	double number;

	if (value == NULL || is_nothing(r, value) || pl_json_i64(value, 0, max, &count))
		return count;
	if (number_of(r, value, &number) && number >= 0 && number <= (double)max && number == floor(number))
		return (int64_t)number;
	usage_refuse(r, "%s must be a whole number from 0 to %lld", name, (long long)max);
	return 0;
}

/* NaN when absent. */
static double number_field(struct record *r, const char *name, double min, double max)
{
	const struct pl_jval *value = field(r, name);
	double number = NAN;

	if (value == NULL || is_nothing(r, value))
		return NAN;
	if (!number_of(r, value, &number) || !(number >= min) || !(number <= max))
		usage_refuse(r, "%s must be a number from %g to %g", name, min, max);
	return number;
}

/* 1, 0, or -1 if absent. Databases without a type for it write 1 and 0; psql writes t and f. */
static int flag_field(struct record *r, const char *name)
{
	static const char *const words[] = { "false", "true", "f", "t", "no", "yes", "n", "y" };
	const struct pl_jval *value = field(r, name);
	double number;

	if (value == NULL || is_nothing(r, value))
		return -1;
	if (value->type == PL_J_BOOL)
		return value->truth;
	if (number_of(r, value, &number) && (number == 0 || number == 1))
		return number == 1;
	for (size_t i = 0; i < PL_COUNT(words) && r->batch->form == USAGE_TABLE; i++)
		if (pl_str_ieq(value->text, pl_str(words[i])))
			return i % 2 == 1;
	usage_refuse(r, "%s must be true, false or null", name);
	return -1;
}

/* Times without a zone are UTC, as the systems that export them write. 0 if absent. */
static int64_t time_field(struct record *r, const char *name, bool needed)
{
	const struct pl_jval *value = field(r, name);
	struct pl_str text = pl_json_str(value);
	int64_t at_us = 0;

	if (!needed && (value == NULL || is_nothing(r, value)))
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

/* Only records without an error are added to the text. */
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

/* Returns the name of the field in the record; some systems call the counts tokens_in and tokens_out. */
static const char *either(const struct record *r, const char *name, const char *other)
{
	return field(r, name) == NULL && field(r, other) != NULL ? other : name;
}

static void write_number(struct record *r, const char *name, double max)
{
	double number = number_field(r, name, 0, max);

	if (!isnan(number) && r->error == NULL) {
		pl_jw_key(&r->w, name);
		pl_jw_f64(&r->w, number);
	}
}

/* Writes further data of the source. A status of 400 or more is an error if the source does not count errors. */
static void write_extra(struct record *r)
{
	int64_t status = count_field(r, "status_code", 999), errors = count_field(r, "errors", 1000000);

	pl_jw_ki64(&r->w, "errors", field(r, "errors") == NULL ? status >= 400 : errors);
	if (status > 0)
		pl_jw_ki64(&r->w, "status_code", status);
	write_number(r, "latency_ms", 1e12);
	write_number(r, "diff_ratio", 1e9);
	if (field(r, "accepted_lines") != NULL)
		pl_jw_ki64(&r->w, "accepted_lines", count_field(r, "accepted_lines", 1000000000));
	pl_jw_kstr(&r->w, "repo_slug", text_field(r, "repo_slug", false, NAME_MAX_CHARS));
}

/* Writes the counts; the total may be computed from prompt and completion. */
static void write_counts(struct record *r)
{
	int64_t prompt = count_field(r, either(r, "prompt_tokens", "tokens_in"), TOKENS_MAX);
	int64_t completion = count_field(r, either(r, "completion_tokens", "tokens_out"), TOKENS_MAX);
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
	write_extra(r);
	pl_jw_key(&r->w, "score");
	pl_jw_f64(&r->w, score);
}

static void add_session(struct usage_batch *batch, struct pl_str text, int64_t line, struct pl_str source)
{
	struct pl_buf row = PL_BUF(batch->pool);
	struct pl_str own_source;
	int64_t at_us, ended_us;
	struct record r;
	int accepted;

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
		accepted = flag_field(&r, "accepted_flag");
		if (accepted >= 0)
			pl_jw_kbool(&r.w, "accepted", accepted == 1);
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

static void add_figure(struct usage_batch *batch, struct pl_str text, int64_t line)
{
	struct pl_buf row = PL_BUF(batch->pool);
	struct pl_str day, name;
	char midnight[32];
	int64_t at_us;
	struct record r;
	double value;

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
		value = number_field(&r, "value", -1e15, 1e15);
		if (isnan(value))
			usage_refuse(&r, "value is missing");
		pl_jw_key(&r.w, "value");
		pl_jw_f64(&r.w, value);
		pl_jw_end_object(&r.w);
	}
	record_end(&r, line, &row);
}

bool usage_batch_next(struct usage_batch *batch, struct usage_text *text, enum usage_kind kind, struct pl_str source)
{
	struct pl_str record;
	int64_t line;

	if (!usage_text_next(text, batch->pool, &record, &line))
		return false;
	batch->form = text->form;
	batch->comma = text->form == USAGE_TABLE && text->table.separator != ',';
	if (text->error != NULL)
		refused(batch, line, text->error);
	else if (kind == USAGE_FIGURES)
		add_figure(batch, record, line);
	else
		add_session(batch, record, line, source);
	return true;
}
