/* SPDX-License-Identifier: ISC */
/*
 * Generates documents from the tables when the source is built:
 *
 *   gendoc conf          the sample parlour.conf, from settings.def
 *   gendoc man FILE.in   a manual page (mdoc) with its @TABLES@ filled in
 *   gendoc html FILE.in  the same as a page for browsers
 *   gendoc openapi       openapi.json, from routes.def and shapes.def
 *   gendoc asyncapi      asyncapi.json, from frames.def
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/describe/describe.h"
#include "api/describe/sockets.h"
#include "api/http/request.h"
#include "api/http/route_group.h"
#include "api/http/www.h"
#include "api/ws/ws_frames.h"
#include "cfg_value.h"
#include "core/settings.h"
#include "gendoc_levels.h"
#include "mdoc_html.h"
#include "net/http_cors.h"

#define STATUS_USAGE 64
#define STATUS_NOINPUT 66
#define STATUS_DATA 65
#define PAGE_DATE "November 28, 2026"
#define CONF_COLUMNS 110
#define LINE_MAX_BYTES 4096

/* ---- texts for both forms ---- */

/* Describes the value after the equals sign: "number, 1 to 64 processes". */
static void add_type(struct pl_buf *out, const struct pl_setting *row)
{
	static const char *const words[] = { [PL_SET_BOOL] = "on | off", [PL_SET_INT] = "number",
		[PL_SET_SIZE] = "size", [PL_SET_TIME] = "time", [PL_SET_STR] = "text",
		    [PL_SET_SECRET] = "text, never printed",
		[PL_SET_LINES] = "NAME: VALUE, may be repeated, never printed", [PL_SET_RATE] = "rate",
		[PL_SET_LIST] = "list", [PL_SET_MODE] = "octal mode" };
	char low[PL_CFG_NUMBER_LEN], high[PL_CFG_NUMBER_LEN];

	if (row->type == PL_SET_ENUM) {
		for (int i = 0; row->words[i] != NULL; i++)
			pl_buf_addf(out, "%s%s", i > 0 ? " | " : "", row->words[i]);
		return;
	}
	pl_buf_adds(out, words[row->type]);
	if (row->type != PL_SET_INT && row->type != PL_SET_SIZE && row->type != PL_SET_TIME)
		return;
	pl_cfg_number_text(row->type, row->min, low);
	pl_cfg_number_text(row->type, row->max, high);
	pl_buf_addf(out, ", %s to %s", low, high);
	if (row->type == PL_SET_INT && row->unit[0] != '\0')
		pl_buf_addf(out, " %s", row->unit);
}

static const char *when_of(const struct pl_setting *row)
{
	return row->flags == PL_SET_RESTART ? "restart" : "reload";
}

/* ---- parlour.conf ---- */

/* Wraps between words; every line begins with `lead`. */
static void conf_text(struct pl_buf *out, const char *lead, struct pl_str text)
{
	size_t column = 0;
	struct pl_str word;

	while (pl_str_cut(&text, ' ', &word)) {
		if (column > 0 && column + 1 + word.len > CONF_COLUMNS) {
			pl_buf_addc(out, '\n');
			column = 0;
		}
		pl_buf_adds(out, column == 0 ? lead : " ");
		column += (column == 0 ? strlen(lead) : 1) + word.len;
		pl_buf_addstr(out, word);
	}
	pl_buf_addc(out, '\n');
}

static void conf_setting(struct pl_buf *out, const struct pl_setting *row, const char *mark)
{
	struct pl_buf text = PL_BUF(out->pool);

	pl_buf_addf(&text, "%s (", row->text);
	add_type(&text, row);
	pl_buf_addf(&text, "; %s)", when_of(row));
	pl_buf_addc(out, '\n');
	conf_text(out, "## ", pl_buf_str(&text));
	pl_buf_addf(out, "%s%s = %s\n", mark, row->name, row->def);
}

static void conf_rows(struct pl_buf *out, const struct pl_setting *rows, size_t count, const char *mark)
{
	const char *section = "";

	for (size_t i = 0; i < count; i++) {
		if (strcmp(section, rows[i].section) != 0)
			pl_buf_addf(out, "\n## ---- %s ----\n", section = rows[i].section);
		conf_setting(out, &rows[i], mark);
	}
}

