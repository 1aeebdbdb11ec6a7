/* SPDX-License-Identifier: ISC */
/*
 * Shapes: C structs for bodies, queries and replies, generated from shapes.def, with their parser and writer.
 *
 * Absent values: text ptr NULL, numbers and times SHAPE_NONE, floats NaN, booleans -1, objects NULL.
 */
#ifndef API_SHAPE_H
#define API_SHAPE_H

#include <math.h>
#include <stdint.h>

#include "err.h"
#include "json.h"

#define SHAPE_NONE INT64_MIN

enum field_type { T_STR, T_NAME, T_EMAIL, T_PASSWORD, T_CONTENT, T_ID, T_I64, T_F64, T_BOOL, T_TIME, T_UUID, T_ENUM,
	T_IDS, T_JSON, T_OBJ, T_LIST, T_BYTES, T_LAX, T_LABEL, T_LINE, T_TEXT };
enum field_presence { P_R, P_O, P_N };

struct shape_ids { int64_t *items; int count; };
struct shape_list { const void *items; int count; };

#define SHAPE_C_STR struct pl_str
#define SHAPE_C_NAME struct pl_str
#define SHAPE_C_EMAIL struct pl_str
#define SHAPE_C_PASSWORD struct pl_str
#define SHAPE_C_CONTENT struct pl_str
#define SHAPE_C_BYTES struct pl_str
#define SHAPE_C_LAX struct pl_str
#define SHAPE_C_LABEL struct pl_str
#define SHAPE_C_LINE struct pl_str
#define SHAPE_C_TEXT struct pl_str
#define SHAPE_C_UUID struct pl_str
#define SHAPE_C_ENUM struct pl_str
#define SHAPE_C_JSON struct pl_str
#define SHAPE_C_ID int64_t
#define SHAPE_C_I64 int64_t
#define SHAPE_C_TIME int64_t
#define SHAPE_C_F64 double
#define SHAPE_C_BOOL signed char
#define SHAPE_C_IDS struct shape_ids

/* A query parameter is called `default`, which is a word of C: its member in the struct has another name. */
#define default default_

#define SHAPE(name, text) struct name {
#define F(shape, field, type, ...) SHAPE_C_##type field;
#define OBJ(shape, field, other, ...) const struct other *field;
#define LIST(shape, field, other, ...) struct shape_list field;
#define END(name) };
#include "api/http/shapes.def"
#undef SHAPE
#undef F
#undef OBJ
#undef LIST
#undef END
#undef default

struct shape_field {
	const char *name;
	enum field_type type;
	enum field_presence presence;
	double min, max;		/* bounds; max 0 = none */
	const char *words, *text;
	size_t offset;
	const struct shape *other;
};

struct shape {
	const char *name, *text;
	const struct shape_field *fields;
	int count;
	size_t bytes;
	bool bare;			/* written as the value of its first field, see shape_bare() */
};

#define SHAPE(name, text) extern const struct shape shape_##name;
#define F(...)
#define OBJ(...)
#define LIST(...)
#define END(name)
#include "api/http/shapes.def"
#undef SHAPE
#undef F
#undef OBJ
#undef LIST
#undef END

extern const struct shape shape_none;		/* no body, no query */
extern const struct shape *const shape_all[];	/* NULL-terminated, in table order */

/*
 * Reads values into a zeroed struct of shape->bytes in `pool`. Errors: PL_E_INVALID with one entry per field that
 * breaks a rule; `where` is "body" or "query". Unknown fields are ignored.
 */
void *shape_read_json(const struct shape *shape, struct pl_pool *pool, const struct pl_jval *object, struct pl_err *err)
    PL_MUSTCHECK;
/*
 * Checks that all members of the object are fields of the shape. false: PL_E_INVALID with one entry for each unknown
 * one.
 */
bool shape_only(const struct shape *shape, struct pl_pool *pool, const struct pl_jval *object, struct pl_err *err)
    PL_MUSTCHECK;
/* Reads name=value pairs: `get` returns a decoded value, or absent. */
void *shape_read_pairs(const struct shape *shape, struct pl_pool *pool, const char *where,
    struct pl_str (*get)(void *arg, const char *name, bool *bad_r), void *arg, struct pl_err *err) PL_MUSTCHECK;
/* All fields absent. */
void shape_clear(const struct shape *shape, void *values);

void shape_write(const struct shape *shape, const void *values, struct pl_jw *w);
/* The same shape, but written as the value of its first field instead of an object. */
const struct shape *shape_bare(const struct shape *shape, struct pl_pool *pool);
/* Whole reply texts. */
struct pl_str shape_json(const struct shape *shape, const void *values, struct pl_pool *pool);
struct pl_str shape_json_list(const struct shape *shape, const void *items, int count, struct pl_pool *pool);

#endif
