/* SPDX-License-Identifier: ISC */
/*
 * Strict UTF-8 (RFC 3629 section 4): whole texts, streams cut anywhere, and cutting at character borders.
 *
 * The state of a stream is what the next byte must be: bits 0-7 how many continuation bytes are missing, bits 8-15 and
 * 16-23 the lowest and highest value of the next one. 0 = between characters.
 */
#include "str.h"

#define STATE(missing, low, high) ((uint32_t)(missing) | (uint32_t)(low) << 8 | (uint32_t)(high) << 16)

/* State after a lead byte above 0x7f; 0 when no character starts so. */
static uint32_t lead_state(unsigned char c)
{
	if (c >= 0xc2 && c <= 0xdf)
		return STATE(1, 0x80, 0xbf);
	if (c == 0xe0)
		return STATE(2, 0xa0, 0xbf);	/* below: overlong */
	if (c == 0xed)
		return STATE(2, 0x80, 0x9f);	/* above: surrogates */
	if (c >= 0xe1 && c <= 0xef)
		return STATE(2, 0x80, 0xbf);
	if (c == 0xf0)
		return STATE(3, 0x90, 0xbf);	/* below: overlong */
	if (c >= 0xf1 && c <= 0xf3)
		return STATE(3, 0x80, 0xbf);
	if (c == 0xf4)
		return STATE(3, 0x80, 0x8f);	/* above: beyond U+10FFFF */
	return 0;
}

/* Eight bytes at once: is one of them zero or above 0x7f? */
static bool word_plain(const char *text)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t word;

	memcpy(&word, text, sizeof(word));
	return (((word - ones) | word) & tops) == 0;
}

bool pl_utf8_feed(uint32_t *state, const char *text, size_t len)
{
	uint32_t now = *state;
	size_t i = 0;

	while (i < len) {
		unsigned char c = (unsigned char)text[i];

		if (now != 0) {
			if (c < (now >> 8 & 0xff) || c > (now >> 16 & 0xff))
				return false;
			now = (now & 0xff) == 1 ? 0 : STATE((now & 0xff) - 1, 0x80, 0xbf);
			i++;
		} else if (c > 0x7f) {
			now = lead_state(c);
			if (now == 0)
				return false;
			i++;
		} else if (len - i >= 8 && word_plain(text + i)) {
			i += 8;
		} else if (c == 0) {
			return false;
		} else {
			i++;
		}
	}
	*state = now;
	return true;
}

bool pl_utf8_ok(const char *text, size_t len)
{
	uint32_t state = 0;

	return pl_utf8_feed(&state, text, len) && state == 0;
}

size_t pl_utf8_cut(const char *text, size_t len, size_t max)
{
	size_t cut = max;

	if (len <= max)
		return len;
	while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	return cut;
}

size_t pl_utf8_count(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}
