/* SPDX-License-Identifier: ISC */
/*
 * Reads mdoc line by line. Text goes to the body, headings also to the index. The page has no scripts and no styles, so
 * that the strictest policy allows it. Source: mdoc(7).
 */
#include "mdoc_html.h"

#include <ctype.h>
#include <stdio.h>

#include "pool.h"

#define TOKENS_MAX 128
#define LISTS_MAX 8

struct token { struct pl_str text; bool quoted; };
enum list_kind { LIST_TAG, LIST_BULLET, LIST_ENUM };

struct page {
	struct pl_pool *pool;
	struct pl_buf body, index;
	enum list_kind lists[LISTS_MAX];
	int depth;
	bool paragraph, literal, fresh, skip;	/* fresh: its list has no item yet; skip: ignore text until the next
						 * section */
	bool gap, sub;			/* gap: a blank precedes the next word; sub: the last heading was Ss */
	const char *section, *heading;		/* ids of the last Sh, and of the last heading */
	const char *wrong;
	struct token tokens[TOKENS_MAX];
	int count;
};

/* ---- text ---- */

static void add_text(struct pl_buf *out, struct pl_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		const char *rest = text.ptr + i;
		size_t left = text.len - i;

		if (left >= 4 && strncmp(rest, "\\(dq", 4) == 0) {
			pl_buf_adds(out, "&quot;");
			i += 3;
		} else if (left >= 2 && rest[0] == '\\' && strchr("&e-", rest[1]) != NULL) {
			pl_buf_adds(out, rest[1] == 'e' ? "\\" : rest[1] == '-' ? "-" : "");
			i++;
		} else if (rest[0] == '<' || rest[0] == '>' || rest[0] == '&' || rest[0] == '"') {
			pl_buf_adds(out, rest[0] == '<' ? "&lt;" : rest[0] == '>' ? "&gt;" : rest[0] == '&' ? "&amp;" :
			    "&quot;");
		} else {
			pl_buf_addc(out, rest[0]);
		}
	}
}

/* Lower case, with one dash for each run of other characters. */
static const char *slug_of(struct pl_pool *pool, struct pl_str text)
{
	struct pl_buf out = PL_BUF(pool);

	for (size_t i = 0; i < text.len; i++) {
		if (isalnum((unsigned char)text.ptr[i]))
			pl_buf_addc(&out, (char)tolower((unsigned char)text.ptr[i]));
		else if (out.len > 0 && out.ptr[out.len - 1] != '-')
			pl_buf_addc(&out, '-');
	}
	while (out.len > 0 && out.ptr[out.len - 1] == '-')
		out.len--;
	return pl_str_c(pool, pl_buf_str(&out));
}

/* "CLOSE CODES" is "Close codes" on a page. */
static struct pl_str sentence_case(struct pl_pool *pool, struct pl_str text)
{
	char *copy = pl_sprintf(pool, "%.*s", PL_FMT(text));

