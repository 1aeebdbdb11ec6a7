/* SPDX-License-Identifier: ISC */
/* Splits a message into tokens: words, numbers with their marks, mail addresses, and signs. */
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "svc/read/read_int.h"
#include "text.h"

struct lexer {
	struct read_message *m;
	size_t at;
	bool glued, full;
};

static size_t char_at(struct pl_str s, size_t at, ucs4_t *c_r)
{
	int n;

	*c_r = 0;
	if (at >= s.len)
		return 0;
	n = u8_mbtouc(c_r, (const uint8_t *)s.ptr + at, s.len - at);
	return n > 0 ? (size_t)n : 1;
}

static bool is_blank(ucs4_t c)
{
	return c <= ' ' || c == 0x7f || uc_is_property_white_space(c) || c == 0x200b || c == 0xfeff || c == 0x2060;
}

static bool is_letter(ucs4_t c)
{
	return uc_is_alpha(c) || uc_is_general_category_withtable(c, UC_CATEGORY_MASK_M) || c == 0x200c || c == 0x200d;
}

static bool is_digit(ucs4_t c)
{
	return uc_decimal_value(c) >= 0;
}

static bool is_apostrophe(ucs4_t c)
{
	return c == '\'' || c == '`' || c == 0x2019 || c == 0x2018 || c == 0x02bc || c == 0xb4 || c == 0x2bb;
}

static bool is_dash(ucs4_t c)
{
	return c == '-' || (c >= 0x2010 && c <= 0x2015) || c == 0x2212;
}

/* ---- words ---- */

static struct pl_str fold(struct pl_pool *pool, struct pl_str text)
{
	struct pl_str word = pl_text_nfc(pool, text);
	struct pl_buf out = PL_BUF(pool);
	ucs4_t c;

	for (size_t i = 0, n; i < word.len; i += n) {
		uint8_t bytes[6];
		int len;

		n = char_at(word, i, &c);
		if (is_apostrophe(c))
			c = '\'';
		else if (is_dash(c))
			c = '-';
		len = u8_uctomb(bytes, uc_tolower(c), sizeof(bytes));
		if (len > 0)
			pl_buf_add(&out, bytes, (size_t)len);
	}
	return pl_buf_str(&out);
}

static bool has_case(ucs4_t c)
{
	return uc_tolower(c) != c || uc_toupper(c) != c;
}

static struct token *add(struct lexer *lex, enum token_type type, size_t to)
{
	struct read_message *m = lex->m;
	struct token *t = &m->tokens[m->count];

	if (m->count == READ_TOKENS_MAX) {
		lex->full = true;
		t--;
	} else {
		m->count++;
	}
	*t = (struct token){.type = type,
	    .text = pl_strn(m->text.ptr + lex->at, to - lex->at),
	    .from = lex->at,
	    .to = to,
	    .glued = lex->glued};
	t->word = type == TOKEN_WORD || type == TOKEN_SIGN ? fold(m->pool, t->text) : t->text;
	lex->at = to;
	lex->glued = true;
	return t;
}

/* Letters, with apostrophes and dashes between them. */
static size_t word_end(struct pl_str s, size_t at, int *letters_r)
{
	ucs4_t c, next;
	size_t n;

	for (*letters_r = 0; (n = char_at(s, at, &c)) > 0; at += n) {
		if (is_letter(c)) {
			*letters_r += 1;
			continue;
		}
		char_at(s, at + n, &next);
		if (!(is_apostrophe(c) || is_dash(c) || c == 0x30fb || c == 0xb7) || !is_letter(next) ||
		    *letters_r == 0)
			break;
	}
	return at;
}

/* Is the last token the unit of a number? Then a period ends the sentence: "80k. Why?" */
static bool is_unit(const struct read_message *m)
{
	return m->count > 1 && m->tokens[m->count - 2].type == TOKEN_NUMBER &&
	    token_in(&m->tokens[m->count - 1], " k m ");
}

static void take_word(struct lexer *lex)
{
	static const char abbreviations[] =
	    " dr mr mrs ms prof jr sr st ing mag dipl mio mrd tsd approx ca rev hon fr rs min sra dra min max ";
	struct pl_str s = lex->m->text;
	size_t end;
	int letters;
	ucs4_t first;
	struct token *t;

	char_at(s, lex->at, &first);
	end = word_end(s, lex->at, &letters);
	t = add(lex, TOKEN_WORD, end);
	t->capital = !has_case(first) || uc_tolower(first) != first;
	if (end < s.len && s.ptr[end] == '.' && !is_unit(lex->m) && (letters == 1 || word_in(abbreviations, t->word))) {
		t->dot = true;
		t->to = lex->at = end + 1;
		t->text.len++;
	}
}

/* ---- numbers ---- */

static bool is_mark(ucs4_t c)
{
	return c == '.' || c == ',' || c == '_' || is_apostrophe(c) || c == 0x66c || c == 0x66b;
}

static bool is_blank_mark(ucs4_t c)
{
	return c == ' ' || c == 0xa0 || c == 0x202f || (c >= 0x2007 && c <= 0x2009);
}

static size_t digits_end(struct pl_str s, size_t at, int *count_r)
{
	ucs4_t c;
	size_t n;

	for (*count_r = 0; (n = char_at(s, at, &c)) > 0 && is_digit(c); at += n)
		*count_r += 1;
	return at;
}

