/* SPDX-License-Identifier: ISC */
/* Masks the values of sensitive slots in a message before it is stored. */
#include <ctype.h>

#include "svc/session/form.h"

static bool in_address(struct pl_str text, size_t at)
{
	size_t from = at, to = at;

	while (from > 0 && !isspace((unsigned char)text.ptr[from - 1]))
		from--;
	while (to < text.len && !isspace((unsigned char)text.ptr[to]))
		to++;
	return memchr(text.ptr + from, '@', to - from) != NULL;
}

/* ---- amounts ---- */

#define GROUPS_MAX 10		/* in one amount, such as "12 34 567"; more than any value has */
#define DIGITS_MAX 18
#define SPANS_MAX 64

/* Returns the bytes of a mark that can separate two groups of digits; 0: no such mark. */
static size_t mark_length(struct pl_str text, size_t at)
{
	static const char *const marks[] = { ".", ",", "'", " ", "_", "\u00a0", "\u2009", "\u202f", "\u2019" };
	struct pl_str rest = pl_strn(text.ptr + at, text.len - at);

	for (size_t i = 0; i < PL_COUNT(marks); i++)
		if (pl_str_starts(rest, marks[i]))
			return strlen(marks[i]);
	return 0;
}

static bool digit_at(struct pl_str text, size_t at)
{
	return at < text.len && isdigit((unsigned char)text.ptr[at]);
}

/* Returns where the unit after an amount ends, such as "k" or " million"; `at` if there is none. */
static size_t unit_end(struct pl_str text, size_t at, int64_t *factor_r)
{
	static const struct { const char *word; int64_t factor; } units[] = {
		{ "k", 1000 }, { "m", 1000000 }, { "mn", 1000000 }, { "mln", 1000000 }, { "mio", 1000000 },
		{ "bn", 1000000000 }, { "hundred", 100 }, { "hundreds", 100 }, { "grand", 1000 }, { "thousand", 1000 },
		{ "thousands", 1000 }, { "million", 1000000 }, { "millions", 1000000 }, { "billion", 1000000000 },
		{ "billions", 1000000000 },
	};
	size_t from = at, end;

	while (from < text.len && (text.ptr[from] == '-' || isspace((unsigned char)text.ptr[from]) ||
	    mark_length(text, from) > 1))
		from += mark_length(text, from) > 1 ? mark_length(text, from) : 1;
	for (end = from; end < text.len && isalnum((unsigned char)text.ptr[end]); end++)
		;
	for (size_t i = 0; i < PL_COUNT(units); i++)
		if (pl_str_ieq(pl_strn(text.ptr + from, end - from), pl_str(units[i].word))) {
			*factor_r = units[i].factor;
			return end;
		}
	*factor_r = 1;
	return at;
}

/* The same for several units: "2 hundred thousand". */
static size_t units_end(struct pl_str text, size_t at, int64_t *factor_r)
{
	int64_t factor;
	size_t end;

	*factor_r = 1;
	while ((end = unit_end(text, at, &factor)) > at && *factor_r <= INT64_MAX / factor) {
		*factor_r *= factor;
		at = end;
	}
	return at;
}

/*
 * Compares digits with marks between them, times the factor, with the value. Digits after the last mark may be
 * decimals.
 */
static bool is_value(struct pl_str amount, int64_t factor, int64_t value)
{
	__int128 all = 0, scale = 1;
	int digits = 0;

	for (size_t i = 0; i < amount.len; i++) {
		if (!digit_at(amount, i)) {
			if (amount.ptr[i] == '.' || amount.ptr[i] == ',')
				scale = 1;
			continue;
		}
		if (all > 0 && ++digits > DIGITS_MAX)
			return false;
		all = all * 10 + (amount.ptr[i] - '0');
		scale *= scale < (__int128)INT64_MAX * 10 ? 10 : 1;
	}
	if (memchr(amount.ptr, '.', amount.len) == NULL && memchr(amount.ptr, ',', amount.len) == NULL)
		scale = 1;
	return all * factor == value || all * factor / scale == value;
}

/* Returns where the amount at `at` ends if it is the value, in one or more groups; otherwise `at`. */
static size_t value_end(struct pl_str text, size_t at, int64_t value)
{
	size_t end = at, found = at;

	for (int groups = 0; groups < GROUPS_MAX && digit_at(text, end); groups++) {
		size_t behind;
		int64_t factor;

		while (digit_at(text, end))
			end++;
		behind = units_end(text, end, &factor);
		if (is_value(pl_strn(text.ptr + at, end - at), factor, value) ||
		    is_value(pl_strn(text.ptr + at, end - at), 1, value))
			found = behind;
		end += end < text.len ? mark_length(text, end) : 0;
	}
	return found;
}

