/* SPDX-License-Identifier: ISC */
/*
 * A parser of the grammar of UTS #51:
 *
 *   emoji    = keycap | flag | element (ZWJ element)*
 *   keycap   = [0-9#*] FE0F? 20E3
 *   flag     = regional_indicator regional_indicator
 *   element  = base (modifier | FE0F | FE0E)? tags?
 *   tags     = tag+ U+E007F, only after the black flag U+1F3F4
 */
#include "emoji.h"

#include <unictype.h>
#include <unistr.h>

#include "text.h"

enum { KEYCAP = 0x20e3, ZWJ = 0x200d, TEXT_FORM = 0xfe0e, EMOJI_FORM = 0xfe0f, BLACK_FLAG = 0x1f3f4,
	TAG_END = 0xe007f };

#define CHARS_MAX 24	/* the longest recommended sequence has 10 */

struct reader { ucs4_t chars[CHARS_MAX + 1]; int count, at; struct pl_buf out; };

static ucs4_t peek(const struct reader *r)
{
	return r->at < r->count ? r->chars[r->at] : 0;
}

static void put(struct reader *r, ucs4_t c)
{
	uint8_t bytes[4];
	int n = u8_uctomb(bytes, c, sizeof(bytes));

	pl_buf_add(&r->out, bytes, (size_t)n);
}

static bool is_regional(ucs4_t c)
{
	return c >= 0x1f1e6 && c <= 0x1f1ff;
}

static bool is_keycap_base(ucs4_t c)
{
	return (c >= '0' && c <= '9') || c == '#' || c == '*';
}

/* Letters and digits of the names of regions, as tags. */
static bool is_tag(ucs4_t c)
{
	return (c >= 0xe0030 && c <= 0xe0039) || (c >= 0xe0061 && c <= 0xe007a);
}

static bool read_keycap(struct reader *r)
{
	put(r, r->chars[r->at++]);
	if (peek(r) == EMOJI_FORM)
		r->at++;
	if (peek(r) != KEYCAP)
		return false;
	r->at++;
	put(r, EMOJI_FORM);
	put(r, KEYCAP);
	return true;
}

static bool read_tags(struct reader *r)
{
	if (!is_tag(peek(r)))
		return true;
	while (is_tag(peek(r)))
		put(r, r->chars[r->at++]);
	if (peek(r) != TAG_END)
		return false;
	r->at++;
	put(r, TAG_END);
	return true;
}

static bool read_element(struct reader *r)
{
	ucs4_t base = peek(r);

	if (base == 0 || is_keycap_base(base) || is_regional(base) || !uc_is_property_emoji(base))
		return false;
	r->at++;
	put(r, base);
	if (uc_is_property_emoji_modifier(peek(r)) && uc_is_property_emoji_modifier_base(base)) {
		put(r, r->chars[r->at++]);
	} else {
		if (peek(r) == EMOJI_FORM || peek(r) == TEXT_FORM)
			r->at++;
		if (!uc_is_property_emoji_presentation(base))
			put(r, EMOJI_FORM);
	}
	return base != BLACK_FLAG || read_tags(r);
}

static bool read_emoji(struct reader *r)
{
	if (is_keycap_base(peek(r)))
		return read_keycap(r);
	if (is_regional(peek(r))) {
		put(r, r->chars[r->at++]);
		if (!is_regional(peek(r)))
			return false;
		put(r, r->chars[r->at++]);
		return true;
	}
	if (!read_element(r))
		return false;
	while (peek(r) == ZWJ) {
		r->at++;
		put(r, ZWJ);
		if (!read_element(r))
			return false;
	}
	return true;
}

struct pl_str pl_emoji(struct pl_pool *pool, struct pl_str text)
{
	struct reader r = { .out = PL_BUF(pool) };

	if (text.len == 0 || text.len > PL_EMOJI_BYTES)
		return PL_STR_NONE;
	text = pl_text_nfc(pool, text);
	for (size_t at = 0, n; at < text.len; at += n) {
		uint32_t c;

		n = pl_text_char(text, at, &c);
		if (n == 0 || r.count == CHARS_MAX)
			return PL_STR_NONE;
		r.chars[r.count++] = c;
	}
	if (!read_emoji(&r) || r.at < r.count || r.out.len > PL_EMOJI_BYTES)
		return PL_STR_NONE;
	return pl_buf_str(&r.out);
}