	for (char *p = copy + 1; *copy != '\0' && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return pl_str(copy);
}

static void start_paragraph(struct page *p)
{
	if (p->paragraph)
		return;
	pl_buf_adds(&p->body, "<p>");
	p->paragraph = true;
	p->gap = false;
}

static void end_paragraph(struct page *p)
{
	if (p->paragraph)
		pl_buf_adds(&p->body, "</p>\n");
	p->paragraph = false;
}

static void add_gap(struct page *p)
{
	if (p->gap)
		pl_buf_addc(&p->body, ' ');
	p->gap = true;
}

/* ---- macros inside a line ---- */

static const char *tag_of(struct pl_str macro)
{
	static const struct { const char *macro, *tag; } tags[] = { { "Cm", "code" }, { "Ql", "code" },
		{ "Pa", "code" }, { "Er", "code" }, { "Vt", "code" }, { "Va", "code" }, { "Ic", "code" },
		{ "Li", "code" }, { "Em", "em" }, { "Ar", "em" }, { "Nm", "b" } };

	for (size_t i = 0; i < PL_COUNT(tags); i++)
		if (pl_str_is(macro, tags[i].macro))
			return tags[i].tag;
	return NULL;
}

static bool is_word(const struct token *t, const char *word)
{
	return !t->quoted && pl_str_is(t->text, word);
}

static bool is_macro(const struct token *t)
{
	return !t->quoted && (tag_of(t->text) != NULL || is_word(t, "No") || is_word(t, "Pq") || is_word(t, "Dq") ||
	    is_word(t, "Xr") || is_word(t, "Sx"));
}

static bool is_closing(const struct token *t)
{
	return !t->quoted && t->text.len == 1 && strchr(".,:;?!)", t->text.ptr[0]) != NULL;
}

static void add_inline(struct page *p, int from, int to);

/* Encloses the words before the punctuation at the end of the line. */
static int add_enclosed(struct page *p, int from, int to, const char *open, const char *close)
{
	int end = to;

	while (end > from && is_closing(&p->tokens[end - 1]))
		end--;
	add_gap(p);
	pl_buf_adds(&p->body, open);
	p->gap = false;
	add_inline(p, from, end);
	pl_buf_adds(&p->body, close);
	p->gap = true;
	return end;
}

/* Writes the words before the next macro or punctuation as one element. */
static int add_element(struct page *p, int from, int to, const char *tag)
{
	int i = from;

	if (i == to || is_macro(&p->tokens[i]) || is_closing(&p->tokens[i]))
		return i;
	add_gap(p);
	pl_buf_addf(&p->body, "<%s>", tag);
	for (; i < to && !is_macro(&p->tokens[i]) && !is_closing(&p->tokens[i]); i++) {
		if (i > from)
			pl_buf_addc(&p->body, ' ');
		add_text(&p->body, p->tokens[i].text);
	}
	pl_buf_addf(&p->body, "</%s>", tag);
	return i;
}

/* Xr parlour-api 7: the manual of the routes is at /docs. */
static int add_reference(struct page *p, int from, int to)
{
	bool api = from < to && pl_str_is(p->tokens[from].text, "parlour-api");

	if (from + 2 > to) {
		p->wrong = "Xr without a section";
		return to;
	}
	add_gap(p);
	pl_buf_adds(&p->body, api ? "<a href=\"/docs\">" : "");
	add_text(&p->body, p->tokens[from].text);
	pl_buf_addf(&p->body, "(%.*s)%s", PL_FMT(p->tokens[from + 1].text), api ? "</a>" : "");
	return from + 2;
}

static int add_section_link(struct page *p, int from, int to)
{
	struct pl_buf name = PL_BUF(p->pool);
	int i = from;

	for (; i < to && !is_macro(&p->tokens[i]) && !is_closing(&p->tokens[i]); i++)
		pl_buf_addf(&name, "%s%.*s", i > from ? " " : "", PL_FMT(p->tokens[i].text));
	add_gap(p);
	pl_buf_addf(&p->body, "<a href=\"#%s\">", slug_of(p->pool, pl_buf_str(&name)));
	add_text(&p->body, sentence_case(p->pool, pl_buf_str(&name)));
	pl_buf_adds(&p->body, "</a>");
	return i;
}

static int add_macro(struct page *p, int at, int to, const char **tag)
{
	const struct token *t = &p->tokens[at];

	*tag = NULL;
	if (is_word(t, "Pq"))
		return add_enclosed(p, at + 1, to, "(", ")");
	if (is_word(t, "Dq"))
		return add_enclosed(p, at + 1, to, "“", "”");
	if (is_word(t, "Xr"))
		return add_reference(p, at + 1, to);
	if (is_word(t, "Sx"))
		return add_section_link(p, at + 1, to);
	*tag = tag_of(t->text);
	return *tag != NULL ? add_element(p, at + 1, to, *tag) : at + 1;
}

/* Punctuation is outside of elements and follows the previous word without a blank. */
static void add_inline(struct page *p, int from, int to)
{
	const char *tag = NULL;

	for (int i = from; i < to;) {
		const struct token *t = &p->tokens[i];

		if (is_macro(t)) {
			i = add_macro(p, i, to, &tag);
		} else if (is_closing(t)) {
			add_text(&p->body, t->text);
			p->gap = true;
			i++;
		} else if (tag != NULL) {
			i = add_element(p, i, to, tag);
		} else {
			add_gap(p);
			add_text(&p->body, t->text);
			i++;
		}
	}
}

/* ---- lines ---- */

/* Words, and quoted ones with blanks in them. */
static void split(struct page *p, struct pl_str line)
{
	size_t i = 0;

	p->count = 0;
	while (i < line.len && p->count < TOKENS_MAX) {
		bool quoted = line.ptr[i] == '"';
		size_t from = i += quoted;

		if (!quoted && line.ptr[i] == ' ') {
			i++;
			continue;
		}
		while (i < line.len && line.ptr[i] != (quoted ? '"' : ' '))
			i++;
		p->tokens[p->count++] = (struct token){ pl_strn(line.ptr + from, i - from), quoted };
		i += i < line.len;
	}
	if (i < line.len)
		p->wrong = "too many words in a line";
}

static struct pl_str rest_of(const struct page *p)
{
	struct pl_buf text = PL_BUF(p->pool);

