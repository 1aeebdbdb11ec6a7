/* SPDX-License-Identifier: ISC */
/* Responses in /openapi.json: body, headers, and error codes of each route. */
#include "api/describe/describe_int.h"

#define STATUS_FIRST 200
#define STATUS_LAST 599
#define ERROR_FIRST 400
#define NAME_BYTES 400
#define BIT(code) (1ull << (code))
#define REPLAYED_SUFFIX "_once"

_Static_assert(PL_E_COUNT <= 64, "error codes are bits of a word");

/* ---- error codes ---- */

static const uint64_t any_route = BIT(PL_E_BAD_REQUEST) | BIT(PL_E_BAD_HOST) | BIT(PL_E_TIMEOUT) |
    BIT(PL_E_BODY_TOO_LARGE) | BIT(PL_E_HEADERS_LARGE) | BIT(PL_E_INTERNAL) | BIT(PL_E_UNSUPPORTED) |
    BIT(PL_E_UNAVAILABLE) | BIT(PL_E_BUSY) | BIT(PL_E_STOPPING) | BIT(PL_E_RESTARTING) | BIT(PL_E_DEADLINE);

static bool is_read(const struct route *r)
{
	return (r->method & (REQ_GET | REQ_HEAD)) != 0;
}

/* Returns the errors that a body can cause. */
static uint64_t body_errors(const struct route *r)
{
	return is_read(r) || r->method == REQ_DELETE ? 0 : BIT(PL_E_BAD_TYPE) | BIT(PL_E_INVALID);
}

static uint64_t errors_of(const struct route *r)
{
	uint64_t set = any_route | body_errors(r);

	if (!(r->flags & ROUTE_DOWN))
		set |= BIT(PL_E_DB_AWAY) | BIT(PL_E_DB);
	if (!is_read(r))
		set |= BIT(PL_E_BAD_ORIGIN) | BIT(PL_E_WRITE_UNKNOWN);
	if (r->klass != LIMIT_NONE)
		set |= BIT(PL_E_RATE);
	if (r->who != WHO_ANY)
		set |= BIT(PL_E_UNAUTHORIZED) | BIT(PL_E_TOKEN_EXPIRED) | BIT(PL_E_REVOKED) |
		    (r->scope == SCOPE_LOGIN ? BIT(PL_E_KEY_REFUSED) : BIT(PL_E_SCOPE));
	if (r->who != WHO_ANY && !(r->flags & ROUTE_ENROL))
		set |= BIT(PL_E_MFA_ENROLMENT);
	if (r->who >= WHO_OPERATOR)
		set |= BIT(PL_E_FORBIDDEN);
	if (strchr(r->path, '{') != NULL)
		set |= BIT(PL_E_NOT_FOUND);
	if (r->query != &shape_none)
		set |= BIT(PL_E_INVALID);
	if (r->flags & ROUTE_IDEM)
		set |= BIT(PL_E_CONFLICT) | BIT(PL_E_IN_PROGRESS) | BIT(PL_E_INVALID);
	for (const struct describe_raise *row = describe_raises; row->handler != NULL; row++)
		if (strcmp(row->handler, r->name) == 0)
			set |= BIT(row->code);
	return set;
}

/* Returns the errors of a set that have this status. */
static uint64_t errors_with(uint64_t set, int status)
{
	for (int code = 0; code < PL_E_COUNT; code++)
		if (pl_err_info(code)->http_status != status)
			set &= ~BIT(code);
	return set;
}

static enum pl_code first_of(uint64_t codes)
{
	return (enum pl_code)__builtin_ctzll(codes);
}

/* Names the component for these errors. Routes with the same errors share it. */
static void component_name(char name[NAME_BYTES], int status, uint64_t codes, bool replayed)
{
	int at = snprintf(name, NAME_BYTES, "error_%d", status);

	for (uint64_t rest = codes; rest != 0; rest &= rest - 1)
		at += snprintf(name + at, (size_t)(NAME_BYTES - at), "_%s", pl_err_info(first_of(rest))->code);
	snprintf(name + at, (size_t)(NAME_BYTES - at), "%s", replayed ? REPLAYED_SUFFIX : "");
}

/* ---- bodies ---- */

