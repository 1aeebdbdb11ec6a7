/* SPDX-License-Identifier: ISC */
/*
 * Text of a setting into its value, with bounds. min = max = 0 means that a number has no bounds.
 */
#include "cfg_value.h"

#include <stdio.h>

struct reading {
	struct pl_pool *pool;
	const struct pl_setting *setting;
	struct pl_str text;
	void *to;
	char *why;
	size_t why_bytes;
};

struct unit {
	const char *suffix;
	int64_t times;
};

static const struct unit size_units[] = {
	{ "", 1 }, { "k", 1 << 10 }, { "m", 1 << 20 }, { "g", 1 << 30 }, { "t", 1LL << 40 }, { NULL, 0 },
};
static const struct unit time_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};

static bool fail(struct reading *r, const char *fmt, ...) PL_PRINTF(2, 3);
static bool fail(struct reading *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->why, r->why_bytes, fmt, args);
	va_end(args);
	return false;
}

/* "'abc' is not ..."; a long text is cut, because the reason follows it. */
static bool fail_text(struct reading *r, const char *reason)
{
	struct pl_str text = r->text;

	if (text.len == 0)
		return fail(r, "a value is missing");
	text.len = pl_utf8_cut(text.ptr, text.len, 60);
	return fail(r, "'%.*s%s' %s", PL_FMT(text), text.len < r->text.len ? "..." : "", reason);
}

static bool in_bounds(struct reading *r, int64_t number, const char *what)
{
	const struct pl_setting *set = r->setting;
	char shown[PL_CFG_NUMBER_LEN], bound[PL_CFG_NUMBER_LEN];
	bool low = number < set->min;

	if ((set->min == 0 && set->max == 0) || (!low && number <= set->max))
		return true;
	pl_cfg_number_text(set->type, number, shown);
	pl_cfg_number_text(set->type, low ? set->min : set->max, bound);
	return fail(r, "%s%s is %s %s", what, shown, low ? "below" : "above", bound);
}

static bool read_bool(struct reading *r)
{
	static const char *const words[] = { "on", "off", "yes", "no", "true", "false", "1", "0" };

	for (size_t i = 0; i < PL_COUNT(words); i++) {
		if (pl_str_ieq(r->text, pl_str(words[i]))) {
			*(bool *)r->to = i % 2 == 0;
			return true;
		}
	}
	return fail_text(r, "must be on or off");
}

static bool read_int(struct reading *r)
{
	int64_t number;

	if (!pl_str_i64(r->text, INT64_MIN, INT64_MAX, &number))
		return fail_text(r, "is not a whole number");
	*(int64_t *)r->to = number;
	return in_bounds(r, number, "");
}

/* Digits and a unit out of the table. */
static bool read_units(struct reading *r, const struct unit *unit, const char *reason)
{
	struct pl_str text = r->text, suffix;
	size_t digits = 0;
	int64_t number;

	while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
		digits++;
	suffix = pl_str_trim(pl_strn(text.ptr + digits, text.len - digits));
	while (unit->suffix != NULL && !pl_str_ieq(suffix, pl_str(unit->suffix)))
		unit++;
	if (unit->suffix == NULL || !pl_str_i64(pl_strn(text.ptr, digits), 0, INT64_MAX / unit->times, &number))
		return fail_text(r, reason);
	*(int64_t *)r->to = number * unit->times;
	return in_bounds(r, number * unit->times, "");
}

static bool read_mode(struct reading *r)
{
	int64_t mode = 0;

	if (r->text.len == 0 || r->text.len > 5)
		return fail_text(r, "is not an octal file mode such as 0660");
	for (size_t i = 0; i < r->text.len; i++) {
		if (r->text.ptr[i] < '0' || r->text.ptr[i] > '7')
			return fail_text(r, "is not an octal file mode such as 0660");
		mode = mode * 8 + (r->text.ptr[i] - '0');
	}
	if (mode > 07777)
		return fail_text(r, "is not an octal file mode such as 0660");
	*(int64_t *)r->to = mode;
	return in_bounds(r, mode, "");
}

