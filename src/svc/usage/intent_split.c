/* SPDX-License-Identifier: ISC */
/*
 * The text of a question as tokens: words, and names in quotation marks of any kind.
 */
#include "svc/usage/intent_int.h"

#include "text.h"

/* Opening marks, and the mark that closes each. */
static const struct { const char *open, *close; bool single; } quotes[] = {
	{ "\"", "\"\0”\0“\0", false }, { "“", "”\0\"\0“\0", false }, { "„", "“\0”\0\"\0", false },
	{ "«", "»\0", false }, { "»", "«\0", false }, { "‹", "›\0", false }, { "「", "」\0", false },
	{ "‘", "’\0'\0", true }, { "‚", "‘\0’\0", true }, { "'", "'\0’\0", true }, { "`", "`\0", true },
};

static size_t starts(struct pl_str text, size_t at, const char *mark)
{
	size_t len = strlen(mark);

	return text.len - at >= len && memcmp(text.ptr + at, mark, len) == 0 ? len : 0;
}

static bool digit_at(struct pl_str text, size_t at)
{
	return at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9';
}

/* Returns the length of the blank at `at`, of any script; 0: not a blank. */
static size_t blank_at(struct pl_str text, size_t at)
{
	static const char *const blanks[] = { " ", "\t", "\n", "\r", "\u00a0", "\u202f", "\u2009", "\u3000", "\u2007" };
	size_t len;

	for (size_t i = 0; i < PL_COUNT(blanks); i++) {
		len = starts(text, at, blanks[i]);
		if (len > 0)
			return len;
	}
	return 0;
}

/* Returns the length of a mark that ends a word. A comma between digits is a part of the number. */
static size_t mark_at(struct pl_str text, size_t at)
{
	static const char *const wide[] = { "，", "？", "、", "；", "…", "！" };
	size_t len;

	if (text.ptr[at] == ',' && at > 0 && digit_at(text, at - 1) && digit_at(text, at + 1))
		return 0;
	if (strchr(",?!;()", text.ptr[at]) != NULL)
		return 1;
	for (size_t i = 0; i < PL_COUNT(wide); i++) {
		len = starts(text, at, wide[i]);
		if (len > 0)
			return len;
	}
	return 0;
}

/* A mark that is a separate word. */
static size_t sign_at(struct pl_str text, size_t at)
{
	size_t len = starts(text, at, "–");

	len = len > 0 ? len : starts(text, at, "—");
	if (len > 0)
		return len;
	for (len = 0; at + len < text.len && strchr("<>=", text.ptr[at + len]) != NULL && text.ptr[at + len] != '\0';)
		len++;
	return len > 0 ? len : starts(text, at, "≥") + starts(text, at, "≤");
}

static bool ends_here(struct pl_str text, size_t at)
{
	return at >= text.len || blank_at(text, at) > 0 || mark_at(text, at) > 0 || text.ptr[at] == '.' ||
	    text.ptr[at] == ':';
}

/*
 * Returns where the name that begins at `at` ends: at the first of the marks, or at any of them. *len_r: the length of
 * that mark. SIZE_MAX: it does not end.
 */
static size_t closing(struct pl_str text, size_t at, const char *marks, bool single, bool any, size_t *len_r)
{
	for (; at < text.len; at++) {
		for (const char *m = marks; *m != '\0' && (any || m == marks); m += strlen(m) + 1) {
			*len_r = starts(text, at, m);
			if (*len_r > 0 && (!single || ends_here(text, at + *len_r)))
				return at;
		}
	}
	return SIZE_MAX;
}

static struct pl_str without_end(struct pl_str word, const char *end)
{
	size_t len = strlen(end);

	if (word.len > len && memcmp(word.ptr + word.len - len, end, len) == 0)
		word.len -= len;
	return word;
}