static void conf_write(struct pl_buf *out)
{
	conf_text(out, "## ",
	    PL_STR("Configuration of parlourd "
	    "" PARLOUR_VERSION ": every setting with its default. Remove the "
	    "\"# \" before a setting to change it. Lines that start with ## explain the setting below them."));
	pl_buf_adds(out, "##\n");
	conf_text(out, "## ",
	    PL_STR("In brackets: the valid values, and whether a reload (parlourctl reload) is enough or a "
	    "restart is needed. Sizes: 512, 64k, 4M, 1G. Times: 500ms, 5s, 10min, 24h, 7d. Rates: 5/min, 10/s "
	    "burst 50, off. "
	    "Lists: separated by commas or blanks. Comments must be on separate lines."));
	pl_buf_adds(out, "##\n");
	conf_text(out, "## ", PL_STR("Check it: parlourd -t. The manual: parlour.conf(5)."));
	conf_rows(out, settings_schema.settings, settings_schema.count, "# ");
	pl_buf_adds(out, "\n\n");
	conf_text(out, "## ",
	    PL_STR("Servers of models: any number of sections, each with a different NAME, below all other "
	    "settings. The built-in upstream `local` needs none. An example; most servers need "
	    "key_file, url, and model only:"));
	pl_buf_adds(out, "##\n#[llm openai]\n");
	conf_rows(out, settings_schema.group_settings, settings_schema.group_count, "#");
	pl_buf_adds(out, "\n\n");
	conf_text(out, "## ",
	    PL_STR("Identity providers (OpenID Connect) for signing in: any number of sections, each with a "
	    "different NAME, below all other settings. They need public_url. At the provider, register "
	    "PUBLIC_URL/api/auth/oidc/NAME/callback as the redirect address. Most providers need issuer, label, "
	    "client_id, and client_secret_file only:"));
	pl_buf_adds(out, "##\n#[oidc example]\n");
	conf_rows(out, settings_oidc.group_settings, settings_oidc.group_count, "#");
}

/* ---- mdoc ---- */

/* Running text; each sentence begins a new line. */
static void mdoc_text(struct pl_buf *out, struct pl_str text)
{
	bool start = true;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool ends = c == '.' && i + 2 < text.len && text.ptr[i + 1] == ' ' && text.ptr[i + 2] >= 'A' &&
		    text.ptr[i + 2] <= 'Z';

		pl_buf_adds(out, start && (c == '.' || c == '\'') ? "\\&" : "");
		pl_buf_adds(out, c == '\\' ? "\\e" : (char[]){ c, '\0' });
		start = ends;
		if (ends) {
			pl_buf_addc(out, '\n');
			i++;
		}
	}
	pl_buf_addc(out, '\n');
}

/* An argument of a macro: quoted, so that it is not read as a macro or a delimiter. */
static void mdoc_arg(struct pl_buf *out, const char *text)
{
	pl_buf_adds(out, "\"\\&");
	for (; *text != '\0'; text++)
		pl_buf_adds(out, *text == '"' ? "\\(dq" : *text == '\\' ? "\\e" : (char[]){ *text, '\0' });
	pl_buf_adds(out, "\"");
}

static void man_setting(struct pl_buf *out, const struct pl_setting *row)
{
	struct pl_buf type = PL_BUF(out->pool);

	add_type(&type, row);
	pl_buf_addf(out, ".It Cm %s Pq ", row->name);
	mdoc_arg(out, pl_buf_str(&type).ptr);
	pl_buf_addc(out, '\n');
	mdoc_text(out, pl_str(row->text));
	pl_buf_adds(out, "Default:\n");
	if (row->def[0] != '\0') {
		pl_buf_adds(out, ".Ql ");
		mdoc_arg(out, row->def);
		pl_buf_addf(out, " ;\n%s.\n", when_of(row));
	} else {
		pl_buf_addf(out, "empty; %s.\n", when_of(row));
	}
}

