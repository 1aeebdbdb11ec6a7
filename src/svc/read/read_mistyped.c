/* SPDX-License-Identifier: ISC */
/*
 * Mistyped mail addresses and what they probably mean: "ann@example,org", "ann (at) gmail.con". The result is only
 * proposed, never stored without a confirmation.
 */
#include <ctype.h>

#include "svc/read/read_int.h"

#define LOCAL_MAX 64
#define DOMAIN_MAX 190
#define LABELS_MAX 8

static const struct { const char *wrong, *right; } ends[] = {
	{ "con", "com" }, { "cmo", "com" }, { "ocm", "com" }, { "comm", "com" }, { "coom", "com" }, { "vom", "com" },
	{ "xom", "com" }, { "cim", "com" }, { "c0m", "com" }, { "co0m", "com" }, { "cpm", "com" }, { "ogr", "org" },
	{ "orgg", "org" }, { "ort", "org" }, { "0rg", "org" }, { "nte", "net" }, { "ner", "net" }, { "nett", "net" },
	{ "ed", "de" },
};
static const struct { const char *right; const char *wrong; } providers[] = {
	{ "gmail.com", " gmial.com gmai.com gmal.com gnail.com gamil.com gmaill.com gmail.co gmali.com gmailcom gmail "
	    "gmail.cm gmail.om gmail.de.com " },
	{ "hotmail.com", " hotmial.com hotnail.com hotmal.com hotmai.com hotmailcom hotmail.co " },
	{ "yahoo.com", " yaho.com yahooo.com yhoo.com yahoocom yahoo.co " },
	{ "outlook.com", " outlok.com outloo.com outlookcom outlook.co " },
	{ "icloud.com", " iclod.com icloud.co icloudcom " }, { "googlemail.com", " googlemial.com googlemailcom " },
	{ "gmx.de", " gmx.ed gmxde " },
};
static const char known_ends[] = " com org net info biz edu gov eu de at ch fr es it pt nl be lu uk ie dk se no fi is "
    "pl cz sk hu ro bg gr tr ru ua cn jp kr in br ar mx ca us au nz za co io me dev app con cmo ogr ";

/* Returns the length of an @ in one of its forms; word: as a separate word. */
static size_t sign_at(struct pl_str s, size_t at, bool *word)
{
	static const char *const spelled[] = { "(at)", "[at]", "{at}", "<at>", "\uff20", "@" };
	struct pl_str rest = pl_strn(s.ptr + at, s.len - at);

	*word = pl_str_istarts(rest, " at ");
	if (*word)
		return 4;
	for (size_t i = 0; i < PL_COUNT(spelled); i++)
		if (pl_str_istarts(rest, spelled[i]))
			return strlen(spelled[i]);
	return 0;
}

/* Returns the length of a dot in one of its forms; loose: a known top-level domain must follow. */
static size_t dot_at(struct pl_str s, size_t at, bool *loose, bool *word)
{
	static const char *const spelled[] = { "(dot)", "[dot]", "{dot}", "\uff0e", "\u3002", "..", "." };
	struct pl_str rest = pl_strn(s.ptr + at, s.len - at);
	size_t blanks = 0, len = 0;

	*loose = *word = false;
	if (pl_str_istarts(rest, " dot ")) {
		*word = true;
		return 5;
	}
	while (blanks < rest.len && rest.ptr[blanks] == ' ')
		blanks++;
	rest = pl_strn(rest.ptr + blanks, rest.len - blanks);
	for (size_t i = 0; i < PL_COUNT(spelled) && len == 0; i++)
		if (pl_str_istarts(rest, spelled[i]))
			len = strlen(spelled[i]);
	if (len == 0 && rest.len > 0 && strchr(",;", rest.ptr[0]) != NULL)
		len = *loose = true;
	if (len == 0)
		return 0;
	*loose = *loose || blanks > 0;
	for (; len < rest.len && rest.ptr[len] == ' '; len++)
		*loose = true;
	return blanks + len;
}

static bool in_label(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c) || c == '-';
}

/* Returns where the label at `at` ends. Full-width marks are above 0x80 and not a part of it. */
static size_t label_end(struct pl_str s, size_t at)
{
	bool loose, word;

	while (at < s.len && in_label(s.ptr[at]) &&
	    ((unsigned char)s.ptr[at] < 0x80 || dot_at(s, at, &loose, &word) == 0))
		at++;
	return at;
}

static bool known_end(struct pl_str label)
{
	char text[12] = "";

	if (label.len >= sizeof(text))
		return false;
	for (size_t i = 0; i < label.len; i++)
		text[i] = (char)tolower((unsigned char)label.ptr[i]);
	return word_in(known_ends, pl_str(text));
}

