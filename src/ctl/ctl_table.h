/* SPDX-License-Identifier: ISC */
/*
 * Tables on the terminal of the operator.
 */
#ifndef CTL_CTL_TABLE_H
#define CTL_CTL_TABLE_H

#include <stdio.h>

#include "str.h"

#define CTL_CELLS_MAX 16

/* Splits a line into its cells, which tabs separate; missing cells are empty. At most CTL_CELLS_MAX. */
void ctl_cells(struct pl_str line, struct pl_str cells_r[CTL_CELLS_MAX]);
/*
 * Prints lines of cells below their heads, both separated by tabs, in columns as wide as their texts. An empty cell is
 * printed as `-`. Without lines, nothing is printed.
 */
void ctl_table_print(FILE *out, const char *heads, struct pl_str lines);

#endif
