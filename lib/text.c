/* SPDX-License-Identifier: ISC */
/*
 * Unicode forms of text.
 */
#include "text.h"

#include <unicase.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "leaf.h"

enum { ZWNJ = 0x200c, ZWJ = 0x200d, BRAILLE_BLANK = 0x2800 };

static bool is_ascii(struct pl_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] >= 0x80)
			return false;
	}
	return true;
}

/* The character at `at`; its bytes. */
static size_t char_at(struct pl_str s, size_t at, ucs4_t *c_r)
{
	int n = u8_mbtouc(c_r, (const uint8_t *)s.ptr + at, s.len - at);

	return n > 0 ? (size_t)n : 1;
}

struct pl_str pl_text_nfc(struct pl_pool *pool, struct pl_str text)
{
	uint8_t *buf, *made;
	size_t len;

	if (text.ptr == NULL || is_ascii(text))
		return text;
	len = text.len * 3 + 1;		/* form C of UTF-8 is at most three times as long */
	buf = pl_alloc(pool, len);
	made = u8_normalize(UNINORM_NFC, (const uint8_t *)text.ptr, text.len, buf, &len);
	PL_BUG(made != buf);
	if (len == text.len && memcmp(made, text.ptr, len) == 0)
		return text;
	buf[len] = '\0';
	return pl_strn((const char *)buf, len);
}

static bool is_blank(ucs4_t c)
{
	return c == ' ' || (c >= 0x80 && uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs));
}

struct pl_str pl_text_password(struct pl_pool *pool, struct pl_str password)
{
	struct pl_buf out = PL_BUF(pool);
	struct pl_str prepared;
	ucs4_t c;

	if (password.ptr == NULL || is_ascii(password) || !pl_utf8_ok(password.ptr, password.len))
		return password;
	pl_buf_room(&out, password.len);	/* a buffer that grows leaves copies that nobody wipes */
	for (size_t at = 0, n; at < password.len; at += n) {
		n = char_at(password, at, &c);
		if (is_blank(c))
			pl_buf_addc(&out, ' ');
		else
			pl_buf_add(&out, password.ptr + at, n);
	}
	prepared = pl_text_nfc(pool, pl_buf_str(&out));
	if (prepared.ptr != out.ptr)
		pl_wipe(out.ptr, out.len);
	return prepared;
}

struct pl_str pl_text_fold_password(struct pl_pool *pool, struct pl_str password)
{
	struct pl_str prepared = pl_text_password(pool, password);
	size_t len = prepared.len * 9 + 1;	/* three characters for one, and form C of them */
	uint8_t *buf, *made;

	if (prepared.ptr == NULL || !pl_utf8_ok(prepared.ptr, prepared.len))
		return prepared;
	buf = pl_alloc(pool, len);
	made = u8_casefold((const uint8_t *)prepared.ptr, prepared.len, NULL, UNINORM_NFC, buf, &len);
	PL_BUG(made != buf);
	if (prepared.ptr != password.ptr)
		pl_wipe((void *)(uintptr_t)prepared.ptr, prepared.len);
	return pl_strn((const char *)buf, len);
}

/* Nothing is drawn for it, and it takes no room. */
static bool is_hidden(ucs4_t c)
{
	return uc_is_property_default_ignorable_code_point(c) ||
	    uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf | UC_CATEGORY_MASK_Zl |
	    UC_CATEGORY_MASK_Zp);
}

static bool is_visible(ucs4_t c)
{
	if (c < 0x80)
		return c > ' ' && c != 0x7f;
	return !is_blank(c) && !is_hidden(c) && c != BRAILLE_BLANK;
}

bool pl_text_visible(struct pl_str text)
{
	ucs4_t c;

	for (size_t at = 0; at < text.len; at += char_at(text, at, &c)) {
		(void)char_at(text, at, &c);
		if (is_visible(c))
			return true;
	}
	return false;
}

static bool is_edge(ucs4_t c)
{
	return is_blank(c) || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

struct pl_str pl_text_trim(struct pl_str text)
{
	size_t from = 0, to = 0;
	bool begun = false;
	ucs4_t c;

	for (size_t at = 0, n; at < text.len; at += n) {
		n = char_at(text, at, &c);
		if (is_edge(c))
			continue;
		if (!begun)
			from = at;
		begun = true;
		to = at + n;
	}
	return text.ptr == NULL ? text : pl_strn(text.ptr + from, to - from);
}

uint32_t pl_text_invisible(struct pl_str text)
{
	ucs4_t c;

	for (size_t at = 0, n; at < text.len; at += n) {
		n = char_at(text, at, &c);
		if (c != ' ' && (is_hidden(c) || is_blank(c) || c == BRAILLE_BLANK))
			return c;
	}
	return 0;
}

static bool is_joiner(ucs4_t c)
{
	return c == ZWNJ || c == ZWJ || (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}

const char *pl_text_label_fault(struct pl_pool *pool, struct pl_str text)
{
	bool after_visible = false, any = false;
	ucs4_t c;

	for (size_t at = 0, n; at < text.len; at += n) {
		n = char_at(text, at, &c);
		if ((is_hidden(c) || c == BRAILLE_BLANK) && !(is_joiner(c) && after_visible))
			return pl_sprintf(pool, "must not contain the invisible character U+%04X", (unsigned)c);
		/* a selector and a joiner follow each other in emojis of several parts */
		after_visible = is_visible(c) || (c >= 0xfe00 && c <= 0xfe0f);
		any = any || is_visible(c);
	}
	return any ? NULL : "must have a visible character";
}

const char *pl_text_lines_fault(struct pl_pool *pool, struct pl_str text)
{
	char *line = pl_alloc(pool, text.len + 1);

	for (size_t i = 0; i < text.len; i++)
		line[i] = memchr("\n\r\t", text.ptr[i], 3) != NULL ? ' ' : text.ptr[i];
	return pl_text_label_fault(pool, pl_strn(line, text.len));
}

size_t pl_text_char(struct pl_str text, size_t at, uint32_t *c_r)
{
	ucs4_t c;
	size_t n = char_at(text, at, &c);

	*c_r = c;
	return n;
}

size_t pl_text_char_before(struct pl_str text, size_t at, uint32_t *c_r)
{
	size_t from = at;

	*c_r = 0;
	if (at == 0)
		return 0;
	do
		from--;
	while (from > 0 && at - from < 4 && ((unsigned char)text.ptr[from] & 0xc0) == 0x80);
	return pl_text_char(pl_strn(text.ptr, at), from, c_r);
}

bool pl_text_is_word(uint32_t c)
{
	const uint32_t mask = UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N;

	return c == '_' || uc_is_general_category_withtable(c, mask);
}

bool pl_text_is_unspaced(uint32_t c)
{
	static const char *const names[] = {
		"Han", "Hiragana", "Katakana", "Bopomofo", "Hangul", "Thai", "Lao", "Khmer", "Myanmar",
	};
	const uc_script_t *script;

	if (c < 0x0e00)
		return false;
	if (c == 0x30fc || c == 0xff70)		/* the mark of long vowels belongs to both kana */
		return true;
	script = uc_script(c);
	for (size_t i = 0; script != NULL && i < PL_COUNT(names); i++) {
		if (strcmp(script->name, names[i]) == 0)
			return true;
	}
	return false;
}

uint32_t pl_text_lower(uint32_t c)
{
	return c < 0x80 ? (c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c) : uc_tolower(c);
}