/* more: another possible form of an item, see REPLY in describe.def; NULL: none. */
static void write_array_of(struct pl_jw *w, const struct shape *shape, const char *more)
{
	struct pl_buf items = PL_BUF(w->buf->pool);

	pl_buf_addf(&items, "%s%s%s", shape->name, more != NULL ? "|" : "", more != NULL ? more : "");
	schema_type(w, "array", false);
	pl_jw_key(w, "items");
	schema_expression(w, pl_buf_str(&items), false);
}

/* A bare array, or a page if the query selects one. */
static void write_pages(struct pl_jw *w, const struct shape *shape, const char *more)
{
	static const char *const numbers[] = { "total", "total_count", "page", "page_size" };

	pl_jw_key(w, "oneOf");
	pl_jw_array(w);
	pl_jw_object(w);
	write_array_of(w, shape, more);
	pl_jw_end_object(w);
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", "object");
	pl_jw_kcstr(w, "description", "A page, for requests with page or page_size.");
	pl_jw_kraw(w, "required", PL_STR("[\"items\",\"total\",\"total_count\",\"page\",\"page_size\",\"next\","
	    "\"has_more\"]"));
	pl_jw_key(w, "properties");
	pl_jw_object(w);
	pl_jw_key(w, "items");
	pl_jw_object(w);
	write_array_of(w, shape, more);
	pl_jw_end_object(w);
	if (shape == &shape_session_out) {
		pl_jw_key(w, "sessions");
		pl_jw_object(w);
		write_array_of(w, shape, more);
		pl_jw_end_object(w);
	}
	pl_jw_kraw(w, "has_more", PL_STR("{\"type\":\"boolean\"}"));
	for (size_t i = 0; i < PL_COUNT(numbers); i++)
		pl_jw_kraw(w, numbers[i], PL_STR("{\"type\":\"integer\",\"format\":\"int64\"}"));
	pl_jw_kraw(w, "next", PL_STR("{\"type\":[\"string\",\"null\"],\"description\":\"Address of the next page.\"}"));
	pl_jw_end_object(w);
	pl_jw_end_object(w);
	pl_jw_end_array(w);
}

static void write_body_schema(struct pl_jw *w, const struct shape *shape, enum openapi_list list, const char *more)
{
	if (list == LIST_OF_MANY)
		write_array_of(w, shape, more);
	else if (list == LIST_OF_PAGES)
		write_pages(w, shape, more);
	else
		schema_ref(w, shape->name);
}

static void write_body_example(struct pl_jw *w, const struct shape *shape, enum openapi_list list)
{
	if (list != LIST_OF_ONE)
		pl_jw_array(w);
	example_shape(w, shape);
	if (list != LIST_OF_ONE)
		pl_jw_end_array(w);
}

static void write_media(struct pl_jw *w, const char *media, const struct shape *shape, enum openapi_list list,
    const char *more)
{
	pl_jw_key(w, media);
	pl_jw_object(w);
	pl_jw_key(w, "schema");
	pl_jw_object(w);
	write_body_schema(w, shape, list, more);
	pl_jw_end_object(w);
	pl_jw_key(w, "example");
	write_body_example(w, shape, list);
	pl_jw_end_object(w);
}

void openapi_media(struct pl_jw *w, const char *media, const struct shape *shape, enum openapi_list list)
{
	write_media(w, media, shape, list, NULL);
}

static enum openapi_list list_of(const struct route *r)
{
	if (!(r->flags & ROUTE_OUT_LIST))
		return LIST_OF_ONE;
	for (int i = 0; i < r->query->count; i++)
		if (strcmp(r->query->fields[i].name, "page") == 0)
			return LIST_OF_PAGES;
	return LIST_OF_MANY;
}

/* The members of error_out or problem_out, where `code` is one of these. */
static void write_error_schema(struct pl_jw *w, const char *shape, uint64_t codes)
{
	pl_jw_key(w, "allOf");
	pl_jw_array(w);
	pl_jw_object(w);
	schema_ref(w, shape);
	pl_jw_end_object(w);
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", "object");
	pl_jw_kraw(w, "required", PL_STR("[\"code\"]"));
	pl_jw_key(w, "properties");
	pl_jw_object(w);
	pl_jw_key(w, "code");
	pl_jw_object(w);
	schema_type(w, "string", false);
	pl_jw_key(w, "enum");
	pl_jw_array(w);
	for (; codes != 0; codes &= codes - 1)
		pl_jw_cstr(w, pl_err_info(first_of(codes))->code);
	pl_jw_end_array(w);
	pl_jw_end_object(w);
	pl_jw_end_object(w);
	pl_jw_end_object(w);
	pl_jw_end_array(w);
}

