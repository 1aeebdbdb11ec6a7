/* SPDX-License-Identifier: ISC */
/* Generates OpenAPI 3.1 from the tables. Source: OpenAPI Specification 3.1.0. */
#include "api/describe/describe_int.h"

static void write_text_member(struct pl_jw *w, const char *name, const char *where, bool required, const char *text)
{
	pl_jw_kcstr(w, "name", name);
	pl_jw_kcstr(w, "in", where);
	pl_jw_kbool(w, "required", required);
	pl_jw_kcstr(w, "description", text);
}

/* ---- parameters ---- */

static void write_param_schema(struct pl_jw *w, const struct describe_param *p)
{
	pl_jw_key(w, "schema");
	pl_jw_object(w);
	if (p->type == T_ID) {
		schema_format(w, "integer", "int64", false);
		pl_jw_ki64(w, "minimum", 1);
	} else {
		schema_format(w, "string", p->type == T_UUID ? "uuid" : NULL, false);
	}
	if (p->type == T_ENUM)
		schema_words(w, p->words, false);
	if (p->type == T_NAME)
		pl_jw_kcstr(w, "pattern", "^[A-Za-z0-9_.-]{1,64}$");
	pl_jw_end_object(w);
	pl_jw_key(w, "example");
	example_param(w, p);
}

static void write_path_params(struct pl_jw *w, const char *path)
{
	for (const char *p = strchr(path, '{'); p != NULL; p = strchr(p + 1, '{')) {
		const struct describe_param *row = describe_param_get(pl_strn(p + 1, strcspn(p + 1, "}")));

		pl_jw_object(w);
		write_text_member(w, row->name, "path", true, row->text);
		write_param_schema(w, row);
		pl_jw_end_object(w);
	}
}

static void write_header_param(struct pl_jw *w, const char *name, const char *text)
{
	pl_jw_object(w);
	write_text_member(w, name, "header", false, text);
	pl_jw_key(w, "schema");
	pl_jw_object(w);
	schema_type(w, "string", false);
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
		const struct shape_field *f = &r->query->fields[i];

		pl_jw_object(w);
		write_text_member(w, f->name, "query", f->presence == P_R, f->text);
		pl_jw_key(w, "schema");
		pl_jw_object(w);
		schema_field(w, f);
		pl_jw_end_object(w);
		pl_jw_end_object(w);
	}
	if (r->flags & ROUTE_IDEM)
		write_header_param(w, "Idempotency-Key",
		    "A request that repeats the key and body within 24 h gets the first reply again.");
	for (const struct describe_take *row = describe_takes; row->handler != NULL; row++)
		if (strcmp(row->handler, r->name) == 0)
			write_header_param(w, row->name, row->text);
	pl_jw_end_array(w);
}

/* ---- body ---- */

static bool body_required(const struct route *r)
{
	/* a vote needs one of several fields, which a shape cannot express */
	bool required = (r->flags & ROUTE_RAW) != 0 || r->in == &shape_feedback_in;

	for (int i = 0; i < r->in->count; i++)
		required = required || r->in->fields[i].presence == P_R;
	return required;
}

/* A body that is not JSON is text in the schema. */
static void write_text_body(struct pl_jw *w, const struct describe_body *row)
{
	pl_jw_key(w, row->media);
	pl_jw_object(w);
	pl_jw_key(w, "schema");
	pl_jw_object(w);
	schema_type(w, "string", false);
	pl_jw_kcstr(w, "description", row->text);
	pl_jw_end_object(w);
	pl_jw_kcstr(w, "example", row->example);
	pl_jw_end_object(w);
}

static void write_body(struct pl_jw *w, const struct route *r)
{
	if (r->in == &shape_none)
		return;
	pl_jw_key(w, "requestBody");
	pl_jw_object(w);
	pl_jw_kcstr(w, "description", r->in->text);
	pl_jw_kbool(w, "required", body_required(r));
	pl_jw_key(w, "content");
	pl_jw_object(w);
	openapi_media(w, "application/json", r->in, r->flags & ROUTE_RAW ? LIST_OF_MANY : LIST_OF_ONE);
	for (const struct describe_body *row = describe_bodies; row->handler != NULL; row++)
		if (strcmp(row->handler, r->name) == 0)
			write_text_body(w, row);
	if (r->flags & ROUTE_FORM) {
		openapi_media(w, "application/x-www-form-urlencoded", r->in, LIST_OF_ONE);
		openapi_media(w, "multipart/form-data", r->in, LIST_OF_ONE);
	}
	pl_jw_end_object(w);
	pl_jw_end_object(w);
}

