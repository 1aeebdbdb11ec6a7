/* SPDX-License-Identifier: ISC */
/*
 * Amounts: a number with currency and period, ranges, and texts that look like amounts but are dates, telephone
 * numbers, versions, counts, or order numbers.
 */
#include <ctype.h>
#include <unictype.h>
#include <unistr.h>

#include "svc/read/read_int.h"

static const char currencies[] =
    " eur euro euros usd dollar dollars buck bucks us$ gbp pound pounds quid sterling jpy yen inr rs "
    "rupee rupees chf sfr franc francs franken fr kr kron kronor kroner krone sek nok dkk isk pln zł zloty złoty czk "
    "kč huf ft forint "
    "rub ruble rubles rouble roubles руб рублей uah грн cny rmb yuan 元 円 원 krw won brl r real reais mxn peso pesos "
    "cad aud nzd "
    "sgd hkd zar rand try tl lira ils shekel shekels aed dirham dirhams sar riyal riyals ngn naira kes shilling "
    "shillings ghs "
    "cedi cedis thb baht vnd dong idr rupiah rp myr ringgit rm php egp crowns ";

bool is_currency_sign(const struct token *t)
{
	static const char *const signs[] = {"$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₫", "₴", "₦", "₪", "฿", "₱", "₵",
	    "₸", "₡", "￥", "＄"};

	for (size_t i = 0; t->type == TOKEN_SIGN && i < PL_COUNT(signs); i++)
		if (pl_str_is(t->text, signs[i]))
			return true;
	return false;
}

/* Returns the number of tokens of a currency at `at`, "US$", "Rs."; 0: none. */
static int currency_at(const struct read_message *m, int at, int to)
{
	int from = at;

	if (at < to && token_in(&m->tokens[at], currencies)) {
		at++;
		if (at < to && sign_is(&m->tokens[at], '.') && m->tokens[at].glued && at + 1 < to &&
		    m->tokens[at + 1].type == TOKEN_NUMBER)
			at++;
	} else if (at + 1 < to && token_in(&m->tokens[at], " us ca au nz r hk a ") &&
	    is_currency_sign(&m->tokens[at + 1])) {
		at++;
	}
	if (at < to && is_currency_sign(&m->tokens[at]))
		at++;
	return at - from;
}

/* ---- periods ---- */

static enum read_per unit_of(const struct token *t)
{
	static const struct {
		const char *words;
		enum read_per per;
	} units[] = {{" hour hr h hours stunde std hora heure ", READ_PER_HOUR},
	    {" day d workday tag día jour shift ", READ_PER_DAY}, {" week wk woche semana semaine ", READ_PER_WEEK},
	    {" month mo mth monat mes mois mese mnth ", READ_PER_MONTH},
	    {" year yr y annum jahr año an anno år ar ", READ_PER_YEAR}};

	for (size_t i = 0; i < PL_COUNT(units); i++)
		if (token_in(t, units[i].words))
			return units[i].per;
	return READ_PER_NONE;
}

enum read_per amount_period(const struct token *t)
{
	static const struct {
		const char *words;
		enum read_per per;
	} units[] = {{" hourly ph stündlich ", READ_PER_HOUR}, {" daily pd ", READ_PER_DAY},
	    {" weekly pw ", READ_PER_WEEK}, {" monthly pcm monatlich mensual mtl ", READ_PER_MONTH},
	    {" yearly annually annual pa jährlich anual ", READ_PER_YEAR}};

	for (size_t i = 0; i < PL_COUNT(units); i++)
		if (token_in(t, units[i].words))
			return units[i].per;
	return READ_PER_NONE;
}

