/* SPDX-License-Identifier: ISC */
/*
 * The rules of a layout. Cards are also read and written in the form of AGENT BI's front end: card_type, size,
 * position, and content in addition to type, title, query, and the place.
 */
#include <string.h>

#include "svc/usage/layout.h"
#include "text.h"

#define CARD_HEIGHT_MAX 12
#define ROW_MAX 999
#define ID_MAX 64
#define TITLE_MAX 128
#define QUERY_MAX 500
#define WORD_MAX 64

/* kind: card_type; content: JSON. more: the card has kind, size, position, or content. */
struct card {
	struct pl_str id, type, title, query, kind, size, content;
	int64_t x, y, w, h;
	bool more;
};
struct reader { struct pl_pool *pool; struct pl_err *err; int index, columns; };

/* Kinds of that front end for our types, and the reverse. If several match, the first one is written. */
static const struct { const char *kind, *type; } kinds[] = {
	{ "kpi", "number" }, { "metric", "number" }, { "chart", "line" }, { "chart", "bar" }, { "table", "table" },
	{ "text", "text" },
};
static const char *const types[] = { "number", "line", "bar", "table", "text" };

bool layout_id_ok(struct pl_str id)
{
	if (id.len < 1 || id.len > ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		if (memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-", id.ptr[i], 65) == NULL)
			return false;
	}
	return true;
}

static bool complain(const struct reader *r, const char *field, const char *rule)
{
	return pl_err_field(r->err, r->pool, pl_sprintf(r->pool, "body.cards.%d%s%s", r->index,
	    field[0] != '\0' ? "." : "", field), "value_error", "%s", rule);
}

static bool read_text(const struct reader *r, const struct pl_jval *v, const char *field, size_t min, size_t max,
    struct pl_str *out_r)
{
	const struct pl_jval *member = pl_json_get(v, field);

	*out_r = pl_json_str(member);
	if (min == 0 && (member == NULL || member->type == PL_J_NULL))
		return true;
	if (out_r->ptr != NULL && out_r->len > 0 && pl_utf8_count(out_r->ptr, out_r->len) <= max)
		return true;
	return complain(r, field, pl_sprintf(r->pool, "must be a string of 1 to %zu characters", max));
}

static bool read_number(const struct reader *r, const struct pl_jval *v, const char *field, int min, int max,
    int64_t *out_r)
{
	const char *dot = strrchr(field, '.');

	return pl_json_i64(pl_json_get(v, dot != NULL ? dot + 1 : field), min, max, out_r) ||
	    complain(r, field, pl_sprintf(r->pool, "must be a whole number from %d to %d", min, max));
}

static bool is_type(struct pl_str text)
{
	for (size_t i = 0; i < PL_COUNT(types); i++)
		if (pl_str_is(text, types[i]))
			return true;
	return false;
}

/* The content determines the type of a chart, otherwise it is a line. Unknown kinds are text. */
static struct pl_str type_of(struct pl_str kind, const struct pl_jval *content)
{
	struct pl_str chart = pl_json_str(pl_json_get(content, "chart_type"));

	if (is_type(kind))
		return kind;
	if (pl_str_is(kind, "chart") && is_type(chart))
		return chart;
	for (size_t i = 0; i < PL_COUNT(kinds); i++)
		if (pl_str_is(kind, kinds[i].kind))
			return pl_str(kinds[i].type);
	return PL_STR("text");
}

static struct pl_str kind_of(struct pl_str type)
{
	for (size_t i = 0; i < PL_COUNT(kinds); i++)
		if (pl_str_is(type, kinds[i].type))
			return pl_str(kinds[i].kind);
	return PL_STR("text");
}

static bool read_type(const struct reader *r, const struct pl_jval *v, struct card *card)
{
	const struct pl_jval *type = pl_json_get(v, "type");

	card->type = pl_json_str(type);
	if (card->kind.ptr != NULL && (type == NULL || type->type == PL_J_NULL))
		card->type = type_of(card->kind, pl_json_get(v, "content"));
	return is_type(card->type) || complain(r, "type", "must be number, line, bar, table or text");
}

/* A card of the other form may have its title in its content, or none. */
static bool read_title(const struct reader *r, const struct pl_jval *v, struct card *card)
{
	const struct pl_jval *given = pl_json_get(v, "title");
	struct pl_str inner = pl_json_str(pl_json_get(pl_json_get(v, "content"), "title"));
	const char *fault;

	if (!card->more || (given != NULL && given->type != PL_J_NULL)) {
		if (!read_text(r, v, "title", 1, TITLE_MAX, &card->title))
			return false;
	} else {
		card->title = inner.len > 0 && pl_utf8_count(inner.ptr, inner.len) <= TITLE_MAX &&
		    pl_text_label_fault(r->pool, inner) == NULL ? inner : card->id;
	}
	card->title = pl_text_nfc(r->pool, pl_text_trim(card->title));
	fault = pl_text_label_fault(r->pool, card->title);
	return fault == NULL || complain(r, "title", fault);
}

static bool read_query(const struct reader *r, const struct pl_jval *v, struct card *card)
{
	struct pl_str inner = pl_json_str(pl_json_get(pl_json_get(v, "content"), "query"));

	if (!read_text(r, v, "query", 0, QUERY_MAX, &card->query))
		return false;
	if (card->query.ptr == NULL && inner.len > 0 && pl_utf8_count(inner.ptr, inner.len) <= QUERY_MAX)
		card->query = inner;
	return true;
}

static bool is_there(const struct pl_jval *v)
{
	return v != NULL && v->type != PL_J_NULL;
}

/* Reads the members that only the other form has. */
static bool read_more(const struct reader *r, const struct pl_jval *v, struct card *card)
{
	const struct pl_jval *content = pl_json_get(v, "content");

	if (!read_text(r, v, "card_type", 0, WORD_MAX, &card->kind) ||
	    !read_text(r, v, "size", 0, WORD_MAX, &card->size))
		return false;
	if (is_there(content))
		card->content = content->raw;
	card->more = card->kind.ptr != NULL || card->size.ptr != NULL || is_there(content) ||
	    is_there(pl_json_get(v, "position"));
	return true;
}

/* Uses `position` if it exists, because clients that move a card in that form may send the old x and y, too. */
static bool read_place(const struct reader *r, const struct pl_jval *v, struct card *card)
{
	const struct pl_jval *position = pl_json_get(v, "position");
	bool inner = is_there(position);

	if (inner && position->type != PL_J_OBJECT)
		return complain(r, "position", "must be an object {x, y, w, h}");
	v = inner ? position : v;
	if (!read_number(r, v, inner ? "position.x" : "x", 0, r->columns - 1, &card->x) ||
	    !read_number(r, v, inner ? "position.y" : "y", 0, ROW_MAX, &card->y) ||
	    !read_number(r, v, inner ? "position.w" : "w", 1, r->columns, &card->w) ||
	    !read_number(r, v, inner ? "position.h" : "h", 1, CARD_HEIGHT_MAX, &card->h))
		return false;
	return card->x + card->w <= r->columns || complain(r, inner ? "position.w" : "w",
	    pl_sprintf(r->pool, "the card must end within %d columns: x + w <= %d", r->columns, r->columns));
}

static bool read_card(const struct reader *r, const struct pl_jval *v, struct card *card)
{
	*card = (struct card){ .x = 0 };
	if (v->type != PL_J_OBJECT)
		return complain(r, "", "must be an object");
	return read_text(r, v, "id", 1, ID_MAX, &card->id) && read_more(r, v, card) && read_title(r, v, card) &&
	    read_query(r, v, card) && read_type(r, v, card) && read_place(r, v, card);
}

static bool overlap(const struct card *a, const struct card *b)
{
	return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

static bool fits(const struct reader *r, const struct card *cards, int count)
{
	for (int i = 0; i < count; i++) {
		if (pl_str_eq(cards[i].id, cards[count].id))
			return complain(r, "id", "must be unique: another card has this id");
		if (overlap(&cards[i], &cards[count]))
			return complain(r, "x", pl_sprintf(r->pool, "the card overlaps card %d", i));
	}
	return true;
}

static void write_place(struct pl_jw *w, const struct card *card)
{
	pl_jw_ki64(w, "x", card->x);
	pl_jw_ki64(w, "y", card->y);
	pl_jw_ki64(w, "w", card->w);
	pl_jw_ki64(w, "h", card->h);
}

static void write_content(struct pl_jw *w, const struct card *card)
{
	if (card->content.ptr != NULL) {
		pl_jw_kraw(w, "content", card->content);
		return;
	}
	pl_jw_key(w, "content");
	pl_jw_object(w);
	pl_jw_kstr(w, "title", card->title);
	if (card->query.ptr != NULL)
		pl_jw_kstr(w, "query", card->query);
	pl_jw_kstr(w, "chart_type", card->type);
	pl_jw_end_object(w);
}

static void write_card(struct pl_jw *w, const struct card *card)
{
	pl_jw_object(w);
	pl_jw_kstr(w, "id", card->id);
	pl_jw_kstr(w, "type", card->type);
	pl_jw_kstr(w, "title", card->title);
	pl_jw_kstr(w, "query", card->query);
	write_place(w, card);
	if (card->more) {
		pl_jw_kstr(w, "card_type", card->kind.ptr != NULL ? card->kind : kind_of(card->type));
		pl_jw_kstr(w, "size", card->size.ptr != NULL ? card->size : card->w <= LAYOUT_COLUMNS / 4 ?
		    PL_STR("small") : card->w <= LAYOUT_COLUMNS / 2 ? PL_STR("medium") : PL_STR("large"));
		pl_jw_key(w, "position");
		pl_jw_object(w);
		write_place(w, card);
		pl_jw_end_object(w);
		write_content(w, card);
	}
	pl_jw_end_object(w);
}

static struct pl_str write_cards(struct pl_pool *pool, const struct card *cards, int count)
{
	struct pl_buf *out = pl_alloc(pool, sizeof(*out));
	struct pl_jw w;

	*out = PL_BUF(pool);
	w = PL_JW(out);
	pl_jw_array(&w);
	for (int i = 0; i < count; i++)
		write_card(&w, &cards[i]);
	pl_jw_end_array(&w);
	return pl_buf_str(out);
}

bool layout_read(struct pl_pool *pool, struct pl_str cards, int columns, struct pl_str *out_r, struct pl_err *err)
{
	const struct pl_jval *list = pl_json_parse(pool, cards, err);
	struct reader r = { .pool = pool, .err = err, .columns = columns };
	struct card *all;

	if (list == NULL)
		return false;
	if (list->type != PL_J_ARRAY || list->count > LAYOUT_CARDS_MAX)
		return pl_err_field(err, pool, "body.cards", "value_error", "must be a list of at most %d cards",
		    LAYOUT_CARDS_MAX);
	all = pl_alloc(pool, LAYOUT_CARDS_MAX * sizeof(*all));
	for (const struct pl_jval *v = list->first; v != NULL; v = v->next, r.index++) {
		if (!read_card(&r, v, &all[r.index]) || !fits(&r, all, r.index))
			return false;
	}
	*out_r = write_cards(pool, all, r.index);
	return true;
}

struct pl_str layout_full(struct pl_pool *pool, struct pl_str cards)
{
	struct pl_err err = { 0 };
	const struct pl_jval *list = pl_json_parse(pool, cards, &err);
	struct reader r = { .pool = pool, .err = &err, .columns = LAYOUT_COLUMNS };
	struct card *all = pl_alloc(pool, LAYOUT_CARDS_MAX * sizeof(*all));

	if (list == NULL)
		return cards;
	for (const struct pl_jval *v = list->first; v != NULL && r.index < LAYOUT_CARDS_MAX; v = v->next, r.index++) {
		if (!read_card(&r, v, &all[r.index]))
			return cards;	/* saved when other rules were valid */
		all[r.index].more = true;
	}
	return write_cards(pool, all, r.index);
}

struct pl_str layout_default(struct pl_pool *pool)
{
	/* questions that every user may ask */
	static const struct { const char *id, *type, *title, *query; } begin[] = {
		{ "messages", "line", "My messages", "My messages per day, last 7 days" },
		{ "rooms", "bar", "My rooms", "My messages per room, last 30 days" },
		{ "sessions", "line", "My sessions", "My sessions per day, last 30 days" },
		{ "tokens", "bar", "My tokens", "My tokens per model, last 30 days" },
	};
	struct card cards[PL_COUNT(begin)];

	for (size_t i = 0; i < PL_COUNT(begin); i++)
		cards[i] = (struct card){ .id = pl_str(begin[i].id), .type = pl_str(begin[i].type),
			.title = pl_str(begin[i].title), .query = pl_str(begin[i].query),
			.x = (int)i % 2 * LAYOUT_COLUMNS / 2, .y = (int)i / 2 * 3, .w = LAYOUT_COLUMNS / 2, .h = 3,
			.more = true };
	return write_cards(pool, cards, PL_COUNT(begin));
}