static void man_rows(struct pl_buf *out, const struct pl_setting *rows, size_t count, bool headings)
{
	const char *section = "";

	if (!headings)
		pl_buf_adds(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < count; i++) {
		if (headings && strcmp(section, rows[i].section) != 0)
			pl_buf_addf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", i > 0 ? ".El\n" : "",
			    section = rows[i].section);
		man_setting(out, &rows[i]);
	}
	pl_buf_adds(out, ".El\n");
}

static void man_settings(struct pl_buf *out)
{
	man_rows(out, settings_schema.settings, settings_schema.count, true);
}

static void man_upstream_settings(struct pl_buf *out)
{
	man_rows(out, settings_schema.group_settings, settings_schema.group_count, false);
}

static void man_oidc_settings(struct pl_buf *out)
{
	man_rows(out, settings_oidc.group_settings, settings_oidc.group_count, false);
}

/* ---- routes ---- */

static void man_query(struct pl_buf *out, const struct shape *query)
{
	pl_buf_adds(out, "Query:\n");
	for (int i = 0; i < query->count; i++)
		pl_buf_addf(out, ".Va %s%s\n", query->fields[i].name, i + 1 < query->count ? " ," : " .");
}

static void man_answers(struct pl_buf *out, const struct route *r)
{
	pl_buf_addf(out, "Answers %d", r->status);
	if (r->out != &shape_none)
		pl_buf_addf(out, " with%s\n.Vt %s", r->flags & ROUTE_OUT_LIST ? " an array of" :
		    r->flags & ROUTE_EVENTS ? " events of" : "", r->out->name);
	pl_buf_addf(out, "%s\nErrors:\n", r->out != &shape_none ? " ." : ".");
	if (r->who != WHO_ANY || r->in == &shape_login_in || r->in == &shape_refresh_in)
		pl_buf_adds(out, r->who != WHO_ANY ? "401, 403,\n" : "401,\n");
	if (strchr(r->path, '{') != NULL)
		pl_buf_adds(out, "404,\n");
	if (r->flags & ROUTE_IDEM)
		pl_buf_adds(out, "409,\n");
	if (r->in != &shape_none)
		pl_buf_adds(out, "413, 415,\n");
	if (r->in != &shape_none || r->query != &shape_none)
		pl_buf_adds(out, "422,\n");
	if (r->klass != LIMIT_NONE)
		pl_buf_adds(out, "429,\n");
	pl_buf_adds(out, "503.\n");
}

static void man_scope(struct pl_buf *out, const struct route *r)
{
	struct pl_str words = apikey_scope_words(out->pool, r->scope), word;
	bool first = true;

	if (r->scope == SCOPE_LOGIN || r->scope == SCOPE_ALL) {
		pl_buf_addf(out, "API keys: %s.\n", r->scope == SCOPE_ALL ? "any" : "refused");
		return;
	}
	pl_buf_adds(out, "API keys: with scope\n");
	while (words.len > 0 && pl_str_cut(&words, ' ', &word)) {
		pl_buf_addf(out, "%s.Cm %.*s%s\n", first ? "" : "or\n", PL_FMT(word), words.len > 0 ? "" : " .");
		first = false;
	}
}

static void man_route(struct pl_buf *out, const struct route *r)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
	static const char *const who[] = { [WHO_ANY] = "Public",
		[WHO_OPT] = "Public; a token is checked if there is one", [WHO_USER] = "Requires a token",
		[WHO_OPERATOR] = "Requires a token of an operator or admin",
		[WHO_ADMIN] = "Requires a token of an admin" };

	pl_buf_addf(out, ".It Cm %s Pa %s\n", methods[__builtin_ctz(r->method)], r->path);
	mdoc_text(out, pl_str(pl_sprintf(out->pool, "%s.", r->summary)));
	pl_buf_addf(out, "%s.\n", who[r->who]);
	if (r->who != WHO_ANY)
		man_scope(out, r);
	if (r->klass == LIMIT_NONE)
		pl_buf_adds(out, "No rate limit.\n");
	else
		pl_buf_addf(out, "Rate class:\n.Cm %s .\n", limit_name(r->klass));
	if (r->in != &shape_none)
		pl_buf_addf(out, "Body:\n.Vt %s ,\nat most %zu bytes%s.\n", r->in->name, r->body_bytes,
		    (r->flags & ROUTE_FORM) ? ", JSON or form" : "");
	if (r->query != &shape_none)
		man_query(out, r->query);
	if (r->flags & ROUTE_IDEM)
		pl_buf_adds(out, "Takes\n.Cm Idempotency-Key .\n");
	man_answers(out, r);
}

