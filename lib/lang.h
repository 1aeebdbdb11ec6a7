/* SPDX-License-Identifier: ISC */
/*
 * Language tags (BCP 47), such as de-AT or zh-Hant-TW.
 */
#ifndef PL_LANG_H
#define PL_LANG_H

#include "str.h"

/*
 * The tag in its usual case of letters. Absent: it does not have the form of a language tag. The tags that RFC 5646
 * grandfathers irregularly (i-klingon) and tags for private use only (x-mine) are refused.
 */
struct pl_str pl_lang_tag(struct pl_pool *pool, struct pl_str text) PL_MUSTCHECK;

#endif
