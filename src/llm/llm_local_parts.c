/* SPDX-License-Identifier: ISC */
/*
 * Helpers of the built-in responder: sums, words.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "llm/llm_local.h"

enum { DEPTH_MAX = 32, NUMBER_MAX_DIGITS = 30, SUM_MAX_BYTES = 1024 };

/* ---- sums: expr = term {(+|-) term}; term = factor {(*|/) factor}; factor = [-] number | "(" expr ")" ---- */

struct sum_reader {
	const char *at, *end;
	int depth, operators;
	bool ok;
};

static double read_expr(struct sum_reader *reader);

static char next_char(struct sum_reader *reader)
{
	while (reader->at < reader->end && *reader->at == ' ')
		reader->at++;
	return reader->at < reader->end ? *reader->at : '\0';
}

static bool is_digit(const struct sum_reader *reader)
{
	return reader->at < reader->end && isdigit((unsigned char)*reader->at);
}

/* Digits with at most one point, in every locale. */
static double read_number(struct sum_reader *reader)
{
	double value = 0, place = 1;
	int digits = 0;

	for (; is_digit(reader); reader->at++, digits++)
		value = value * 10 + (*reader->at - '0');
	if (reader->end - reader->at >= 2 && *reader->at == '.' && isdigit((unsigned char)reader->at[1])) {
		reader->at++;
		for (; is_digit(reader); reader->at++, digits++) {
			place *= 10;
			value = value * 10 + (*reader->at - '0');
		}
	}
	if (digits == 0 || digits > NUMBER_MAX_DIGITS)
		reader->ok = false;
	return value / place;
}

static double read_factor(struct sum_reader *reader)
{
	double value;
	char c = next_char(reader);

	if (++reader->depth > DEPTH_MAX) {
		reader->ok = false;
		return 0;
	}
	if (c == '-') {
		reader->at++;
		value = -read_factor(reader);
	} else if (c == '(') {
		reader->at++;
		value = read_expr(reader);
		if (next_char(reader) == ')')
			reader->at++;
		else
			reader->ok = false;
	} else {
		value = read_number(reader);
	}
	reader->depth--;
	return value;
}

/*
 * An operator counts only if a number follows ("3 - the magic number" is not a sum). Otherwise, the sum ends before the
 * operator.
 */
static bool take_operator(struct sum_reader *reader, char a, char b, char *operator_r)
{
	const char *before = reader->at;
	char c = next_char(reader);

	if (c == '\0' || (c != a && c != b)) {
		reader->at = before;
		return false;
	}
	reader->at++;
	*operator_r = c;
	c = next_char(reader);
	if (!isdigit((unsigned char)c) && c != '(' && c != '-') {
		reader->at = before;
		return false;
	}
	reader->operators++;
	return true;
}

static double read_term(struct sum_reader *reader)
{
	double value = read_factor(reader);
	char operator;

	while (reader->ok && take_operator(reader, '*', '/', &operator)) {
		double other = read_factor(reader);

		value = operator== '*' ? value * other : value / other;
	}
	return value;
}

static double read_expr(struct sum_reader *reader)
{
	double value = read_term(reader);
	char operator;

	while (reader->ok && take_operator(reader, '+', '-', &operator)) {
		double other = read_term(reader);

		value = operator== '+' ? value + other : value - other;
	}
	return value;
}

enum llm_sum llm_local_sum(struct pl_str text, struct pl_str *sum_r, double *value_r)
{
	text.len = text.len < SUM_MAX_BYTES ? text.len : SUM_MAX_BYTES; /* trying every start takes quadratic time */
	for (size_t i = 0; i < text.len; i++) {
		struct sum_reader reader = {.at = text.ptr + i, .end = text.ptr + text.len, .ok = true};
		unsigned char c = (unsigned char)text.ptr[i];
		bool in_word = i > 0 && (isalnum((unsigned char)text.ptr[i - 1]) || text.ptr[i - 1] == '.');

		if (in_word || (!isdigit(c) && c != '(' && c != '-'))
			continue;
		*value_r = read_expr(&reader);
		if (!reader.ok || reader.operators == 0)
			continue;
		*sum_r = pl_strn(text.ptr + i, (size_t)(reader.at - text.ptr) - i);
		return isfinite(*value_r) ? LLM_SUM_VALUE : LLM_SUM_UNDEFINED;
	}
	return LLM_SUM_NONE;
}

/* Removes a word or mark at the front, without regard to case. */
static bool take_front(struct pl_str *text, const char *word)
{
	size_t len = strlen(word);

	*text = pl_str_trim(*text);
	if (text->len < len || !pl_str_ieq(pl_strn(text->ptr, len), pl_str(word)) ||
	    (isalpha((unsigned char)word[len - 1]) && text->len > len && isalnum((unsigned char)text->ptr[len])))
		return false;
	*text = pl_str_trim(pl_strn(text->ptr + len, text->len - len));
	return true;
}

/* Phrases that ask for a sum: 2 for phrases that ask for nothing else, 1 for "what is", 0 for none. */
static int take_question(struct pl_str *text)
{
	static const struct {
		const char *word;
		int weight;
	} fronts[] = {{"hello", 0}, {"hi", 0}, {"hey", 0}, {"please", 0}, {"ok", 0}, {"and", 0}, {"can you", 0},
	    {"could you", 0}, {"tell me", 0}, {",", 0}, {"what's", 1}, {"what is", 1}, {"whats", 1}, {"what does", 1},
	    {"how much is", 2}, {"calculate", 2}, {"compute", 2}, {"work out", 2}, {"solve", 2}, {"the result of", 2},
	    {"the sum of", 2}, {"sum", 2}, {":", 0}};
	int weight = 0;
	bool taken = true;

	while (taken) {
		taken = false;
		for (size_t i = 0; i < PL_COUNT(fronts); i++) {
			if (take_front(text, fronts[i].word)) {
				weight = fronts[i].weight > weight ? fronts[i].weight : weight;
				taken = true;
			}
		}
	}
	return weight;
}