static void man_routes(struct pl_buf *out)
{
	for (const struct route_group *g = route_groups; g->tag != NULL; g++) {
		pl_buf_addf(out, ".Ss %s\n.Bl -tag -width Ds\n", g->title);
		for (int i = 0; i < routes_count; i++)
			if (!(routes[i].flags & ROUTE_HIDE) && &route_groups[routes[i].group] == g)
				man_route(out, &routes[i]);
		pl_buf_adds(out, ".El\n");
	}
}

static void man_ws_routes(struct pl_buf *out)
{
	pl_buf_adds(out, ".Bl -tag -width Ds\n");
	for (int i = 0; i < ws_routes_count; i++) {
		pl_buf_addf(out, ".It Pa %s\n", ws_routes[i].path);
		mdoc_text(out, pl_str(pl_sprintf(out->pool, "%s.", ws_routes[i].summary)));
	}
	pl_buf_adds(out, ".El\n");
}

/* ---- shapes ---- */

static const char *range_of(struct pl_pool *pool, const struct shape_field *f, const char *what)
{
	if (f->max >= 9e15)
		return f->min > 0 ? pl_sprintf(pool, "%s, at least %.0f", what, f->min) : what;
	if (f->max > 0)
		return pl_sprintf(pool, "%s, %.0f to %.0f", what, f->min, f->max);
	return what;
}

/* Explains `words` of a JSON field: see shapes.def. */
static const char *json_type(struct pl_pool *pool, struct pl_str text)
{
	struct pl_buf out = PL_BUF(pool);
	struct pl_str part;

	if (text.len == 0)
		return "JSON";
	while (describe_cut(&text, &part)) {
		struct pl_str inner = pl_strn(part.ptr + 1, part.len - 1 - (part.len > 1));

		pl_buf_adds(&out, out.len > 0 ? " or " : "");
		if (part.ptr[0] == '[')
			pl_buf_addf(&out, "array of %s", json_type(pool, inner));
		else if (part.ptr[0] == '{')
			pl_buf_addf(&out, "object of %s", json_type(pool, inner));
		else
			pl_buf_addstr(&out, pl_str_is(part, "string") ? PL_STR("text") : part);
	}
	return pl_buf_str(&out).ptr;
}

static const char *field_type(struct pl_pool *pool, const struct shape_field *f)
{
	static const char *const plain[] = { [T_STR] = "text", [T_NAME] = "name", [T_EMAIL] = "address",
		[T_PASSWORD] = "text", [T_CONTENT] = "text", [T_BYTES] = "text", [T_LAX] = "text",
		[T_LABEL] = "text", [T_LINE] = "text", [T_TEXT] = "text", [T_ID] = "id", [T_I64] = "number",
		[T_F64] = "number", [T_BOOL] = "boolean",
		[T_TIME] = "time", [T_UUID] = "UUID", [T_IDS] = "array of ids" };

	switch (f->type) {
	case T_ENUM:
		return f->words;
	case T_OBJ:
		return f->other->name;
	case T_LIST:
		return pl_sprintf(pool, "array of %s", f->other->name);
	case T_JSON:
		return json_type(pool, pl_str(f->words));
	case T_PASSWORD:
	case T_CONTENT:
	case T_BYTES:
		if (f->max <= 0)
			return plain[f->type];
		return pl_sprintf(pool, "%s bytes", range_of(pool, f, plain[f->type]));
	case T_STR:
	case T_LABEL:
	case T_TEXT:
	case T_LINE:
	case T_NAME:
		return f->max > 0 ? pl_sprintf(pool, "%s characters", range_of(pool, f, plain[f->type])) :
		    plain[f->type];
	default:
		return range_of(pool, f, plain[f->type]);
	}
}

