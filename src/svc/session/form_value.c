/* SPDX-License-Identifier: ISC */
/* Values of slots: normalization, checks, and their form in replies. */
#include <ctype.h>
#include <stdio.h>

#include "svc/session/form.h"
#include "text.h"

#define DATE_LEN 10

static bool is_word_byte(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c) || c == '\'' || c == '-';
}

/* Takes the next word at *at; false: there is none. */
static bool next_word(struct pl_str text, size_t *at, struct pl_str *word_r)
{
	size_t from;

	while (*at < text.len && !is_word_byte(text.ptr[*at]))
		(*at)++;
	from = *at;
	while (*at < text.len && is_word_byte(text.ptr[*at]))
		(*at)++;
	*word_r = pl_strn(text.ptr + from, *at - from);
	return word_r->len > 0;
}

static bool listed(struct pl_str word, const struct pl_list *words)
{
	for (int i = 0; i < words->count; i++)
		if (pl_str_ieq(word, pl_str(words->items[i])))
			return true;
	return false;
}

bool form_has_word(struct pl_str text, const struct pl_list *words)
{
	struct pl_str word;
	size_t at = 0;

	while (next_word(text, &at, &word))
		if (listed(word, words))
			return true;
	return false;
}

/* Reduces white space between words to single blanks. */
static struct pl_str normal_text(struct pl_pool *pool, struct pl_str text)
{
	struct pl_buf out = PL_BUF(pool);

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c > ' ' && c != 127)
			pl_buf_addc(&out, (char)c);
		else if (out.len > 0 && out.ptr[out.len - 1] != ' ')
			pl_buf_addc(&out, ' ');
	}
	return pl_str_trim(pl_buf_str(&out));
}

static struct pl_str normal_lower(struct pl_pool *pool, struct pl_str text)
{
	struct pl_str s = pl_str_dup(pool, normal_text(pool, text));

	for (size_t i = 0; i < s.len; i++)
		((char *)(uintptr_t)s.ptr)[i] = (char)tolower((unsigned char)s.ptr[i]);
	while (s.len > 0 && strchr(".,;:!?", s.ptr[s.len - 1]) != NULL)
		s.len--;
	return s;
}

static bool valid(const struct form_slot *slot, struct pl_pool *pool, struct pl_str value)
{
	int64_t size, cents;

	if (value.len == 0)
		return false;
	if (slot->s->normal == FORM_AMOUNT) {
		cents = read_cents(value);
		if (cents < 0 || cents / 100 < slot->s->min || cents / 100 > slot->s->max ||
		    (cents / 100 == slot->s->max && cents % 100 > 0))
			return false;
	} else if (slot->s->normal == FORM_DATE && (strncmp(value.ptr, slot->s->earliest, DATE_LEN) < 0 ||
	    strncmp(value.ptr, slot->s->latest, DATE_LEN) > 0)) {
		return false;
	} else {
		size = (int64_t)pl_utf8_count(value.ptr, value.len);
		if (size < slot->s->min || size > slot->s->max)
			return false;
	}
	return slot->s->pattern[0] == '\0' || regexec(&slot->pattern, pl_str_c(pool, value), 0, NULL, 0) == 0;
}

struct pl_str form_value(const struct form_slot *slot, struct pl_pool *pool, struct pl_str text)
{
	struct pl_str value = form_is_read(slot) ? text
	    : slot->s->normal == FORM_LOWER      ? normal_lower(pool, text)
						 : normal_text(pool, text);

	if (slot->s->reject.count > 0 && form_has_word(text, &slot->s->reject))
		return PL_STR_NONE;
	return valid(slot, pool, value) ? value : PL_STR_NONE;
}

bool form_is_read(const struct form_slot *slot)
{
	return slot->s->normal != FORM_TEXT && slot->s->normal != FORM_LOWER;
}

struct read_want form_want(const struct form *form, const struct form_state *state, int i)
{
	static const enum read_kind kinds[] = {[FORM_TEXT] = READ_NAME,
	    [FORM_LOWER] = READ_NAME,
	    [FORM_NAME] = READ_NAME,
	    [FORM_AMOUNT] = READ_AMOUNT,
	    [FORM_EMAIL] = READ_EMAIL,
	    [FORM_DATE] = READ_DATE,
	    [FORM_PHONE] = READ_PHONE};
	const struct form_slot *slot = &form->slots[i];
	bool named = slot->s->words.count > 0;

	return (struct read_want){.kind = kinds[slot->s->normal],
	    .asked = state->requested == i || state->pending == i,
	    .open = !state->filled[i],
	    .words = named ? slot->s->words.items : &slot->name,
	    .words_count = named ? slot->s->words.count : 1,
	    .says = slot->s->says,
	    .per = (enum read_per)slot->s->per,
	    .old = slot->s->sensitive ? state->secret[i] : state->value[i]};
}

/* ---- values in replies ---- */

static struct pl_str grouped(struct pl_pool *pool, struct pl_str value, bool stars)
{
	const char *point = memchr(value.ptr, '.', value.len);
	size_t whole = point != NULL ? (size_t)(point - value.ptr) : value.len;
	struct pl_buf out = PL_BUF(pool);

