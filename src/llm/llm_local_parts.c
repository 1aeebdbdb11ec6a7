/* SPDX-License-Identifier: ISC */
/*
 * Helpers of the built-in responder: sums, summaries, topics.
 */
#include <ctype.h>
#include <math.h>

#include "llm/llm_local.h"

enum { DEPTH_MAX = 32, NUMBER_MAX_DIGITS = 30, SPEAKERS_MAX = 8, TOPIC_MAX_WORDS = 8, LAST_MAX_BYTES = 120,
	SUM_MAX_BYTES = 1024 };

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

/* Digits with at most one point; no locale has a say. */
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
 * An operator counts only when something that can be calculated with follows ("3 - the magic number" has no sum), so
 * the place before it is where the sum ends otherwise.
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

		value = operator == '*' ? value * other : value / other;
	}
	return value;
}

static double read_expr(struct sum_reader *reader)
{
	double value = read_term(reader);
	char operator;

	while (reader->ok && take_operator(reader, '+', '-', &operator)) {
		double other = read_term(reader);

		value = operator == '+' ? value + other : value - other;
	}
	return value;
}

enum llm_sum llm_local_sum(struct pl_str text, struct pl_str *sum_r, double *value_r)
{
	text.len = text.len < SUM_MAX_BYTES ? text.len : SUM_MAX_BYTES;	/* trying every start takes quadratic time */
	for (size_t i = 0; i < text.len; i++) {
		struct sum_reader reader = { .at = text.ptr + i, .end = text.ptr + text.len, .ok = true };
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

/* ---- summary ---- */

struct speaker { struct pl_str name; int count; };

static void speaker_count(struct speaker *speakers, int *count, struct pl_str name)
{
	for (int i = 0; i < *count; i++) {
		if (pl_str_eq(speakers[i].name, name)) {
			speakers[i].count++;
			return;
		}
	}
	if (*count < SPEAKERS_MAX)
		speakers[(*count)++] = (struct speaker){ name, 1 };
}

void llm_local_summary(const struct llm_request *request, struct pl_buf *out)
{
	struct speaker speakers[SPEAKERS_MAX];
	const struct llm_message *said = NULL;
	int count = 0, total = request->messages_count;
	int64_t words = 0;

	for (int i = 0; i < total; i++) {
		const struct llm_message *message = &request->messages[i];

		words += llm_local_words(message->text);
		if (message->from == LLM_ASSISTANT)
			speaker_count(speakers, &count, PL_STR("me"));
		else
			speaker_count(speakers, &count, message->name.len > 0 ? message->name : PL_STR("you"));
		if (i < total - 1)
			said = message;
	}
	pl_buf_addf(out, "I can see %d message%s with %lld words: ", total, total == 1 ? "" : "s", (long long)words);
	for (int i = 0; i < count; i++)
		pl_buf_addf(out, "%s%d by %.*s", i > 0 ? ", " : "", speakers[i].count, PL_FMT(speakers[i].name));
	pl_buf_adds(out, ".");
	if (said != NULL && said->text.len > 0) {
		size_t len = pl_utf8_cut(said->text.ptr, said->text.len, LAST_MAX_BYTES);

		pl_buf_adds(out, " The last one before your request was: \"");
		for (size_t i = 0; i < len; i++)
			pl_buf_addc(out, (unsigned char)said->text.ptr[i] < 0x20 ? ' ' : said->text.ptr[i]);
		pl_buf_adds(out, len < said->text.len ? " ...\"." : "\".");
	}
	pl_buf_adds(out, " More than counting takes a real model.");
}

/* ---- topic ---- */

bool llm_local_filler(struct pl_str word)
{
	static const char *const words[] = { "a", "an", "the", "is", "are", "was", "were", "do", "does", "did", "can",
		"could", "would", "should", "will", "what", "who", "why", "how", "when", "where", "which", "you", "i",
		"me", "my", "your", "it", "of", "to", "in", "on", "at", "and", "or", "for", "please", "tell", "about",
		"be", "this", "that", "whats" };

	for (size_t i = 0; i < PL_COUNT(words); i++) {
		if (pl_str_is(word, words[i]))
			return true;
	}
	return false;
}

void llm_local_topic(const struct llm_talk *talk, struct pl_buf *out)
{
	struct pl_str rest = pl_str_trim(pl_str(talk->plain)), word;
	int count = 0;

	while (count < TOPIC_MAX_WORDS && pl_str_cut(&rest, ' ', &word)) {
		if (word.len == 0 || word.len > LAST_MAX_BYTES || llm_local_filler(word))
			continue;
		pl_buf_addf(out, "%s%.*s", count == 0 ? "\"" : " ", PL_FMT(word));
		count++;
	}
	pl_buf_adds(out, count > 0 ? "\"" : "something that I cannot make out");
}