static bool read_string(struct reading *r)
{
	const struct pl_setting *set = r->setting;
	int64_t len = (int64_t)r->text.len;

	bool optional = set->def == NULL || set->def[0] == '\0';

	/* Empty is "not set" where that is the default. */
	if (len == 0 && optional)
		len = set->min;
	if (!(set->min == 0 && set->max == 0) && (len < set->min || len > set->max))
		return fail(r,
		    "the value has %lld bytes; it must have %lld to %lld", (long long)len, (long long)set->min,
		    (long long)set->max);
	*(const char **)r->to = pl_strndup(r->pool, r->text.ptr, r->text.len);
	return true;
}

static bool read_enum(struct reading *r)
{
	struct pl_buf known = PL_BUF(r->pool);

	for (int i = 0; r->setting->words[i] != NULL; i++) {
		if (pl_str_ieq(r->text, pl_str(r->setting->words[i]))) {
			*(int *)r->to = i;
			return true;
		}
		pl_buf_addf(&known, "%s%s", i > 0 ? ", " : "must be one of: ", r->setting->words[i]);
	}
	return fail_text(r, known.ptr);
}

static bool read_rate(struct reading *r)
{
	struct pl_rate rate;

	if (!pl_rate_parse(r->text, &rate))
		return fail_text(r, "must be a rate such as 5/min or 30/min burst 60, or off");
	*(struct pl_rate *)r->to = rate;
	return in_bounds(r, rate.burst, "burst ");
}

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

/* The next word of *rest; false at the end. */
static bool next_word(struct pl_str *rest, struct pl_str *word_r)
{
	size_t from = 0, to;

	while (from < rest->len && is_separator(rest->ptr[from]))
		from++;
	for (to = from; to < rest->len && !is_separator(rest->ptr[to]);)
		to++;
	*word_r = pl_strn(rest->ptr + from, to - from);
	*rest = pl_strn(rest->ptr + to, rest->len - to);
	return word_r->len > 0;
}

static bool read_list(struct reading *r)
{
	struct pl_str rest = r->text, word;
	struct pl_list list = { 0 };
	const char **items;

	while (next_word(&rest, &word)) {
		/* inih is told to know no comments behind values, for secrets' sake: do not take one for words. */
		if (word.ptr[0] == '#' || word.ptr[0] == ';')
			return fail(r, "a comment must be on a separate line");
		list.count++;
	}
	items = pl_alloc(r->pool, ((size_t)list.count + 1) * sizeof(*items));
	rest = r->text;
	for (int i = 0; next_word(&rest, &word); i++)
		items[i] = pl_strndup(r->pool, word.ptr, word.len);
	list.items = items;
	*(struct pl_list *)r->to = list;
	return in_bounds(r, list.count, "number of words: ");
}

bool pl_cfg_value_parse(struct pl_pool *pool, const struct pl_setting *setting, struct pl_str text, void *base,
    char *why, size_t why_bytes)
{
	struct reading r = { .pool = pool, .setting = setting, .text = pl_str_trim(text),
		.to = (char *)base + setting->offset, .why = why, .why_bytes = why_bytes };

	switch (setting->type) {
	case PL_SET_BOOL:
		return read_bool(&r);
	case PL_SET_INT:
		return read_int(&r);
	case PL_SET_SIZE:
		return read_units(&r, size_units, "is not a size such as 512, 64k, 4M or 1G");
	case PL_SET_TIME:
		return read_units(&r, time_units, "is not a time with its unit, such as 500ms, 5s, 10min, 24h or 7d");
	case PL_SET_STR:
	case PL_SET_SECRET:
	case PL_SET_LINES:
		return read_string(&r);
	case PL_SET_ENUM:
		return read_enum(&r);
	case PL_SET_RATE:
		return read_rate(&r);
	case PL_SET_LIST:
		return read_list(&r);
	case PL_SET_MODE:
		return read_mode(&r);
	}
	pl_bug("type of a setting", __FILE__, __LINE__);
}
