/* SPDX-License-Identifier: ISC */
/*
 * Mail addresses: RFC 5321 with the local parts of RFC 6531. The domain of the value is in lower case. The local part
 * is not changed, because only its server knows whether case matters.
 */
#include <ctype.h>

#include "svc/read/read_int.h"

#define LOCAL_MAX 64
#define ADDRESS_MAX 254
#define LABEL_MAX 63

/* a dot-atom, or a quoted string */
static bool is_local(struct pl_str local)
{
	if (local.len == 0 || local.len > LOCAL_MAX)
		return false;
	if (local.ptr[0] == '"')
		return local.len > 2 && local.ptr[local.len - 1] == '"';
	if (local.ptr[0] == '.' || local.ptr[local.len - 1] == '.')
		return false;
	for (size_t i = 0; i < local.len; i++) {
		unsigned char c = (unsigned char)local.ptr[i];

		if (c == '.' && local.ptr[i - 1] == '.')
			return false;
		if (c < 0x80 && !isalnum(c) && strchr(".!#$%&'*+-/=?^_`{|}~", c) == NULL)
			return false;
	}
	return true;
}

/* A probable typing error in the name of a large provider, although such a domain may exist. */
static bool is_misspelled(struct pl_str domain)
{
	static const char slips[] =
	    " gmial.com gmai.com gmal.com gnail.com gamil.com gmaill.com gmail.co gmali.com hotmial.com hotnail.com "
	    "hotmal.com hotmai.com yaho.com yahooo.com yhoo.com outlok.com outloo.com iclod.com icloud.co gmx.ed "
	    "googlemial.com ";

	for (size_t i = 0; i < domain.len; i++)
		if (isupper((unsigned char)domain.ptr[i]))
			return false;
	return word_in(slips, domain);
}

/*
 * Labels of letters, digits, and inner dashes. odd: the last label does not exist as a top-level domain, or a label
 * mixes scripts.
 */
static bool is_domain(struct pl_str domain, bool *odd_r)
{
	static const char mistyped[] = " con cmo ogr nte comm orgg coom ner ort vom xom ocm co0m ";
	struct pl_str rest = domain, label = domain;
	bool mixed = false;
	int labels = 0;

	while (pl_str_cut(&rest, '.', &label)) {
		labels++;
		mixed = mixed || text_is_mixed(label);
		if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
			return false;
		if (memchr(label.ptr, '_', label.len) != NULL || memchr(label.ptr, '@', label.len) != NULL)
			return false;
	}
	*odd_r = mixed || word_in(mistyped, label) || is_misspelled(domain);
	for (size_t i = 0; i < label.len && !pl_str_istarts(label, "xn--"); i++)
		*odd_r = *odd_r || isdigit((unsigned char)label.ptr[i]) || label.ptr[i] == '-';
	for (size_t i = 0; i < label.len; i++)
		if (!isdigit((unsigned char)label.ptr[i]))
			return labels > 1 && label.len > 1;
	return false;
}

/* "example.org/ann" before the @ may be a link. */
static bool is_path(struct pl_str local)
{
	const char *slash = memchr(local.ptr, '/', local.len);

	return slash != NULL && memchr(local.ptr, '.', (size_t)(slash - local.ptr)) != NULL;
}

/* Is the token joined to another one that may be a part of it? */
static bool is_cut(const struct read_message *m, int at)
{
	static const char *const before[] = {
	    "<", "(", "[", ":", "\"", "'", ",", ";", "„", "“", "”", "‘", "’", "`", "*", "«", "»", "=", "："};
	const struct token *t = &m->tokens[at], *next = at + 1 < m->count ? t + 1 : NULL;
	bool cut = t->glued && at > 0;

	for (size_t i = 0; cut && i < PL_COUNT(before); i++)
		cut = !pl_str_is(t[-1].text, before[i]);
	if (t->glued && at > 0 && pl_str_istarts(t[-1].text, "mailto:"))
		cut = false;
	if (next == NULL || !next->glued)
		return cut;
	if (next->type != TOKEN_SIGN)
		return true;
	/* "x.org/path", "x.org:80", "x.org's" */
	return cut ||
	    (at + 2 < m->count && m->tokens[at + 2].glued && m->tokens[at + 2].type != TOKEN_SIGN &&
		strchr(",;", next->text.ptr[0]) == NULL);
}

bool address_at(const struct read_message *m, int at, int to, struct found *out)
{
	struct pl_str text, local, domain;
	struct pl_buf value = PL_BUF(m->pool);
	const char *sign;
	bool odd;

	if (at >= to || m->tokens[at].type != TOKEN_ADDRESS)
		return false;
	text = m->tokens[at].text;
	sign = memrchr(text.ptr, '@', text.len);
	local = pl_strn(text.ptr, (size_t)(sign - text.ptr));
	domain = pl_strn(sign + 1, text.len - local.len - 1);
	if (!is_local(local) || !is_domain(domain, &odd) || text.len > ADDRESS_MAX)
		return false;
	odd = odd || is_cut(m, at) || text_is_mixed(local) || is_path(local) ||
	    (local.ptr[0] != '"' && (unsigned char)local.ptr[0] < 0x80 && !isalnum((unsigned char)local.ptr[0]) &&
		local.ptr[0] != '_') ||
	    memchr(local.ptr, '=', local.len) != NULL || memmem(local.ptr, local.len, "\u2019", 3) != NULL;
	pl_buf_addstr(&value, local);
	pl_buf_addc(&value, '@');
	for (size_t i = 0; i < domain.len; i++)
		pl_buf_addc(&value, (char)tolower((unsigned char)domain.ptr[i]));
	*out = (struct found){.to = at + 1, .value = pl_buf_str(&value), .verdict = odd ? READ_UNSURE : READ_SURE};
	return true;
}