/* Returns the end of the digits at `at` with their groups and units. */
static size_t amount_end(struct pl_str text, size_t at)
{
	int64_t factor;

	while (digit_at(text, at) || (at < text.len && mark_length(text, at) > 0 &&
	    digit_at(text, at + mark_length(text, at))))
		at += digit_at(text, at) ? 1 : mark_length(text, at);
	return units_end(text, at, &factor);
}

/*
 * Masks all numbers except those in addresses: "80,000, no, 90,000" contains two incomes. value >= 0: masks only
 * amounts of that value.
 */
static struct pl_str mask_numbers(struct pl_pool *pool, struct pl_str text, int64_t value, const char *label)
{
	struct pl_buf out = PL_BUF(pool);
	size_t end;

	for (size_t i = 0; i < text.len;) {
		end = i;
		if (digit_at(text, i) && (value < 0 || i == 0 || !digit_at(text, i - 1)) && !in_address(text, i))
			end = value < 0 ? amount_end(text, i) : value_end(text, i, value);
		if (end > i)
			pl_buf_addf(&out, "[%s]", label);
		else
			pl_buf_addc(&out, text.ptr[end++]);
		i = end;
	}
	return pl_buf_str(&out);
}

/* Replaces spans of the text, in ascending order, by the label. */
static struct pl_str mask_spans(struct pl_pool *pool, struct pl_str text, const struct read_span *spans, int count,
    const char *label)
{
	struct pl_buf out = PL_BUF(pool);
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		pl_buf_add(&out, text.ptr + at, spans[i].from - at);
		pl_buf_addf(&out, "[%s]", label);
		at = spans[i].to;
	}
	pl_buf_add(&out, text.ptr + at, text.len - at);
	return pl_buf_str(&out);
}

/* Masks amounts that the reader finds, also in words: "eighty thousand". cents: as in read_amounts(). */
static struct pl_str mask_amounts(struct pl_pool *pool, struct pl_str text, int64_t cents, const char *label)
{
	struct read_message *m = read_message(pool, text);
	struct read_span spans[SPANS_MAX];

	return mask_spans(pool, text, spans, m != NULL ? read_amounts(m, cents, spans, SPANS_MAX) : 0, label);
}

/* ---- texts ---- */

static bool is_word_byte(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c);
}

/* Returns the end of the value at `at`, without regard to case and the width of blanks; `at` if it is not there. */
static size_t text_end(struct pl_str text, size_t at, struct pl_str value)
{
	size_t end = at;

	if (value.len == 0 || (at > 0 && is_word_byte(text.ptr[at - 1]) && is_word_byte(value.ptr[0])))
		return at;
	for (size_t i = 0; i < value.len; i++) {
		if (end == text.len)
			return at;
		if (value.ptr[i] == ' ' && isspace((unsigned char)text.ptr[end])) {
			while (end < text.len && isspace((unsigned char)text.ptr[end]))
				end++;
		} else if (tolower((unsigned char)text.ptr[end++]) != tolower((unsigned char)value.ptr[i])) {
			return at;
		}
	}
	return end < text.len && is_word_byte(text.ptr[end]) && is_word_byte(value.ptr[value.len - 1]) ? at : end;
}

static struct pl_str mask_again(struct pl_pool *pool, struct pl_str text, struct pl_str value, const char *label)
{
	struct pl_buf out = PL_BUF(pool);
	size_t end;

	for (size_t i = 0; i < text.len; i = end) {
		end = text_end(text, i, value);
		if (end > i)
			pl_buf_addf(&out, "[%s]", label);
		else
			pl_buf_addc(&out, text.ptr[end++]);
	}
	return pl_buf_str(&out);
}

static struct pl_str mask_text(struct pl_pool *pool, struct pl_str text, struct pl_str raw, const char *label)
{
	struct pl_buf out = PL_BUF(pool);
	const char *at, *end = text.ptr + text.len;

	while (raw.len > 0 && (at = memmem(text.ptr, text.len, raw.ptr, raw.len)) != NULL) {
		pl_buf_add(&out, text.ptr, (size_t)(at - text.ptr));
		pl_buf_addf(&out, "[%s]", label);
		text = pl_strn(at + raw.len, (size_t)(end - at) - raw.len);
	}
	pl_buf_addstr(&out, text);
	return pl_buf_str(&out);
}

static bool names_it(const struct form_slot *slot, struct pl_str text)
{
	const struct pl_list own = { &slot->name, 1 };

	return form_has_word(text, slot->s->words.count > 0 ? &slot->s->words : &own);
}

/* Masks a value that was given before and is repeated. */
static struct pl_str mask_secret(struct pl_pool *pool, const struct form_slot *slot, struct pl_str secret,
    struct pl_str text)
{
	int64_t value, cents;

	if (secret.ptr == NULL)
		return text;
	if (slot->s->normal != FORM_AMOUNT)
		return mask_again(pool, text, secret, slot->s->label);
	cents = read_cents(secret);
	text = cents >= 0 ? mask_amounts(pool, text, cents, slot->s->label) : text;
	if (!pl_str_i64(secret, 0, INT64_MAX, &value))
		return text;
	return mask_numbers(pool, text, value, slot->s->label);
}