/* "ann's", "ann’s", "users'", "ann:" */
static void finish_word(struct token *token)
{
	static const char *const ends[] = { "'s", "’s", "'", "’" };
	struct pl_str word = token->text;

	while (word.len > 1 && strchr(".:", word.ptr[word.len - 1]) != NULL)
		word.len--;
	for (size_t i = 0; i < PL_COUNT(ends) && !token->possessive; i++) {
		struct pl_str shorter = without_end(word, ends[i]);

		if (shorter.len < word.len && !word_among(word, "let's who's what's how's")) {
			token->possessive = true;
			word = shorter;
		}
	}
	if (word.len > 1 && (word.ptr[0] == '@' || word.ptr[0] == '#'))
		word = pl_strn(word.ptr + 1, word.len - 1);
	token->text = word;
}

static size_t quoted(struct pl_str text, size_t at, struct token *token, const char **why_r)
{
	for (size_t i = 0; i < PL_COUNT(quotes); i++) {
		size_t open = starts(text, at, quotes[i].open), close = 0, end;

		if (open == 0)
			continue;
		/* other closing marks may be a part of the name: "The “Tea” room" */
		end = closing(text, at + open, quotes[i].close, quotes[i].single, false, &close);
		if (end == SIZE_MAX)
			end = closing(text, at + open, quotes[i].close, quotes[i].single, true, &close);
		if (end == SIZE_MAX || end == at + open) {
			*why_r = quotes[i].single && end == SIZE_MAX ? NULL :
			    "a name in quotation marks is empty or not closed";
			return 0;
		}
		*token = (struct token){ .text = pl_text_trim(pl_strn(text.ptr + at + open, end - at - open)),
			.kind = TOKEN_QUOTED };
		return end + close - at;
	}
	return 0;
}

static size_t word_at(struct pl_str text, size_t at, struct token *token)
{
	size_t end = at, len = sign_at(text, at);

	if (len > 0) {
		*token = (struct token){ .text = pl_strn(text.ptr + at, len), .kind = TOKEN_WORD };
		return len;
	}
	while (end < text.len && blank_at(text, end) == 0 && mark_at(text, end) == 0 && sign_at(text, end) == 0 &&
	    text.ptr[end] != '"' && starts(text, end, "“") == 0 && starts(text, end, "”") == 0)
		end++;
	*token = (struct token){ .text = pl_strn(text.ptr + at, end - at), .kind = TOKEN_WORD };
	finish_word(token);
	return end > at ? end - at : 1;
}

/* A possessive after a quoted name. */
static size_t skip_possessive(struct pl_str text, size_t at)
{
	size_t len = at < text.len ? starts(text, at, "'s") + starts(text, at, "’s") : 0;

	return len > 0 && ends_here(text, at + len) ? len : 0;
}

const char *tokens_split(struct pl_pool *pool, struct pl_str text, struct tokens *out)
{
	const char *why = NULL;

	*out = (struct tokens){ .count = 0 };
	for (size_t at = 0; at < text.len;) {
		struct token token;
		size_t len = blank_at(text, at);

		if (len == 0 && (len = mark_at(text, at)) > 0 && out->count > 0)
			out->list[out->count - 1].ends_clause |= strchr(",;", text.ptr[at]) != NULL;
		if (len > 0) {
			at += len;
			continue;
		}
		len = quoted(text, at, &token, &why);
		if (why != NULL)
			return why;
		len = len > 0 ? len + skip_possessive(text, at + len) : word_at(text, at, &token);
		at += len;
		if (token.text.len == 0 || (token.kind == TOKEN_WORD && pl_str_is(token.text, ".")))
			continue;
		if (out->count == TOKENS_MAX)
			return "there are too many words";
		out->list[out->count++] = token;
	}
	return NULL;
}

struct pl_str token_word(const struct tokens *tokens, int at)
{
	bool there = at >= 0 && at < tokens->count && tokens->list[at].kind == TOKEN_WORD;

	return there ? tokens->list[at].text : PL_STR("");
}

void tokens_take(struct tokens *tokens, int at, int count, enum token_kind kind)
{
	for (int i = 0; i < count; i++)
		tokens->list[at + i].kind = i == 0 ? kind : TOKEN_GONE;
}