static void write_error_example(struct pl_jw *w, enum pl_code code, bool problem)
{
	const struct pl_err_info *info = pl_err_info(code);
	const struct shape *field = &shape_error_field_out;

	pl_jw_object(w);
	if (problem) {
		pl_jw_kcstr(w, "type", "about:blank");
		pl_jw_kcstr(w, "title", info->text);
		pl_jw_ki64(w, "status", info->http_status);
	}
	pl_jw_key(w, "detail");
	if (info->http_status == 422 && !problem) {
		pl_jw_array(w);
		example_shape(w, field);
		pl_jw_end_array(w);
	} else {
		pl_jw_cstr(w, info->text);
	}
	pl_jw_kcstr(w, "code", info->code);
	if (code == PL_E_MFA_REQUIRED)
		pl_jw_kcstr(w, "mfa_ticket", "pX3v9Qe2aTkQ3vX9aTnB5cY7dZ1eW4fV6gU8hT0iSjR");
	pl_jw_kbool(w, "temporary", info->temporary);
	if (info->http_status == 429)
		pl_jw_ki64(w, "retry_after", 12);
	pl_jw_kcstr(w, "request_id", "0192f3a1-7c44-7d10");
	pl_jw_end_object(w);
}

static void write_errors_media(struct pl_jw *w, uint64_t codes)
{
	static const struct { const char *media, *shape; } forms[] = { { "application/json", "error_out" },
		{ "application/problem+json", "problem_out" } };

	for (size_t i = 0; i < PL_COUNT(forms); i++) {
		pl_jw_key(w, forms[i].media);
		pl_jw_object(w);
		pl_jw_key(w, "schema");
		pl_jw_object(w);
		write_error_schema(w, forms[i].shape, codes);
		pl_jw_end_object(w);
		pl_jw_key(w, "example");
		write_error_example(w, first_of(codes), i == 1);
		pl_jw_end_object(w);
	}
}

/* ---- headers ---- */

static void write_header(struct pl_jw *w, enum describe_header_id id)
{
	char ref[120];

	snprintf(ref, sizeof(ref), "#/components/headers/%s", describe_headers[id].name);
	pl_jw_key(w, describe_headers[id].name);
	pl_jw_object(w);
	pl_jw_kcstr(w, "$ref", ref);
	pl_jw_end_object(w);
}

static void write_common_headers(struct pl_jw *w, bool limits, bool replayed)
{
	write_header(w, HEADER_REQUEST_ID);
	if (limits) {
		write_header(w, HEADER_LIMIT);
		write_header(w, HEADER_LIMIT_POLICY);
	}
	if (replayed)
		write_header(w, HEADER_REPLAYED);
}

static void write_error_headers(struct pl_jw *w, int status, uint64_t codes, bool replayed)
{
	bool again = false;

	for (uint64_t rest = codes; rest != 0; rest &= rest - 1)
		again = again || pl_err_info(first_of(rest))->temporary;
	pl_jw_key(w, "headers");
	pl_jw_object(w);
	write_common_headers(w, true, replayed);
	if (again)
		write_header(w, HEADER_RETRY_AFTER);
	if (status == 401)
		write_header(w, HEADER_AUTHENTICATE);
	pl_jw_end_object(w);
}

static void write_good_headers(struct pl_jw *w, const struct route *r)
{
	pl_jw_key(w, "headers");
	pl_jw_object(w);
	write_common_headers(w, r->klass != LIMIT_NONE, (r->flags & ROUTE_IDEM) != 0);
	if (r->flags & ROUTE_OUT_LIST)
		write_header(w, HEADER_LINK);
	for (const struct describe_send *row = describe_sends; row->handler != NULL; row++)
		if (strcmp(row->handler, r->name) == 0)
			write_header(w, row->header);
	pl_jw_end_object(w);
}

