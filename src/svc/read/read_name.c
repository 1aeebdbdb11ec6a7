/* SPDX-License-Identifier: ISC */
/*
 * Names of people. The more of its words are known names, the more certain is a name. A single unknown word is
 * proposed.
 */
#include <unicase.h>
#include <unictype.h>
#include <unistr.h>

#include "svc/read/read_int.h"

#define NAME_WORDS_MAX 8
#define HAN_MAX 6

enum part {
	PART_NO,
	PART_PARTICLE,
	PART_INITIAL,
	PART_KNOWN,
	PART_TOO,
	PART_NEVER,
	PART_CAPITAL,
	PART_LOWER,
	PART_OTHER
};

static ucs4_t first_char(struct pl_str s, size_t *len_r)
{
	ucs4_t c = 0;
	int n = s.len > 0 ? u8_mbtouc(&c, (const uint8_t *)s.ptr, s.len) : 0;

	*len_r = n > 0 ? (size_t)n : 1;
	return c;
}

static bool is_han(ucs4_t c)
{
	return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || c == 0x3005;
}

static bool is_hangul(ucs4_t c)
{
	return c >= 0xac00 && c <= 0xd7a3;
}

/* Names without blanks: a family name, then one to three characters. */
static enum part classify_east(struct pl_str word, ucs4_t first, size_t len)
{
	static const char *const never[] = {"吗", "呢", "么", "你", "您", "我", "他", "她", "它", "的", "了", "吧",
	    "啊", "什", "怎", "这", "哪", "谁", "不", "没", "是", "要", "请", "す", "ま", "は", "が", "요", "니다",
	    "세요"};
	const char *table = is_han(first) ? han_names : hangul_names;
	size_t count = pl_utf8_count(word.ptr, word.len);

	if (word_in(is_han(first) ? han_not : hangul_not, word) || count > HAN_MAX)
		return PART_NO;
	for (size_t i = 0; i < PL_COUNT(never); i++)
		if (memmem(word.ptr, word.len, never[i], strlen(never[i])) != NULL)
			return PART_NO;
	if (memmem(table, strlen(table), word.ptr, len) == NULL)
		return PART_OTHER;
	return count <= 4 && (count >= 3 || is_han(first)) ? PART_KNOWN : PART_OTHER;
}

/* Classifies "Kyung-soo" by its parts, "O'Hara" by its beginning. */
static enum part classify_joined(const struct token *t)
{
	struct pl_str rest = t->word, piece;
	bool known = false, common = true;

	if (pl_str_starts(t->word, "o'") || pl_str_starts(t->word, "d'") || pl_str_starts(t->word, "al-") ||
	    pl_str_starts(t->word, "el-"))
		return t->word.len > 3 ? PART_KNOWN : PART_NO;
	if (memchr(t->word.ptr, '\'', t->word.len) != NULL)
		return word_is_common(t->word) ||
			(t->word.len > 2 && memcmp(t->word.ptr + t->word.len - 2, "'s", 2) == 0)
		    ? PART_NO
		    : t->capital ? PART_CAPITAL
				 : PART_LOWER;
	while (pl_str_cut(&rest, '-', &piece)) {
		known = known || word_in(words_name, piece);
		common = common && word_is_common(piece);
	}
	return known ? PART_KNOWN : common ? PART_NO : t->capital ? PART_CAPITAL : PART_LOWER;
}

static enum part classify(const struct token *t, bool is_first)
{
	size_t len;
	ucs4_t first = first_char(t->word, &len);

	if (t->type != TOKEN_WORD || word_in(words_title, t->word))
		return PART_NO;
	if (script_talks(t->word))
		return PART_NO;
	if (is_han(first) || is_hangul(first))
		return classify_east(t->word, first, len);
	if (len == t->word.len) { /* one letter */
		if (t->capital && (t->dot || !is_first || t->word.ptr[0] != 'a') && (t->dot || t->word.ptr[0] != 'i'))
			return uc_tolower(first) != uc_toupper(first) ? PART_INITIAL : PART_OTHER;
		return is_first || !word_in(words_particle, t->word) ? PART_NO : PART_PARTICLE;
	}
	if (word_in(words_name, t->word))
		return PART_KNOWN;
	if (!is_first && word_in(words_particle, t->word))
		return PART_PARTICLE;
	if (word_in(words_name_too, t->word))
		return PART_TOO;
	if (word_in(words_name_never, t->word))
		return t->capital ? PART_NEVER : PART_NO;
	if (memchr(t->word.ptr, '\'', t->word.len) != NULL || memchr(t->word.ptr, '-', t->word.len) != NULL)
		return classify_joined(t);
	if (word_in(words_particle, t->word) && t->capital)
		return PART_CAPITAL;
	if (word_is_common(t->word) || word_in(words_doubt, t->word) || word_in(words_question, t->word) ||
	    month_of(t->word) > 0)
		return PART_NO;
	if (uc_tolower(first) == uc_toupper(first))
		return PART_OTHER;
	return t->capital ? PART_CAPITAL : PART_LOWER;
}

