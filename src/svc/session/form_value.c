/* SPDX-License-Identifier: ISC */
/*
 * Values of slots: normalisers and validators.
 */
#include <ctype.h>

#include "svc/session/form.h"

#define NAME_WORDS_MAX 4

static bool is_word_byte(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c) || c == '\'' || c == '-';
}

/* The next word at *at; false: no more. */
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

/* Single blanks between words. */
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

/* A name ends at punctuation and at words that go on with something else; it has letters only and few words. */
static struct pl_str normal_name(struct pl_pool *pool, struct pl_str text, const struct pl_list *reject)
{
	static const char *const goes_on[] = { "and", "but", "with", "from", "please", "thanks" };
	const struct pl_list stops = { goes_on, PL_COUNT(goes_on) };
	struct pl_buf out = PL_BUF(pool);
	struct pl_str word;
	size_t at = 0;
	int words = 0;

	text = normal_text(pool, text);
	while (next_word(text, &at, &word)) {
		if (words > 0 && listed(word, &stops))
			break;
		if (listed(word, reject) || ++words > NAME_WORDS_MAX)
			return PL_STR_NONE;
		for (size_t i = 0; i < word.len; i++)
			if (isdigit((unsigned char)word.ptr[i]))
				return PL_STR_NONE;
		if (out.len > 0)
			pl_buf_addc(&out, ' ');
		pl_buf_addc(&out, (char)toupper((unsigned char)word.ptr[0]));
		pl_buf_add(&out, word.ptr + 1, word.len - 1);
		if (at < text.len && text.ptr[at] == '.' && word.len == 1) {
			pl_buf_addc(&out, '.');	/* an initial */
			at++;
		}
		if (at < text.len && text.ptr[at] != ' ') {
			if (strchr("@_/\\=+*#<>", text.ptr[at]) != NULL)
				return PL_STR_NONE;
			break;
		}
	}
	return pl_buf_str(&out);
}

static int64_t factor_of(struct pl_str rest)
{
	rest = pl_str_trim(rest);
	if (pl_str_istarts(rest, "m"))
		return 1000000;
	return pl_str_istarts(rest, "k") || pl_str_istarts(rest, "thousand") ? 1000 : 1;
}

/* "80,000", "80.000", "80 000", "80k", "1.5 million": whole units as decimal digits. */
static struct pl_str normal_amount(struct pl_pool *pool, struct pl_str text)
{
	int64_t value = 0, factor, decimals = 0, scale = 1;
	size_t at = 0, end, mark = 0;

	while (at < text.len && !isdigit((unsigned char)text.ptr[at]))
		at++;
	if (at == text.len || (at > 0 && text.ptr[at - 1] == '-'))
		return PL_STR_NONE;
	for (end = at; end < text.len && (isdigit((unsigned char)text.ptr[end]) ||
	    strchr(".,' ", text.ptr[end]) != NULL); end++)
		if (text.ptr[end] == '.' || text.ptr[end] == ',')
			mark = end;
	while (end > at && !isdigit((unsigned char)text.ptr[end - 1]))
		end--;
	factor = factor_of(pl_strn(text.ptr + end, text.len - end));
	for (size_t i = at; i < end; i++) {
		if (!isdigit((unsigned char)text.ptr[i]))
			continue;
		/* one or two digits behind the last mark are decimals, three are thousands */
		if (mark > at && i > mark && end - mark <= 3) {
			decimals = decimals * 10 + (text.ptr[i] - '0');
			scale *= 10;
		} else if (value > INT64_MAX / 100 / 1000000) {
			return PL_STR_NONE;
		} else {
			value = value * 10 + (text.ptr[i] - '0');
		}
	}
	return pl_str(pl_sprintf(pool, "%lld", (long long)(value * factor + decimals * factor / scale)));
}

static bool valid(const struct form_slot *slot, struct pl_pool *pool, struct pl_str value)
{
	int64_t size;

	if (value.ptr == NULL || value.len == 0)
		return false;
	if (slot->s->normal == FORM_AMOUNT)
		return pl_str_i64(value, slot->s->min, slot->s->max, &size);
	size = (int64_t)pl_utf8_count(value.ptr, value.len);
	if (size < slot->s->min || size > slot->s->max)
		return false;
	return slot->s->pattern[0] == '\0' || regexec(&slot->pattern, pl_str_c(pool, value), 0, NULL, 0) == 0;
}

struct pl_str form_value(const struct form_slot *slot, struct pl_pool *pool, struct pl_str text)
{
	struct pl_str value = PL_STR_NONE;

	switch (slot->s->normal) {
	case FORM_NAME:
		value = normal_name(pool, text, &slot->s->reject);
		break;
	case FORM_LOWER:
		value = normal_lower(pool, text);
		break;
	case FORM_AMOUNT:
		value = normal_amount(pool, text);
		break;
	default:
		value = normal_text(pool, text);
		break;
	}
	if (slot->s->normal != FORM_NAME && slot->s->reject.count > 0 && form_has_word(text, &slot->s->reject))
		return PL_STR_NONE;
	return valid(slot, pool, value) ? value : PL_STR_NONE;
}
