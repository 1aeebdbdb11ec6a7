/* SPDX-License-Identifier: ISC */
/* Reads JSON bodies and name=value pairs into structs by their shape, and reports which field violates which rule. */
#include <ctype.h>

#include "api/http/shape.h"
#include "clock.h"
#include "leaf.h"
#include "text.h"

struct reader {
	struct pl_pool *pool;
	struct pl_err *err;
	const char *where;
	bool bad;
};

static bool read_fields(struct reader *r, const struct shape *shape, const struct pl_jval *object, char *out);

static void complain(struct reader *r, const struct shape_field *f, const char *type, const char *msg)
{
	pl_err_field(r->err, r->pool, pl_sprintf(r->pool, "%s.%s", r->where, f->name), type, "%s", msg);
	if (strcmp(type, "too_large") == 0 && r->err->fields->next == NULL)
		r->err->code = PL_E_TOO_LARGE;	/* the only error: use the code that sockets report, too */
	r->bad = true;
}

static bool name_ok(struct pl_str s)
{
	bool digits_only = true;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (!(isalnum(c) && c < 128) && c != '_' && c != '.' && c != '-')
			return false;
		digits_only = digits_only && isdigit(c);
	}
	return !digits_only && !pl_uuid_ok(s);
}

static bool word_ok(const char *words, struct pl_str s)
{
	struct pl_str rest = pl_str(words), word;

	while (pl_str_cut(&rest, '|', &word))
		if (pl_str_eq(word, s))
			return true;
	return false;
}

static const char *words_text(struct pl_pool *pool, const char *words)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_str rest = pl_str(words), word;

	while (pl_str_cut(&rest, '|', &word))
		pl_buf_addf(&buf, "%s'%.*s'", buf.len > 0 ? ", " : "", PL_FMT(word));
	return buf.ptr;
}

static void check_length(struct reader *r, const struct shape_field *f, struct pl_str s)
{
	bool bytes = f->type == T_CONTENT || f->type == T_PASSWORD || f->type == T_BYTES;
	double n = bytes ? (double)s.len : (double)pl_utf8_count(s.ptr, s.len);
	const char *unit = bytes ? "bytes" : "characters";

	if (n < f->min)
		complain(r, f, "string_too_short", pl_sprintf(r->pool, "must have at least %.0f %s", f->min, unit));
	else if (f->max > 0 && n > f->max)
		complain(r, f, f->type == T_CONTENT ? "too_large" : "string_too_long",
		    pl_sprintf(r->pool, "must have at most %.0f %s", f->max, unit));
}

/* Names, addresses, and messages must contain visible characters. */
static void check_visible(struct reader *r, const struct shape_field *f, struct pl_str s)
{
	const char *fault = f->type == T_LABEL ? pl_text_label_fault(r->pool, s) :
	    f->type == T_TEXT ? pl_text_lines_fault(r->pool, s) : NULL;
	uint32_t hidden = f->type == T_EMAIL ? pl_text_invisible(s) : 0;

	if (f->type == T_CONTENT && f->min > 0 && !pl_text_visible(s))
		fault = "must have a visible character";
	if (hidden != 0)
		fault = pl_sprintf(r->pool, "must not contain the invisible character U+%04X", (unsigned)hidden);
	if (fault != NULL)
		complain(r, f, "value_error", fault);
}

static void read_text(struct reader *r, const struct shape_field *f, struct pl_str s, void *at)
{
	bool before = r->bad;

	*(struct pl_str *)at = s;
	if (f->type == T_ENUM) {
		if (!word_ok(f->words, s))
			complain(r, f, "literal_error", pl_sprintf(r->pool, "must be one of %s",
			    words_text(r->pool, f->words)));
		return;
	}
	if (f->type == T_UUID) {
		if (!pl_uuid_ok(s))
			complain(r, f, "uuid_parsing", "must be a UUID");
		return;
	}
	if (f->type == T_LABEL || f->type == T_TEXT || f->type == T_LINE || f->type == T_NAME || f->type == T_EMAIL)
		s = *(struct pl_str *)at = pl_text_nfc(r->pool, pl_text_trim(s));
	r->bad = false;
	check_length(r, f, s);
	if (!r->bad && (s.len > 0 || f->min > 0))
		check_visible(r, f, s);
	if (!r->bad && f->type == T_NAME && !name_ok(s))
		complain(r, f, "value_error",
		    "must be letters, digits, '_', '.' or '-', and neither a number nor a UUID");
	if (!r->bad && f->type == T_EMAIL && !pl_email_ok(s))
		complain(r, f, "value_error", "must be an e-mail address");
	r->bad = r->bad || before;
}

static void check_number(struct reader *r, const struct shape_field *f, double v)
{
	if (v < f->min)
		complain(r, f, "greater_than_equal", pl_sprintf(r->pool, "must be at least %.15g", f->min));
	else if (f->max > 0 && v > f->max)
		complain(r, f, "less_than_equal", pl_sprintf(r->pool, "must be at most %.15g", f->max));
}

static void read_ids(struct reader *r, const struct shape_field *f, const struct pl_jval *v, struct shape_ids *ids)
{
	if (v->type != PL_J_ARRAY) {
		complain(r, f, "list_type", "must be a list of numbers");
		return;
	}
	if (f->max > 0 && v->count > f->max) {
		complain(r, f, "too_long", pl_sprintf(r->pool, "must have at most %.0f entries", f->max));
		return;
	}
	ids->items = pl_alloc(r->pool, ((size_t)v->count + 1) * sizeof(*ids->items));
	for (const struct pl_jval *c = v->first; c != NULL; c = c->next) {
		if (!pl_json_i64(c, 1, INT64_MAX, &ids->items[ids->count++])) {
			complain(r, f, "int_type", "must be a list of numbers from 1");
			return;
		}
	}
}

