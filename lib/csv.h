/* SPDX-License-Identifier: ISC */
/*
 * Tables as text: comma, semicolon, or tab between cells, quotes as in RFC 4180. Lines end with LF, CR LF, or CR.
 */
#ifndef PL_CSV_H
#define PL_CSV_H

#include <stdint.h>

#include "str.h"

/* The text that is left, and the lines that were read. */
struct pl_csv { struct pl_str rest; int64_t line; char separator; };

/*
 * Finds the separator. If the first line names it ("sep=;", as Excel writes), this line is skipped. Otherwise it is the
 * one of comma, semicolon, and tab that occurs most often outside quotes in the first line; by default, a comma.
 */
void pl_csv_init(struct pl_csv *csv, struct pl_str text);
/*
 * Reads the next record that is not blank into at most `max` cells, without blanks around cells that have no quotes.
 * line_r: the line on which it begins. false at the end. A record that cannot be read has *error_r and no cells;
 * reading continues after its first line. The cells live in the text or in `pool`.
 */
bool pl_csv_next(struct pl_csv *csv, struct pl_pool *pool, struct pl_str *cells, int max, int *count_r,
    int64_t *line_r, const char **error_r) PL_MUSTCHECK;
/* Adds one cell (RFC 4180). Text that a spreadsheet would run as a formula gets an apostrophe in front. */
void pl_csv_cell(struct pl_buf *out, struct pl_str text);

#endif
