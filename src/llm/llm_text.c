/* SPDX-License-Identifier: ISC */
/*
 * The text of an answer as it arrives: joins characters that were cut in two, and separates what the model only thinks.
 *
 * Characters: some servers send one token per event, and a token may be half a surrogate pair or some bytes of a
 * character. A parser refuses these halves, so llm_scrub.c marks them before the event is parsed.
 *
 * Thinking: a separate field (llm_dec_think()), or <think>...</think> before the answer.
 */
#include "llm/llm_dialect.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define HOLD_MAX 1024			/* white space before an answer that may be thinking */

/* ---- characters ---- */

/* Returns the meaning of the marker at `at`, see LLM_MARK_BYTE and LLM_MARK_UNIT; -1: not a marker. */
static int mark_at(const char *at, const char *end)
{
	const unsigned char *c = (const unsigned char *)at;
	int mark;

	if (end - at < 4 || c[0] != 0xf4 || c[1] != 0x8f)
		return -1;
	mark = (c[2] & 0x3f) << 6 | (c[3] & 0x3f);
	return mark >= LLM_MARK_BYTE + 0x80 ? mark : -1;
}

/* The other half is missing. */
static void half_drop(struct llm_half *half, struct pl_buf *out)
{
	if (half->unit != 0 || half->count > 0)
		pl_buf_adds(out, REPLACEMENT);
	*half = (struct llm_half){ 0 };
}

static void half_byte(struct llm_half *half, char byte, struct pl_buf *out)
{
	uint32_t state = half->state;

	if (half->unit != 0)
		half_drop(half, out);
	if (!pl_utf8_feed(&state, &byte, 1)) {
		bool again = half->count > 0;

		pl_buf_adds(out, REPLACEMENT);
		*half = (struct llm_half){ 0 };
		if (again)	/* it may be the beginning of another one */
			half_byte(half, byte, out);
		return;
	}
	half->bytes[half->count++] = byte;
	half->state = state;
	if (state != 0)
		return;
	pl_buf_add(out, half->bytes, half->count);
	*half = (struct llm_half){ 0 };
}

static void half_unit(struct llm_half *half, uint32_t unit, struct pl_buf *out)
{
	uint32_t code;

	if (unit < 0xdc00 || half->unit == 0) {
		half_drop(half, out);
		if (unit < 0xdc00)
			half->unit = unit;
		else
			pl_buf_adds(out, REPLACEMENT);
		return;
	}
	code = 0x10000 + ((half->unit - 0xd800) << 10 | (unit - 0xdc00));
	pl_buf_addc(out, (char)(0xf0 | code >> 18));
	pl_buf_addc(out, (char)(0x80 | (code >> 12 & 0x3f)));
	pl_buf_addc(out, (char)(0x80 | (code >> 6 & 0x3f)));
	pl_buf_addc(out, (char)(0x80 | (code & 0x3f)));
	half->unit = 0;
}

/* Returns the text without marks; `text` itself if it has none. */
static struct pl_str join(const struct llm_decoder *dec, struct llm_half *half, struct pl_str text, struct pl_buf *out)
{
	const char *at = text.ptr, *end = text.ptr + text.len;

	if (!dec->marked && half->unit == 0 && half->count == 0)
		return text;
	pl_buf_reset(out);
	while (at < end) {
		int mark = dec->marked ? mark_at(at, end) : -1;
		size_t len = 1;

		if (mark >= LLM_MARK_UNIT) {
			half_unit(half, 0xd800 + (uint32_t)(mark - LLM_MARK_UNIT), out);
			len = 4;
		} else if (mark >= 0) {
			half_byte(half, (char)(mark - LLM_MARK_BYTE), out);
			len = 4;
		} else {
			half_drop(half, out);
			pl_buf_addc(out, *at);
		}
		at += len;
	}
	return pl_buf_str(out);
}

/* ---- thinking ---- */

static const struct think_tag { struct pl_str open, close; } tags[] = {
	{ PL_STR("<think>"), PL_STR("</think>") },
	{ PL_STR("<thinking>"), PL_STR("</thinking>") },
	{ PL_STR("<thought>"), PL_STR("</thought>") },
	{ PL_STR("<reasoning>"), PL_STR("</reasoning>") },
	{ PL_STR("[THINK]"), PL_STR("[/THINK]") },
};

