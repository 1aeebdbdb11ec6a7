/* SPDX-License-Identifier: ISC */
/*
 * Replaces what our parser and PostgreSQL refuse in JSON texts of others. In valid JSON this affects only characters
 * inside strings, so the structure does not change.
 */
#include "llm/llm_dialect.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define REPLACEMENT_ESCAPE "\\ufffd"

enum { ESCAPE_LEN = 6 };	/* \uXXXX */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Returns the code unit of a \uXXXX at `at`, or -1. */
static int escape_unit(const char *at, const char *end)
{
	int unit = 0;

	if (end - at < ESCAPE_LEN || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < ESCAPE_LEN; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

struct scrub { struct pl_buf *out; bool marks, marked; };

/* A character of U+10F700 to U+10FFFF marks half of a character: see llm_text.c. */
static void add_mark(struct scrub *scrub, int mark)
{
	pl_buf_adds(scrub->out, "\xf4\x8f");
	pl_buf_addc(scrub->out, (char)(0x80 | mark >> 6));
	pl_buf_addc(scrub->out, (char)(0x80 | (mark & 0x3f)));
	scrub->marked = true;
}

/* `at` is a backslash. Returns the number of bytes used. */
static size_t scrub_escape(const char *at, const char *end, struct scrub *scrub)
{
	struct pl_buf *out = scrub->out;
	int unit = escape_unit(at, end), low;

	if (unit < 0) {
		size_t len = end - at >= 2 && (unsigned char)at[1] < 0x80 && at[1] != '\0' ? 2 : 1;

		pl_buf_add(out, at, len);
		return len;
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		low = escape_unit(at + ESCAPE_LEN, end);
		if (low >= 0xdc00 && low <= 0xdfff) {
			pl_buf_add(out, at, 2 * (size_t)ESCAPE_LEN);
			return 2 * (size_t)ESCAPE_LEN;
		}
	}
	if (scrub->marks && unit >= 0xd800 && unit <= 0xdfff)
		add_mark(scrub, LLM_MARK_UNIT + (unit - 0xd800));
	else if (unit == 0 || (unit >= 0xd800 && unit <= 0xdfff))
		pl_buf_adds(out, REPLACEMENT_ESCAPE);
	else
		pl_buf_add(out, at, ESCAPE_LEN);
	return ESCAPE_LEN;
}

/*
 * Takes one character, or the longest beginning of one as U+FFFD (Unicode 15, section 3.9). Returns the number of bytes
 * used.
 */
static size_t scrub_char(const char *at, const char *end, struct scrub *scrub)
{
	uint32_t state = 0;
	size_t len = 0;

	while (at + len < end && pl_utf8_feed(&state, at + len, 1)) {
		len++;
		if (state == 0) {
			pl_buf_add(scrub->out, at, len);
			return len;
		}
	}
	if (len == 0)
		len = 1;
	if (!scrub->marks || *at == '\0') {
		pl_buf_adds(scrub->out, REPLACEMENT);
		return len;
	}
	for (size_t i = 0; i < len; i++)
		add_mark(scrub, LLM_MARK_BYTE + (unsigned char)at[i]);
	return len;
}

static struct pl_str scrubbed(struct pl_str json, struct scrub *scrub)
{
	const char *at = json.ptr, *end = json.ptr + json.len;

	if (pl_utf8_ok(json.ptr, json.len) && memmem(json.ptr, json.len, "\\u", 2) == NULL)
		return json;
	pl_buf_reset(scrub->out);
	while (at < end)
		at += *at == '\\' ? scrub_escape(at, end, scrub) : scrub_char(at, end, scrub);
	return pl_buf_str(scrub->out);
}

struct pl_str llm_scrub(struct pl_str json, struct pl_buf *out)
{
	struct scrub scrub = { .out = out };

	return scrubbed(json, &scrub);
}

struct pl_str llm_scrub_marked(struct pl_str json, struct pl_buf *out, bool *marked_r)
{
	struct scrub scrub = { .out = out, .marks = true };
	struct pl_str clean = scrubbed(json, &scrub);

	*marked_r = scrub.marked;
	return clean;
}
