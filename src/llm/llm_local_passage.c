/* SPDX-License-Identifier: ISC */
/* The built-in responder quotes passages: finds their sentences, and counts how many words of the question each has. */
#include <ctype.h>

#include "llm/llm_local.h"
#include "text.h"
#include "tongue.h"

enum {
	WORDS_MAX = 32, WORD_MAX = 40, NUMBER_MIN = 3, STEM_MIN = 4, TYPO_MIN = 5, ENDING_MAX = 3,
	SUBJECT_WORDS = 4,		/* at the beginning of a sentence: its subject */
	SENTENCE_MIN_WORDS = 3, SENTENCE_MAX_BYTES = 400
};

struct words { struct pl_str word[WORDS_MAX]; int count; };

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static struct pl_str trim(struct pl_str s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = pl_strn(s.ptr + 1, s.len - 1);
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static bool is_word(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c);
}

/* ---- the question's words ---- */

/* Numbers of one or two digits are too frequent. */
static bool is_number(struct pl_str word)
{
	size_t i = 0;

	while (i < word.len && isdigit((unsigned char)word.ptr[i]))
		i++;
	return i == word.len && i < NUMBER_MIN;
}

/* "[income]": the label of a value that is not shown. */
static bool is_label(const struct llm_talk *talk, struct pl_str word)
{
	const char *at = talk->last.ptr, *end = at + talk->last.len;

	while ((at = memchr(at, '[', (size_t)(end - at))) != NULL) {
		struct pl_str rest = pl_strn(at + 1, (size_t)(end - at) - 1), label;

		if (memchr(rest.ptr, ']', rest.len) != NULL && pl_str_cut(&rest, ']', &label) &&
		    pl_str_ieq(label, word))
			return true;
		at++;
	}
	return false;
}

static void take_words(const struct llm_talk *talk, struct words *words)
{
	struct pl_str rest = pl_str(talk->plain), word;
	enum pl_tongue tongue = pl_tongue_of(talk->last);

	words->count = 0;
	while (words->count < WORDS_MAX && pl_str_cut(&rest, ' ', &word)) {
		bool known = word.len == 0 || is_number(word) || llm_local_filler(word) ||
		    pl_tongue_has(tongue, word) || is_label(talk, word);

		for (int i = 0; i < words->count && !known; i++)
			known = pl_str_eq(words->word[i], word);
		if (!known)
			words->word[words->count++] = word;
	}
}

/* In lower case and without the accents of Latin letters: "Café" as "cafe". */
static size_t fold(struct pl_str word, char out[WORD_MAX])
{
	static const char latin[] = "aaaaaaaceeeeiiiidnooooo*ouuuuytsaaaaaaaceeeeiiiidnooooo/ouuuuyty";
	size_t n = 0;

	for (size_t i = 0; i < word.len && n < WORD_MAX; i++) {
		unsigned char c = (unsigned char)word.ptr[i];

		if (c == 0xc3 && i + 1 < word.len)
			out[n++] = latin[(unsigned char)word.ptr[++i] & 0x3f];
		else
			out[n++] = (char)tolower(c);
	}
	return n;
}

/* Returns the edits between two words. A swap of neighbors counts as one. */
static int distance(const char *a, size_t alen, const char *b, size_t blen)
{
	int rows[3][WORD_MAX + 1];

	for (size_t k = 0; k <= blen; k++)
		rows[0][k] = (int)k;
	for (size_t i = 1; i <= alen; i++) {
		int *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = (int)i;
		for (size_t k = 1; k <= blen; k++) {
			int best = last[k - 1] + (a[i - 1] != b[k - 1]);

			best = last[k] + 1 < best ? last[k] + 1 : best;
			best = now[k - 1] + 1 < best ? now[k - 1] + 1 : best;
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && before[k - 2] + 1 < best)
				best = before[k - 2] + 1;
			now[k] = best;
		}
	}
	return rows[alen % 3][blen];
}

/* "parcel", "parcels"; "open", "opening"; "delivery", "delivrey": the same up to an ending or a typing error. */
static bool akin(struct pl_str a, struct pl_str b)
{
	char left[WORD_MAX], right[WORD_MAX];
	size_t alen = fold(a, left), blen = fold(b, right), same = 0;
	size_t shorter = alen < blen ? alen : blen, longer = alen < blen ? blen : alen;

	while (same < shorter && left[same] == right[same])
		same++;
	if (same == longer)
		return true;
	if (same >= STEM_MIN && longer - shorter <= ENDING_MAX && same + 1 >= shorter)
		return true;
	return shorter >= TYPO_MIN && longer - shorter <= 1 && same > 0 && !isdigit((unsigned char)left[alen - 1]) &&
	    distance(left, alen, right, blen) <= (shorter >= TYPO_MIN * 2 - 2 ? 2 : 1);
}

/* Text without blanks is compared by pairs of characters. */
static bool has_pairs(struct pl_str word, struct pl_str text)
{
	size_t all = 0, found = 0, first, second;
	uint32_t c;

	(void)pl_text_char(word, 0, &c);
	if (!pl_text_is_unspaced(c))
		return false;
	for (size_t at = 0; at < word.len; at += first) {
		first = pl_text_char(word, at, &c);
		second = at + first < word.len ? pl_text_char(word, at + first, &c) : 0;
		if (second == 0 && at > 0)
			break;
		all++;
		found += memmem(text.ptr, text.len, word.ptr + at, first + second) != NULL;
	}
	return found * 2 >= all;
}

/*
 * Returns which of the words are in a text. *own_r: the number of words of the text; *first_r: the position of the
 * first match.
 */
