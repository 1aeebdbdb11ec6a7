/* SPDX-License-Identifier: ISC */
/* Numbers: digits with all kinds of marks, number words, and factors after them. */
#include <unictype.h>
#include <unistr.h>

#include "svc/read/read_int.h"

#define GROUPS_MAX 8
#define WHOLE_MAX 1000000000000000LL
#define CENTS_MAX 900000000000000000LL

/* ---- digits ---- */

struct groups {
	int64_t value[GROUPS_MAX];
	int length[GROUPS_MAX];
	char mark[GROUPS_MAX];
	int count;
};

static char mark_of(ucs4_t c)
{
	switch (c) {
	case '.':
	case ',':
	case '_':
		return (char)c;
	case 0x66b:
		return 'd'; /* the Arabic decimal point */
	case 0x66c:
		return '_';
	case ' ':
	case 0xa0:
	case 0x202f:
	case 0x2007:
	case 0x2008:
	case 0x2009:
		return ' ';
	default:
		return '\'';
	}
}

static bool groups_read(struct pl_str text, struct groups *g)
{
	ucs4_t c;

	*g = (struct groups){.count = 1};
	for (size_t i = 0; i < text.len;) {
		int n = u8_mbtouc(&c, (const uint8_t *)text.ptr + i, text.len - i), at = g->count - 1;

		i += n > 0 ? (size_t)n : 1;
		if (uc_decimal_value(c) >= 0) {
			if (g->value[at] > WHOLE_MAX / 10 || ++g->length[at] > 16)
				return false;
			g->value[at] = g->value[at] * 10 + uc_decimal_value(c);
		} else {
			if (g->count == GROUPS_MAX)
				return false;
			g->mark[g->count++] = mark_of(c);
		}
	}
	return true;
}

/* Do the groups 1..last-1 make thousands (80,000,000) or lakhs (12,00,000)? */
static bool are_thousands(const struct groups *g, int last)
{
	bool threes = true, lakhs = last > 2 && g->length[last - 1] == 3;

	if (g->length[0] < 1 || g->length[0] > 3 || (g->value[0] == 0 && last > 1))
		return false;
	for (int i = 1; i < last; i++) {
		if (g->mark[i] != g->mark[1])
			return false;
		threes = threes && g->length[i] == 3;
		lakhs = lakhs && g->length[i] == (i == last - 1 ? 3 : 2);
	}
	return threes || (lakhs && g->length[0] <= 2);
}

bool digits_read(struct pl_str text, struct digits *out)
{
	struct groups g;
	int whole; /* number of groups before the decimals */
	char last;

	*out = (struct digits){.scale = 1};
	if (!groups_read(text, &g))
		return false;
	last = g.count > 1 ? g.mark[g.count - 1] : '\0';
	whole = g.count;
	if (g.count == 2 && (last == '.' || last == ',')) {
		bool thousands = g.length[1] == 3 && g.length[0] <= 3 && g.value[0] > 0;

		whole = thousands ? 2 : 1;
		out->unclear = g.length[1] == 3;
	} else if (g.count > 2 && last != g.mark[1] && (last == '.' || last == ',' || last == 'd')) {
		whole = g.count - 1;
	} else if (last == 'd') {
		whole = 1;
	}
	if (whole > 1 && !are_thousands(&g, whole))
		return false;
	for (int i = 0; i < whole; i++) {
		int64_t unit = 1;

		for (int d = 0; d < g.length[i] && i > 0; d++)
			unit *= 10;
		if (out->whole > WHOLE_MAX / unit)
			return false;
		out->whole = out->whole * unit + g.value[i];
	}
	if (whole < g.count) {
		if (g.length[whole] > 9)
			return false;
		out->part = g.value[whole];
		for (int d = 0; d < g.length[whole]; d++)
			out->scale *= 10;
	}
	return out->whole <= WHOLE_MAX;
}

/* ---- factors ---- */

static int64_t factor_of(struct pl_str word)
{
	static const struct {
		const char *words;
		int64_t factor;
	} factors[] = {{" hundred hundreds hundert ", 100},
	    {" k thousand thousands grand tsd tausend тыс тысяч 千 천 천원 ", 1000},
	    {" 万 萬 万円 万元 萬元 만 만원 ", 10000}, {" lakh lakhs lac lacs lpa ", 100000},
	    {" m mm mn mln mio mil mill million millions millionen millones milhões milioni млн миллион ", 1000000},
	    {" crore crores cr ", 10000000}, {" 亿 億 억 억원 ", 100000000},
	    {" bn billion billions mrd milliarden ", 1000000000}};

	for (size_t i = 0; i < PL_COUNT(factors); i++)
		if (word_in(factors[i].words, word))
			return factors[i].factor;
	return 0;
}

/* Reads the factors at `at`: "hundred thousand", but only the first one of "k k" and "k million". */
static int factors_at(const struct read_message *m, int at, int to, int64_t *factor_r)
{
	int64_t one;

	*factor_r = 1;
	for (; at < to && m->tokens[at].type == TOKEN_WORD; at++) {
		one = factor_of(m->tokens[at].word);
		if (one == 0 || *factor_r > CENTS_MAX / one ||
		    (*factor_r > 1 && (one <= *factor_r || m->tokens[at - 1].word.len <= 2)))
			break;
		*factor_r *= one;
	}
	return at;
}

/* ---- number words ---- */

enum word_kind { WORD_NONE, WORD_UNIT, WORD_TEEN, WORD_TEN, WORD_FACTOR };

static enum word_kind word_number(struct pl_str word, int64_t *value_r)
{
	static const char *const small[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight",
	    "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
	    "nineteen"};
	static const char *const tens[] = {
	    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};

