/* SPDX-License-Identifier: ISC */
/*
 * Unicode forms of text, by libunistring: one spelling for text that looks the same, and characters that cannot be
 * seen.
 *
 * All functions take valid UTF-8 unless they say otherwise.
 */
#ifndef PL_TEXT_H
#define PL_TEXT_H

#include "str.h"

/* Normalization form C, in `pool`; text that has it already is returned as it is. */
struct pl_str pl_text_nfc(struct pl_pool *pool, struct pl_str text);
/*
 * A password as RFC 8265's OpaqueString prepares it: blanks of any kind become U+0020, then form C. In `pool`; the
 * caller wipes it. Bytes that are not UTF-8 are returned as they are.
 */
struct pl_str pl_text_password(struct pl_pool *pool, struct pl_str password);
/* Is there at least one character that can be seen? Blanks, controls and default-ignorable characters cannot. */
bool pl_text_visible(struct pl_str text);
/* Without blanks (of any script) and line ends at both ends. */
struct pl_str pl_text_trim(struct pl_str text);
/*
 * What is wrong with a name that people read; NULL: nothing. It must have a visible character, and no invisible ones:
 * zero-width and control characters, direction marks, tags. Joiners (U+200C, U+200D) and variation selectors are
 * allowed behind a visible character, as scripts and emojis need them.
 */
const char *pl_text_label_fault(struct pl_pool *pool, struct pl_str text);
/* The same of text that may have several lines: line ends and tabs are allowed. */
const char *pl_text_lines_fault(struct pl_pool *pool, struct pl_str text);
/* The first character that cannot be seen, U+0020 aside; 0: none. No exceptions are made for joiners. */
uint32_t pl_text_invisible(struct pl_str text);

/* The character at `at` < text.len, or the one that ends before `at`; its bytes, 0 if there is none before. */
size_t pl_text_char(struct pl_str text, size_t at, uint32_t *c_r);
size_t pl_text_char_before(struct pl_str text, size_t at, uint32_t *c_r);
/* A character of words: a letter, a mark, a digit (general categories L, M, N), or an underscore. */
bool pl_text_is_word(uint32_t c);
/* One of a script that is written without blanks between words: Han, kana, Hangul, Thai, Lao, Khmer, and Myanmar. */
bool pl_text_is_unspaced(uint32_t c);
/* The character in lower case, where that is one character. */
uint32_t pl_text_lower(uint32_t c);

#endif
