/* SPDX-License-Identifier: ISC */
/* Example values of shapes and fields: from describe.def, or else one that fits the type. */
#include "api/describe/describe_int.h"

#define EXAMPLE_TIME "\"2026-11-21T09:30:00Z\""
#define EXAMPLE_UUID "\"0192f3a1-7c44-7d10-9b1e-5f6a3c2d1e00\""

/* Does the value of a row without a shape fit this field? Fields of the same name can have different types. */
static bool fits(const struct shape_field *f, const char *json)
{
	switch (f->type) {
	case T_ID:
	case T_I64:
	case T_F64:
		return (json[0] >= '0' && json[0] <= '9') || json[0] == '-';
	case T_IDS:
		return json[0] == '[';
	case T_JSON:
		return f->words[0] == '\0' || (f->words[0] == '[') == (json[0] == '[');
	case T_BOOL:
		return json[0] == 't' || json[0] == 'f';
	case T_ENUM:
	case T_TIME:
	case T_UUID:
	case T_OBJ:
	case T_LIST:
		return false;
	default:
		return json[0] == '"';
	}
}

/* NULL: there is no row. "": leave the field out. */
static const char *row_for(const struct shape *s, const struct shape_field *f)
{
	const char *found = NULL;

	for (const struct describe_example *e = describe_examples; e->field != NULL; e++) {
		const char *dot = strchr(e->field, '.');

		if (strcmp(dot != NULL ? dot + 1 : e->field, f->name) != 0)
			continue;
		if (dot == NULL && found == NULL && fits(f, e->json))
			found = e->json;
		if (dot != NULL && pl_str_eq(pl_strn(e->field, (size_t)(dot - e->field)), pl_str(s->name)))
			return e->json;
	}
	return found;
}

static void raw(struct pl_jw *w, const char *json)
{
	pl_jw_raw(w, pl_str(json));
}

static void example_list(struct pl_jw *w, const struct shape *s)
{
	pl_jw_array(w);
	if (s != NULL)
		example_shape(w, s);
	else
		pl_jw_i64(w, 7);
	pl_jw_end_array(w);
}

static void first_word(struct pl_jw *w, const char *words)
{
	struct pl_str rest = pl_str(words), word;

	if (pl_str_cut(&rest, '|', &word))
		pl_jw_str(w, word);
	else
		pl_jw_null(w);
}

/* Writes a text that is long enough. */
static void text_of(struct pl_jw *w, const struct shape_field *f)
{
	static const char digits[] = "0123456789abcdef0123456789abcdef";
	struct pl_str text = PL_STR("text");

	if (f->min > 4)
		text = pl_strn(digits, f->min < 32 ? (size_t)f->min : 32);
	pl_jw_str(w, text);
}

static void by_type(struct pl_jw *w, const struct shape_field *f)
{
	switch (f->type) {
	case T_OBJ:
		example_shape(w, f->other);
		break;
	case T_LIST:
	case T_IDS:
		example_list(w, f->other);
		break;
	case T_ID:
	case T_I64:
	case T_F64:
		pl_jw_i64(w, f->min > 7 || (f->max > 0 && f->max < 7) ? (int64_t)f->min : 7);
		break;
	case T_BOOL:
		pl_jw_bool(w, true);
		break;
	case T_TIME:
		raw(w, EXAMPLE_TIME);
		break;
	case T_UUID:
		raw(w, EXAMPLE_UUID);
		break;
	case T_EMAIL:
		pl_jw_cstr(w, "ann@example.org");
		break;
	case T_ENUM:
		first_word(w, f->words);
		break;
	case T_JSON:
		example_expression(w, pl_str(f->words));
		break;
	default:
		text_of(w, f);
	}
}

void example_fields(struct pl_jw *w, const struct shape *s)
{
	for (int i = 0; i < s->count; i++) {
		const struct shape_field *f = &s->fields[i];
		const char *json = row_for(s, f);

		if (json != NULL && json[0] == '\0' && f->presence == P_O)
			continue;
		pl_jw_key(w, f->name);
		if (json != NULL && json[0] != '\0')
			raw(w, json);
		else
			by_type(w, f);
	}
}

void example_shape(struct pl_jw *w, const struct shape *s)
{
	pl_jw_object(w);
	example_fields(w, s);
	pl_jw_end_object(w);
}

void example_expression(struct pl_jw *w, struct pl_str text)
{
	struct pl_str rest = text, one = PL_STR(""), inner;
	const struct shape *shape;

	if (!describe_cut(&rest, &one)) {
		raw(w, "{}");
		return;
	}
	inner = pl_strn(one.ptr + 1, one.len > 2 ? one.len - 2 : 0);
	shape = describe_shape_find(one);
	if (shape != NULL) {
		example_shape(w, shape);
	} else if (one.ptr[0] == '[') {
		pl_jw_array(w);
		example_expression(w, inner);
		pl_jw_end_array(w);
	} else if (one.ptr[0] == '{' || pl_str_is(one, "object")) {
		raw(w, "{}");
	} else if (pl_str_is(one, "error_code")) {
		pl_jw_cstr(w, "rate_limited");
	} else if (pl_str_is(one, "string")) {
		pl_jw_cstr(w, "text");
	} else if (pl_str_is(one, "boolean")) {
		pl_jw_bool(w, true);
	} else {
		pl_jw_i64(w, 7);
	}
}

void example_param(struct pl_jw *w, const struct describe_param *p)
{
	if (p->type == T_ID)
		raw(w, p->example);
	else
		pl_jw_cstr(w, p->example);
}
