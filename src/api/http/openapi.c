/* SPDX-License-Identifier: ISC */
/*
 * OpenAPI 3.1 made from routes.def and shapes.def. Source: OpenAPI Specification 3.1.0, JSON Schema 2020-12.
 */
#include <ctype.h>

#include "api/http/call.h"
#include "api/http/route_group.h"
#include "api/http/www.h"

static void write_bounds(struct pl_jw *w, const struct shape_field *f, bool number)
{
	if (number) {
		if (f->min != 0 || f->max != 0) {
			pl_jw_key(w, "minimum");
			pl_jw_f64(w, f->min);
		}
		if (f->max != 0 && f->max < 9e15) {
			pl_jw_key(w, "maximum");
			pl_jw_f64(w, f->max);
		}
		return;
	}
	if (f->min > 0)
		pl_jw_ki64(w, "minLength", (int64_t)f->min);
	if (f->max > 0)
		pl_jw_ki64(w, "maxLength", (int64_t)f->max);
}

/* "type", or ["type","null"] for what replies may leave empty */
static void write_type(struct pl_jw *w, const char *type, bool nullable)
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

static void write_ref(struct pl_jw *w, const char *name)
{
	char ref[160];

	snprintf(ref, sizeof(ref), "#/components/schemas/%s", name);
	pl_jw_kcstr(w, "$ref", ref);
}

static void write_enum(struct pl_jw *w, const struct shape_field *f, bool nullable)
{
	struct pl_str rest = pl_str(f->words), word;

	write_type(w, "string", nullable);
	pl_jw_key(w, "enum");
	pl_jw_array(w);
	while (pl_str_cut(&rest, '|', &word))
		pl_jw_str(w, word);
	if (nullable)
		pl_jw_null(w);
	pl_jw_end_array(w);
}

static void write_format(struct pl_jw *w, const char *type, const char *format, bool nullable)
{
	write_type(w, type, nullable);
	if (format != NULL)
		pl_jw_kcstr(w, "format", format);
}

/* schema NULL: of ids */
static void write_array_of(struct pl_jw *w, const char *schema)
{
	write_type(w, "array", false);
	pl_jw_key(w, "items");
	pl_jw_object(w);
	if (schema != NULL)
		write_ref(w, schema);
	else
		write_format(w, "integer", "int64", false);
	pl_jw_end_object(w);
}

static void write_text(struct pl_jw *w, const struct shape_field *f, bool nullable)
{
	static const char *const formats[] = { [T_EMAIL] = "email", [T_PASSWORD] = "password", [T_UUID] = "uuid" };

	write_format(w, "string", f->type < PL_COUNT(formats) ? formats[f->type] : NULL, nullable);
	write_bounds(w, f, false);
	if (f->type == T_NAME)
		pl_jw_kcstr(w, "pattern", "^[A-Za-z0-9_.-]+$");
}

/* Any JSON value; or, where `words` names a shape, a sentence or a list of that shape. */
static void write_json(struct pl_jw *w, const struct shape_field *f)
{
	if (f->words[0] == '\0')
		return;
	pl_jw_key(w, "oneOf");
	pl_jw_array(w);
	pl_jw_object(w);
	write_type(w, "string", false);
	pl_jw_end_object(w);
	pl_jw_object(w);
	write_array_of(w, f->words);
	pl_jw_end_object(w);
	pl_jw_end_array(w);
}

static void write_ref_or_null(struct pl_jw *w, const char *name)
{
	pl_jw_key(w, "oneOf");
	pl_jw_array(w);
	pl_jw_object(w);
	write_ref(w, name);
	pl_jw_end_object(w);
	pl_jw_object(w);
	write_type(w, "null", false);
	pl_jw_end_object(w);
	pl_jw_end_array(w);
}

