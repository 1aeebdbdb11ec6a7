/* SPDX-License-Identifier: ISC */
/*
 * Accepts query parameters by the names of other systems. If a shape has both names, either may be given, but not both.
 */
#include "api/http/request.h"

static const struct { const char *name, *other; } aliases[] = {
	{ "start", "since" }, { "sort", "sort_by" }, { "order", "sort_order" },
};

static const struct shape_field *find(const struct shape *shape, const char *name)
{
	for (int i = 0; i < shape->count; i++)
		if (strcmp(shape->fields[i].name, name) == 0)
			return &shape->fields[i];
	return NULL;
}

static bool is_there(const struct shape_field *f, const char *at)
{
	return f->type == T_TIME ? *(const int64_t *)(const void *)at != SHAPE_NONE :
	    ((const struct pl_str *)(const void *)at)->ptr != NULL;
}

bool alias_apply(const struct shape *shape, void *values, struct pl_pool *pool, struct pl_err *err)
{
	for (size_t i = 0; i < PL_COUNT(aliases); i++) {
		const struct shape_field *to = find(shape, aliases[i].name), *from = find(shape, aliases[i].other);
		char *at;

		if (to == NULL || from == NULL || !is_there(from, (char *)values + from->offset))
			continue;
		at = (char *)values + to->offset;
		if (is_there(to, at))
			return pl_err_field(err, pool, pl_sprintf(pool, "query.%s", from->name), "value_error",
			    "must not be given together with %s", to->name);
		memcpy(at, (char *)values + from->offset, to->type == T_TIME ? sizeof(int64_t) : sizeof(struct pl_str));
	}
	return true;
}
