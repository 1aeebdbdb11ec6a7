/* SPDX-License-Identifier: ISC */
/*
 * Typed readers of binary result columns, left to right: each call takes the next column. NULL gives 0, false or
 * absent.
 */
#ifndef DB_PGROW_H
#define DB_PGROW_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct pgrow {
	const PGresult *res;
	struct pl_pool *pool;	/* texts are copied into it */
	int row, col;
};

static inline struct pgrow pgrow_at(const PGresult *res, int row, struct pl_pool *pool)
{
	return (struct pgrow){ .res = res, .pool = pool, .row = row };
}

/* Returns whether the next column is NULL, without taking it. */
bool pgrow_null(const struct pgrow *row);
void pgrow_skip(struct pgrow *row, int columns);
int64_t pgrow_i64(struct pgrow *row);
int64_t pgrow_i64_or(struct pgrow *row, int64_t null);
int32_t pgrow_i32(struct pgrow *row);
double pgrow_f64_or(struct pgrow *row, double null);
bool pgrow_bool(struct pgrow *row);
struct pl_str pgrow_text(struct pgrow *row);
int64_t pgrow_time(struct pgrow *row);				/* us since 1970 UTC */
/*
 * Index in a NULL-terminated list of words; NULL gives `null`. An unknown word is PL_BUG, because CHECK constraints
 * exclude it.
 */
int pgrow_word(struct pgrow *row, const char *const *words, int null);
/* text[] without NULLs; copied. */
const struct pl_str *pgrow_texts(struct pgrow *row, int *count_r);
/* bigint[] without NULLs; the array is in row->pool. */
const int64_t *pgrow_i64s(struct pgrow *row, int *count_r);

#endif