	for (int i = 1; i < p->count; i++)
		pl_buf_addf(&text, "%s%.*s", i > 1 ? " " : "", PL_FMT(p->tokens[i].text));
	return pl_buf_str(&text);
}

static void add_heading(struct page *p, bool sub)
{
	struct pl_str title = sub ? rest_of(p) : sentence_case(p->pool, rest_of(p));

	end_paragraph(p);
	if (p->depth > 0)
		p->wrong = "a heading in a list";
	p->heading = slug_of(p->pool, title);
	if (sub)
		p->heading = pl_sprintf(p->pool, "%s-%s", p->section, p->heading);
	else
		p->section = p->heading;
	pl_buf_addf(&p->body, "<h%d id=\"%s\"><a href=\"#%s\">", sub ? 3 : 2, p->heading, p->heading);
	add_text(&p->body, title);
	pl_buf_addf(&p->body, "</a></h%d>\n", sub ? 3 : 2);
	if (sub != p->sub)
		pl_buf_adds(&p->index, sub ? "<ul>\n" : "</li></ul></li>\n");
	else if (p->index.len > 0)
		pl_buf_adds(&p->index, "</li>\n");
	p->sub = sub;
	pl_buf_addf(&p->index, "<li><a href=\"#%s\">", p->heading);
	add_text(&p->index, title);
	pl_buf_adds(&p->index, "</a>");
}

static const char *const list_tags[] = { [LIST_TAG] = "dl", [LIST_BULLET] = "ul", [LIST_ENUM] = "ol" };

static void start_list(struct page *p)
{
	enum list_kind kind = LIST_TAG;
	bool compact = false;

	for (int i = 1; i < p->count; i++) {
		compact |= pl_str_is(p->tokens[i].text, "-compact");
		if (pl_str_is(p->tokens[i].text, "-bullet"))
			kind = LIST_BULLET;
		else if (pl_str_is(p->tokens[i].text, "-enum"))
			kind = LIST_ENUM;
	}
	end_paragraph(p);
	if (p->depth == LISTS_MAX) {
		p->wrong = "lists are too deep";
		return;
	}
	p->lists[p->depth++] = kind;
	pl_buf_addf(&p->body, "<%s%s>\n", list_tags[kind], compact ? " class=\"compact\"" : "");
	p->fresh = true;
}

static const char *item_end(enum list_kind kind)
{
	return kind == LIST_TAG ? "</dd>\n" : "</li>\n";
}

/* Items of reference lists have ids for links: frames by direction and type, objects by name. */
static const char *item_id(struct page *p)
{
	const struct token *t = p->tokens;

	if (p->count == 5 && pl_str_is(t[1].text, "Li") && pl_str_is(t[3].text, "Cm"))
		return pl_sprintf(p->pool, "%s-%s-%.*s", p->heading, pl_str_is(t[2].text, ">") ? "in" : "out",
		    PL_FMT(t[4].text));
	if (p->count == 3 && pl_str_is(t[1].text, "Vt"))
		return pl_sprintf(p->pool, "object-%.*s", PL_FMT(t[2].text));
	return NULL;
}

static void add_item(struct page *p)
{
	enum list_kind kind = p->lists[p->depth - 1];
	const char *id = item_id(p);

	end_paragraph(p);
	if (!p->fresh)
		pl_buf_adds(&p->body, item_end(kind));
	p->fresh = false;
	if (kind != LIST_TAG) {
		pl_buf_adds(&p->body, "<li>");
		p->gap = false;
		return;
	}
	if (id != NULL)
		pl_buf_addf(&p->body, "<dt id=\"%s\">", id);
	else
		pl_buf_adds(&p->body, "<dt>");
	p->gap = false;
	add_inline(p, 1, p->count);
	pl_buf_adds(&p->body, "</dt>\n<dd>");
	p->gap = false;
}

static void end_list(struct page *p)
{
	end_paragraph(p);
	if (p->depth == 0) {
		p->wrong = "El without Bl";
		return;
	}
	p->depth--;
	pl_buf_addf(&p->body, "%s</%s>\n", item_end(p->lists[p->depth]), list_tags[p->lists[p->depth]]);
}

/* Date, title, and system are in the template. */
static bool is_head(const struct token *t)
{
	return is_word(t, "Dd") || is_word(t, "Dt") || is_word(t, "Os");
}

static void add_line(struct page *p)
{
	const struct token *t = p->tokens;

	if (is_word(t, "Sh"))
		p->skip = p->count == 2 && is_word(&t[1], "NAME");	/* the title contains it */
	if (p->skip)
		return;
	if (is_word(t, "Sh") || is_word(t, "Ss")) {
		add_heading(p, is_word(t, "Ss"));
	} else if (is_word(t, "Pp")) {
		end_paragraph(p);
	} else if (is_word(t, "Bd")) {
		end_paragraph(p);
		pl_buf_adds(&p->body, "<pre>");
		p->literal = true;
	} else if (is_word(t, "Bl")) {
		start_list(p);
	} else if (is_word(t, "It") && p->depth > 0) {
		add_item(p);
	} else if (is_word(t, "El")) {
		end_list(p);
	} else if (is_macro(t)) {
		start_paragraph(p);
		add_inline(p, 0, p->count);
	} else if (!is_head(t)) {
		p->wrong = pl_sprintf(p->pool, "unknown macro %.*s", PL_FMT(t->text));
	}
}

static void take_line(struct page *p, struct pl_str line)
{
	if (p->literal && !pl_str_is(line, ".Ed")) {
		add_text(&p->body, line);
		pl_buf_addc(&p->body, '\n');
	} else if (p->literal) {
		pl_buf_adds(&p->body, "</pre>\n");
		p->literal = false;
	} else if (pl_str_starts(line, ".\\\"") || line.len == 0) {
		return;
	} else if (line.ptr[0] == '.') {
		split(p, pl_strn(line.ptr + 1, line.len - 1));
		if (p->count > 0)
			add_line(p);
	} else {
		start_paragraph(p);
		add_gap(p);
		add_text(&p->body, line);
	}
}

/* ---- the page ---- */

static void write_page(struct pl_buf *out, const struct page *p)
{
	pl_buf_adds(out, "<!DOCTYPE html>\n<!-- SPDX-License-Identifier: ISC -->\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>WebSockets</title>\n"
	    "<link rel=\"icon\" href=\"/static/favicon.svg\" type=\"image/svg+xml\">\n"
	    "<link rel=\"stylesheet\" href=\"/static/sockets.css\">\n</head>\n<body>\n<nav aria-label=\"Contents\">\n"
	    "<p><a href=\"/docs\">HTTP interface</a> <a href=\"/redoc\">Redoc</a></p>\n<ul>\n");
	pl_buf_addstr(out, pl_buf_str(&p->index));
	pl_buf_addf(out, "</li>%s\n</ul>\n</nav>\n<main>\n<h1>WebSockets</h1>\n"
	    "<p>parlour-ws(7), version " PARLOUR_VERSION ". The same for programs: "
	    "<a href=\"/asyncapi.json\">asyncapi.json</a> (AsyncAPI 3.0).</p>\n", p->sub ? "</ul></li>" : "");
	pl_buf_addstr(out, pl_buf_str(&p->body));
	pl_buf_adds(out, "</main>\n</body>\n</html>\n");
}

const char *mdoc_html(struct pl_buf *out, struct pl_str mdoc)
{
	struct page p = { .pool = out->pool, .body = PL_BUF(out->pool), .index = PL_BUF(out->pool), .section = "",
		.heading = "" };
	struct pl_str line;
	int number = 0;

	while (pl_str_cut(&mdoc, '\n', &line)) {
		number++;
		take_line(&p, line);
		if (p.wrong != NULL)
			return pl_sprintf(p.pool, "line %d: %s: %.*s", number, p.wrong, PL_FMT(line));
	}
	end_paragraph(&p);
	write_page(out, &p);
	return NULL;
}