static void man_fields(struct pl_buf *out, const struct shape *s)
{
	static const char *const presence[] = { [P_R] = "", [P_O] = "; optional", [P_N] = "; or null" };

	pl_buf_adds(out, ".Bl -tag -width Ds -compact\n");
	for (int i = 0; i < s->count; i++) {
		const struct shape_field *f = &s->fields[i];

		pl_buf_addf(out, ".It Va %s Pq ", f->name);
		mdoc_arg(out, pl_sprintf(out->pool, "%s%s", field_type(out->pool, f), presence[f->presence]));
		pl_buf_addc(out, '\n');
		mdoc_text(out, pl_str(f->text));
	}
	pl_buf_adds(out, ".El\n");
}

static void man_shape(struct pl_buf *out, const struct shape *s)
{
	pl_buf_addf(out, ".It Vt %s\n", s->name);
	mdoc_text(out, pl_str(s->text));
	man_fields(out, s);
}

static void man_shapes(struct pl_buf *out)
{
	pl_buf_adds(out, ".Bl -tag -width Ds\n");
	for (int i = 0; shape_all[i] != NULL; i++)
		man_shape(out, shape_all[i]);
	pl_buf_adds(out, ".El\n");
}

/* ---- sockets ---- */

static void man_topics(struct pl_buf *out)
{
	static const struct { const char *called, *text; } rows[] = {
#define TOPIC(name, called_, text_) { called_, text_ },
#include "api/ws/topics.def"
#undef TOPIC
	};

	pl_buf_adds(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < PL_COUNT(rows); i++) {
		pl_buf_addf(out, ".It Cm %s\n", rows[i].called);
		mdoc_text(out, pl_str(rows[i].text));
	}
	pl_buf_adds(out, ".El\n");
}

/* The members of JSON fields that only frames have. */
static void man_parts(struct pl_buf *out)
{
	pl_buf_adds(out, ".Bl -tag -width Ds\n");
	for (int i = 0; ws_parts[i] != NULL; i++)
		man_shape(out, ws_parts[i]);
	pl_buf_adds(out, ".El\n");
}

static void man_closes(struct pl_buf *out)
{
	pl_buf_adds(out, ".Bl -tag -width Ds -compact\n");
	for (int i = 0; i < ws_closes_count; i++) {
		const struct ws_close_row *row = &ws_closes[i];

		pl_buf_addf(out, ".It %d\n", row->code);
		mdoc_text(out, pl_str(row->text));
		if (row->client[0] != '\0')
			mdoc_text(out, pl_str(row->client));
	}
	pl_buf_adds(out, ".El\n");
}

/* Writes "Answered by: authed." */
static void man_answered(struct pl_buf *out, const struct ws_frame_row *row)
{
	const struct socket_words *answers = socket_words_of(socket_answers, row->shape);
	struct pl_str rest, word;

	if (answers == NULL)
		return;
	pl_buf_adds(out, "Answered by:\n.Cm");
	rest = pl_str(answers->words);
	while (pl_str_cut(&rest, '|', &word))
		pl_buf_addf(out, " %.*s%s", PL_FMT(word), rest.len > 0 ? " ," : " .\n");
}

static void man_frame(struct pl_buf *out, const struct ws_frame_row *row)
{
	static const char *const who[] = { [WS_ALL] = "Anybody", [WS_USERS] = "Authenticated sockets",
		[WS_SETTING] = "Authenticated sockets, and guests if a setting allows them" };

	if (row->type[0] != '\0')
		pl_buf_addf(out, ".It Li %s Cm %s\n", row->on != NULL ? ">" : "<", row->type);
	else
		pl_buf_adds(out, ".It Li > Pq without type\n");
	mdoc_text(out, pl_str(row->shape->text));
	if (row->on != NULL) {
		man_answered(out, row);
		pl_buf_addf(out, "%s.\n", who[row->who]);
		if (row->klass != LIMIT_NONE)
			pl_buf_addf(out, "Rate class:\n.Cm %s .\n", limit_name(row->klass));
	}
	if (row->shape->count > 0)
		man_fields(out, row->shape);
}

