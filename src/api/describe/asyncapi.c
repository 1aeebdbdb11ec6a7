/* SPDX-License-Identifier: ISC */
/* Generates AsyncAPI 3.0 from the tables. Source: AsyncAPI Specification 3.0.0, WebSockets bindings 0.1.0. */
#include <stdio.h>

#include "api/describe/describe_int.h"
#include "api/describe/sockets.h"

#define REF_BYTES 160

static void write_ref(struct pl_jw *w, const char *format, const char *a, const char *b)
{
	char ref[REF_BYTES];

	snprintf(ref, sizeof(ref), format, a, b);
	pl_jw_object(w);
	pl_jw_kcstr(w, "$ref", ref);
	pl_jw_end_object(w);
}

static const char *path_of(const struct socket_channel *c)
{
	return c->address[0] != '\0' ? c->address : socket_route(c)->path;
}

/* ---- info, servers ---- */

static void write_manual(struct pl_jw *w, const char *base)
{
	pl_jw_key(w, "externalDocs");
	pl_jw_object(w);
	pl_jw_kcstr(w, "url", pl_sprintf(w->buf->pool, "%s/docs/sockets", base));
	pl_jw_kcstr(w, "description", "Manual of the WebSocket interface");
	pl_jw_end_object(w);
}

static void write_info(struct pl_jw *w, const char *server_name, const char *base)
{
	pl_jw_key(w, "info");
	pl_jw_object(w);
	pl_jw_kcstr(w, "title", server_name);
	pl_jw_kcstr(w, "version", PARLOUR_VERSION);
	pl_jw_kcstr(w, "description",
	    "WebSockets of the chat back end, as the server sees them: it receives what clients send. Each frame is a "
	    "text message with one JSON object. Ignore members and types of frames that are not listed here: later "
	    "versions may add some. x-token: required, optional (a setting may let guests in), or none. x-rate-class: "
	    "the class of x-rate-classes that a frame counts as. x-close-codes: what closes a socket, and what the "
	    "client does then. x-error-codes: codes of error frames. The manual is at /docs/sockets, the HTTP "
	    "interface at /openapi.json.");
	pl_jw_kraw(w, "license", PL_STR("{\"name\":\"ISC\"}"));
	if (base[0] != '\0')	/* it must be an absolute URL */
		write_manual(w, base);
	pl_jw_end_object(w);
}

/* From public_url. Without it, the reader fills in the host. */
static void write_servers(struct pl_jw *w, const char *base)
{
	struct pl_str rest = pl_str(base);
	bool secure = pl_str_starts(rest, "https://");
	const char *host = strstr(base, "://");
	size_t len;

	pl_jw_key(w, "servers");
	pl_jw_object(w);
	pl_jw_key(w, "parlour");
	pl_jw_object(w);
	if (host == NULL) {
		pl_jw_kcstr(w, "host", "{host}");
		pl_jw_kcstr(w, "protocol", "ws");
		pl_jw_kraw(w, "variables", PL_STR("{\"host\":{\"default\":\"localhost:8000\","
		    "\"description\":\"Host and port of the server; setting public_url is not set.\"}}"));
	} else {
		len = strcspn(host + 3, "/");
		pl_jw_kstr(w, "host", pl_strn(host + 3, len));
		pl_jw_kcstr(w, "protocol", secure ? "wss" : "ws");
		if (host[3 + len] != '\0' && host[4 + len] != '\0')
			pl_jw_kcstr(w, "pathname", host + 3 + len);
	}
	pl_jw_end_object(w);
	pl_jw_end_object(w);
}

/* ---- channels ---- */

static void write_parameters(struct pl_jw *w, const char *path)
{
	const char *p = strchr(path, '{');

	if (p == NULL)
		return;
	pl_jw_key(w, "parameters");
	pl_jw_object(w);
	for (; p != NULL; p = strchr(p + 1, '{')) {
		const struct describe_param *row = describe_param_get(pl_strn(p + 1, strcspn(p + 1, "}")));

		pl_jw_key(w, row->name);
		pl_jw_object(w);
		pl_jw_kcstr(w, "description", row->text);
		pl_jw_key(w, "examples");
		pl_jw_array(w);
		pl_jw_cstr(w, row->example);
		pl_jw_end_array(w);
		pl_jw_end_object(w);
	}
	pl_jw_end_object(w);
}