/* "a month", "/h", "p.a.", "monthly". Returns the number of tokens. */
static int period_at(const struct read_message *m, int at, int to, enum read_per *per_r)
{
	int n = phrase_at(m, at, to, "per|a|an|each|every|by the|in a|pro|im|al|por|par|the|p|/|in one|for a");

	*per_r = READ_PER_NONE;
	if (at < to && (*per_r = amount_period(&m->tokens[at])) != READ_PER_NONE)
		return 1;
	if (phrase_at(m, at, to, "p a|p m") == 2 && m->tokens[at].dot) {
		*per_r = pl_str_is(m->tokens[at + 1].word, "a") ? READ_PER_YEAR : READ_PER_MONTH;
		return 2;
	}
	if (n > 0 && at + n < to)
		*per_r = unit_of(&m->tokens[at + n]);
	return *per_r != READ_PER_NONE ? n + 1 : 0;
}

/* ---- texts that are not amounts ---- */

static bool is_joint(const struct token *t)
{
	return t->type == TOKEN_SIGN && t->word.len == 1 && strchr("-/:.#@&_*^\\'", t->word.ptr[0]) != NULL;
}

/* Is the number part of something longer: "A4", "#12", "no. 7", "555-1234", "12:30"? */
static bool is_tied_before(const struct read_message *m, int at)
{
	const struct token *t = &m->tokens[at], *before = at > 0 ? t - 1 : NULL;

	if (before == NULL)
		return false;
	if (at > 1 && sign_is(before, '=') && (sign_is(before - 1, '<') || sign_is(before - 1, '>')))
		return true;
	if (sign_is(before, '#') || sign_is(before, '<') || sign_is(before, '>') || pl_str_is(before->text, "№") ||
	    pl_str_is(before->text, "≥") || pl_str_is(before->text, "≤") || token_in(before, " point ") ||
	    (token_in(before, " of ") && token_in(t, " a an half one ")))
		return true;
	if (token_in(before,
		" no nr number nº № num ref order invoice ticket case room page version code pin "
		"#no zip apartment apt suite flight line gate id "))
		return !token_in(before, " no number ") || before->glued || at > 1;
	/* "2 x 40k" */
	if (at > 1 && t[-2].type == TOKEN_NUMBER &&
	    (token_in(before, " x times mal ") || sign_is(before, '*') || pl_str_is(before->text, "×")))
		return true;
	if (!t->glued)
		return false;
	if (before->type == TOKEN_WORD)
		return currency_at(m, at - 1, at) == 0;
	return before->type != TOKEN_SIGN || ((sign_is(before, '.') || sign_is(before, ',')) && !before->glued) ||
	    (is_joint(before) &&
		(sign_is(before, '.') || sign_is(before, '-') || sign_is(before, '#') || (before->glued && at > 1)));
}

static bool is_tied_behind(const struct read_message *m, int at, int to)
{
	const struct token *t = &m->tokens[at];
	ucs4_t c;

	if (at >= m->count || at > to)
		return false;
	u8_mbtouc(&c, (const uint8_t *)t->text.ptr, t->text.len);
	if (t->type == TOKEN_SIGN && uc_is_general_category_withtable(c, UC_CATEGORY_MASK_N))
		return true; /* "80½" */
	if (sign_is(t, '%') || sign_is(t, '^') || sign_is(t, '*') ||
	    token_in(t, " percent pct prozent % x point times ") || pl_str_is(t->text, "×") ||
	    pl_str_is(t->text, "°") || pl_str_is(t->text, "‰") || pl_str_is(t->text, "¢") || pl_str_is(t->text, "₿"))
		return true;
	if (!t->glued)
		return false;
	if (t->type == TOKEN_WORD || t->type == TOKEN_NUMBER || t->type == TOKEN_ADDRESS)
		return true;
	return is_joint(t) && at + 1 < m->count && m->tokens[at + 1].glued && m->tokens[at + 1].type != TOKEN_SIGN;
}

/* ---- amounts ---- */

struct part {
	int to;
	struct number n;
	bool marked;
};