/* The members of one field's schema. */
static void write_field(struct pl_jw *w, const struct shape_field *f)
{
	bool nullable = f->presence == P_N;

	switch (f->type) {
	case T_OBJ:
		if (nullable)
			write_ref_or_null(w, f->other->name);
		else
			write_ref(w, f->other->name);
		break;
	case T_LIST:
	case T_IDS:
		write_array_of(w, f->other != NULL ? f->other->name : NULL);
		break;
	case T_ID:
	case T_I64:
		write_format(w, "integer", "int64", nullable);
		write_bounds(w, f, true);
		break;
	case T_F64:
		write_format(w, "number", "double", nullable);
		write_bounds(w, f, true);
		break;
	case T_BOOL:
		write_type(w, "boolean", nullable);
		break;
	case T_TIME:
		write_format(w, "string", "date-time", nullable);
		break;
	case T_ENUM:
		write_enum(w, f, nullable);
		break;
	case T_JSON:
		write_json(w, f);
		break;
	default:
		write_text(w, f, nullable);
	}
	pl_jw_kcstr(w, "description", f->text);
}

static void write_schema(struct pl_jw *w, const struct shape *s)
{
	pl_jw_key(w, s->name);
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", "object");
	pl_jw_kcstr(w, "description", s->text);
	pl_jw_key(w, "properties");
	pl_jw_object(w);
	for (int i = 0; i < s->count; i++) {
		pl_jw_key(w, s->fields[i].name);
		pl_jw_object(w);
		write_field(w, &s->fields[i]);
		pl_jw_end_object(w);
	}
	pl_jw_end_object(w);
	pl_jw_key(w, "required");
	pl_jw_array(w);
	for (int i = 0; i < s->count; i++)
		if (s->fields[i].presence != P_O)
			pl_jw_cstr(w, s->fields[i].name);
	pl_jw_end_array(w);
	pl_jw_end_object(w);
}

static void write_path_params(struct pl_jw *w, const char *path)
{
	for (const char *p = strchr(path, '{'); p != NULL; p = strchr(p + 1, '{')) {
		const char *end = strchr(p, '}');
		struct pl_str name = pl_strn(p + 1, (size_t)(end - p - 1));
		bool is_text = pl_str_is(name, "file"), is_uuid = pl_str_is(name, "generation_id");

		pl_jw_object(w);
		pl_jw_kstr(w, "name", name);
		pl_jw_kcstr(w, "in", "path");
		pl_jw_kbool(w, "required", true);
		pl_jw_key(w, "schema");
		pl_jw_object(w);
		write_format(w, is_text || is_uuid ? "string" : "integer", is_uuid ? "uuid" : is_text ? NULL : "int64",
		    false);
		pl_jw_end_object(w);
		pl_jw_end_object(w);
	}
}

static void write_header_param(struct pl_jw *w, const char *name, const char *text)
{
	pl_jw_object(w);
	pl_jw_kcstr(w, "name", name);
	pl_jw_kcstr(w, "in", "header");
	pl_jw_kcstr(w, "description", text);
	pl_jw_key(w, "schema");
	pl_jw_object(w);
	write_type(w, "string", false);
	pl_jw_ki64(w, "maxLength", 200);
	pl_jw_end_object(w);
	pl_jw_end_object(w);
}

static void write_params(struct pl_jw *w, const struct route *r)
{
	pl_jw_key(w, "parameters");
	pl_jw_array(w);
	write_path_params(w, r->path);
	for (int i = 0; i < r->query->count; i++) {
		pl_jw_object(w);
		pl_jw_kcstr(w, "name", r->query->fields[i].name);
		pl_jw_kcstr(w, "in", "query");
		pl_jw_kbool(w, "required", r->query->fields[i].presence == P_R);
		pl_jw_key(w, "schema");
		pl_jw_object(w);
		write_field(w, &r->query->fields[i]);
		pl_jw_end_object(w);
		pl_jw_end_object(w);
	}
	if (r->flags & ROUTE_IDEM)
		write_header_param(w, "Idempotency-Key",
		    "Repeating the request with the same key and body gives the first reply again (24 h).");
	pl_jw_end_array(w);
}

enum body { BODY_ONE, BODY_LIST, BODY_PAGES };

