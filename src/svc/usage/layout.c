/* SPDX-License-Identifier: ISC */
/*
 * Rules of a layout.
 */
#include <string.h>

#include "svc/usage/layout.h"

#define CARD_HEIGHT_MAX 12
#define ROW_MAX 999
#define ID_MAX 64
#define TITLE_MAX 128
#define QUERY_MAX 500

struct card { struct pl_str id, type, title, query; int64_t x, y, w, h; };
struct reader { struct pl_pool *pool; struct pl_err *err; int index; };

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
	return pl_json_i64(pl_json_get(v, field), min, max, out_r) ||
	    complain(r, field, pl_sprintf(r->pool, "must be a whole number from %d to %d", min, max));
}

static bool read_card(const struct reader *r, const struct pl_jval *v, struct card *card)
{
	static const char *const types[] = { "number", "line", "bar", "table", "text" };
	bool known = false;

	if (v->type != PL_J_OBJECT)
		return complain(r, "", "must be an object");
	if (!read_text(r, v, "id", 1, ID_MAX, &card->id) || !read_text(r, v, "title", 1, TITLE_MAX, &card->title) ||
	    !read_text(r, v, "query", 0, QUERY_MAX, &card->query))
		return false;
	card->type = pl_json_str(pl_json_get(v, "type"));
	for (size_t i = 0; i < PL_COUNT(types); i++)
		known = known || pl_str_is(card->type, types[i]);
	if (!known)
		return complain(r, "type", "must be number, line, bar, table or text");
	if (!read_number(r, v, "x", 0, LAYOUT_COLUMNS - 1, &card->x) || !read_number(r, v, "y", 0, ROW_MAX, &card->y) ||
	    !read_number(r, v, "w", 1, LAYOUT_COLUMNS, &card->w) || !read_number(r, v, "h", 1, CARD_HEIGHT_MAX,
	    &card->h))
		return false;
	return card->x + card->w <= LAYOUT_COLUMNS || complain(r, "w",
	    "the card must end within 12 columns: x + w <= 12");
}

static bool overlap(const struct card *a, const struct card *b)
{
	return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

static bool fits(const struct reader *r, const struct card *cards, int count)
{
	for (int i = 0; i < count; i++) {
		if (pl_str_eq(cards[i].id, cards[count].id))
			return complain(r, "id", "another card has this id");
		if (overlap(&cards[i], &cards[count]))
			return complain(r, "x", pl_sprintf(r->pool, "the card lies over card %d", i));
	}
	return true;
}

static void write_card(struct pl_jw *w, const struct card *card)
{
	pl_jw_object(w);
	pl_jw_kstr(w, "id", card->id);
	pl_jw_kstr(w, "type", card->type);
	pl_jw_kstr(w, "title", card->title);
	pl_jw_kstr(w, "query", card->query);
	pl_jw_ki64(w, "x", card->x);
	pl_jw_ki64(w, "y", card->y);
	pl_jw_ki64(w, "w", card->w);
	pl_jw_ki64(w, "h", card->h);
	pl_jw_end_object(w);
}

bool layout_read(struct pl_pool *pool, struct pl_str cards, struct pl_str *out_r, struct pl_err *err)
{
	const struct pl_jval *list = pl_json_parse(pool, cards, err);
	struct pl_buf *out = pl_alloc(pool, sizeof(*out));
	struct reader r = { .pool = pool, .err = err };
	struct card *all;
	struct pl_jw w;

	if (list == NULL)
		return false;
	if (list->type != PL_J_ARRAY || list->count > LAYOUT_CARDS_MAX)
		return pl_err_field(err, pool, "body.cards", "value_error", "must be a list of at most %d cards",
		    LAYOUT_CARDS_MAX);
	all = pl_alloc(pool, LAYOUT_CARDS_MAX * sizeof(*all));
	*out = PL_BUF(pool);
	w = PL_JW(out);
	pl_jw_array(&w);
	for (const struct pl_jval *v = list->first; v != NULL; v = v->next, r.index++) {
		if (!read_card(&r, v, &all[r.index]) || !fits(&r, all, r.index))
			return false;
		write_card(&w, &all[r.index]);
	}
	pl_jw_end_array(&w);
	*out_r = pl_buf_str(out);
	return true;
}