/* "EUR 80.000,-": a number with its currency. */
static bool part_at(const struct read_message *m, int at, int to, struct part *out)
{
	int currency = currency_at(m, at, to), behind;

	if (!number_at(m, at + currency, to, &out->n))
		return false;
	at = out->n.to;
	out->marked = out->n.factor || currency > 0;
	if (at + 1 < to && (sign_is(&m->tokens[at], ',') || sign_is(&m->tokens[at], '.')) && m->tokens[at].glued &&
	    sign_is(&m->tokens[at + 1], '-') && m->tokens[at + 1].glued) {
		at += 2;
		if (at < to && sign_is(&m->tokens[at], '-'))
			at++;
	}
	if (at < to && sign_is(&m->tokens[at], '.') && m->tokens[at].glued && at + 1 < to &&
	    currency_at(m, at + 1, to) > 0 && m->tokens[at + 1].glued)
		at++;
	behind = currency_at(m, at, to);
	out->marked = out->marked || behind > 0;
	out->to = at + behind;
	return true;
}

static struct pl_str cents_text(struct pl_pool *pool, int64_t cents)
{
	if (cents % 100 == 0)
		return pl_str(pl_sprintf(pool, "%lld", (long long)(cents / 100)));
	if (cents % 10 == 0)
		return pl_str(pl_sprintf(pool, "%lld.%lld", (long long)(cents / 100), (long long)(cents / 10 % 10)));
	return pl_str(pl_sprintf(pool, "%lld.%02lld", (long long)(cents / 100), (long long)(cents % 100)));
}

/* Applies a factor that is given once to both ends: "50 to 60 thousand", "50-60k". */
static int64_t lower_end(const struct part *low, const struct part *high)
{
	int64_t cents = low->n.cents;

	if (low->n.factor || !high->n.factor)
		return cents;
	for (int64_t factor = 1000000000; factor > 1; factor /= 10)
		if ((factor == 1000000000 || factor == 1000000 || factor == 1000 || factor == 100000 ||
			factor == 10000000) &&
		    high->n.cents >= factor * 100 && cents * factor <= high->n.cents)
			return cents * factor;
	return cents;
}

/* "50 to 60k", "50-60k", "between 50 and 60k" */
static bool range_at(const struct read_message *m, int at, int to, const struct part *low, struct found *out)
{
	struct part high;
	bool between = at > 0 &&
	    (token_in(&m->tokens[at - 1], " between from zwischen von ") ||
		(at > 1 && currency_at(m, at - 1, at) > 0 && token_in(&m->tokens[at - 2], " between from ")));
	bool dash = low->to < to && m->tokens[low->to].type == TOKEN_SIGN && sign_is(&m->tokens[low->to], '-');
	int next = low->to + 1;
	int64_t cents;

	if (low->to >= to ||
	    !(dash ||
		token_in(&m->tokens[low->to], between ? " and to or und bis till until " : " to or bis till until ")))
		return false;
	if (!part_at(m, next, to, &high) || is_tied_behind(m, high.to, to))
		return false;
	cents = lower_end(low, &high);
	/* "555-1234" is not a range */
	if (cents >= high.n.cents || (dash && m->tokens[next].glued && !low->marked && !high.marked))
		return false;
	*out = (struct found){.to = high.to,
	    .value = cents_text(m->pool, cents),
	    .other = cents_text(m->pool, high.n.cents),
	    .verdict = READ_RANGE,
	    .marked = true};
	return true;
}

/* "0171", "007": part of a telephone number, or a code */
static bool is_code(struct pl_str text)
{
	return text.len > 1 && text.ptr[0] == '0' && isdigit((unsigned char)text.ptr[1]);
}

