/* SPDX-License-Identifier: ISC */
/* Reads binary columns. A column whose size is not the reader's is a bug in stmts.def. */
#include "db/conn/pgrow.h"

#include <endian.h>

#define PG_EPOCH_US 946684800000000LL	/* 2000-01-01 UTC */

bool pgrow_null(const struct pgrow *row)
{
	return PQgetisnull(row->res, row->row, row->col);
}

void pgrow_skip(struct pgrow *row, int columns)
{
	row->col += columns;
}

/* Returns the bytes of the next column; NULL if it is NULL. want < 0: any length. */
static const char *take(struct pgrow *row, int want, int *bytes_r)
{
	int col = row->col++;

	PL_BUG(col >= PQnfields(row->res) || PQfformat(row->res, col) != 1);
	if (PQgetisnull(row->res, row->row, col))
		return NULL;
	*bytes_r = PQgetlength(row->res, row->row, col);
	PL_BUG(want >= 0 && *bytes_r != want);
	return PQgetvalue(row->res, row->row, col);
}

static bool take_u64(struct pgrow *row, uint64_t *value_r)
{
	int bytes;
	const char *data = take(row, 8, &bytes);

	if (data == NULL)
		return false;
	memcpy(value_r, data, sizeof(*value_r));
	*value_r = be64toh(*value_r);
	return true;
}

int64_t pgrow_i64_or(struct pgrow *row, int64_t null)
{
	uint64_t value;

	return take_u64(row, &value) ? (int64_t)value : null;
}

int64_t pgrow_i64(struct pgrow *row)
{
	return pgrow_i64_or(row, 0);
}

int32_t pgrow_i32(struct pgrow *row)
{
	uint32_t value;
	int bytes;
	const char *data = take(row, 4, &bytes);

	if (data == NULL)
		return 0;
	memcpy(&value, data, sizeof(value));
	return (int32_t)be32toh(value);
}

double pgrow_f64_or(struct pgrow *row, double null)
{
	uint64_t bits;
	double value;

	if (!take_u64(row, &bits))
		return null;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

bool pgrow_bool(struct pgrow *row)
{
	int bytes;
	const char *data = take(row, 1, &bytes);

	return data != NULL && data[0] != 0;
}

struct pl_str pgrow_text(struct pgrow *row)
{
	int bytes;
	const char *data = take(row, -1, &bytes);

	if (data == NULL)
		return PL_STR_NONE;
	return pl_str_dup(row->pool, pl_strn(data, (size_t)bytes));
}

int64_t pgrow_time(struct pgrow *row)
{
	uint64_t value;

	return take_u64(row, &value) ? (int64_t)value + PG_EPOCH_US : 0;
}

int pgrow_word(struct pgrow *row, const char *const *words, int null)
{
	int bytes;
	const char *data = take(row, -1, &bytes);

	if (data == NULL)
		return null;
	for (int i = 0; words[i] != NULL; i++) {
		if (pl_str_is(pl_strn(data, (size_t)bytes), words[i]))
			return i;
	}
	pl_bug("unknown word in a column", __FILE__, __LINE__);
}

/* The format: ndim, has_nulls, oid, [length, lower bound], then the length and the bytes of each element. */
const int64_t *pgrow_i64s(struct pgrow *row, int *count_r)
{
	int bytes;
	const char *data = take(row, -1, &bytes);
	uint32_t count;
	int64_t *values;

	*count_r = 0;
	if (data == NULL || bytes < 20)
		return NULL;
	memcpy(&count, data + 12, sizeof(count));
	count = be32toh(count);
	PL_BUG((size_t)bytes != 20 + (size_t)count * 12);
	values = pl_alloc(row->pool, count * sizeof(*values));
	for (uint32_t i = 0; i < count; i++) {
		uint64_t value;

		memcpy(&value, data + 20 + (size_t)i * 12 + 4, sizeof(value));
		values[i] = (int64_t)be64toh(value);
	}
	*count_r = (int)count;
	return values;
}

const struct pl_str *pgrow_texts(struct pgrow *row, int *count_r)
{
	int bytes;
	const char *data = take(row, -1, &bytes), *end, *at;
	struct pl_str *values;
	uint32_t count, length;

	*count_r = 0;
	if (data == NULL || bytes < 20)
		return NULL;
	end = data + bytes;
	at = data + 20;
	memcpy(&count, data + 12, sizeof(count));
	count = be32toh(count);
	values = pl_alloc(row->pool, count * sizeof(*values));
	for (uint32_t i = 0; i < count; i++) {
		PL_BUG(end - at < 4);
		memcpy(&length, at, sizeof(length));
		length = be32toh(length);
		PL_BUG((size_t)(end - at - 4) < length);
		values[i] = pl_str_dup(row->pool, pl_strn(at + 4, length));
		at += 4 + length;
	}
	*count_r = (int)count;
	return values;
}
