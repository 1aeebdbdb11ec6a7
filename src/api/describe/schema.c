/* SPDX-License-Identifier: ISC */
/*
 * JSON Schemas of shapes and fields. Source: JSON Schema 2020-12.
 */
#include "api/describe/describe_int.h"

static void write_number_bounds(struct pl_jw *w, const struct shape_field *f)
{
	if (f->min != 0 || f->max != 0) {
		pl_jw_key(w, "minimum");
		pl_jw_f64(w, f->min);
	}
	if (f->max != 0 && f->max < 9e15) {
		pl_jw_key(w, "maximum");
		pl_jw_f64(w, f->max);
	}
}

/* The table counts bytes. A text has at most as many characters, and at least one. */
static void write_text_bounds(struct pl_jw *w, const struct shape_field *f)
{
	bool bytes = f->type == T_CONTENT || f->type == T_PASSWORD || f->type == T_BYTES;

	if (f->min > 0)
		pl_jw_ki64(w, "minLength", bytes ? 1 : (int64_t)f->min);
	if (f->max > 0)
		pl_jw_ki64(w, "maxLength", (int64_t)f->max);
}

void schema_type(struct pl_jw *w, const char *type, bool nullable)
{
	pl_jw_key(w, "type");
	if (!nullable) {
		pl_jw_cstr(w, type);
		return;
	}
	pl_jw_array(w);
	pl_jw_cstr(w, type);
	pl_jw_cstr(w, "null");
	pl_jw_end_array(w);
}

void schema_ref(struct pl_jw *w, const char *name)
{
	char ref[160];

	snprintf(ref, sizeof(ref), "#/components/schemas/%s", name);
	pl_jw_kcstr(w, "$ref", ref);
}

void schema_words(struct pl_jw *w, const char *words, bool nullable)
{
	struct pl_str rest = pl_str(words), word;

	pl_jw_key(w, "enum");
	pl_jw_array(w);
	while (pl_str_cut(&rest, '|', &word))
		pl_jw_str(w, word);
	if (nullable)
		pl_jw_null(w);
	pl_jw_end_array(w);
}

void schema_format(struct pl_jw *w, const char *type, const char *format, bool nullable)
{
	schema_type(w, type, nullable);
	if (format != NULL)
		pl_jw_kcstr(w, "format", format);
}

static void write_null(struct pl_jw *w)
{
	pl_jw_object(w);
	schema_type(w, "null", false);
	pl_jw_end_object(w);
}

static void write_text(struct pl_jw *w, const struct shape_field *f, bool nullable)
{
	static const char *const formats[] = { [T_EMAIL] = "email", [T_PASSWORD] = "password", [T_UUID] = "uuid" };

	schema_format(w, "string", f->type < PL_COUNT(formats) ? formats[f->type] : NULL, nullable);
	write_text_bounds(w, f);
	if (f->type == T_NAME)
		pl_jw_kcstr(w, "pattern", "^[A-Za-z0-9_.-]+$");
}

/* ---- expressions ---- */

static void expression_members(struct pl_jw *w, struct pl_str text, bool nullable);

/* One alternative of a schema. */
static void expression_one(struct pl_jw *w, struct pl_str text, bool nullable)
{
	static const char *const plain[] = { "string", "number", "boolean", "null" };
	const struct shape *shape = describe_shape_find(text);

	PL_BUG(text.len == 0);
	for (size_t i = 0; i < PL_COUNT(plain); i++)
		if (pl_str_is(text, plain[i])) {
			schema_type(w, plain[i], nullable);
			return;
		}
	if (text.ptr[0] == '[') {
		schema_type(w, "array", nullable);
		pl_jw_key(w, "items");
		schema_expression(w, pl_strn(text.ptr + 1, text.len - 2), false);
	} else if (text.ptr[0] == '{') {
		schema_type(w, "object", nullable);
		pl_jw_key(w, "additionalProperties");
		schema_expression(w, pl_strn(text.ptr + 1, text.len - 2), false);
	} else if (pl_str_is(text, "integer")) {
		schema_format(w, "integer", "int64", nullable);
	} else if (pl_str_is(text, "object")) {
		schema_type(w, "object", nullable);
		pl_jw_kbool(w, "additionalProperties", true);
	} else if (pl_str_is(text, "error_code")) {
		schema_ref(w, "error_code");
	} else {
		PL_BUG(shape == NULL); /* no such shape, or a word without a meaning here */
		schema_ref(w, shape->name);
	}
}