static uint32_t words_in(const struct words *words, struct pl_str text, int *own_r, int *first_r)
{
	uint32_t seen = 0;
	size_t at = 0;

	*own_r = *first_r = 0;
	while (at < text.len) {
		size_t start = at;

		while (at < text.len && is_word(text.ptr[at]))
			at++;
		if (at == start) {
			at++;
			continue;
		}
		++*own_r;
		for (int i = 0; i < words->count; i++)
			if (akin(words->word[i], pl_strn(text.ptr + start, at - start)) ||
			    has_pairs(words->word[i], pl_strn(text.ptr + start, at - start)))
				seen |= UINT32_C(1) << i;
		if (seen != 0 && *first_r == 0)
			*first_r = *own_r;
	}
	return seen;
}

/* ---- the passage's sentences ---- */

/* Does a sentence end after text[at]? */
static bool ends_at(struct pl_str text, size_t at)
{
	char c = text.ptr[at];
	size_t next = at + 1;

	if (c == '\n')
		return next < text.len && (text.ptr[next] == '\n' || strchr("#-*>|", text.ptr[next]) != NULL);
	if (at >= 2 && (memcmp(text.ptr + at - 2, "\u3002", 3) == 0 || memcmp(text.ptr + at - 2, "\uff01", 3) == 0 ||
	    memcmp(text.ptr + at - 2, "\uff1f", 3) == 0))
		return true; /* full-width marks */
	if ((c != '.' && c != '!' && c != '?') || (next < text.len && !is_blank(text.ptr[next])))
		return false;
	while (next < text.len && is_blank(text.ptr[next]))
		next++;
	/* "e.g. this", "approx. ten", "J. Doe" continue */
	return next >= text.len || !(islower((unsigned char)text.ptr[next]) ||
	    (c == '.' && at >= 2 && is_blank(text.ptr[at - 2]) && isupper((unsigned char)text.ptr[at - 1])));
}

/*
 * Cuts the first sentence off *rest; false at the end. Headings become empty, and marks of lists and quotes are
 * removed.
 */
static bool cut_sentence(struct pl_str *rest, struct pl_str *sentence_r)
{
	struct pl_str text = trim(*rest);
	size_t end = 0;

	if (text.len == 0)
		return false;
	if (text.ptr[0] == '#') {
		const char *line = memchr(text.ptr, '\n', text.len);

		end = line != NULL ? (size_t)(line - text.ptr) : text.len;
		*sentence_r = PL_STR("");
	} else {
		while (end < text.len && !ends_at(text, end))
			end++;
		end += end < text.len;
		*sentence_r = pl_strn(text.ptr, end);
		while (sentence_r->len > 0 && strchr("-*>| \n\t", sentence_r->ptr[0]) != NULL)
			*sentence_r = pl_strn(sentence_r->ptr + 1, sentence_r->len - 1);
		*sentence_r = trim(*sentence_r);
	}
	*rest = pl_strn(text.ptr + end, text.len - end);
	return true;
}

/* A sentence of a passage; words: how many of the question's words it has; first: the position of the first one. */
struct quote { struct pl_str sentence; int words, first; };

/*
 * Returns the sentence with the largest number of the words. Among equal ones: the first that is more than a title, or
 * else the first one.
 */
static struct quote best_sentence(const struct llm_passage *passage, const struct words *words)
{
	struct pl_str rest = passage->text, sentence;
	struct quote best = { .sentence = PL_STR_NONE };
	bool torn = passage->torn;
	int most = -1, own, first;

	while (cut_sentence(&rest, &sentence)) {
		int count = __builtin_popcount(words_in(words, sentence, &own, &first));
		int rank = count * 2 + (own >= SENTENCE_MIN_WORDS);

		if (!torn && own > 0 && rank > most) {
			most = rank;
			best = (struct quote){ sentence, count, first };
		}
		torn = false;
	}
	if (most >= 0)
		return best;
	best.sentence = trim(passage->text); /* the passage contains only an incomplete sentence */
	best.words = __builtin_popcount(words_in(words, best.sentence, &own, &best.first));
	return best;
}

/* At least half of the question's words are in the passage or its title, and one of them is in the sentence. */
static bool answers(const struct llm_passage *passage, const struct words *words, bool about, struct quote *out)
{
	int own, first;
	uint32_t seen = words_in(words, passage->text, &own, &first) | words_in(words, passage->title, &own, &first);

	if (words->count == 0 || __builtin_popcount(seen) * 2 < words->count)
		return false;
	*out = best_sentence(passage, words);
	return out->words > 0 && (!about || out->words > 1 || out->first <= SUBJECT_WORDS);
}

bool llm_local_passage(const struct llm_talk *talk, bool about, struct pl_buf *out)
{
	const struct llm_request *request = talk->request;
	struct words words;
	struct quote quote = { .words = 0 };
	size_t len;
	int i = 0;

	take_words(talk, &words);
	while (i < request->passages_count && !answers(&request->passages[i], &words, about, &quote))
		i++;
	if (i == request->passages_count)
		return false;
	len = pl_utf8_cut(quote.sentence.ptr, quote.sentence.len, SENTENCE_MAX_BYTES);
	pl_buf_adds(out, "\"");
	for (size_t k = 0; k < len; k++)
		if (!is_blank(quote.sentence.ptr[k]))
			pl_buf_addc(out, quote.sentence.ptr[k]);
		else if (k > 0 && !is_blank(quote.sentence.ptr[k - 1]))
			pl_buf_addc(out, ' ');
	pl_buf_addf(out, "%s\" [%d]", len < quote.sentence.len ? " ..." : "", request->passages[i].number);
	return true;
}