struct parts {
	int count[PART_OTHER + 1], words, to;
	int firm;	   /* known names that are not everyday words: "Peter", not "Bill" */
	bool capital;	   /* the first word has a capital letter */
	bool mixed;	   /* a word mixes several scripts */
	bool small_before; /* the first word has no capital and is not a name, but a later one has: "cc Peter" */
	bool title;
};

/* Collects as many words as one name can have. */
static void collect(const struct read_message *m, int at, int to, struct parts *p)
{
	for (; at < to && p->words <= NAME_WORDS_MAX; at++) {
		enum part part = classify(&m->tokens[at], p->words == 0);

		if (p->words == 0 && at + 1 < to && token_in(&m->tokens[at], words_particle) &&
		    m->tokens[at].word.len > 1 &&
		    (m->tokens[at + 1].capital || token_in(&m->tokens[at + 1], words_particle)) &&
		    classify(&m->tokens[at + 1], false) != PART_NO && part != PART_KNOWN)
			part = PART_PARTICLE; /* "de la Cruz" */
		if (part == PART_NO || (p->words > 0 && m->tokens[at].glued && m->tokens[at - 1].type != TOKEN_WORD))
			break;
		p->capital = p->words == 0 ? m->tokens[at].capital : p->capital;
		p->firm += part == PART_KNOWN && !word_in(words_name_too, m->tokens[at].word);
		p->mixed = p->mixed || text_is_mixed(m->tokens[at].text);
		p->small_before =
		    p->words == 0 ? part == PART_LOWER : p->small_before && (m->tokens[at].capital || p->words > 1);
		p->count[part]++;
		p->words++;
	}
	/* "Maria de la" is incomplete */
	while (p->words > 1 && m->tokens[at - 1].type == TOKEN_WORD && p->count[PART_PARTICLE] > 0 &&
	    classify(&m->tokens[at - 1], false) == PART_PARTICLE) {
		p->count[PART_PARTICLE]--;
		p->words--;
		at--;
	}
	p->to = at;
}

static enum read_verdict judge_one(const struct parts *p, bool told)
{
	if (p->count[PART_KNOWN] > 0)
		return READ_SURE;
	if (p->count[PART_NEVER] + p->count[PART_PARTICLE] > 0)
		return READ_NOTHING;
	if (told) /* "my name is long" */
		return p->count[PART_INITIAL] + p->count[PART_LOWER] > 0 || (p->count[PART_TOO] > 0 && !p->capital)
		    ? READ_UNSURE
		    : READ_SURE;
	return p->title && p->count[PART_CAPITAL] + p->count[PART_TOO] > 0 ? READ_SURE : READ_UNSURE;
}

static enum read_verdict judge(const struct parts *p, bool told)
{
	int known = p->count[PART_KNOWN], capital = p->count[PART_CAPITAL], lower = p->count[PART_LOWER];
	int other = p->count[PART_OTHER], never = p->count[PART_NEVER], too = p->count[PART_TOO];

	if (p->words > NAME_WORDS_MAX || p->words == 0)
		return READ_NOTHING;
	if (p->mixed)
		return READ_UNSURE;
	if (p->words == 1)
		return judge_one(p, told);
	if (never > 0)
		return p->firm > 0 ? READ_SURE : never < p->words ? READ_UNSURE : READ_NOTHING;
	if (told)
		return known + capital + other > 0 ? READ_SURE : READ_UNSURE;
	if (other > 0)
		return known > 0 ? READ_SURE : READ_UNSURE;
	if (lower > 0)
		return p->firm > 0 && lower == 1 && p->words <= 3 && !p->small_before ? READ_SURE : READ_UNSURE;
	/* unknown words are not names only because of capital letters: "Samsung Galaxy" */
	return known > 0 || (capital > 0 && p->count[PART_INITIAL] > 0 && too == 0) || (p->title && capital > 0)
	    ? READ_SURE
	    : READ_UNSURE;
}

/* ---- the value ---- */

static bool has_capital(struct pl_str text)
{
	for (size_t i = 0; i < text.len;) {
		size_t len;
		ucs4_t c = first_char(pl_strn(text.ptr + i, text.len - i), &len);

		if (uc_tolower(c) != c)
			return true;
		i += len;
	}
	return false;
}