	for (size_t i = 0; i < PL_COUNT(small); i++)
		if (pl_str_is(word, small[i])) {
			*value_r = (int64_t)i;
			return i > 0 && i < 10 ? WORD_UNIT : WORD_TEEN;
		}
	for (size_t i = 0; i < PL_COUNT(tens); i++)
		if (pl_str_is(word, tens[i])) {
			*value_r = (int64_t)i * 10 + 20;
			return WORD_TEN;
		}
	*value_r = pl_str_is(word, "fourty") ? 40 : factor_of(word);
	return *value_r == 40 ? WORD_TEN : *value_r > 0 ? WORD_FACTOR : WORD_NONE;
}

struct counting {
	int64_t total, current, factor;
	enum word_kind last;
	int words;
	bool marked;
};

/* Adds a word to a number; false: the word does not continue it. */
static bool count_word(struct counting *c, struct pl_str word)
{
	int64_t value;
	enum word_kind kind = word_number(word, &value);

	switch (kind) {
	case WORD_NONE:
		return false;
	case WORD_UNIT:
		if (c->last == WORD_UNIT || c->last == WORD_TEEN)
			return false;
		c->current += value;
		break;
	case WORD_TEEN:
	case WORD_TEN:
		if (c->last == WORD_UNIT || c->last == WORD_TEEN || c->last == WORD_TEN)
			return false;
		c->current += value;
		break;
	case WORD_FACTOR:
		if (c->words == 0 || c->current == 0 || c->current > 999999)
			return false;
		if (value == 100 && c->current < 100) {
			c->current *= 100;
			break;
		}
		if (c->factor > 0 && value >= c->factor)
			return false;
		c->total += c->current * value;
		c->current = 0;
		c->factor = value;
		break;
	}
	c->marked = c->marked || kind == WORD_FACTOR;
	c->last = kind;
	c->words++;
	return true;
}

/* "eighty-five" is one token. */
static bool count_token(struct counting *c, struct pl_str word)
{
	struct counting next = *c;
	struct pl_str part;

	while (pl_str_cut(&word, '-', &part))
		if (!count_word(&next, part))
			return false;
	*c = next;
	return true;
}

static bool starts_number(const struct token *t)
{
	struct counting c = {0};

	return t->type == TOKEN_WORD && count_token(&c, t->word);
}

/* "a hundred", "half a million", "one and a half million" are fixed phrases. */
static bool words_at(const struct read_message *m, int at, int to, struct number *out)
{
	static const char one[] = " a an one ";
	struct counting c = {0};
	int64_t factor, cents;
	int n, end;

	if ((n = phrase_at(m, at, to, "half a|half an")) > 0 ||
	    (n = phrase_at(m, at, to,
		 "one and a half|a quarter|a quarter of a|"
		 "quarter of a")) > 0) {
		int64_t hundredths = token_in(&m->tokens[at], " half ") ? 50
		    : token_in(&m->tokens[at], " one ")                 ? 150
									: 25;

		end = factors_at(m, at + n, to, &factor);
		*out = (struct number){.to = end, .cents = hundredths * factor, .factor = true, .words = true};
		return end > at + n && factor >= 1000;
	}
	if (token_in(&m->tokens[at], one) && at + 1 < to && m->tokens[at + 1].type == TOKEN_WORD &&
	    factor_of(m->tokens[at + 1].word) > 1 && m->tokens[at + 1].word.len > 2) {
		c = (struct counting){.current = 1, .words = 1, .last = WORD_UNIT};
		at++;
	}
	for (; at < to && m->tokens[at].type == TOKEN_WORD; at++) {
		bool and =
		    c.marked && token_in(&m->tokens[at], " and ") && at + 1 < to && starts_number(&m->tokens[at + 1]);

		if (!and&&!count_token(&c, m->tokens[at].word))
			break;
	}
	cents = c.total + c.current;
	*out = (struct number){.to = at, .cents = cents * 100, .factor = c.marked, .words = true};
	return c.words > 0 && cents < CENTS_MAX / 100;
}

bool number_at(const struct read_message *m, int at, int to, struct number *out)
{
	struct digits d;
	int64_t factor;
	__int128 cents;
	int end;

	if (at >= to)
		return false;
	if (m->tokens[at].type == TOKEN_WORD)
		return words_at(m, at, to, out);
	if (m->tokens[at].type != TOKEN_NUMBER || !digits_read(m->tokens[at].text, &d))
		return false;
	end = factors_at(m, at + 1, to, &factor);
	cents = ((__int128)d.whole * d.scale + d.part) * factor * 100;
	if (cents % d.scale != 0 || cents / d.scale > CENTS_MAX)
		return false;
	*out = (struct number){.to = end, .cents = (int64_t)(cents / d.scale), .factor = factor > 1};
	return true;
}

int month_of(struct pl_str word)
{
	static const char *const months[] = {" january jan januar januar enero janvier gennaio ",
	    " february feb februar febrero février fevrier febbraio ", " march mar märz maerz marzo mars ",
	    " april apr abril avril aprile ", " may mai mayo maggio ", " june jun juni junio juin giugno ",
	    " july jul juli julio juillet luglio ", " august aug agosto août aout ",
	    " september sep sept septiembre septembre settembre ", " october oct oktober okt octubre octobre ottobre ",
	    " november nov noviembre novembre ", " december dec dezember dez diciembre décembre decembre dicembre "};

	for (size_t i = 0; i < PL_COUNT(months); i++)
		if (word_in(months[i], word))
			return (int)i + 1;
	return 0;
}