static void take_number(struct lexer *lex)
{
	struct pl_str s = lex->m->text;
	int first, group;
	size_t end = digits_end(s, lex->at, &first), n, next;
	bool other_marks = false;
	ucs4_t c;

	for (; (n = char_at(s, end, &c)) > 0; end = next) {
		next = digits_end(s, end + n, &group);
		if (is_blank_mark(c) ? group != 3 || first > 3 || other_marks : !is_mark(c) || group == 0)
			break;
		other_marks = other_marks || !is_blank_mark(c);
	}
	(void)add(lex, TOKEN_NUMBER, end);
}

/* ---- addresses and links ---- */

static bool is_local(ucs4_t c)
{
	return c >= 0x80 ? is_letter(c) || is_digit(c) || is_apostrophe(c) || is_dash(c)
			 : c > ' ' && c != 0x7f && strchr("()<>[]:;@\\,\"", (int)c) == NULL;
}

static bool is_domain(ucs4_t c)
{
	return c == '.' || c == '-' || is_letter(c) || is_digit(c);
}

/* Returns the start of the local part that ends at the @ at `sign`, not before `from`; with its quotes. */
static size_t local_start(struct pl_str s, size_t from, size_t sign)
{
	size_t start = sign, last = from;
	ucs4_t c;

	if (sign > from && s.ptr[sign - 1] == '"') {
		for (size_t i = sign - 1; i-- > from;)
			if (s.ptr[i] == '"' && (i == from || s.ptr[i - 1] != '\\'))
				return i;
		return sign;
	}
	for (size_t i = from, n; i < sign; i += n) {
		n = char_at(s, i, &c);
		if (!is_local(c))
			last = i + n;
	}
	start = last;
	while (start < sign && (s.ptr[start] == '\'' || s.ptr[start] == '`') && strchr("'`", s.ptr[start]) != NULL &&
	    memchr(s.ptr + sign, s.ptr[start], s.len - sign) != NULL)
		start++; /* quotes around it */
	return start;
}

/* Takes an address, or similar text, that begins at lex->at. false: there is none. */
static bool take_address(struct lexer *lex, size_t chunk_to)
{
	struct pl_str s = lex->m->text;
	size_t sign = lex->at, end, n;
	ucs4_t c;

	if (s.ptr[lex->at] == '"') { /* "john doe"@example.org may contain a blank */
		for (sign = lex->at + 1; sign < s.len && s.ptr[sign] != '"' && s.ptr[sign] != '\n'; sign++)
			;
		if (sign + 1 >= s.len || s.ptr[sign + 1] != '@')
			return false;
		sign++;
	} else {
		const char *at = memchr(s.ptr + lex->at, '@', chunk_to - lex->at);

		if (at == NULL || local_start(s, lex->at, (size_t)(at - s.ptr)) != lex->at)
			return false;
		sign = (size_t)(at - s.ptr);
	}
	for (end = sign + 1; (n = char_at(s, end, &c)) > 0 && (is_domain(c) || c == '@' || c == '_'); end += n)
		;
	while (end > sign + 1 && (s.ptr[end - 1] == '.' || s.ptr[end - 1] == '-'))
		end--;
	(void)add(lex, TOKEN_ADDRESS, end);
	return true;
}

static size_t chunk_end(struct pl_str s, size_t at)
{
	ucs4_t c;
	size_t n;

	while ((n = char_at(s, at, &c)) > 0 && !is_blank(c))
		at += n;
	return at;
}

static bool take_link(struct lexer *lex, size_t chunk_to)
{
	struct pl_str rest = pl_strn(lex->m->text.ptr + lex->at, chunk_to - lex->at);

	if (pl_str_istarts(rest, "mailto:")) {
		(void)add(lex, TOKEN_SIGN, lex->at + 7);
		return true;
	}
	if (!pl_str_istarts(rest, "www.") && memmem(rest.ptr, rest.len, "://", 3) == NULL)
		return false;
	(void)add(lex, TOKEN_OTHER, chunk_to);
	return true;
}

bool text_is_mixed(struct pl_str text)
{
	const uc_script_t *script = NULL, *one;
	ucs4_t c;

	for (size_t i = 0; i < text.len;) {
		i += char_at(text, i, &c);
		one = uc_is_alpha(c) ? uc_script(c) : NULL;
		if (one == NULL || strcmp(one->name, "Common") == 0)
			continue;
		if (script != NULL && one != script)
			return true;
		script = one;
	}
	return false;
}

/* ---- all tokens ---- */

static void take(struct lexer *lex)
{
	struct pl_str s = lex->m->text;
	size_t chunk_to = chunk_end(s, lex->at), n;
	ucs4_t c;

	n = char_at(s, lex->at, &c);
	if ((!lex->glued && take_link(lex, chunk_to)) || take_address(lex, chunk_to))
		return;
	if (is_digit(c))
		take_number(lex);
	else if (is_letter(c))
		take_word(lex);
	else
		(void)add(lex, TOKEN_SIGN, lex->at + n);
}

bool read_tokens(struct read_message *m)
{
	struct lexer lex = {.m = m};
	ucs4_t c;
	size_t n;

	while (!lex.full && (n = char_at(m->text, lex.at, &c)) > 0) {
		if (is_blank(c)) {
			lex.at += n;
			lex.glued = false;
		} else {
			take(&lex);
		}
	}
	return !lex.full;
}
