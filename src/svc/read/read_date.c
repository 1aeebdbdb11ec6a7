/* SPDX-License-Identifier: ISC */
/* Dates as YYYY-MM-DD, and telephone numbers as digits with a plus sign if there is one. */
#include <ctype.h>
#include <stdio.h>

#include "svc/read/read_int.h"

#define PHONE_DIGITS_MIN 7
#define PHONE_DIGITS_MAX 15
#define PHONE_DIGITS_HOME 12   /* maximum without a country code */
#define PHONE_DIGITS_ABROAD 10 /* minimum with a country code for a complete number */

static bool date_ok(int year, int month, int day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return year >= 1000 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 &&
	    day <= days[month - 1] + (month == 2 && leap);
}

static bool date_found(const struct read_message *m, int year, int month, int day, int to, bool sure, struct found *out)
{
	if (!date_ok(year, month, day))
		return false;
	*out = (struct found){.to = to,
	    .value = pl_str(pl_sprintf(m->pool, "%04d-%02d-%02d", year, month, day)),
	    .verdict = sure ? READ_SURE : READ_UNSURE};
	return true;
}

/* Digits only; -1: other characters, or more than `digits` digits. */
static int small_number(const struct token *t, size_t digits)
{
	int64_t value;

	return t->type == TOKEN_NUMBER && t->text.len <= digits && pl_str_i64(t->text, 0, 9999, &value) ? (int)value
													: -1;
}

/* Returns the end of the text without blanks that begins at `at`. */
static int run_end(const struct read_message *m, int at, int to)
{
	int end = at + 1;

	while (end < to && m->tokens[end].glued &&
	    (m->tokens[end].type == TOKEN_NUMBER ||
		(m->tokens[end].type == TOKEN_SIGN && strchr("-/.", m->tokens[end].word.ptr[0]) != NULL &&
		    end + 1 < to && m->tokens[end + 1].glued)))
		end++;
	return end;
}

/* 2026-02-01, 2026/2/1, 1.2.2026, 25/12/2026. With dashes or slashes, the order of day and month may be ambiguous. */
static bool numbers_date(const struct read_message *m, int at, int to, struct found *out)
{
	int end = run_end(m, at, to), a, b, c, n = 0;
	const char *text;
	char sep, again;

	if (m->tokens[at].type != TOKEN_NUMBER || m->tokens[end - 1].to - m->tokens[at].from > 10)
		return false;
	text = pl_str_c(m->pool, pl_strn(m->text.ptr + m->tokens[at].from, m->tokens[end - 1].to - m->tokens[at].from));
	if (sscanf(text, "%4d%c%4d%c%4d%n", &a, &sep, &b, &again, &c, &n) != 5 || text[n] != '\0' || sep != again ||
	    strchr("-/.", sep) == NULL)
		return false;
	if (a > 999)
		return date_found(m, a, b, c, end, true, out);
	if (sep == '.')
		return date_found(m, c, b, a, end, true, out);
	if (date_ok(c, b, a))
		return date_found(m, c, b, a, end, a > 12 || a == b, out);
	return date_found(m, c, a, b, end, true, out);
}

static int skip(const struct read_message *m, int at, int to, const char *words)
{
	while (at < to &&
	    ((m->tokens[at].type == TOKEN_SIGN && strchr(".,", m->tokens[at].word.ptr[0]) != NULL) ||
		token_in(&m->tokens[at], words)))
		at++;
	return at;
}

/* "1 February 2026", "1st of Feb, 2026", "February 1st 2026" */
static bool words_date(const struct read_message *m, int at, int to, struct found *out)
{
	static const char between[] = " st nd rd th of de ";
	int day = small_number(&m->tokens[at], 2), month = 0, next;

	if (day > 0) {
		next = skip(m, at + 1, to, between);
		month = next < to && m->tokens[next].type == TOKEN_WORD ? month_of(m->tokens[next].word) : 0;
	} else {
		month = m->tokens[at].type == TOKEN_WORD ? month_of(m->tokens[at].word) : 0;
		next = skip(m, at + 1, to, " the ");
		day = month > 0 && next < to ? small_number(&m->tokens[next], 2) : -1;
	}
	if (month == 0 || day < 1)
		return false;
	next = skip(m, next + 1, to, between);
	return next < to && date_found(m, small_number(&m->tokens[next], 4), month, day, next + 1, true, out);
}

bool date_at(const struct read_message *m, int at, int to, struct found *out)
{
	if (at >= to || (m->tokens[at].glued && at > 0 && m->tokens[at - 1].type != TOKEN_SIGN))
		return false;
	if (!numbers_date(m, at, to, out) && !words_date(m, at, to, out))
		return false;
	return out->to >= m->count || !m->tokens[out->to].glued || m->tokens[out->to].type == TOKEN_SIGN;
}

/* ---- telephone numbers ---- */