/* A bare array, or a page when the query names one. */
static void write_pages(struct pl_jw *w, const char *schema)
{
	static const char *const numbers[] = { "total", "page", "page_size" };

	pl_jw_key(w, "oneOf");
	pl_jw_array(w);
	pl_jw_object(w);
	write_array_of(w, schema);
	pl_jw_end_object(w);
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", "object");
	pl_jw_kraw(w, "required", PL_STR("[\"items\",\"total\",\"page\",\"page_size\",\"next\"]"));
	pl_jw_key(w, "properties");
	pl_jw_object(w);
	pl_jw_key(w, "items");
	pl_jw_object(w);
	write_array_of(w, schema);
	pl_jw_end_object(w);
	for (size_t i = 0; i < PL_COUNT(numbers); i++)
		pl_jw_kraw(w, numbers[i], PL_STR("{\"type\":\"integer\"}"));
	pl_jw_kraw(w, "next", PL_STR("{\"type\":[\"string\",\"null\"],\"description\":\"Address of the next page.\"}"));
	pl_jw_end_object(w);
	pl_jw_end_object(w);
	pl_jw_end_array(w);
}

static void write_content(struct pl_jw *w, const char *type, const char *schema, enum body list)
{
	pl_jw_key(w, type);
	pl_jw_object(w);
	pl_jw_key(w, "schema");
	pl_jw_object(w);
	if (list == BODY_LIST) {
		write_array_of(w, schema);
	} else if (list == BODY_PAGES) {
		write_pages(w, schema);
	} else if (schema != NULL) {
		write_ref(w, schema);
	}
	pl_jw_end_object(w);
	pl_jw_end_object(w);
}

static void write_body(struct pl_jw *w, const struct route *r)
{
	if (r->in == &shape_none)
		return;
	pl_jw_key(w, "requestBody");
	pl_jw_object(w);
	pl_jw_key(w, "content");
	pl_jw_object(w);
	write_content(w, "application/json", r->in->name, r->flags & ROUTE_RAW ? BODY_LIST : BODY_ONE);
	if (r->flags & ROUTE_RAW) {
		write_content(w, "application/x-ndjson", r->in->name, BODY_ONE);
		pl_jw_kraw(w, "text/csv", PL_STR("{\"schema\":{\"type\":\"string\"}}"));
	}
	if (r->flags & ROUTE_FORM)
		write_content(w, "application/x-www-form-urlencoded", r->in->name, BODY_ONE);
	pl_jw_end_object(w);
	pl_jw_end_object(w);
}

static void write_response(struct pl_jw *w, const char *status, const char *text, const char *type, const char *schema,
    enum body list)
{
	pl_jw_key(w, status);
	pl_jw_object(w);
	pl_jw_kcstr(w, "description", text);
	if (type != NULL) {
		pl_jw_key(w, "content");
		pl_jw_object(w);
		write_content(w, type, schema, list);
		pl_jw_end_object(w);
	}
	pl_jw_end_object(w);
}

static enum body body_of(const struct route *r)
{
	if (!(r->flags & ROUTE_OUT_LIST))
		return BODY_ONE;
	for (int i = 0; i < r->query->count; i++)
		if (strcmp(r->query->fields[i].name, "page") == 0)
			return BODY_PAGES;
	return BODY_LIST;
}

static void write_responses(struct pl_jw *w, const struct route *r)
{
	char status[8];
	bool has_body = r->out != &shape_none;

	pl_jw_key(w, "responses");
	pl_jw_object(w);
	snprintf(status, sizeof(status), "%d", r->status);
	write_response(w, status, r->status == 204 ? "Done." : "The answer.", has_body ? "application/json" : NULL,
	    has_body ? r->out->name : NULL, body_of(r));
	if (r->klass != LIMIT_NONE)
		write_response(w, "429", "A rate limit: Retry-After says when to try again.", "application/json",
		    "error_out", BODY_ONE);
	else
		write_response(w, "400", "Not a request for this server.", "application/json", "error_out", BODY_ONE);
	if (r->in != &shape_none || r->query != &shape_none)
		write_response(w, "422", "A field breaks a rule: detail lists {loc, msg, type}.", "application/json",
		    "error_out", BODY_ONE);
	if (r->who == WHO_USER)
		write_response(w, "401", "No token, or no good one.", "application/json", "error_out", BODY_ONE);
	if (strchr(r->path, '{') != NULL)
		write_response(w, "404", "Nothing there, or not yours.", "application/json", "error_out", BODY_ONE);
	write_response(w, "default", "Any other error.", "application/json", "error_out", BODY_ONE);
	pl_jw_end_object(w);
}