/* Reads the labels after the @; *to: their end. */
static bool read_domain(struct pl_str s, size_t at, struct pl_buf *out, size_t *to, bool *words)
{
	size_t end = label_end(s, at), dot, next;
	bool loose, word;

	if (end == at)
		return false;
	pl_buf_add(out, s.ptr + at, end - at);
	for (int labels = 1; labels < LABELS_MAX && (dot = dot_at(s, end, &loose, &word)) > 0; labels++) {
		struct pl_str label;

		next = label_end(s, end + dot);
		label = pl_strn(s.ptr + end + dot, next - end - dot);
		if (label.len == 0 || (loose && !known_end(label)))
			break;
		*words = *words || word;
		pl_buf_addc(out, '.');
		pl_buf_addstr(out, label);
		end = next;
	}
	*to = end;
	for (size_t i = 0; i < out->len; i++)
		out->ptr[i] = (char)tolower((unsigned char)out->ptr[i]);
	return out->len < DOMAIN_MAX;
}

static struct pl_str repaired(struct pl_pool *pool, struct pl_str domain)
{
	const char *dot = memrchr(domain.ptr, '.', domain.len);
	struct pl_str last = dot != NULL ? pl_strn(dot + 1, domain.len - (size_t)(dot + 1 - domain.ptr)) : PL_STR("");

	for (size_t i = 0; i < PL_COUNT(providers); i++)
		if (word_in(providers[i].wrong, domain))
			return pl_str(providers[i].right);
	for (size_t i = 0; i < PL_COUNT(ends) && dot != NULL; i++)
		if (pl_str_is(last, ends[i].wrong))
			return repaired(pool, pl_str(pl_sprintf(pool, "%.*s.%s", (int)(dot - domain.ptr), domain.ptr,
			    ends[i].right)));
	return domain;
}

static bool in_local(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c) || strchr(".!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

/*
 * Returns where the local part that ends at `to` begins. "ann dot lee" is ann.lee if the rest is spelled like this,
 * too.
 */
static size_t local_start(struct pl_str s, size_t to, bool words)
{
	size_t from = to;

	while (from > 0 && s.ptr[from - 1] != '\0' && in_local(s.ptr[from - 1]))
		from--;
	if (words && from < to && from >= 5 && pl_str_istarts(pl_strn(s.ptr + from - 5, 5), " dot "))
		return local_start(s, from - 5, true);
	return from;
}

static struct pl_str local_text(struct pl_pool *pool, struct pl_str s)
{
	struct pl_buf out = PL_BUF(pool);

	while (s.len > 0 && strchr(".'`", s.ptr[0]) != NULL)
		s = pl_strn(s.ptr + 1, s.len - 1);
	while (s.len > 0 && s.ptr[s.len - 1] == '.')
		s.len--;
	for (size_t i = 0; i < s.len; i++)
		if (pl_str_istarts(pl_strn(s.ptr + i, s.len - i), " dot ")) {
			pl_buf_addc(&out, '.');
			i += 4;
		} else if (!(s.ptr[i] == '.' && i > 0 && s.ptr[i - 1] == '.')) {
			pl_buf_addc(&out, s.ptr[i]);
		}
	return pl_buf_str(&out);
}

/* Returns the address around the sign at `at`; absent: there is none. */
static struct pl_str around(struct pl_pool *pool, struct pl_str s, size_t at, size_t len, bool word, struct pl_str *raw)
{
	struct pl_buf domain = PL_BUF(pool);
	size_t from, before = at, behind = at + len, end;
	bool spelled = false, odd;
	struct pl_str local, address;
	struct found found;
	struct read_message *m;

	while (!word && before > 0 && s.ptr[before - 1] == ' ')
		before--;
	while (behind < s.len && (s.ptr[behind] == ' ' || s.ptr[behind] == '@'))
		behind++;
	if (!read_domain(s, behind, &domain, &end, &spelled) || (word && !spelled))
		return PL_STR_NONE;
	from = local_start(s, before, word && spelled);
	local = local_text(pool, pl_strn(s.ptr + from, before - from));
	address = pl_str(pl_sprintf(pool, "%.*s@%.*s", PL_FMT(local), PL_FMT(repaired(pool, pl_buf_str(&domain)))));
	m = local.len > 0 && local.len <= LOCAL_MAX ? read_message(pool, address) : NULL;
	odd = m == NULL || m->count != 1 || !address_at(m, 0, 1, &found) || found.verdict != READ_SURE;
	if (odd)
		return PL_STR_NONE;
	*raw = pl_strn(s.ptr + from, end - from);
	return found.value;
}

struct pl_str read_mistyped(struct pl_pool *pool, struct pl_str text, struct pl_str *raw_r)
{
	struct pl_str best = PL_STR_NONE, raw;
	bool word;

	for (size_t at = 0, len; at < text.len; at += len > 0 ? len : 1) {
		struct pl_str address;

		len = sign_at(text, at, &word);
		while (len > 0 && !word && at + len < text.len && text.ptr[at + len] == '@')
			len++;
		if (len == 0)
			continue;
		address = around(pool, text, at, len, word, &raw);
		if (address.ptr == NULL && word)
			continue;		/* "I am at work" */
		if (address.ptr == NULL || best.ptr != NULL)
			return PL_STR_NONE;	/* several: none of them is probable */
		best = address;
		*raw_r = raw;
	}
	return best.ptr != NULL && pl_str_eq(best, *raw_r) ? PL_STR_NONE : best;
}