static void man_frames(struct pl_buf *out)
{
	for (int words = 0; words < WS_WORDS_COUNT; words++) {
		pl_buf_addf(out, ".Ss %s\n", ws_words[words].title);
		mdoc_text(out, pl_str(pl_sprintf(out->pool, "%s.", ws_words[words].paths)));
		pl_buf_adds(out, ".Bl -tag -width Ds\n");
		for (int i = 0; i < ws_frames_count; i++)
			if ((int)ws_frames[i].words == words)
				man_frame(out, &ws_frames[i]);
		pl_buf_adds(out, ".El\n");
	}
}

/* ---- errors, limits, metrics ---- */

static void man_errors(struct pl_buf *out)
{
	pl_buf_adds(out, ".Bl -tag -width Ds\n");
	for (int i = 0; i < PL_E_COUNT; i++) {
		const struct pl_err_info *e = pl_err_info(i);

		if (i == PL_E_OK)
			continue;
		pl_buf_addf(out, ".It Er %s Pq HTTP %d", e->code, e->http_status);
		if (e->ws_close != 0)
			pl_buf_addf(out, " , close %d", e->ws_close);
		pl_buf_addf(out, "%s\n", e->temporary ? " , again" : "");
		mdoc_text(out, pl_str(e->text));
	}
	pl_buf_adds(out, ".El\n");
}

static void man_limits(struct pl_buf *out)
{
	pl_buf_adds(out, ".Bl -tag -width Ds\n");
	for (int i = LIMIT_NONE + 1; i < LIMIT_COUNT; i++) {
		const struct pl_setting *row = pl_cfg_find(&settings_schema, limit_setting_name(out->pool, i));

		PL_BUG(row == NULL);
		pl_buf_addf(out, ".It Cm %s\nSetting\n.Cm %s ,\n", limit_name(i), row->name);
		mdoc_text(out, pl_str(pl_sprintf(out->pool, "default %s; counts by %s.", row->def,
		    limit_counts_by(i))));
	}
	pl_buf_adds(out, ".El\n");
}

/* "kind, outcome" for kind="mail",outcome="done"; names without values are not changed. */
static const char *label_names(struct pl_pool *pool, const char *labels)
{
	struct pl_buf out = PL_BUF(pool);
	struct pl_str rest = pl_str(labels), one;

	while (pl_str_cut(&rest, ',', &one)) {
		const char *equals = one.len > 0 ? memchr(one.ptr, '=', one.len) : NULL;

		one = pl_str_trim(equals != NULL ? pl_strn(one.ptr, (size_t)(equals - one.ptr)) : one);
		pl_buf_addf(&out, "%s%.*s", out.len > 0 ? ", " : "", PL_FMT(one));
	}
	return pl_str_c(pool, pl_buf_str(&out));
}

static void man_metrics(struct pl_buf *out)
{
	static const struct { const char *kind, *name, *labels, *help; } rows[] = {
#define COUNTER "counter"
#define COUNTER_US "counter"
#define GAUGE "gauge"
#define GAUGE_US "gauge"
#define METRIC(field, kind_, name_, labels_, help_) { kind_, name_, labels_, help_ },
#define LABELED(id, name_, type_, labels_, help_) { type_, name_, labels_, help_ },
#include "core/metrics.def"
#undef METRIC
#undef LABELED
#undef COUNTER
#undef COUNTER_US
#undef GAUGE
#undef GAUGE_US
	};

	pl_buf_adds(out, ".Bl -tag -width Ds -compact\n");
	for (size_t i = 0; i < PL_COUNT(rows); i++) {
		const char *names = label_names(out->pool, rows[i].labels);

		if (i > 0 && strcmp(rows[i].name, rows[i - 1].name) == 0)
			continue;
		pl_buf_addf(out, ".It Cm %s Pq %s%s%s\n", rows[i].name, rows[i].kind, names[0] != '\0' ? " by " : "",
		    names);
		mdoc_text(out, pl_str(rows[i].help));
	}
	pl_buf_adds(out, ".El\n");
}

static void man_exposed(struct pl_buf *out)
{
	struct pl_str names = http_cors_exposed(), name;

	while (pl_str_cut(&names, ',', &name))
		pl_buf_addf(out, ".Cm %.*s%s\n", PL_FMT(pl_str_trim(name)), names.ptr != NULL ? " ," : " .");
}