static void write_topics(struct pl_jw *w)
{
	static const struct { const char *called, *text; } rows[] = {
#define TOPIC(name, called_, text_) { called_, text_ },
#include "api/ws/topics.def"
#undef TOPIC
	};

	pl_jw_key(w, "x-topics");
	pl_jw_array(w);
	for (size_t i = 0; i < PL_COUNT(rows); i++) {
		pl_jw_object(w);
		pl_jw_kcstr(w, "topic", rows[i].called);
		pl_jw_kcstr(w, "description", rows[i].text);
		pl_jw_end_object(w);
	}
	pl_jw_end_array(w);
}

static void write_binding(struct pl_jw *w, const struct socket_channel *c)
{
	pl_jw_key(w, "bindings");
	pl_jw_object(w);
	pl_jw_key(w, "ws");
	pl_jw_object(w);
	pl_jw_kcstr(w, "method", "GET");
	if (c->words != SOCKET_ECHO)
		pl_jw_kraw(w, "query", PL_STR("{\"type\":\"object\",\"properties\":{"
		    "\"ticket\":{\"type\":\"string\",\"description\":\"Ticket of POST /api/auth/ws-ticket.\"},"
		    "\"token\":{\"type\":\"string\",\"description\":"
		    "\"Access token; only if setting ws_query_token is on.\"}}}"));
	if (c->words == WS_WORDS_native)
		pl_jw_kraw(w, "headers", PL_STR("{\"type\":\"object\",\"properties\":{\"Sec-WebSocket-Protocol\":"
		    "{\"type\":\"string\",\"examples\":[\"parlour.v1\",\"parlour.v1, bearer.TOKEN\"]}}}"));
	pl_jw_kcstr(w, "bindingVersion", "0.1.0");
	pl_jw_end_object(w);
	pl_jw_end_object(w);
}

static void write_channel(struct pl_jw *w, const struct socket_channel *c)
{
	pl_jw_key(w, c->name);
	pl_jw_object(w);
	pl_jw_kcstr(w, "address", path_of(c));
	pl_jw_kcstr(w, "title", c->words == SOCKET_ECHO ? "Echo" : ws_words[c->words].title);
	pl_jw_kcstr(w, "summary", c->address[0] != '\0' ? ws_words[c->words].title : socket_route(c)->summary);
	pl_jw_kcstr(w, "description", c->text);
	write_parameters(w, path_of(c));
	pl_jw_key(w, "messages");
	pl_jw_object(w);
	for (int i = 0; i < ws_frames_count; i++)
		if (socket_has(c, &ws_frames[i])) {
			pl_jw_key(w, ws_frames[i].shape->name);
			write_ref(w, "#/components/messages/%s", ws_frames[i].shape->name, NULL);
		}
	if (c->words == SOCKET_ECHO) {
		pl_jw_key(w, "echo");
		write_ref(w, "#/components/messages/echo", NULL, NULL);
	}
	pl_jw_end_object(w);
	write_binding(w, c);
	if (c->words == WS_WORDS_native) {
		pl_jw_kcstr(w, "x-subprotocol", "parlour.v1");
		write_topics(w);
	}
	pl_jw_end_object(w);
}

/* ---- operations ---- */

static const char *const token_words[] = { [WS_ALL] = "none", [WS_USERS] = "required", [WS_SETTING] = "optional" };

static void write_security(struct pl_jw *w, enum ws_frame_who who)
{
	static const char *const schemes[] = { "bearer", "api_key", "subprotocol", "ticket", "query", "frame" };

	if (who == WS_ALL)
		return;
	pl_jw_key(w, "security");
	pl_jw_array(w);
	for (size_t i = 0; i < PL_COUNT(schemes); i++)
		write_ref(w, "#/components/securitySchemes/%s", schemes[i], NULL);
	pl_jw_end_array(w);
}

static void write_reply(struct pl_jw *w, const struct socket_channel *c, const struct ws_frame_row *row)
{
	const struct socket_words *answers = socket_words_of(socket_answers, row->shape);

	pl_jw_key(w, "reply");
	pl_jw_object(w);
	pl_jw_key(w, "channel");
	write_ref(w, "#/channels/%s", c->name, NULL);
	pl_jw_key(w, "messages");
	pl_jw_array(w);
	for (int i = 0; i < ws_frames_count; i++) {
		const struct ws_frame_row *out = &ws_frames[i];

		if (out->on == NULL && socket_has(c, out) && (strcmp(out->type, "error") == 0 ||
		    (answers != NULL && socket_word_in(answers->words, out->type))))
			write_ref(w, "#/channels/%s/messages/%s", c->name, out->shape->name);
	}
	pl_jw_end_array(w);
	pl_jw_end_object(w);
}