/*
 * Digits with only dashes or slashes between them look like a date, an order number, a phone number, or opening hours.
 */
static bool like_a_number(struct pl_str sum, int weight)
{
	int dashes = 0, slashes = 0;

	for (size_t i = 0; i < sum.len; i++) {
		dashes += sum.ptr[i] == '-';
		slashes += sum.ptr[i] == '/';
		if (!isdigit((unsigned char)sum.ptr[i]) && sum.ptr[i] != '-' && sum.ptr[i] != '/')
			return false;
	}
	return (dashes > 0 && slashes > 0) || dashes > 0 || slashes > 1 || weight == 0 || pl_str_is(sum, "24/7");
}

enum llm_sum llm_local_asked_sum(struct pl_str text, struct pl_str *sum_r, double *value_r)
{
	int weight = take_question(&text);
	bool marked = false, wild = false;
	enum llm_sum found = llm_local_sum(text, sum_r, value_r);
	struct pl_str rest;

	if (found == LLM_SUM_NONE || sum_r->ptr != text.ptr)
		return LLM_SUM_NONE;
	rest = pl_strn(sum_r->ptr + sum_r->len, text.len - sum_r->len);
	for (bool taken = true; taken;) {
		taken = take_front(&rest, "please") || take_front(&rest, "?") || take_front(&rest, ",") ||
		    take_front(&rest, ".") || take_front(&rest, "!") || take_front(&rest, "for me") ||
		    take_front(&rest, "equal");
		if (!taken && (take_front(&rest, "=")))
			taken = marked = true;
	}
	for (size_t i = 0; i < sum_r->len; i++)
		wild = wild || strchr("*+(", sum_r->ptr[i]) != NULL;
	if (rest.len > 0 || (!marked && weight < 2 && like_a_number(*sum_r, weight)) ||
	    (!marked && weight == 0 && !wild))
		return LLM_SUM_NONE;
	return found;
}

/* ---- words ---- */

bool llm_local_filler(struct pl_str word)
{
	static const char *const words[] = {"a", "an", "the", "is", "are", "was", "were", "do", "does", "did", "can",
	    "could", "would", "should", "will", "what", "who", "why", "how", "when", "where", "which", "you", "i", "me",
	    "my", "your", "it", "of", "to", "in", "on", "at", "and", "or", "for", "please", "tell", "about", "be",
	    "this", "that", "whats",
	    /* words of many sentences */
	    "am", "been", "being", "have", "has", "had", "having", "may", "might", "must", "shall", "he", "she", "we",
	    "they", "us", "him", "her", "them", "our", "his", "their", "its", "these", "those", "there", "here", "from",
	    "with", "by", "if", "not", "no", "so", "as", "but", "than", "then", "also", "too", "only", "just", "now",
	    "still", "again", "very", "really", "some", "any", "all", "more", "much", "many", "long", "often", "soon",
	    "u", "ur", "im", "ive", "id", "youre", "dont", "doesnt", "didnt", "cant", "wont", "isnt", "arent", "wheres",
	    "hows", "whos", "whens", "theres", "lets", "yes", "ok", "okay", "hello", "hi", "hey", "pls", "plz",
	    "thanks", "thank", "sorry", "well",
	    /* words of questions */
	    "answer", "answers", "question", "questions", "ask", "asked", "know", "say", "said", "explain", "want",
	    "need", "like", "get", "got", "give", "make", "made", "help", "something", "anything", "thing", "things",
	    "someone", "anyone", "possible", "enough", "one"};

	for (size_t i = 0; i < PL_COUNT(words); i++) {
		if (pl_str_is(word, words[i]))
			return true;
	}
	return false;
}

/* "E-mail address" as "email address". */
static size_t squeeze(struct pl_str text, char out[64])
{
	size_t n = 0;

	for (size_t i = 0; i < text.len && n < 63; i++)
		if (isalnum((unsigned char)text.ptr[i]) || (unsigned char)text.ptr[i] >= 0x80)
			out[n++] = (char)tolower((unsigned char)text.ptr[i]);
	out[n] = '\0';
	return n;
}

bool llm_local_same_label(const char *said, struct pl_str label)
{
	static const char *const more[] = {"", "address", "number", "full", "yearly", "annual", "monthly"};
	char asked[64], known[64], with[160];

	if (squeeze(pl_str(said), asked) == 0 || squeeze(label, known) == 0)
		return false;
	for (size_t i = 0; i < PL_COUNT(more); i++) {
		snprintf(with, sizeof(with), "%s%s", known, more[i]);
		if (strcmp(asked, with) == 0)
			return true;
		snprintf(with, sizeof(with), "%s%s", more[i], known);
		if (strcmp(asked, with) == 0)
			return true;
		snprintf(with, sizeof(with), "%s%s", asked, more[i]);
		if (strcmp(known, with) == 0 ||
		    (i >= 3 && strncmp(asked, more[i], strlen(more[i])) == 0 &&
			strcmp(asked + strlen(more[i]), known) == 0))
			return true;
	}
	return false;
}
