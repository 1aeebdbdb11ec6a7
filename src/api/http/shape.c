/* SPDX-License-Identifier: ISC */
/* The descriptors of all shapes, generated from shapes.def. */
#include "api/http/shape.h"

#define default default_	/* see shape.h */
#define SHAPE(name, text) static const struct shape_field fields_##name[] = {
#define F(shape, field, type_, presence_, min_, max_, words_, text_) \
	{ .name = #field, .type = T_##type_, .presence = P_##presence_, .min = (double)(min_), .max = (double)(max_), \
	    .words = words_, .text = text_, .offset = offsetof(struct shape, field) },
#define OBJ(shape, field, other_, presence_, text_) \
	{ .name = #field, .type = T_OBJ, .presence = P_##presence_, .text = text_, .offset = \
	    offsetof(struct shape, field), \
	    .other = &shape_##other_ },
#define LIST(shape, field, other_, text_) \
	{ .name = #field, .type = T_LIST, .presence = P_R, .text = text_, .offset = offsetof(struct shape, field), \
	    .other = &shape_##other_ },
#define END(name) };
#include "api/http/shapes.def"
#undef SHAPE
#undef F
#undef OBJ
#undef LIST
#undef END
#undef default

#define SHAPE(name_, text_) const struct shape shape_##name_ = \
	{ .name = #name_, .text = text_, .fields = fields_##name_, \
	.count = PL_COUNT(fields_##name_), .bytes = sizeof(struct name_) };
#define F(...)
#define OBJ(...)
#define LIST(...)
#define END(name)
#include "api/http/shapes.def"
#undef SHAPE

const struct shape shape_none = { .name = "none", .text = "", .fields = NULL, .count = 0, .bytes = 1 };

#define SHAPE(name, text) &shape_##name,
const struct shape *const shape_all[] = {
#include "api/http/shapes.def"
	NULL
};
#undef SHAPE
#undef F
#undef OBJ
#undef LIST
#undef END

void shape_clear(const struct shape *shape, void *values)
{
	memset(values, 0, shape->bytes);
	for (int i = 0; i < shape->count; i++) {
		const struct shape_field *f = &shape->fields[i];
		char *at = (char *)values + f->offset;

		switch (f->type) {
		case T_ID:
		case T_I64:
		case T_TIME:
			*(int64_t *)(void *)at = SHAPE_NONE;
			break;
		case T_F64:
			*(double *)(void *)at = (double)NAN;
			break;
		case T_BOOL:
			*(signed char *)at = -1;
			break;
		default:
			break;
		}
	}
}
