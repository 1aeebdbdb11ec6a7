/* SPDX-License-Identifier: ISC */
/*
 * Writes a struct as JSON by its shape.
 */
#include "api/http/shape.h"

/* Returns whether the value is absent. */
static bool is_absent(const struct shape_field *f, const char *at)
{
	switch (f->type) {
	case T_ID:
	case T_I64:
	case T_TIME:
		return *(const int64_t *)(const void *)at == SHAPE_NONE;
	case T_F64:
		return isnan(*(const double *)(const void *)at);
	case T_BOOL:
		return *(const signed char *)at < 0;
	case T_OBJ:
		return *(const void *const *)(const void *)at == NULL;
	case T_LIST:
	case T_IDS:
		return false;
	default:
		return ((const struct pl_str *)(const void *)at)->ptr == NULL;
	}
}

static void write_list(const struct shape *other, const struct shape_list *list, struct pl_jw *w)
{
	pl_jw_array(w);
	for (int i = 0; i < list->count; i++)
		shape_write(other, (const char *)list->items + (size_t)i * other->bytes, w);
	pl_jw_end_array(w);
}

static void write_ids(const struct shape_ids *ids, struct pl_jw *w)
{
	pl_jw_array(w);
	for (int i = 0; i < ids->count; i++)
		pl_jw_i64(w, ids->items[i]);
	pl_jw_end_array(w);
}

static void write_value(const struct shape_field *f, const char *at, struct pl_jw *w)
{
	switch (f->type) {
	case T_ID:
	case T_I64:
		pl_jw_i64(w, *(const int64_t *)(const void *)at);
		break;
	case T_TIME:
		pl_jw_time(w, *(const int64_t *)(const void *)at);
		break;
	case T_F64:
		pl_jw_f64(w, *(const double *)(const void *)at);
		break;
	case T_BOOL:
		pl_jw_bool(w, *(const signed char *)at > 0);
		break;
	case T_JSON:
		pl_jw_raw(w, *(const struct pl_str *)(const void *)at);
		break;
	case T_OBJ:
		shape_write(f->other, *(const void *const *)(const void *)at, w);
		break;
	case T_LIST:
		write_list(f->other, (const struct shape_list *)(const void *)at, w);
		break;
	case T_IDS:
		write_ids((const struct shape_ids *)(const void *)at, w);
		break;
	default:
		pl_jw_str(w, *(const struct pl_str *)(const void *)at);
		break;
	}
}

void shape_write(const struct shape *shape, const void *values, struct pl_jw *w)
{
	if (shape->bare) {
		write_value(&shape->fields[0], (const char *)values + shape->fields[0].offset, w);
		return;
	}
	pl_jw_object(w);
	for (int i = 0; i < shape->count; i++) {
		const struct shape_field *f = &shape->fields[i];
		const char *at = (const char *)values + f->offset;

		if (is_absent(f, at)) {
			if (f->presence == P_O)
				continue;
			PL_BUG(f->presence == P_R);
			pl_jw_key(w, f->name);
			pl_jw_null(w);
			continue;
		}
		pl_jw_key(w, f->name);
		write_value(f, at, w);
	}
	pl_jw_end_object(w);
}

const struct shape *shape_bare(const struct shape *shape, struct pl_pool *pool)
{
	struct shape *bare = pl_alloc(pool, sizeof(*bare));

	*bare = *shape;
	bare->bare = true;
	return bare;
}

struct pl_str shape_json(const struct shape *shape, const void *values, struct pl_pool *pool)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	shape_write(shape, values, &w);
	return pl_buf_str(&buf);
}

struct pl_str shape_json_list(const struct shape *shape, const void *items, int count, struct pl_pool *pool)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);
	struct shape_list list = { items, count };

	pl_buf_room(&buf, (size_t)count * 256 + 16);
	write_list(shape, &list, &w);
	return pl_buf_str(&buf);
}