	for (size_t i = 0; i < whole; i++) {
		if (i > 0 && (whole - i) % 3 == 0)
			pl_buf_addc(&out, ',');
		pl_buf_addc(&out, stars ? '*' : value.ptr[i]);
	}
	if (!stars)
		pl_buf_add(&out, value.ptr + whole, value.len - whole);
	return pl_buf_str(&out);
}

static struct pl_str day_text(struct pl_pool *pool, struct pl_str value)
{
	static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July", "August",
	    "September", "October", "November", "December"};
	int year, month, day;

	if (sscanf(pl_str_c(pool, value), "%4d-%2d-%2d", &year, &month, &day) != 3 || month < 1 || month > 12)
		return value;
	return pl_str(pl_sprintf(pool, "%d %s %d", day, months[month - 1], year));
}

static void add_first(struct pl_buf *out, struct pl_str text)
{
	size_t first = text.len > 0 ? pl_utf8_cut(text.ptr, text.len, 4) : 0;

	while (first > 1 && pl_utf8_count(text.ptr, first) > 1)
		first--;
	pl_buf_add(out, text.ptr, first);
	pl_buf_adds(out, "***");
}

/* Shows enough to notice a mistake, but not enough to know the value. */
static struct pl_str masked(const struct form_slot *slot, struct pl_pool *pool, struct pl_str value)
{
	struct pl_buf out = PL_BUF(pool);
	const char *sign = memrchr(value.ptr, '@', value.len);

	switch (slot->s->normal) {
	case FORM_AMOUNT:
		return grouped(pool, value, true);
	case FORM_DATE:
		return PL_STR("** *** ****");
	case FORM_PHONE:
		pl_buf_adds(&out, "***");
		pl_buf_add(&out, value.ptr + value.len - 2, value.len >= 2 ? 2 : 0);
		return pl_buf_str(&out);
	case FORM_EMAIL:
		add_first(&out, value);
		if (sign != NULL) {
			pl_buf_addc(&out, '@');
			add_first(&out, pl_strn(sign + 1, value.len - (size_t)(sign + 1 - value.ptr)));
		}
		return pl_buf_str(&out);
	default:
		add_first(&out, value);
		return pl_buf_str(&out);
	}
}

/* Returns the bytes of the first `count` characters, at most half of the text. */
static size_t beginning(struct pl_str text, int count)
{
	size_t len = 0;
	uint32_t c;

	for (size_t next; count > 0 && len < text.len; count--) {
		next = len + pl_text_char(text, len, &c);
		if (next * 2 > text.len)
			break;
		len = next;
	}
	return len;
}

static size_t last_bytes(struct pl_str text, int count)
{
	size_t at = text.len;
	uint32_t c;

	for (; count > 0 && at > 0; count--)
		at -= pl_text_char_before(text, at, &c);
	return text.len - at;
}

/* "an***ee@example.org" */
static void add_address(struct pl_buf *out, struct pl_str value, const char *sign)
{
	struct pl_str local = pl_strn(value.ptr, (size_t)(sign - value.ptr));
	size_t tail = local.len > 6 ? last_bytes(local, 2) : 0;

	pl_buf_add(out, local.ptr, beginning(local, 2));
	pl_buf_adds(out, "***");
	pl_buf_add(out, local.ptr + local.len - tail, tail);
	pl_buf_addstr(out, pl_strn(sign, value.len - local.len));
}

/* Shows the part that the form's author allows: enough to notice a typing error, as banks show the end of a number. */
static struct pl_str part_of(const struct form_slot *slot, struct pl_pool *pool, struct pl_str value)
{
	struct pl_buf out = PL_BUF(pool);
	const char *sign = memrchr(value.ptr, '@', value.len);
	struct pl_str stars, rest = value, word;

	switch (slot->s->normal) {
	case FORM_AMOUNT:
		stars = grouped(pool, value, true);
		if (stars.len < 3)
			return stars;	/* one digit would be half of the value */
		pl_buf_addc(&out, value.ptr[0]);
		pl_buf_add(&out, stars.ptr + 1, stars.len - 1);
		break;
	case FORM_DATE:
		pl_buf_addf(&out, "** *** %.4s", pl_str_c(pool, value));
		break;
	case FORM_PHONE:
		pl_buf_adds(&out, "***");
		pl_buf_add(&out, value.ptr + value.len - (value.len > 8 ? 4 : 2), value.len > 8 ? 4 : 2);
		break;
	case FORM_EMAIL:
		add_address(&out, value, sign);
		break;
	default:
		while (pl_str_cut(&rest, ' ', &word)) {
			pl_buf_adds(&out, out.len > 0 ? " " : "");
			pl_buf_add(&out, word.ptr, beginning(word, 2));
			pl_buf_adds(&out, "***");
		}
	}
	return pl_buf_str(&out);
}

struct pl_str form_shown(const struct form_slot *slot, struct pl_pool *pool, struct pl_str value)
{
	if (slot->s->sensitive)
		return slot->s->show == FORM_SHOW_PART ? part_of(slot, pool, value) : masked(slot, pool, value);
	if (slot->s->normal == FORM_AMOUNT)
		return grouped(pool, value, false);
	return slot->s->normal == FORM_DATE ? day_text(pool, value) : value;
}