bool amount_at(const struct read_message *m, int at, int to, struct found *out)
{
	struct part part;
	enum read_per per;
	const struct token *before = at > 0 ? &m->tokens[at - 1] : NULL;
	bool unsure;
	int n;

	if (!part_at(m, at, to, &part) || is_tied_before(m, at))
		return false;
	if (m->tokens[at].type == TOKEN_SIGN && before != NULL && sign_is(before, '-'))
		return false; /* -$5 */
	if (before != NULL && token_in(before, " minus negative ") && !range_at(m, at, to, &part, out))
		return false;
	if (!range_at(m, at, to, &part, out)) {
		if (period_at(m, part.to, to, &per) == 0 && is_tied_behind(m, part.to, to))
			return false;
		unsure = before != NULL && sign_is(before, '-'); /* "- 5" may be negative */
		unsure = unsure || is_code(m->tokens[part.n.to - 1].text);
		unsure = unsure ||
		    (token_in(&m->tokens[part.n.to - 1], " mil ") && m->tokens[part.n.to - 2].type == TOKEN_NUMBER &&
			memchr(m->tokens[part.n.to - 2].text.ptr, '.', m->tokens[part.n.to - 2].text.len) == NULL);
		*out = (struct found){.to = part.to,
		    .value = cents_text(m->pool, part.n.cents),
		    .marked = part.marked,
		    .verdict = unsure ? READ_UNSURE : READ_SURE};
		if (part.n.factor && m->tokens[at].type == TOKEN_NUMBER) {
			struct digits d;

			if (digits_read(m->tokens[at].text, &d) && d.unclear)
				out->verdict = READ_UNSURE; /* "1.500 million" */
		}
	}
	n = period_at(m, out->to, to, &per);
	out->to += n;
	out->per = per;
	out->marked = out->marked || n > 0;
	n = currency_at(m, out->to, to);
	out->to += n;
	return true;
}

bool read_has_amount(struct read_message *m)
{
	struct found found;

	for (int at = 0; at < m->count; at++)
		if (amount_at(m, at, m->count, &found) && (found.marked || m->tokens[at].type == TOKEN_NUMBER))
			return true;
	return false;
}

int64_t read_cents(struct pl_str value)
{
	struct digits d;

	for (size_t i = 0; i < value.len; i++)
		if (strchr("0123456789.", value.ptr[i]) == NULL)
			return -1;
	if (memchr(value.ptr, '.', value.len) == NULL) {
		int64_t whole;

		return pl_str_i64(value, 0, INT64_MAX / 1000, &whole) ? whole * 100 : -1;
	}
	if (!digits_read(value, &d) || d.scale > 100)
		return -1;
	return d.whole * 100 + d.part * 100 / d.scale;
}

/* Can a question contain the user's own amount? "is 80k enough?" can; "in 2 weeks" and "it cost 49.99" cannot. */
static bool is_meant(const struct read_message *m, int at, const struct part *part, const struct found *found)
{
	static const char before[] =
	    " cost costs price priced prices fee fees deposit in at on after before within since until from by ";
	static const char judges[] =
	    " enough ok okay fine too much good low high sufficient right correct all or and is be for as if then a ";
	const struct token *next = found->to < m->count ? &m->tokens[found->to] : NULL;

	if (at > 0 && token_in(&m->tokens[at - 1], before) && !found->marked)
		return false;
	if (found->marked || part->n.cents >= 100000)
		return m->tokens[at].type != TOKEN_WORD || found->marked;
	return m->tokens[at].type == TOKEN_NUMBER &&
	    (next == NULL || next->type != TOKEN_WORD || token_in(next, judges));
}

int read_amounts(struct read_message *m, int64_t cents, struct read_span *spans, int max)
{
	struct found found;
	struct part part;
	int count = 0, end;

	for (int at = 0; at < m->count && count < max; at++) {
		if (!amount_at(m, at, m->count, &found) || !part_at(m, at, m->count, &part))
			continue;
		/* the currency and the period are not a part of it */
		end = cents < 0 && found.verdict == READ_RANGE ? found.to : part.n.to;
		while (end > part.n.to &&
		    (m->tokens[end - 1].type != TOKEN_NUMBER && unit_of(&m->tokens[end - 1]) != READ_PER_NONE))
			end--;
		if (cents == READ_ASKED_ABOUT ? is_meant(m, at, &part, &found) : cents < 0 || part.n.cents == cents)
			spans[count++] = (struct read_span){
			    m->tokens[at + currency_at(m, at, m->count)].from, m->tokens[end - 1].to};
		at = end - 1;
	}
	return count;
}