static void read_number(struct reader *r, const struct shape_field *f, const struct pl_jval *v, void *at)
{
	if (f->type == T_F64) {
		if (!pl_json_f64(v, at))
			complain(r, f, "float_type", "must be a number");
		else
			check_number(r, f, *(double *)at);
	} else if (!pl_json_i64(v, INT64_MIN + 1, INT64_MAX, at)) {
		complain(r, f, "int_type", "must be a whole number within 64 bits");
	} else {
		check_number(r, f, (double)*(int64_t *)at);
	}
}

static void read_object(struct reader *r, const struct shape_field *f, const struct pl_jval *v, void *at)
{
	struct reader inner = { .pool = r->pool, .err = r->err };
	char *out = pl_alloc(r->pool, f->other->bytes);

	if (v->type != PL_J_OBJECT) {
		complain(r, f, "model_attributes_type", "must be a JSON object");
		return;
	}
	inner.where = pl_sprintf(r->pool, "%s.%s", r->where, f->name);
	shape_clear(f->other, out);
	if (!read_fields(&inner, f->other, v, out))
		r->bad = true;
	*(const void **)at = out;
}

static void read_value(struct reader *r, const struct shape_field *f, const struct pl_jval *v, void *at)
{
	switch (f->type) {
	case T_ID:
	case T_I64:
	case T_F64:
		read_number(r, f, v, at);
		break;
	case T_BOOL:
		if (v->type != PL_J_BOOL)
			complain(r, f, "bool_type", "must be true or false");
		else
			*(signed char *)at = v->truth;
		break;
	case T_IDS:
		read_ids(r, f, v, at);
		break;
	case T_JSON:
		*(struct pl_str *)at = v->raw;
		break;
	case T_TIME:
		if (v->type != PL_J_STRING || !pl_time_parse_lax(v->text.ptr, v->text.len, at))
			complain(r, f, "datetime_parsing", "must be a time such as 2026-11-20T12:00:00Z");
		break;
	case T_OBJ:
		read_object(r, f, v, at);
		break;
	case T_LAX:
		*(struct pl_str *)at = pl_json_str(v);
		break;
	case T_LIST:
		PL_BUG(true); /* no input shape has this type */
		break;
	default:
		if (v->type != PL_J_STRING)
			complain(r, f, "string_type", "must be a string");
		else
			read_text(r, f, v->text, at);
	}
}

static bool read_fields(struct reader *r, const struct shape *shape, const struct pl_jval *object, char *out)
{
	for (int i = 0; i < shape->count; i++) {
		const struct shape_field *f = &shape->fields[i];
		const struct pl_jval *v = object != NULL ? pl_json_get(object, f->name) : NULL;

		if (v == NULL || (v->type == PL_J_NULL && f->presence != P_R)) {
			if (f->presence == P_R && f->type != T_LAX)
				complain(r, f, "missing", "is required");
			continue;
		}
		read_value(r, f, v, out + f->offset);
	}
	return !r->bad;
}

void *shape_read_json(const struct shape *shape, struct pl_pool *pool, const struct pl_jval *object, struct pl_err *err)
{
	struct reader r = { .pool = pool, .err = err, .where = "body" };
	char *out = pl_alloc(pool, shape->bytes);

	shape_clear(shape, out);
	if (object != NULL && object->type != PL_J_OBJECT) {
		pl_err_field(err, pool, "body", "model_attributes_type", "must be a JSON object");
		return NULL;
	}
	return read_fields(&r, shape, object, out) ? out : NULL;
}

bool shape_only(const struct shape *shape, struct pl_pool *pool, const struct pl_jval *object, struct pl_err *err)
{
	int left = 16;	/* maximum number of names in the list */

	for (const struct pl_jval *v = object != NULL && object->type == PL_J_OBJECT ? object->first : NULL;
	    v != NULL && left > 0; v = v->next) {
		bool known = false;

		for (int i = 0; i < shape->count && !known; i++)
			known = pl_str_is(v->key, shape->fields[i].name);
		if (known)
			continue;
		left--;
		pl_err_field(err, pool,
		    pl_sprintf(pool, "body.%.*s", (int)pl_utf8_cut(v->key.ptr, v->key.len, 64), v->key.ptr),
		    "extra_forbidden", "is not a field of this request");
	}
	return left == 16;
}

void *shape_read_pairs(const struct shape *shape, struct pl_pool *pool, const char *where,
    struct pl_str (*get)(void *arg, const char *name, bool *bad_r), void *arg, struct pl_err *err)
{
	struct reader r = { .pool = pool, .err = err, .where = where };
	char *out = pl_alloc(pool, shape->bytes);

	shape_clear(shape, out);
	for (int i = 0; i < shape->count; i++) {
		const struct shape_field *f = &shape->fields[i];
		bool undecodable = false;
		struct pl_str s = get(arg, f->name, &undecodable);
		struct pl_jval v = { .type = PL_J_NUMBER, .text = s, .raw = s };

		if (undecodable) {
			complain(&r, f, "string_unicode", "must be UTF-8 without NUL");
		} else if (s.ptr == NULL) {
			if (f->presence == P_R)
				complain(&r, f, "missing", "is required");
		} else {
			if (f->type != T_ID && f->type != T_I64 && f->type != T_F64)
				v.type = PL_J_STRING;
			if (f->type == T_BOOL) {
				v.type = PL_J_BOOL;
				v.truth = pl_str_is(s, "true") || pl_str_is(s, "1");
			}
			read_value(&r, f, &v, out + f->offset);
		}
	}
	return r.bad ? NULL : out;
}