/* ---- pages ---- */

static const struct { const char *name; void (*write)(struct pl_buf *out); } tables[] = {
	{ "@SETTINGS@\n", man_settings }, { "@UPSTREAM_SETTINGS@\n", man_upstream_settings },
	{ "@OIDC_SETTINGS@\n", man_oidc_settings },
	    { "@ROUTES@\n", man_routes }, { "@LEVELS@\n", gendoc_levels },
	{ "@WSROUTES@\n", man_ws_routes }, { "@SHAPES@\n", man_shapes }, { "@ERRORS@\n", man_errors },
	{ "@TOPICS@\n", man_topics }, { "@FRAMES@\n", man_frames },
	{ "@PARTS@\n", man_parts }, { "@CLOSES@\n", man_closes },
	{ "@LIMITS@\n", man_limits }, { "@METRICS@\n", man_metrics }, { "@EXPOSED@\n", man_exposed },
};

/* A line outside of tables, with @VERSION@ and @DATE@ filled in. false: it contains an unknown @WORD@. */
static bool man_line(struct pl_buf *out, const char *line)
{
	while (*line != '\0') {
		if (strncmp(line, "@VERSION@", 9) == 0) {
			pl_buf_adds(out, PARLOUR_VERSION);
			line += 9;
		} else if (strncmp(line, "@DATE@", 6) == 0) {
			pl_buf_adds(out, PAGE_DATE);
			line += 6;
		} else if (line[0] == '@' && line[1] >= 'A' && line[1] <= 'Z' && line[2] >= 'A' && line[2] <= 'Z') {
			return false;
		} else {
			pl_buf_addc(out, *line++);
		}
	}
	return true;
}

static bool man_any(struct pl_buf *out, const char *line)
{
	for (size_t i = 0; i < PL_COUNT(tables); i++)
		if (strcmp(line, tables[i].name) == 0) {
			tables[i].write(out);
			return true;
		}
	return man_line(out, line);
}

static int man_write(struct pl_buf *out, const char *path)
{
	char line[LINE_MAX_BYTES];
	FILE *in = fopen(path, "r");
	int number = 0, status = 0;

	if (in == NULL) {
		perror(path);
		return STATUS_NOINPUT;
	}
	while (status == 0 && fgets(line, sizeof(line), in) != NULL) {
		number++;
		if (!man_any(out, line)) {
			fprintf(stderr, "%s:%d: unknown table: %s", path, number, line);
			status = STATUS_DATA;
		}
	}
	fclose(in);
	return status;
}

static int html_write(struct pl_buf *out, const char *path)
{
	struct pl_buf mdoc = PL_BUF(out->pool);
	int status = man_write(&mdoc, path);
	const char *wrong = status == 0 ? mdoc_html(out, pl_buf_str(&mdoc)) : NULL;

	if (wrong == NULL)
		return status;
	fprintf(stderr, "%s: %s\n", path, wrong);
	return STATUS_DATA;
}

int main(int argc, char **argv)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf out = PL_BUF(pool);
	int status = 0;

	if (argc == 2 && strcmp(argv[1], "conf") == 0)
		conf_write(&out);
	else if (argc == 2 && strcmp(argv[1], "openapi") == 0)
		openapi_write(&out, "parlour", "");
	else if (argc == 2 && strcmp(argv[1], "asyncapi") == 0)
		asyncapi_write(&out, "parlour", "");
	else if (argc == 3 && strcmp(argv[1], "man") == 0)
		status = man_write(&out, argv[2]);
	else if (argc == 3 && strcmp(argv[1], "html") == 0)
		status = html_write(&out, argv[2]);
	else
		status = STATUS_USAGE;
	if (status == STATUS_USAGE)
		fprintf(stderr, "usage: gendoc conf | man FILE.in | html FILE.in | openapi | asyncapi\n");
	if (status == 0 && (fwrite(out.ptr, 1, out.len, stdout) != out.len || fflush(stdout) != 0)) {
		perror("gendoc");
		status = EXIT_FAILURE;
	}
	pl_pool_free(&pool);
	return status;
}
