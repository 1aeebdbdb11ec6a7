/* SPDX-License-Identifier: ISC */
/*
 * The table of parlour-api(7) that shows who may call each route.
 */
#ifndef GENDOC_LEVELS_H
#define GENDOC_LEVELS_H

#include "str.h"

/* Adds the table, in mdoc: least level, scope of an API key, what allows it without a token, method, and path. */
void gendoc_levels(struct pl_buf *out);

#endif
