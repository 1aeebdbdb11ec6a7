/* SPDX-License-Identifier: ISC */
/*
 * The built-in responder quotes: sentences of a passage, and how many words of the question each has.
 */
#include <ctype.h>

#include "llm/llm_local.h"

enum { WORDS_MAX = 32, STEM_MIN = 4, ENDING_MAX = 3, SENTENCE_MIN_WORDS = 3, SENTENCE_MAX_BYTES = 400 };

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

static bool is_number(struct pl_str word)
{
	size_t i = 0;

	while (i < word.len && isdigit((unsigned char)word.ptr[i]))
		i++;
	return i == word.len;
}

static void take_words(const struct llm_talk *talk, struct words *words)
{
	struct pl_str rest = pl_str(talk->plain), word;

	words->count = 0;
	while (words->count < WORDS_MAX && pl_str_cut(&rest, ' ', &word)) {
		bool known = word.len == 0 || is_number(word) || llm_local_filler(word);

		for (int i = 0; i < words->count && !known; i++)
			known = pl_str_eq(words->word[i], word);
		if (!known)
			words->word[words->count++] = word;
	}
}

/* "parcel", "parcels"; "open", "opening": the same up to an ending. The first one is in lower case. */
static bool akin(struct pl_str a, struct pl_str b)
{
	size_t shorter = a.len < b.len ? a.len : b.len, longer = a.len < b.len ? b.len : a.len, same = 0;

	while (same < shorter && a.ptr[same] == tolower((unsigned char)b.ptr[same]))
		same++;
	if (same == longer)
		return true;
	return same >= STEM_MIN && longer - shorter <= ENDING_MAX && same + 1 >= shorter;
}

/* How many of the words are in a text; its own number of words in *own_r. */
static int words_in(const struct words *words, struct pl_str text, int *own_r)
{
	uint32_t seen = 0;
	size_t at = 0;

	*own_r = 0;
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
			if (akin(words->word[i], pl_strn(text.ptr + start, at - start)))
				seen |= UINT32_C(1) << i;
	}
	return __builtin_popcount(seen);
}

/* ---- the passage's sentences ---- */

/* Does a sentence end behind text[at]? */
static bool ends_at(struct pl_str text, size_t at)
{
	char c = text.ptr[at];
	size_t next = at + 1;

	if (c == '\n')
		return next < text.len && (text.ptr[next] == '\n' || strchr("#-*>|", text.ptr[next]) != NULL);
	if (at >= 2 && (memcmp(text.ptr + at - 2, "\u3002", 3) == 0 || memcmp(text.ptr + at - 2, "\uff01", 3) == 0 ||
	    memcmp(text.ptr + at - 2, "\uff1f", 3) == 0))
		return true; /* the full-width marks */
	if ((c != '.' && c != '!' && c != '?') || (next < text.len && !is_blank(text.ptr[next])))
		return false;
	while (next < text.len && is_blank(text.ptr[next]))
		next++;
	/* "e.g. this", "approx. ten", "J. Doe" go on */
	return next >= text.len || !(islower((unsigned char)text.ptr[next]) ||
	    (c == '.' && at >= 2 && is_blank(text.ptr[at - 2]) && isupper((unsigned char)text.ptr[at - 1])));
}

/* Cuts the first sentence off *rest; false at the end. Headings stay empty, marks of lists and quotes go. */
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

/*
 * The sentence with most of the words, among equals one that is more than a title, else the first one; how many it has.
 */
static int best_sentence(const struct llm_passage *passage, const struct words *words, struct pl_str *best_r)
{
	struct pl_str rest = passage->text, sentence;
	bool torn = passage->torn;
	int best = -1, own;

	*best_r = PL_STR_NONE;
	while (cut_sentence(&rest, &sentence)) {
		int rank = words_in(words, sentence, &own) * 2;

		rank += own >= SENTENCE_MIN_WORDS;
		if (!torn && own > 0 && rank > best) {
			best = rank;
			*best_r = sentence;
		}
		torn = false;
	}
	if (best >= 0)
		return best / 2;
	*best_r = trim(passage->text); /* one torn sentence is all there is */
	return words_in(words, *best_r, &own);
}

bool llm_local_passage(const struct llm_talk *talk, struct pl_buf *out)
{
	const struct llm_request *request = talk->request;
	struct words words;
	struct pl_str sentence;
	size_t len;

	if (request->passages_count == 0)
		return false;
	take_words(talk, &words);
	(void)best_sentence(&request->passages[0], &words, &sentence);
	if (sentence.len == 0)
		return false;
	len = pl_utf8_cut(sentence.ptr, sentence.len, SENTENCE_MAX_BYTES);
	pl_buf_adds(out, "\"");
	for (size_t i = 0; i < len; i++)
		if (!is_blank(sentence.ptr[i]))
			pl_buf_addc(out, sentence.ptr[i]);
		else if (i > 0 && !is_blank(sentence.ptr[i - 1]))
			pl_buf_addc(out, ' ');
	pl_buf_addf(out, "%s\" [%d]", len < sentence.len ? " ..." : "", request->passages[0].number);
	return true;
}
