/* SPDX-License-Identifier: ISC */
/*
 * Emojis: one emoji as its users see it, which may be a sequence of characters. Sources: UTS #51 (Unicode Emoji),
 * sections 1.4.9 (definitions) and 2.7 (variation selectors); properties from libunistring.
 */
#ifndef PL_EMOJI_H
#define PL_EMOJI_H

#include "str.h"

#define PL_EMOJI_BYTES 64	/* the longest recommended sequence has 35 */

/*
 * The text, which is valid UTF-8, as one emoji in its fully-qualified form, so that the same emoji has the same bytes:
 * U+FE0F follows exactly the characters that need it. In `pool`. Absent: the text is not one emoji: empty, plain text,
 * a digit, several emojis, an incomplete sequence, or longer than PL_EMOJI_BYTES. Whether a font has a picture of a
 * sequence is not checked.
 */
struct pl_str pl_emoji(struct pl_pool *pool, struct pl_str text);

#endif
