/* SPDX-License-Identifier: ISC */
/*
 * Layouts of dashboards: cards on a grid of at most 12 columns, checked and rewritten, so that only known fields are
 * stored.
 */
#ifndef SVC_LAYOUT_H
#define SVC_LAYOUT_H

#include "err.h"
#include "json.h"

#define LAYOUT_COLUMNS 12
#define LAYOUT_CARDS_MAX 64

/* 1 to 64 characters of [A-Za-z0-9_.-]. */
bool layout_id_ok(struct pl_str id);
/*
 * The JSON array `cards` in its stored form, on a grid with `columns` columns. PL_E_INVALID names the first field that
 * breaks a rule, below body.cards.
 */
bool layout_read(struct pl_pool *pool, struct pl_str cards, int columns, struct pl_str *out_r, struct pl_err *err)
    PL_MUSTCHECK;
/* Stored cards, each also with card_type, size, position, and content. */
struct pl_str layout_full(struct pl_pool *pool, struct pl_str cards);
/* The cards of a dashboard that was never saved: initial questions. */
struct pl_str layout_default(struct pl_pool *pool);

#endif
