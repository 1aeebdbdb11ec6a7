/* SPDX-License-Identifier: ISC */
/*
 * parlourctl price: what models cost (table model_prices).
 */
#ifndef CTL_CTL_PRICE_H
#define CTL_CTL_PRICE_H

#include <stdio.h>

#include "pool.h"

/* upstream, from NULL: not given. argv: what stands behind the word price. */
struct ctl_price_opts { const char *dsn, *upstream, *from; int argc; char **argv; };

/*
 * set MODEL PROMPT COMPLETION: US dollars per million tokens, from a day on (today, UTC); says how many answers without
 * a cost it charged. list. remove MODEL: all its prices at that upstream, or the one from that day.
 * Exit status: 0; 64 wrong words; 65 there was nothing to remove; 69 no database; 70 the database refused. Not 0: why[]
 * has a sentence.
 */
int ctl_price(const struct ctl_price_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif
