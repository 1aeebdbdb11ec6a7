/* SPDX-License-Identifier: ISC */
/*
 * describe.def as data, and the writers of schemas and examples.
 */
#ifndef API_DESCRIBE_INT_H
#define API_DESCRIBE_INT_H

#include "api/describe/describe.h"
#include "json.h"

enum describe_header_id {
#define PARAM(...)
#define TAKES(...)
#define SENDS(...)
#define HEADER(id, ...) HEADER_##id,
#define RAISES(...)
#define REPLY(...)
#define BODY(...)
#define EXAMPLE(...)
#include "api/describe/describe.def"
#undef PARAM
#undef TAKES
#undef SENDS
#undef HEADER
#undef RAISES
#undef REPLY
#undef BODY
#undef EXAMPLE
	HEADER_COUNT
};

struct describe_header { const char *name, *type; bool always; const char *text; };
struct describe_param { const char *name; enum field_type type; const char *words, *example, *text; };
struct describe_take { const char *handler, *name, *text; };
struct describe_send { const char *handler; enum describe_header_id header; };
struct describe_raise { const char *handler; enum pl_code code; };
struct describe_reply { const char *handler; int status; const char *media, *schema, *example, *text; };
struct describe_body { const char *handler, *media, *example, *text; };
struct describe_example { const char *field, *json; };

extern const struct describe_header describe_headers[HEADER_COUNT];
/* The last row of each has NULL first. */
extern const struct describe_take describe_takes[];
extern const struct describe_send describe_sends[];
extern const struct describe_raise describe_raises[];
extern const struct describe_reply describe_replies[];
extern const struct describe_body describe_bodies[];
extern const struct describe_example describe_examples[];
/* PL_BUG when no row describes a {name} of a path. */
const struct describe_param *describe_param_get(struct pl_str name);
/* The shape with a name, or the part of frames; NULL: there is none. */
const struct shape *describe_shape_find(struct pl_str name);

/* ---- schema.c: JSON Schema 2020-12 ---- */
void schema_ref(struct pl_jw *w, const char *name);			/* the member $ref */
void schema_type(struct pl_jw *w, const char *type, bool nullable);	/* the member type */
void schema_format(struct pl_jw *w, const char *type, const char *format, bool nullable);
/* An object: the schema of an expression, see `words` of JSON in shapes.def. */
void schema_expression(struct pl_jw *w, struct pl_str text, bool nullable);
/* The members of a field's schema. */
void schema_field(struct pl_jw *w, const struct shape_field *f);
/* The names and schemas of a shape's fields, inside an object; the names of those that are always there, in a list. */
void schema_properties(struct pl_jw *w, const struct shape *s);
void schema_required(struct pl_jw *w, const struct shape *s);
/* The members of a shape's schema. */
void schema_shape(struct pl_jw *w, const struct shape *s);
/* The member "enum" of a|b. */
void schema_words(struct pl_jw *w, const char *words, bool nullable);

/* ---- example.c ---- */
void example_shape(struct pl_jw *w, const struct shape *s);
void example_fields(struct pl_jw *w, const struct shape *s);	/* inside an object */
void example_expression(struct pl_jw *w, struct pl_str text);
void example_param(struct pl_jw *w, const struct describe_param *p);

/* ---- asyncapi_frame.c ---- */
void asyncapi_components(struct pl_jw *w);

/* ---- openapi_reply.c ---- */
void openapi_responses(struct pl_jw *w, const struct route *r);
/* components: responses and headers */
void openapi_reply_components(struct pl_jw *w);
/* {"application/json": {schema, example}}: the content of a shape, or of lists of it */
enum openapi_list { LIST_OF_ONE, LIST_OF_MANY, LIST_OF_PAGES };
void openapi_media(struct pl_jw *w, const char *media, const struct shape *shape, enum openapi_list list);

#endif
