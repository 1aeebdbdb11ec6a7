/* SPDX-License-Identifier: ISC */
/*
 * The components of /asyncapi.json: frames as messages, their schemas and examples.
 */
#include "api/describe/describe_int.h"
#include "api/describe/sockets.h"

#define SHAPES_MAX 256
#define ID_BYTES 64			/* as in ws_frame.c */

/* Native sockets repeat the client's id in direct answers. */
static bool has_id(const struct ws_frame_row *row)
{
	bool answers = row->on != NULL || strcmp(row->type, "error") == 0;

	if (row->words != WS_WORDS_native)
		return false;
	for (int i = 0; i < ws_frames_count && !answers; i++) {
		const struct socket_words *a = ws_frames[i].words == row->words && ws_frames[i].on != NULL ?
		    socket_words_of(socket_answers, ws_frames[i].shape) : NULL;

		answers = a != NULL && socket_word_in(a->words, row->type);
	}
	return answers;
}

static const struct shape *merged(const struct ws_frame_row *row)
{
	const struct socket_words *other = socket_words_of(socket_merges, row->shape);

	return other != NULL ? describe_shape_find(pl_str(other->words)) : NULL;
}

/* ---- schemas ---- */

static void write_either(struct pl_jw *w, const struct socket_words *either)
{
	struct pl_str rest, word;

	if (either == NULL)
		return;
	rest = pl_str(either->words);
	pl_jw_key(w, "anyOf");
	pl_jw_array(w);
	while (pl_str_cut(&rest, '|', &word)) {
		pl_jw_object(w);
		pl_jw_key(w, "required");
		pl_jw_array(w);
		pl_jw_str(w, word);
		pl_jw_end_array(w);
		pl_jw_end_object(w);
	}
	pl_jw_end_array(w);
}

static void write_properties(struct pl_jw *w, const struct ws_frame_row *row)
{
	pl_jw_key(w, "properties");
	pl_jw_object(w);
	if (row->type[0] != '\0') {
		pl_jw_key(w, "type");
		pl_jw_object(w);
		pl_jw_kcstr(w, "const", row->type);
		pl_jw_end_object(w);
	}
	if (has_id(row)) {
		pl_jw_key(w, "id");
		pl_jw_object(w);
		schema_type(w, "string", false);
		pl_jw_ki64(w, "maxLength", ID_BYTES);
		pl_jw_kcstr(w, "description", row->on != NULL ?
		    "The client's own id of this frame; its direct answer repeats it." :
		    "Id of the frame that this frame answers, if that frame had an id.");
		pl_jw_end_object(w);
	}
	schema_properties(w, row->shape);
	if (merged(row) != NULL)
		schema_properties(w, merged(row));
	pl_jw_end_object(w);
}

static void write_schema(struct pl_jw *w, const struct ws_frame_row *row)
{
	pl_jw_key(w, row->shape->name);
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", "object");
	pl_jw_kcstr(w, "description", row->shape->text);
	write_properties(w, row);
	pl_jw_key(w, "required");
	pl_jw_array(w);
	if (row->type[0] != '\0')
		pl_jw_cstr(w, "type");
	schema_required(w, row->shape);
	if (merged(row) != NULL)
		schema_required(w, merged(row));
	pl_jw_end_array(w);
	write_either(w, socket_words_of(socket_eithers, row->shape));
	if (socket_words_of(socket_relayed, row->shape) != NULL)
		pl_jw_kbool(w, "additionalProperties", true);
	pl_jw_end_object(w);
}

static void write_codes(struct pl_jw *w)
{
	pl_jw_key(w, "error_code");
	pl_jw_object(w);
	schema_type(w, "string", false);
	pl_jw_kcstr(w, "description", "Stable code to branch on; see x-error-codes.");
	pl_jw_key(w, "enum");
	pl_jw_array(w);
	for (int i = PL_E_OK + 1; i < PL_E_COUNT; i++)
		pl_jw_cstr(w, pl_err_info(i)->code);
	pl_jw_end_array(w);
	pl_jw_end_object(w);
}

/* ---- shapes that frames use, directly or indirectly ---- */

struct seen { const struct shape *shapes[SHAPES_MAX]; int count; };

static void see_fields(struct seen *seen, const struct shape *shape);

static void see(struct seen *seen, const struct shape *shape)
{
	for (int i = 0; i < seen->count; i++)
		if (seen->shapes[i] == shape)
			return;
	PL_BUG(seen->count == SHAPES_MAX);
	seen->shapes[seen->count++] = shape;
	see_fields(seen, shape);
}

static void see_expression(struct seen *seen, struct pl_str text)
{
	struct pl_str part;

	while (describe_cut(&text, &part)) {
		const struct shape *shape = describe_shape_find(part);

		if (shape != NULL)
			see(seen, shape);
		else if (part.ptr[0] == '[' || part.ptr[0] == '{')
			see_expression(seen, pl_strn(part.ptr + 1, part.len - 2));
	}
}

static void see_fields(struct seen *seen, const struct shape *shape)
{
	for (int i = 0; i < shape->count; i++) {
		if (shape->fields[i].other != NULL)
			see(seen, shape->fields[i].other);
		if (shape->fields[i].type == T_JSON)
			see_expression(seen, pl_str(shape->fields[i].words));
	}
}

