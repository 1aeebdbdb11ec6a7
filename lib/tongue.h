/* SPDX-License-Identifier: ISC */
/*
 * The language of a short text, if it is clear: from its script, or from words such as "the" that only one language
 * has. Names and single words are not enough.
 */
#ifndef PL_TONGUE_H
#define PL_TONGUE_H

#include "str.h"

/* NONE: English, another language, or not clear. */
enum pl_tongue {
	PL_TONGUE_NONE,
	PL_TONGUE_DE,
	PL_TONGUE_FR,
	PL_TONGUE_ES,
	PL_TONGUE_IT,
	PL_TONGUE_PT,
	PL_TONGUE_NL,
	PL_TONGUE_ZH,
	PL_TONGUE_JA,
	PL_TONGUE_KO,
	PL_TONGUE_RU,
	PL_TONGUE_AR,
	PL_TONGUE_HI,
	PL_TONGUE_COUNT
};

extern const char *const pl_tongues[PL_TONGUE_COUNT];	/* "", "de", "fr", ... */

/* Of valid UTF-8; reads at most the first KiB. */
enum pl_tongue pl_tongue_of(struct pl_str text);
/*
 * Returns whether a word (in lower case) is one of those by which the language is recognized, and which have no meaning
 * of their own.
 */
bool pl_tongue_has(enum pl_tongue tongue, struct pl_str word);

#endif