static void expression_members(struct pl_jw *w, struct pl_str text, bool nullable)
{
	struct pl_str rest = text, part;
	bool one;

	if (text.len == 0)
		return;	/* any value */
	one = describe_cut(&rest, &part) && rest.len == 0;
	if (one && (!nullable || describe_shape_find(text) == NULL)) {
		expression_one(w, text, nullable);
		return;
	}
	pl_jw_key(w, "oneOf");
	pl_jw_array(w);
	for (rest = text; describe_cut(&rest, &part);)
		schema_expression(w, part, false);
	if (nullable)
		write_null(w);
	pl_jw_end_array(w);
}

void schema_expression(struct pl_jw *w, struct pl_str text, bool nullable)
{
	pl_jw_object(w);
	expression_members(w, text, nullable);
	pl_jw_end_object(w);
}

/* ---- fields ---- */

static void write_list(struct pl_jw *w, const struct shape_field *f)
{
	schema_type(w, "array", false);
	if (f->max > 0)
		pl_jw_ki64(w, "maxItems", (int64_t)f->max);
	pl_jw_key(w, "items");
	pl_jw_object(w);
	if (f->other != NULL)
		schema_ref(w, f->other->name);
	else
		schema_format(w, "integer", "int64", false);
	pl_jw_end_object(w);
}

void schema_field(struct pl_jw *w, const struct shape_field *f)
{
	bool nullable = f->presence == P_N;

	switch (f->type) {
	case T_OBJ:
		expression_members(w, pl_str(f->other->name), nullable);
		break;
	case T_LIST:
	case T_IDS:
		write_list(w, f);
		break;
	case T_ID:
	case T_I64:
		schema_format(w, "integer", "int64", nullable);
		write_number_bounds(w, f);
		break;
	case T_F64:
		schema_format(w, "number", "double", nullable);
		write_number_bounds(w, f);
		break;
	case T_BOOL:
		schema_type(w, "boolean", nullable);
		break;
	case T_TIME:
		schema_format(w, "string", "date-time", nullable);
		break;
	case T_ENUM:
		schema_type(w, "string", nullable);
		schema_words(w, f->words, nullable);
		break;
	case T_JSON:
		expression_members(w, pl_str(f->words), nullable);
		break;
	default:
		write_text(w, f, nullable);
	}
	pl_jw_kcstr(w, "description", f->text);
}

void schema_properties(struct pl_jw *w, const struct shape *s)
{
	for (int i = 0; i < s->count; i++) {
		pl_jw_key(w, s->fields[i].name);
		pl_jw_object(w);
		schema_field(w, &s->fields[i]);
		pl_jw_end_object(w);
	}
}

void schema_required(struct pl_jw *w, const struct shape *s)
{
	for (int i = 0; i < s->count; i++)
		if (s->fields[i].presence != P_O)
			pl_jw_cstr(w, s->fields[i].name);
}

/* Is it the body of a route that refuses unknown fields? */
static bool is_strict(const struct shape *s)
{
	for (int i = 0; i < routes_count; i++)
		if (routes[i].in == s && (routes[i].flags & ROUTE_STRICT) != 0)
			return true;
	return false;
}

void schema_shape(struct pl_jw *w, const struct shape *s)
{
	pl_jw_kcstr(w, "type", "object");
	pl_jw_kcstr(w, "description", s->text);
	pl_jw_key(w, "properties");
	pl_jw_object(w);
	schema_properties(w, s);
	pl_jw_end_object(w);
	pl_jw_key(w, "required");
	pl_jw_array(w);
	schema_required(w, s);
	pl_jw_end_array(w);
	if (is_strict(s))
		pl_jw_kbool(w, "additionalProperties", false);
}