/* ---- responses ---- */

/* Describes the body in words. */
static void write_good_description(struct pl_jw *w, const struct route *r, const struct describe_reply *row)
{
	char text[512];

	if (row != NULL)
		snprintf(text, sizeof(text), "%s", row->text);
	else if (r->out == &shape_none)
		snprintf(text, sizeof(text), "Done. There is no body.");
	else
		snprintf(text, sizeof(text), "%s%s", r->flags & ROUTE_OUT_LIST ? "List. Each item: " : "",
		    r->out->text);
	pl_jw_kcstr(w, "description", text);
}

static void write_row_media(struct pl_jw *w, const struct describe_reply *row, uint64_t codes)
{
	bool json = strcmp(row->media, "application/json") == 0;

	pl_jw_key(w, row->media);
	pl_jw_object(w);
	pl_jw_key(w, "schema");
	if (json && codes != 0) {
		pl_jw_object(w);
		pl_jw_key(w, "oneOf");
		pl_jw_array(w);
		schema_expression(w, pl_str(row->schema), false);
		pl_jw_object(w);
		write_error_schema(w, "error_out", codes);
		pl_jw_end_object(w);
		pl_jw_end_array(w);
		pl_jw_end_object(w);
	} else {
		schema_expression(w, pl_str(row->schema), false);
	}
	pl_jw_key(w, "example");
	if (row->example[0] == '\0')
		example_expression(w, pl_str(row->schema));
	else if (json)
		pl_jw_raw(w, pl_str(row->example));
	else
		pl_jw_cstr(w, row->example);
	pl_jw_end_object(w);
}

static const struct describe_reply *row_of(const struct route *r, int status)
{
	for (const struct describe_reply *row = describe_replies; row->handler != NULL; row++)
		if (row->status == status && strcmp(row->handler, r->name) == 0)
			return row;
	return NULL;
}

/* A reply in describe.def, in addition to an error or the out shape with the same status. */
static void write_row(struct pl_jw *w, const struct route *r, const struct describe_reply *row, uint64_t codes)
{
	bool with_out = row->status == r->status && r->out != &shape_none;
	bool json = strcmp(row->media, "application/json") == 0;

	if (codes != 0)
		write_error_headers(w, row->status, codes, false);
	else
		write_good_headers(w, r);
	if (row->media[0] == '\0')
		return;
	pl_jw_key(w, "content");
	pl_jw_object(w);
	if (with_out)
		write_media(w, "application/json", r->out, list_of(r), json ? row->schema : NULL);
	if (!with_out || !json)
		write_row_media(w, row, codes);
	if (codes != 0 && !json)
		write_errors_media(w, codes);
	pl_jw_end_object(w);
}

/* Text: events whose data has the out shape. */
static void write_events(struct pl_jw *w, const struct shape *shape)
{
	struct pl_buf data = PL_BUF(w->buf->pool), text = PL_BUF(w->buf->pool);
	struct pl_jw inner = PL_JW(&data);

	example_shape(&inner, shape);
	pl_buf_addf(&text, "data: %.*s\n\n", PL_FMT(pl_buf_str(&data)));
	pl_jw_key(w, "text/event-stream");
	pl_jw_object(w);
	pl_jw_key(w, "schema");
	pl_jw_object(w);
	schema_type(w, "string", false);
	pl_jw_kcstr(w, "description", "Server-sent events; the data of each is an object of contentSchema.");
	pl_jw_kcstr(w, "contentMediaType", "text/event-stream");
	pl_jw_key(w, "contentSchema");
	pl_jw_object(w);
	schema_ref(w, shape->name);
	pl_jw_end_object(w);
	pl_jw_end_object(w);
	pl_jw_kstr(w, "example", pl_buf_str(&text));
	pl_jw_end_object(w);
}

static void write_good(struct pl_jw *w, const struct route *r)
{
	write_good_headers(w, r);
	if (r->out == &shape_none)
		return;
	pl_jw_key(w, "content");
	pl_jw_object(w);
	if (r->flags & ROUTE_EVENTS)
		write_events(w, r->out);
	else
		openapi_media(w, "application/json", r->out, list_of(r));
	pl_jw_end_object(w);
}