static void write_operation(struct pl_jw *w, const struct socket_channel *c, const char *action, const char *name,
    const char *message, const char *text)
{
	char id[REF_BYTES];

	snprintf(id, sizeof(id), "%s_%s_%s", c->name, action, name);
	pl_jw_key(w, id);
	pl_jw_object(w);
	pl_jw_kcstr(w, "action", action);
	pl_jw_key(w, "channel");
	write_ref(w, "#/channels/%s", c->name, NULL);
	pl_jw_kcstr(w, "summary", text);
	pl_jw_key(w, "messages");
	pl_jw_array(w);
	write_ref(w, "#/channels/%s/messages/%s", c->name, message);
	pl_jw_end_array(w);
}

static void write_frame_operation(struct pl_jw *w, const struct socket_channel *c, const struct ws_frame_row *row)
{
	const char *name = row->shape->name;

	for (int bars = 0; bars < 2; name++)	/* the word after two underscores: "send" of in_native_send */
		bars += *name == '_';
	write_operation(w, c, row->on != NULL ? "receive" : "send", name, row->shape->name, row->shape->text);
	if (row->on != NULL) {
		write_security(w, row->who);
		write_reply(w, c, row);
		pl_jw_kcstr(w, "x-token", token_words[row->who]);
		if (row->klass != LIMIT_NONE)
			pl_jw_kcstr(w, "x-rate-class", limit_name(row->klass));
	}
	pl_jw_end_object(w);
}

static void write_operations(struct pl_jw *w)
{
	pl_jw_key(w, "operations");
	pl_jw_object(w);
	for (const struct socket_channel *c = socket_channels; c->name != NULL; c++) {
		for (int i = 0; i < ws_frames_count; i++)
			if (socket_has(c, &ws_frames[i]))
				write_frame_operation(w, c, &ws_frames[i]);
		if (c->words == SOCKET_ECHO) {
			write_operation(w, c, "receive", "text", "echo", "Any text.");
			pl_jw_end_object(w);
			write_operation(w, c, "send", "text", "echo", "The same text.");
			pl_jw_end_object(w);
		}
	}
	pl_jw_end_object(w);
}

/* ---- close codes and rate classes ---- */

static void write_closes(struct pl_jw *w)
{
	pl_jw_key(w, "x-close-codes");
	pl_jw_array(w);
	for (int i = 0; i < ws_closes_count; i++) {
		pl_jw_object(w);
		pl_jw_ki64(w, "code", ws_closes[i].code);
		pl_jw_kcstr(w, "description", ws_closes[i].text);
		if (ws_closes[i].client[0] != '\0')
			pl_jw_kcstr(w, "client", ws_closes[i].client);
		pl_jw_end_object(w);
	}
	pl_jw_end_array(w);
	pl_jw_key(w, "x-error-codes");
	pl_jw_array(w);
	for (int i = PL_E_OK + 1; i < PL_E_COUNT; i++) {
		pl_jw_object(w);
		pl_jw_kcstr(w, "code", pl_err_info(i)->code);
		pl_jw_kcstr(w, "description", pl_err_info(i)->text);
		pl_jw_kbool(w, "temporary", pl_err_info(i)->temporary);
		if (pl_err_info(i)->ws_close != 0)
			pl_jw_ki64(w, "close", pl_err_info(i)->ws_close);
		pl_jw_end_object(w);
	}
	pl_jw_end_array(w);
}

static void write_classes(struct pl_jw *w)
{
	pl_jw_key(w, "x-rate-classes");
	pl_jw_object(w);
	for (int i = LIMIT_NONE + 1; i < LIMIT_COUNT; i++) {
		bool used = false;

		for (int k = 0; k < ws_frames_count; k++)
			used = used || (int)ws_frames[k].klass == i;
		if (!used)
			continue;
		pl_jw_key(w, limit_name(i));
		pl_jw_object(w);
		pl_jw_kcstr(w, "setting", limit_setting_name(w->buf->pool, i));
		pl_jw_kcstr(w, "countsBy", limit_counts_by(i));
		pl_jw_end_object(w);
	}
	pl_jw_end_object(w);
}

void asyncapi_write(struct pl_buf *out, const char *server_name, const char *base)
{
	struct pl_jw w = PL_JW(out);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "asyncapi", "3.0.0");
	write_info(&w, server_name, base);
	pl_jw_kcstr(&w, "defaultContentType", "application/json");
	write_servers(&w, base);
	pl_jw_key(&w, "channels");
	pl_jw_object(&w);
	for (const struct socket_channel *c = socket_channels; c->name != NULL; c++)
		write_channel(&w, c);
	pl_jw_end_object(&w);
	write_operations(&w);
	asyncapi_components(&w);
	write_closes(&w);
	write_classes(&w);
	pl_jw_end_object(&w);
}