static void write_operation(struct pl_jw *w, const struct route *r, int nth)
{
	static const char *const methods[] = { "get", "head", "post", "put", "patch", "delete", "options" };
	char id[96];

	pl_jw_key(w, methods[__builtin_ctz(r->method)]);
	pl_jw_object(w);
	/* several rows may share a handler; operationIds may not repeat */
	snprintf(id, sizeof(id), nth > 1 ? "%s_%d" : "%s", r->name + (strncmp(r->name, "api_", 4) == 0 ? 4 : 0), nth);
	pl_jw_kcstr(w, "operationId", id);
	pl_jw_kcstr(w, "summary", r->summary);
	pl_jw_key(w, "tags");
	pl_jw_array(w);
	pl_jw_cstr(w, route_groups[r->group].tag);
	pl_jw_end_array(w);
	pl_jw_key(w, "security");
	pl_jw_array(w);
	if (r->who != WHO_ANY) {
		pl_jw_object(w);
		pl_jw_key(w, "bearer");
		pl_jw_array(w);
		pl_jw_end_array(w);
		pl_jw_end_object(w);
	}
	pl_jw_end_array(w);
	write_params(w, r);
	write_body(w, r);
	write_responses(w, r);
	pl_jw_end_object(w);
}

static int nth_of(int row)
{
	int n = 1;

	for (int i = 0; i < row; i++)
		n += strcmp(routes[i].name, routes[row].name) == 0;
	return n;
}

static bool path_seen(int row)
{
	for (int i = 0; i < row; i++)
		if (!(routes[i].flags & ROUTE_HIDE) && strcmp(routes[i].path, routes[row].path) == 0)
			return true;
	return false;
}

static void write_paths(struct pl_jw *w)
{
	pl_jw_key(w, "paths");
	pl_jw_object(w);
	for (int i = 0; i < routes_count; i++) {
		if ((routes[i].flags & ROUTE_HIDE) || path_seen(i))
			continue;
		pl_jw_key(w, routes[i].path);
		pl_jw_object(w);
		for (int k = i; k < routes_count; k++)
			if (strcmp(routes[k].path, routes[i].path) == 0)
				write_operation(w, &routes[k], nth_of(k));
		pl_jw_end_object(w);
	}
	pl_jw_end_object(w);
}

static void write_tags(struct pl_jw *w)
{
	pl_jw_key(w, "tags");
	pl_jw_array(w);
	for (const struct route_group *g = route_groups; g->tag != NULL; g++) {
		pl_jw_object(w);
		pl_jw_kcstr(w, "name", g->tag);
		pl_jw_kcstr(w, "description", g->text);
		pl_jw_end_object(w);
	}
	pl_jw_end_array(w);
}

static void write_components(struct pl_jw *w)
{
	pl_jw_key(w, "components");
	pl_jw_object(w);
	pl_jw_key(w, "schemas");
	pl_jw_object(w);
	for (int i = 0; shape_all[i] != NULL; i++)
		if (strstr(shape_all[i]->name, "_query") == NULL)
			write_schema(w, shape_all[i]);
	pl_jw_end_object(w);
	pl_jw_kraw(w, "securitySchemes",
	    PL_STR("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"}}"));
	pl_jw_end_object(w);
}

void openapi_write(struct pl_buf *out, const char *server_name, const char *base)
{
	struct pl_jw w = PL_JW(out);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "openapi", "3.1.0");
	pl_jw_key(&w, "info");
	pl_jw_object(&w);
	pl_jw_kcstr(&w, "title", server_name);
	pl_jw_kcstr(&w, "version", PARLOUR_VERSION);
	pl_jw_kcstr(&w, "description",
	    "Chat back end: accounts, rooms, live messages, AI roles. Errors carry {detail, code, "
	    "temporary, request_id}. Sockets (/ws) are described in parlour-ws(7).");
	pl_jw_kraw(&w, "license", PL_STR("{\"name\":\"ISC\",\"identifier\":\"ISC\"}"));
	pl_jw_end_object(&w);
	pl_jw_key(&w, "servers");
	pl_jw_array(&w);
	pl_jw_object(&w);
	pl_jw_kcstr(&w, "url", base[0] != '\0' ? base : "/");
	pl_jw_end_object(&w);
	pl_jw_end_array(&w);
	write_tags(&w);
	write_paths(&w);
	write_components(&w);
	pl_jw_end_object(&w);
}
