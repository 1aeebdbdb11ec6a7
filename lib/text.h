/* SPDX-License-Identifier: ISC */
/*
 * Unicode text, with libunistring: normalization, so that equal text has equal bytes, and detection of invisible
 * characters.
 *
 * All functions take valid UTF-8 unless they say otherwise.
 */
#ifndef PL_TEXT_H
#define PL_TEXT_H

#include "str.h"

/* Normalization form C, in `pool`; text that is already in this form is returned unchanged. */
struct pl_str pl_text_nfc(struct pl_pool *pool, struct pl_str text);
/*
 * A password in the form of OpaqueString (RFC 8265): all kinds of blanks become U+0020, then form C. The result is in
 * `pool`, and the caller wipes it. Bytes that are not UTF-8 are returned unchanged.
 */
struct pl_str pl_text_password(struct pl_pool *pool, struct pl_str password);
/*
 * The same without regard to case, to compare it with others: full case folding, then form C. The result is in `pool`,
 * and the caller wipes it.
 */
struct pl_str pl_text_fold_password(struct pl_pool *pool, struct pl_str password);
/* Returns whether there is a visible character. Blanks, controls, and default-ignorable characters are invisible. */
bool pl_text_visible(struct pl_str text);
/* The text without blanks (of any script) and line ends at both ends. */
struct pl_str pl_text_trim(struct pl_str text);
/*
 * The rule that a display name breaks; NULL if it is valid. It must have a visible character and no invisible ones:
 * zero-width and control characters, direction marks, tags. Joiners (U+200C, U+200D) and variation selectors are
 * allowed after a visible character, because scripts and emojis need them.
 */
const char *pl_text_label_fault(struct pl_pool *pool, struct pl_str text);
/* The same of text that may have several lines: line ends and tabs are allowed. */
const char *pl_text_lines_fault(struct pl_pool *pool, struct pl_str text);
/* The first invisible character other than U+0020, or 0. Joiners count as invisible, too. */
uint32_t pl_text_invisible(struct pl_str text);

/* Reads the character at `at` < text.len, or the one that ends at `at`. Returns its bytes, or 0 if there is none. */
size_t pl_text_char(struct pl_str text, size_t at, uint32_t *c_r);
size_t pl_text_char_before(struct pl_str text, size_t at, uint32_t *c_r);
/* A character of words: a letter, a mark, a digit (general categories L, M, N), or an underscore. */
bool pl_text_is_word(uint32_t c);
/* A character of a script that has no blanks between words: Han, kana, Hangul, Thai, Lao, Khmer, and Myanmar. */
bool pl_text_is_unspaced(uint32_t c);
/* The character in lower case, if that is a single character. */
uint32_t pl_text_lower(uint32_t c);

#endif
