/* SPDX-License-Identifier: ISC */
/*
 * The writer writes what the reader accepts; the reader must accept that again with the same meaning.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "json.h"

static void write_value(struct pl_jw *w, const struct pl_jval *value)
{
	switch (value->type) {
	case PL_J_NULL:
		pl_jw_null(w);
		break;
	case PL_J_BOOL:
		pl_jw_bool(w, value->truth);
		break;
	case PL_J_NUMBER:
		pl_jw_raw(w, value->text);
		break;
	case PL_J_STRING:
		pl_jw_str(w, value->text);
		break;
	case PL_J_ARRAY:
		pl_jw_array(w);
		for (const struct pl_jval *at = value->first; at != NULL; at = at->next)
			write_value(w, at);
		pl_jw_end_array(w);
		break;
	case PL_J_OBJECT:
		/* As pairs, because keys of the writer are plain ASCII. */
		pl_jw_array(w);
		for (const struct pl_jval *at = value->first; at != NULL; at = at->next) {
			pl_jw_str(w, at->key);
			write_value(w, at);
		}
		pl_jw_end_array(w);
		break;
	}
}

static void check_value(const struct pl_jval *value)
{
	int64_t number;
	double real;
	int children = 0;

	if (pl_json_i64(value, -100, 100, &number) && (number < -100 || number > 100))
		abort();
	if (pl_json_f64(value, &real) && real != real)
		abort();
	if (value->type == PL_J_STRING && !pl_utf8_ok(value->text.ptr, value->text.len))
		abort();
	for (const struct pl_jval *at = value->first; at != NULL; at = at->next, children++)
		check_value(at);
	if (children != value->count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf once = PL_BUF(pool), twice = PL_BUF(pool);
	struct pl_jw first = PL_JW(&once), second = PL_JW(&twice);
	const struct pl_jval *value;
	struct pl_err err;

	value = pl_json_parse(pool, pl_strn((const char *)data, size), &err);
	if (value != NULL) {
		check_value(value);
		write_value(&first, value);
		value = pl_json_parse(pool, pl_buf_str(&once), &err);
		if (value == NULL)
			abort();
		write_value(&second, value);
		if (!pl_str_eq(pl_buf_str(&once), pl_buf_str(&twice)))
			abort();
	}
	pl_pool_free(&pool);
	return 0;
}