/* ---- operations ---- */

/* An API key with one of the scopes. OpenAPI 3.1 lists them like roles. */
static void write_key_scopes(struct pl_jw *w, unsigned scopes)
{
	struct pl_str rest = apikey_scope_words(w->buf->pool, scopes), word;

	while (rest.len > 0 && pl_str_cut(&rest, ' ', &word)) {
		pl_jw_object(w);
		pl_jw_key(w, "api_key");
		pl_jw_array(w);
		pl_jw_str(w, word);
		pl_jw_end_array(w);
		pl_jw_end_object(w);
	}
}

static void write_security(struct pl_jw *w, const struct route *r)
{
	enum route_who who = r->who;

	pl_jw_key(w, "security");
	pl_jw_array(w);
	if (who == WHO_OPT)
		pl_jw_raw(w, PL_STR("{}"));
	if (who != WHO_ANY)
		pl_jw_raw(w, PL_STR("{\"bearer\":[]}"));
	if (who != WHO_ANY)
		write_key_scopes(w, r->scope);
	pl_jw_end_array(w);
}

static void write_operation(struct pl_jw *w, const struct route *r, int nth)
{
	static const char *const methods[] = { "get", "head", "post", "put", "patch", "delete", "options" };
	char id[96];

	pl_jw_key(w, methods[__builtin_ctz(r->method)]);
	pl_jw_object(w);
	/* several rows may have the same handler, but operationIds must be unique */
	snprintf(id, sizeof(id), nth > 1 ? "%s_%d" : "%s", r->name + (strncmp(r->name, "api_", 4) == 0 ? 4 : 0), nth);
	pl_jw_kcstr(w, "operationId", id);
	pl_jw_kcstr(w, "summary", r->summary);
	pl_jw_key(w, "tags");
	pl_jw_array(w);
	pl_jw_cstr(w, route_groups[r->group].tag);
	pl_jw_end_array(w);
	write_security(w, r);
	write_params(w, r);
	write_body(w, r);
	openapi_responses(w, r);
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
			if (!(routes[k].flags & ROUTE_HIDE) && strcmp(routes[k].path, routes[i].path) == 0)
				write_operation(w, &routes[k], nth_of(k));
		pl_jw_end_object(w);
	}
	pl_jw_end_object(w);
}

/* ---- the document ---- */

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

/* Only the query of a route: its fields are described as parameters. */
static bool is_query(const struct shape *shape)
{
	bool found = false;

	for (int i = 0; i < routes_count; i++)
		found = found || routes[i].query == shape;
	return found;
}

static void write_components(struct pl_jw *w)
{
	pl_jw_key(w, "components");
	pl_jw_object(w);
	pl_jw_key(w, "schemas");
	pl_jw_object(w);
	for (int i = 0; shape_all[i] != NULL; i++) {
		if (is_query(shape_all[i]))
			continue;
		pl_jw_key(w, shape_all[i]->name);
		pl_jw_object(w);
		schema_shape(w, shape_all[i]);
		pl_jw_end_object(w);
	}
	pl_jw_end_object(w);
	openapi_reply_components(w);
	pl_jw_kraw(w, "securitySchemes",
	    PL_STR("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\","
	    "\"description\":\"Access token of POST /api/auth/login. Where api_key is listed too, an API key may stand "
	    "here instead of it.\"},\"api_key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"x-api-key\","
	    "\"description\":\"API key of POST /api/keys. The names are scopes, of which the key needs one. Routes "
	    "without them refuse keys.\"}}"));
	pl_jw_end_object(w);
}

static void write_info(struct pl_jw *w, const char *server_name)
{
	pl_jw_key(w, "info");
	pl_jw_object(w);
	pl_jw_kcstr(w, "title", server_name);
	pl_jw_kcstr(w, "version", PARLOUR_VERSION);
	pl_jw_kcstr(w, "description",
	    "Chat back end: accounts, rooms, live messages, AI roles. Errors carry {detail, code, temporary, "
	    "request_id}; branch on code, and expect codes that are not listed here from later versions. Every reply "
	    "also carries Cache-Control and security headers, replies to other origins those of CORS. WebSockets "
	    "are described at /docs/sockets and, for programs, at /asyncapi.json.");
	pl_jw_kraw(w, "license", PL_STR("{\"name\":\"ISC\",\"identifier\":\"ISC\"}"));
	pl_jw_end_object(w);
}

void openapi_write(struct pl_buf *out, const char *server_name, const char *base)
{
	struct pl_jw w = PL_JW(out);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "openapi", "3.1.0");
	write_info(&w, server_name);
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
