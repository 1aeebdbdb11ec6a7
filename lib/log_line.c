/* SPDX-License-Identifier: ISC */
/*
 * Building a log line: keys, quoting, escaping. No memory is allocated, so that a line can be written in any trouble.
 */
#include "log_line.h"

#include <stdio.h>
#include <string.h>

#include "log_value.h"
#include "str.h"

/* Kept free for cut=true, the closing brace and LF. */
enum { LINE_RESERVE_BYTES = 16, LINE_KEY_BYTES = 64 };

void pl_line_start(struct pl_line *line, bool json)
{
	line->len = 0;
	line->json = json;
	line->cut = false;
	if (json)
		line->text[line->len++] = '{';
}

static bool put(struct pl_line *line, const char *text, size_t len)
{
	if (len > sizeof(line->text) - LINE_RESERVE_BYTES - line->len) {
		line->cut = true;
		return false;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
	return true;
}

/* How many bytes at the start need no escape. */
static size_t plain_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] >= ' ' && text[n] <= '~' && text[n] != '"' && text[n] != '\\')
		n++;
	return n;
}

/* Length of the valid UTF-8 character at `text`, 0 when there is none. */
static size_t char_len(const char *text, size_t len)
{
	for (size_t n = 1; n <= 4 && n <= len; n++) {
		if (pl_utf8_ok(text, n))
			return n;
	}
	return 0;
}

/*
 * Characters that end a line or steer a terminal: C0, DEL, C1 (U+0080..9F), line and paragraph separator, and the
 * marks that turn the direction of writing.
 */
static unsigned steering(const char *text, size_t n)
{
	const unsigned char *c = (const unsigned char *)text;
	unsigned point;

	if (n == 1)
		return c[0] < 0x20 || c[0] == 0x7f ? c[0] : 0;
	if (n == 2)
		return c[0] == 0xc2 && c[1] < 0xa0 ? c[1] : 0;
	if (n != 3)
		return 0;
	point = (c[0] & 15u) << 12 | (c[1] & 63u) << 6 | (c[2] & 63u);
	return (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ? point : 0;
}

/* JSON string escapes serve both formats; a byte that is no UTF-8 is \xHH, in JSON U+FFFD. */
static bool put_escaped(struct pl_line *line, const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n > 0 ? n : 1) {
		char escape[8] = "";
		unsigned point;

		n = plain_len(text + i, len - i);
		if (n > 0) {
			if (!put(line, text + i, n))
				return false;
			continue;
		}
		n = char_len(text + i, len - i);
		point = n > 0 ? steering(text + i, n) : 0;
		if (n == 0)
			snprintf(escape, sizeof(escape), line->json ? "\\ufffd" : "\\x%02x", (unsigned char)text[i]);
		else if (text[i] == '"' || text[i] == '\\')
			snprintf(escape, sizeof(escape), "\\%c", text[i]);
		else if (point == '\n' || point == '\t' || point == '\r')
			snprintf(escape, sizeof(escape), "\\%c", point == '\n' ? 'n' : point == '\t' ? 't' : 'r');
		else if (point != 0)
			snprintf(escape, sizeof(escape), "\\u%04x", point & 0xffff);
		if (!(escape[0] != '\0' ? put(line, escape, strlen(escape)) : put(line, text + i, n)))
			return false;
	}
	return true;
}

static bool is_bare(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\' || text[i] == '=')
			return false;
	}
	return len > 0;
}

/* The number grammar of JSON. */
static bool is_number(const char *text, size_t len)
{
	size_t i = len > 0 && text[0] == '-', digits;

	digits = i;
	while (i < len && text[i] >= '0' && text[i] <= '9')
		i++;
	if (i == digits || (text[digits] == '0' && i - digits > 1))
		return false;
	if (i < len && text[i] == '.') {
		for (digits = ++i; i < len && text[i] >= '0' && text[i] <= '9';)
			i++;
		if (i == digits)
			return false;
	}
	if (i < len && (text[i] == 'e' || text[i] == 'E')) {
		i++;
		i += i < len && (text[i] == '-' || text[i] == '+');
		for (digits = i; i < len && text[i] >= '0' && text[i] <= '9';)
			i++;
		if (i == digits)
			return false;
	}
	return i == len;
}

static bool put_quoted(struct pl_line *line, const char *text, size_t len)
{
	return put(line, "\"", 1) && put_escaped(line, text, len) && put(line, "\"", 1);
}

static bool put_key(struct pl_line *line, const char *key, size_t len)
{
	if (line->json)
		return (line->len <= 1 || put(line, ",", 1)) && put_quoted(line, key, len) && put(line, ":", 1);
	return (line->len == 0 || put(line, " ", 1)) && put(line, key, len) && put(line, "=", 1);
}

/* A field goes in whole or not at all. */
static void put_field(struct pl_line *line, struct pl_str key, const struct pl_log_value *value)
{
	size_t before = line->len;
	bool bare = line->json ? !value->is_text && is_number(value->text, value->len) :
	    is_bare(value->text, value->len);

	if (!put_key(line, key.ptr, key.len) || !(bare ? put(line, value->text, value->len) :
	    put_quoted(line, value->text, value->len)))
		line->len = before;
}

void pl_line_text(struct pl_line *line, const char *key, const char *value)
{
	struct pl_log_value text = { .is_text = true };

	pl_log_value_add(&text, value, strlen(value));
	put_field(line, pl_str(key), &text);
}

void pl_line_int(struct pl_line *line, const char *key, long value)
{
	struct pl_log_value number = { .len = 0 };

	number.len = (size_t)snprintf(number.text, sizeof(number.text), "%ld", value);
	put_field(line, pl_str(key), &number);
}

void pl_line_fields(struct pl_line *line, const char *fmt, va_list args, int error)
{
	struct pl_log_args from = { .error = error };

	va_copy(from.args, args);
	while (*fmt != '\0') {
		size_t key_len = strcspn(fmt, " =%");
		struct pl_str key = pl_strn(fmt, key_len);
		struct pl_log_value value = { .len = 0 };

		if (fmt[key_len] == ' ' && key_len == 0) {
			fmt++;
			continue;
		}
		if (fmt[key_len] == '=')
			fmt += key_len + 1;
		else
			key = PL_STR("note");
		fmt = pl_log_value_format(&value, fmt, &from);
		put_field(line, key, &value);
	}
	va_end(from.args);
}

void pl_line_end(struct pl_line *line)
{
	const char *end = line->json ? "}\n" : "\n";

	if (line->cut) {
		const char *mark = line->json ? ",\"cut\":true" : " cut=true";

		memcpy(line->text + line->len, mark, strlen(mark));
		line->len += strlen(mark);
	}
	memcpy(line->text + line->len, end, strlen(end));
	line->len += strlen(end);
}