static bool is_phone_part(const struct token *t, int parts)
{
	if (t->type == TOKEN_NUMBER)
		return memchr(t->text.ptr, ',', t->text.len) == NULL &&
		    memchr(t->text.ptr, '\'', t->text.len) == NULL && memchr(t->text.ptr, '_', t->text.len) == NULL;
	return t->type == TOKEN_SIGN && t->word.len == 1 && strchr(parts == 0 ? "+(" : "()-/.", t->word.ptr[0]) != NULL;
}

/*
 * Is the token at `i` a part of the telephone number so far? Otherwise it is an extension, another number, or a count.
 */
static bool goes_on(const struct read_message *m, int i, int digits, int enough)
{
	const struct token *t = &m->tokens[i];

	if (digits == 0) /* "2 555-1234"; "1 800 .." has its country */
		return t->type == TOKEN_NUMBER && (t->text.len == 1 || t->text.ptr[1] == ' ') &&
		    strchr("01", t->text.ptr[0]) == NULL && (i == 0 || !sign_is(t - 1, '+'));
	if (digits < enough)
		return false;
	return sign_is(t, '/') || (t->type == TOKEN_NUMBER && !t->glued && (t->text.len == 1 || t->text.len > 5));
}

/* "192.168.100.100" */
static bool is_numeric_host(struct pl_str text)
{
	struct pl_str rest = text, part;
	int parts = 0;
	int64_t value;

	while (pl_str_cut(&rest, '.', &part)) {
		if (!pl_str_i64(part, 0, 255, &value))
			return false;
		parts++;
	}
	return parts == 4;
}

/* "123-45-6789" is a social security number; "0000000" is not a number; no country code begins with 0. */
static bool is_no_phone(struct pl_str text, struct pl_str digits)
{
	static const char shape[] = "ddd-dd-dddd";
	bool social = text.len == sizeof(shape) - 1, same = true;

	for (size_t i = 0; i < text.len && social; i++)
		social = shape[i] == 'd' ? isdigit((unsigned char)text.ptr[i]) != 0
					 : text.ptr[i] == '-' || text.ptr[i] == ' ' || text.ptr[i] == '.';
	if (digits.ptr[0] == '+' && digits.ptr[1] == '0')
		return true;
	for (size_t i = digits.ptr[0] == '+'; i + 1 < digits.len; i++)
		same = same && digits.ptr[i] == digits.ptr[i + 1];
	return social || same;
}

bool phone_at(const struct read_message *m, int at, int to, struct found *out)
{
	struct pl_buf value = PL_BUF(m->pool);
	struct found date;
	int end = at, digits = 0, parts = 0, open = 0;
	bool country, unsure = false, opened = at > 0 && sign_is(&m->tokens[at - 1], '(');

	if (at >= to ||
	    (m->tokens[at].type == TOKEN_SIGN && !sign_is(&m->tokens[at], '+') && !sign_is(&m->tokens[at], '(')))
		return false;
	if (at > 0 && m->tokens[at].glued &&
	    (m->tokens[at - 1].type != TOKEN_SIGN || sign_is(&m->tokens[at - 1], '#') ||
		sign_is(&m->tokens[at - 1], '+')))
		return false;
	if (date_at(m, at, to, &date) || (at > 0 && m->tokens[at - 1].type == TOKEN_NUMBER))
		return false;
	country = sign_is(&m->tokens[at], '+') || pl_str_starts(m->tokens[at].text, "00");
	if (sign_is(&m->tokens[at], '+'))
		pl_buf_addc(&value, '+');
	for (int i = at; i < to && is_phone_part(&m->tokens[i], parts); i++, parts++) {
		const struct token *t = &m->tokens[i];

		open += sign_is(t, '(') ? 1 : sign_is(t, ')') ? -1 : 0;
		unsure = unsure || goes_on(m, i, digits, country ? PHONE_DIGITS_ABROAD : PHONE_DIGITS_MIN);
		if (country && digits > 0 && open > 0 && pl_str_is(t->text, "0"))
			continue; /* "+49 (0)30": the zero is only for calls within the country */
		for (size_t c = 0; t->type == TOKEN_NUMBER && c < t->text.len; c++)
			if (t->text.ptr[c] >= '0' && t->text.ptr[c] <= '9') {
				pl_buf_addc(&value, t->text.ptr[c]);
				digits++;
			}
		if (t->type == TOKEN_NUMBER)
			end = i + 1;
	}
	if (digits < PHONE_DIGITS_MIN || digits > PHONE_DIGITS_MAX)
		return false;
	if (end < m->count &&
	    ((m->tokens[end].glued && m->tokens[end].type != TOKEN_SIGN) || is_currency_sign(&m->tokens[end])))
		return false;
	if (is_no_phone(pl_strn(m->text.ptr + m->tokens[at].from, m->tokens[end - 1].to - m->tokens[at].from),
	    pl_buf_str(&value)))
		return false;
	unsure = unsure || open > 0 || open < (opened ? -1 : 0) || (!country && digits > PHONE_DIGITS_HOME) ||
	    is_numeric_host(m->tokens[at].text);
	*out = (struct found){.to = end, .value = pl_buf_str(&value), .verdict = unsure ? READ_UNSURE : READ_SURE};
	return true;
}