static void write_response(struct pl_jw *w, const struct route *r, int status, uint64_t codes)
{
	const struct describe_reply *row = row_of(r, status);
	char key[12], name[NAME_BYTES], ref[NAME_BYTES + 40];

	if (codes == 0 && row == NULL && status != r->status)
		return;
	snprintf(key, sizeof(key), "%d", status);
	pl_jw_key(w, key);
	pl_jw_object(w);
	if (row != NULL || codes == 0) {
		write_good_description(w, r, row);
		if (row != NULL)
			write_row(w, r, row, codes);
		else
			write_good(w, r);
	} else {
		component_name(name, status, codes, (r->flags & ROUTE_IDEM) != 0);
		snprintf(ref, sizeof(ref), "#/components/responses/%s", name);
		pl_jw_kcstr(w, "$ref", ref);
	}
	pl_jw_end_object(w);
}

void openapi_responses(struct pl_jw *w, const struct route *r)
{
	uint64_t errors = errors_of(r);

	pl_jw_key(w, "responses");
	pl_jw_object(w);
	for (int status = STATUS_FIRST; status <= STATUS_LAST; status++)
		write_response(w, r, status, status < ERROR_FIRST ? 0 : errors_with(errors, status));
	pl_jw_end_object(w);
}

/* ---- components ---- */

/* The sentences of the codes, one after another. */
static void write_error_description(struct pl_jw *w, uint64_t codes)
{
	char text[1600] = "";
	size_t at = 0;

	for (; codes != 0 && at < sizeof(text) - 200; codes &= codes - 1) {
		const struct pl_err_info *info = pl_err_info(first_of(codes));

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s: %s", at > 0 ? "\n\n" : "", info->code,
		    info->text);
	}
	pl_jw_kcstr(w, "description", text);
}

struct seen { uint64_t codes; bool replayed; };

static bool is_new(struct seen *seen, int *count, uint64_t codes, bool replayed)
{
	for (int i = 0; i < *count; i++)
		if (seen[i].codes == codes && seen[i].replayed == replayed)
			return false;
	seen[(*count)++] = (struct seen){ codes, replayed };
	return true;
}

static void write_component(struct pl_jw *w, int status, uint64_t codes, bool replayed)
{
	char name[NAME_BYTES];

	component_name(name, status, codes, replayed);
	pl_jw_key(w, name);
	pl_jw_object(w);
	write_error_description(w, codes);
	write_error_headers(w, status, codes, replayed);
	pl_jw_key(w, "content");
	pl_jw_object(w);
	write_errors_media(w, codes);
	pl_jw_end_object(w);
	pl_jw_end_object(w);
}

static void write_error_components(struct pl_jw *w)
{
	struct seen *seen = pl_new((size_t)routes_count * 2 * PL_E_COUNT * sizeof(*seen));
	int count = 0;

	for (int status = ERROR_FIRST; status <= STATUS_LAST; status++)
		for (int i = 0; i < routes_count; i++) {
			uint64_t codes = errors_with(errors_of(&routes[i]), status);
			bool replayed = (routes[i].flags & ROUTE_IDEM) != 0;

			if (codes != 0 && !(routes[i].flags & ROUTE_HIDE) && row_of(&routes[i], status) == NULL &&
			    is_new(seen, &count, codes, replayed))
				write_component(w, status, codes, replayed);
		}
	pl_free(seen);
}

void openapi_reply_components(struct pl_jw *w)
{
	pl_jw_key(w, "responses");
	pl_jw_object(w);
	write_error_components(w);
	pl_jw_end_object(w);
	pl_jw_key(w, "headers");
	pl_jw_object(w);
	for (int i = 0; i < HEADER_COUNT; i++) {
		pl_jw_key(w, describe_headers[i].name);
		pl_jw_object(w);
		pl_jw_kcstr(w, "description", describe_headers[i].text);
		pl_jw_kbool(w, "required", describe_headers[i].always);
		pl_jw_key(w, "schema");
		pl_jw_object(w);
		schema_type(w, describe_headers[i].type, false);
		pl_jw_end_object(w);
		pl_jw_end_object(w);
	}
	pl_jw_end_object(w);
}