static void add_capital(struct pl_buf *out, struct pl_str word)
{
	size_t len, at = 0;
	uint8_t bytes[6];
	int n;

	while (at < word.len) {
		ucs4_t c = first_char(pl_strn(word.ptr + at, word.len - at), &len);
		bool begins =
		    at == 0 || word.ptr[at - 1] == '-' || (at == 2 && word.ptr[1] == '\'' && word.ptr[0] == 'o');

		n = u8_uctomb(bytes, begins ? uc_toupper(c) : c, sizeof(bytes));
		pl_buf_add(out, bytes, n > 0 ? (size_t)n : 0);
		at += len;
	}
}

/* The name as it was written. A name in lower case gets capital letters. */
static struct pl_str name_text(const struct read_message *m, int from, int to)
{
	struct pl_str text = pl_strn(m->text.ptr + m->tokens[from].from, m->tokens[to - 1].to - m->tokens[from].from);
	bool small = !has_capital(text);
	struct pl_buf out = PL_BUF(m->pool);

	for (int i = from; i < to; i++) {
		const struct token *t = &m->tokens[i];

		if (i > from && !t->glued)
			pl_buf_addc(&out, ' ');
		if (small && t->type == TOKEN_WORD && (i == from || !word_in(words_particle, t->word)))
			add_capital(&out, t->text);
		else
			pl_buf_addstr(&out, t->text);
	}
	return pl_buf_str(&out);
}

/* ", Jr.", or ", John" after a family name */
static int comma_end(const struct read_message *m, int at, const struct parts *first, enum read_verdict *verdict)
{
	struct parts second = {.words = 0};

	if (at + 1 >= m->count || !sign_is(&m->tokens[at], ',') || !m->tokens[at].glued || m->tokens[at + 1].glued)
		return at;
	if (token_in(&m->tokens[at + 1], words_suffix))
		return at + 2;
	if (first->words > 2 || first->title || token_in(&m->tokens[at - 1], " best love warmly "))
		return at;
	collect(m, at + 1, m->count, &second);
	for (int i = second.to; i < m->count; i++)
		if (m->tokens[i].type != TOKEN_SIGN)
			return at;
	/* "Bond, James Bond" */
	if (pl_str_eq(m->tokens[at - 1].word, m->tokens[second.to - 1].word))
		return at;
	if (second.words == 0 || second.words > 3 || second.count[PART_NEVER] + second.count[PART_LOWER] > 1)
		return at;
	*verdict = (second.count[PART_KNOWN] > 0 || second.count[PART_INITIAL] == second.words) &&
		first->count[PART_LOWER] == 0
	    ? READ_SURE
	    : READ_UNSURE;
	return second.to;
}

/* Does the word continue: "bob.smith", "Bob_Smith", "Bob123"? */
static bool is_cut(const struct read_message *m, int to)
{
	const struct token *t = to < m->count ? &m->tokens[to] : NULL;

	if (t == NULL || !t->glued)
		return false;
	if (t->type != TOKEN_SIGN)
		return true;
	return to + 1 < m->count && t[1].glued && t[1].type != TOKEN_SIGN && t->word.len == 1 &&
	    strchr("._@#=&+\\/|~^%$-", t->word.ptr[0]) != NULL;
}

/*
 * "My name is Ann Example.": a common word is a family name if it follows a known name at the end of the clause, with a
 * capital letter where other words have none.
 */
static void take_surname(const struct read_message *m, int from, int to, struct parts *p)
{
	const struct token *t = p->to < to ? &m->tokens[p->to] : NULL;
	bool others_small = false;

	if (t == NULL || p->count[PART_KNOWN] == 0 || p->to + 1 < to || t->type != TOKEN_WORD || !t->capital ||
	    t->glued || !word_in(words_common, t->word))
		return;
	for (int i = 0; i < from; i++)
		others_small = others_small || (m->tokens[i].type == TOKEN_WORD && !m->tokens[i].capital);
	if (!others_small)
		return;
	p->count[PART_TOO]++;
	p->words++;
	p->to++;
}

bool name_at(const struct read_message *m, int at, int to, bool told, struct found *out)
{
	struct parts p = {.words = 0};
	enum read_verdict verdict;
	int from;

	while (at < to && token_in(&m->tokens[at], words_title)) {
		p.title = true;
		at++;
		if (at < to && sign_is(&m->tokens[at], '.'))
			at++;
	}
	from = at;
	collect(m, at, to, &p);
	if (told)
		take_surname(m, from, to, &p);
	verdict = judge(&p, told);
	if (verdict == READ_NOTHING || is_cut(m, p.to))
		return false;
	if (p.to < to && token_in(&m->tokens[p.to], words_suffix))
		p.to++;
	*out = (struct found){.to = comma_end(m, p.to, &p, &verdict), .verdict = verdict};
	out->marked = !p.mixed && (verdict == READ_SURE || out->to == p.to);
	out->marked =
	    out->marked && p.count[PART_LOWER] + p.count[PART_TOO] + p.count[PART_NEVER] + p.count[PART_OTHER] == 0;
	out->value = name_text(m, from, out->to);
	return true;
}