/* Masks what the expressions of the slot match. */
static struct pl_str mask_matches(struct pl_pool *pool, const struct form_slot *slot, struct pl_str text)
{
	const regex_t *expressions[] = {slot->s->find[0] != '\0' ? &slot->find : NULL,
	    slot->s->answer[0] != '\0' ? &slot->answer : NULL};
	const int64_t groups[] = {slot->s->find_group, slot->s->answer_group};
	regmatch_t at[FORM_GROUP_MAX + 1];

	for (size_t i = 0; i < PL_COUNT(expressions); i++) {
		const regmatch_t *found = &at[groups[i]];
		const char *p = pl_str_c(pool, text);

		if (expressions[i] == NULL)
			continue;
		for (int flags = 0; regexec(expressions[i], p, PL_COUNT(at), at, flags) == 0 && at[0].rm_eo > 0;
		     p += at[0].rm_eo, flags = REG_NOTBOL) {
			if (found->rm_so >= 0)
				text = mask_text(pool, text,
				    pl_strn(p + found->rm_so, (size_t)(found->rm_eo - found->rm_so)), slot->s->label);
		}
	}
	return text;
}

/* Masks what this message contains for a sensitive slot. raw absent: it was not understood. */
static struct pl_str mask_found(struct pl_pool *pool, const struct form_slot *slot, struct pl_str value,
    struct pl_str raw, struct pl_str text)
{
	if (slot->s->normal == FORM_AMOUNT)
		return mask_numbers(pool, mask_amounts(pool, text, -1, slot->s->label), -1, slot->s->label);
	if (raw.ptr == NULL)
		return pl_str(pl_sprintf(pool, "[%s]", slot->s->label));
	return mask_secret(pool, slot, value, mask_text(pool, text, raw, slot->s->label));
}

/* "Is 80k enough?": no value is taken, but the amount may still be the value of the open slot. */
static struct pl_str mask_named(const struct form *form, struct pl_pool *pool, int i, struct pl_str text)
{
	const struct form_slot *slot = &form->slots[i];
	struct form_state none = {.requested = i, .pending = -1};
	struct read_span spans[SPANS_MAX];
	struct read_message *m;

	if (!form_is_read(slot))
		return mask_matches(pool, slot, text);
	m = read_message(pool, text);
	if (m == NULL)		/* too long to be read: all of it is masked */
		return slot->s->normal == FORM_AMOUNT ? mask_numbers(pool, text, -1, slot->s->label) :
		    pl_str(pl_sprintf(pool, "[%s]", slot->s->label));
	if (slot->s->normal == FORM_AMOUNT)
		return mask_amounts(pool, text, READ_ASKED_ABOUT, slot->s->label);
	return mask_spans(
	    pool, text, spans, read_spans(m, form_want(form, &none, i).kind, spans, SPANS_MAX), slot->s->label);
}

static bool is_open(const struct form_state *state, const struct form_step *step, int i)
{
	return state->requested == i || state->pending == i || step->reopened == i || step->pending == i;
}

/* A question in between does not change the proposal. */
static bool is_kept(const struct form_state *state, const struct form_step *step)
{
	return step->question && state->pending == step->pending &&
	    step->pending_value.ptr == state->pending_value.ptr;
}

/* Does the message contain a value for the slot, or text that may hide one? */
static bool is_meant(const struct form_state *state, const struct form_step *step, int i)
{
	const struct read_value *v = &step->read[i];

	if (step->value[i].ptr != NULL || (step->pending == i && !is_kept(state, step)))
		return true;
	if (v->verdict != READ_NOTHING && (v->explicit || state->requested == i))
		return true;
	if (step->question || step->denied)
		return false;
	return state->requested == i || step->reopened == i || state->pending == i;
}

struct pl_str form_mask(const struct form *form, struct pl_pool *pool, const struct form_state *state,
    const struct form_step *step, struct pl_str text)
{
	for (int i = 0; i < form->count; i++) {
		const struct form_slot *slot = &form->slots[i];
		bool found = step->value[i].ptr != NULL, proposed = step->pending == i;

		if (!slot->s->sensitive)
			continue;
		if (is_meant(state, step, i) || (slot->s->normal == FORM_AMOUNT && names_it(slot, text)))
			text = mask_found(pool, slot, found ? step->value[i] : step->pending_value,
			    found ? step->raw[i] : proposed ? step->pending_raw : PL_STR_NONE, text);
		else if (is_open(state, step, i))
			text = mask_named(form, pool, i, text);
		text = mask_secret(pool, slot, state->secret[i], text);
		if (state->pending == i)
			text = mask_secret(pool, slot, state->pending_value, text);
	}
	return text;
}