static void write_shapes(struct pl_jw *w)
{
	struct seen seen = { .count = 0 };

	for (int i = 0; i < ws_frames_count; i++) {
		see_fields(&seen, ws_frames[i].shape);
		if (merged(&ws_frames[i]) != NULL)
			see_fields(&seen, merged(&ws_frames[i]));
	}
	for (int i = 0; i < seen.count; i++) {
		pl_jw_key(w, seen.shapes[i]->name);
		pl_jw_object(w);
		schema_shape(w, seen.shapes[i]);
		pl_jw_end_object(w);
	}
}

/* ---- messages ---- */

static void write_example(struct pl_jw *w, const char *name, struct pl_str json)
{
	pl_jw_object(w);
	pl_jw_kcstr(w, "name", name);
	pl_jw_kraw(w, "payload", json);
	pl_jw_end_object(w);
}

static struct pl_str made_example(struct pl_pool *pool, const struct ws_frame_row *row)
{
	struct pl_buf *buf = pl_alloc(pool, sizeof(*buf));
	struct pl_jw w;

	*buf = PL_BUF(pool);
	w = PL_JW(buf);
	pl_jw_object(&w);
	if (row->type[0] != '\0')
		pl_jw_kcstr(&w, "type", row->type);
	if (has_id(row))
		pl_jw_kcstr(&w, "id", "f1");
	example_fields(&w, row->shape);
	if (merged(row) != NULL)
		example_fields(&w, merged(row));
	pl_jw_end_object(&w);
	return pl_buf_str(buf);
}

static void write_message(struct pl_jw *w, const struct ws_frame_row *row)
{
	const char *name = row->shape->name;
	bool any = false;

	pl_jw_key(w, name);
	pl_jw_object(w);
	pl_jw_kcstr(w, "name", name);
	pl_jw_kcstr(w, "title", row->type[0] != '\0' ? row->type : row->shape->fields[0].name);
	pl_jw_kcstr(w, "summary", row->shape->text);
	pl_jw_key(w, "payload");
	pl_jw_object(w);
	schema_ref(w, name);
	pl_jw_end_object(w);
	pl_jw_key(w, "examples");
	pl_jw_array(w);
	for (const struct socket_sample *s = socket_samples; s->frame != NULL; s++)
		if (strcmp(s->frame, name) == 0) {
			write_example(w, s->name, pl_str(s->json));
			any = true;
		}
	if (!any)
		write_example(w, "example", made_example(w->buf->pool, row));
	pl_jw_end_array(w);
	pl_jw_end_object(w);
}

/* ---- security ---- */

/* {type, in?, name?, description} */
static void write_scheme(struct pl_jw *w, const char *id, const char *type, const char *in, const char *name,
    const char *text)
{
	pl_jw_key(w, id);
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", type);
	if (in != NULL)
		pl_jw_kcstr(w, "in", in);
	if (name != NULL)
		pl_jw_kcstr(w, "name", name);
	if (strcmp(type, "http") == 0)
		pl_jw_kcstr(w, "scheme", "bearer");
	pl_jw_kcstr(w, "description", text);
	pl_jw_end_object(w);
}

static void write_security_schemes(struct pl_jw *w)
{
	pl_jw_key(w, "securitySchemes");
	pl_jw_object(w);
	write_scheme(w, "bearer", "http", NULL, NULL,
	    "Handshake: Authorization: Bearer TOKEN, with an access token or an API key.");
	write_scheme(w, "api_key", "httpApiKey", "header", "x-api-key", "Handshake: an API key.");
	write_scheme(w, "subprotocol", "httpApiKey", "header", "Sec-WebSocket-Protocol",
	    "Handshake, for browsers: the subprotocol bearer.TOKEN, on native sockets beside parlour.v1.");
	write_scheme(w, "ticket", "httpApiKey", "query", "ticket",
	    "Handshake: a ticket of POST /api/auth/ws-ticket. It is valid once.");
	write_scheme(w, "query", "httpApiKey", "query", "token",
	    "Handshake: an access token or an API key; only if setting ws_query_token is on.");
	write_scheme(w, "frame", "apiKey", "password", NULL,
	    "An access token or an API key in the frame auth: the first frame, within ws_auth_timeout.");
	pl_jw_end_object(w);
}

void asyncapi_components(struct pl_jw *w)
{
	pl_jw_key(w, "components");
	pl_jw_object(w);
	pl_jw_key(w, "messages");
	pl_jw_object(w);
	for (int i = 0; i < ws_frames_count; i++)
		write_message(w, &ws_frames[i]);
	pl_jw_kraw(w, "echo", PL_STR("{\"name\":\"echo\",\"title\":\"echo\",\"contentType\":\"text/plain\","
	    "\"payload\":{\"type\":\"string\"},\"examples\":[{\"name\":\"text\",\"payload\":\"Hello\"}]}"));
	pl_jw_end_object(w);
	pl_jw_key(w, "schemas");
	pl_jw_object(w);
	for (int i = 0; i < ws_frames_count; i++)
		write_schema(w, &ws_frames[i]);
	write_codes(w);
	write_shapes(w);
	pl_jw_end_object(w);
	write_security_schemes(w);
	pl_jw_end_object(w);
}