static void thought_add(struct llm_decoder *dec, struct pl_str text)
{
	size_t room = LLM_THOUGHT_MAX - dec->thought.len;

	dec->alive = true;
	pl_buf_add(&dec->thought, text.ptr, text.len <= room ? text.len : pl_utf8_cut(text.ptr, text.len, room));
}

static bool say(struct llm_decoder *dec, struct pl_str text)
{
	if (text.len == 0)
		return true;
	dec->spoke = true;
	return dec->text(dec->arg, text);
}

static struct pl_str behind_blanks(struct pl_str text)
{
	while (text.len > 0 && strchr(" \t\r\n", *text.ptr) != NULL && *text.ptr != '\0')
		text = pl_strn(text.ptr + 1, text.len - 1);
	return text;
}

/* Removes `len` bytes from the front of the held text. */
static void hold_cut(struct llm_decoder *dec, size_t len)
{
	memmove(dec->hold.ptr, dec->hold.ptr + len, dec->hold.len - len);
	dec->hold.len -= len;
}

/* Before the answer. false: more text is required. */
static bool look(struct llm_decoder *dec, bool *more_r)
{
	struct pl_str held = pl_buf_str(&dec->hold), text = behind_blanks(held);
	bool may_be = text.len == 0;

	for (size_t i = 0; i < PL_COUNT(tags); i++) {
		if (pl_str_starts(text, tags[i].open.ptr)) {
			hold_cut(dec, (size_t)(text.ptr - held.ptr) + tags[i].open.len);
			dec->tag = (int)i;
			dec->part = LLM_PART_THOUGHT;
			return true;
		}
		may_be = may_be || (text.len < tags[i].open.len && memcmp(text.ptr, tags[i].open.ptr, text.len) == 0);
	}
	if (may_be && held.len <= HOLD_MAX)
		return false;
	dec->part = LLM_PART_TEXT;
	*more_r = say(dec, dec->tag >= 0 ? text : held);
	return false;
}

/* Within thinking. false: more text is required. */
static bool think(struct llm_decoder *dec)
{
	struct pl_str held = pl_buf_str(&dec->hold), close = tags[dec->tag].close;
	const char *end = held.len > 0 ? memmem(held.ptr, held.len, close.ptr, close.len) : NULL;
	size_t keep = close.len - 1 < held.len ? close.len - 1 : held.len;

	if (end != NULL) {
		thought_add(dec, pl_strn(held.ptr, (size_t)(end - held.ptr)));
		hold_cut(dec, (size_t)(end - held.ptr) + close.len);
		dec->part = LLM_PART_BEFORE;
		return true;
	}
	while (keep > 0 && memcmp(held.ptr + held.len - keep, close.ptr, keep) != 0)
		keep--;
	thought_add(dec, pl_strn(held.ptr, held.len - keep));
	hold_cut(dec, held.len - keep);
	return false;
}

bool llm_dec_give(struct llm_decoder *dec, struct pl_str text)
{
	bool more = true;

	if (text.ptr == NULL || text.len == 0)
		return true;
	dec->alive = true;
	text = join(dec, &dec->text_half, text, &dec->joined);
	if (dec->part == LLM_PART_TEXT)
		return say(dec, text);
	pl_buf_addstr(&dec->hold, text);
	while (dec->part == LLM_PART_BEFORE ? look(dec, &more) : dec->part == LLM_PART_THOUGHT && think(dec))
		;
	return more;
}

void llm_dec_think(struct llm_decoder *dec, struct pl_str text)
{
	if (text.ptr != NULL && text.len > 0)
		thought_add(dec, join(dec, &dec->thought_half, text, &dec->joined));
}

void llm_dec_broke(struct llm_decoder *dec)
{
	dec->text_half = (struct llm_half){ 0 };
	llm_dec_flush(dec);
}

void llm_dec_flush(struct llm_decoder *dec)
{
	if (dec->text_half.unit != 0 || dec->text_half.count > 0) {
		dec->marked = false;
		dec->text_half = (struct llm_half){ 0 };
		(void)llm_dec_give(dec, PL_STR(REPLACEMENT));
	}
	if (dec->part == LLM_PART_THOUGHT)
		thought_add(dec, pl_buf_str(&dec->hold));
	else if (dec->part == LLM_PART_BEFORE && behind_blanks(pl_buf_str(&dec->hold)).len > 0)
		(void)say(dec, pl_buf_str(&dec->hold));
	pl_buf_reset(&dec->hold);
}
