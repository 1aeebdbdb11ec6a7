/* SPDX-License-Identifier: ISC */
/*
 * parlourctl price: prices of models (table model_prices).
 */
#ifndef CTL_CTL_PRICE_H
#define CTL_CTL_PRICE_H

#include <stdio.h>

#include "pool.h"

/* upstream, from NULL: not given. argv: the words after `price`. */
struct ctl_price_opts { const char *dsn, *upstream, *from; int argc; char **argv; };

/*
 * set MODEL PROMPT COMPLETION: US dollars per million tokens, from a date on (default: today, UTC); prints how many
 * answers got a cost. list: prints all prices. remove MODEL: all prices of the model at that upstream, or the one from
 * that date. Exit status: 0; 64 usage; 65 there was nothing to remove; 69 no database; 70 the database refused. Not 0:
 * why[] has a sentence.
 */
int ctl_price(const struct ctl_price_opts *opts, FILE *out, char why[512]) PL_MUSTCHECK;

#endif
