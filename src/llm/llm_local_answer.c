/* SPDX-License-Identifier: ISC */
/*
 * What the built-in responder says: rules over the conversation, tried in the order of the table at the end. It says
 * what it is, and does not pretend to know what it cannot know.
 */
#include <ctype.h>
#include <stdlib.h>

#include "clock.h"
#include "llm/llm_local.h"

enum { COUNT_MAX = 500, QUOTE_MAX_BYTES = 160, STORY_SHORT = 6, STORY_LONG = 48 };

#define WHAT_I_AM "I am Parlour's offline responder: no model is configured for me, so I answer by simple rules."

/* ---- reading ---- */

static bool talk_has(const struct llm_talk *talk, const char *phrase)
{
	size_t len = strlen(phrase);
	const char *at = talk->plain;

	/* `plain` is framed by blanks and has single blanks between words, so whole words can be found as text */
	while ((at = strstr(at, phrase)) != NULL) {
		if (at[-1] == ' ' && at[len] == ' ')
			return true;
		at++;
	}
	return false;
}

static bool has_any(const struct llm_talk *talk, const char *const *phrases)
{
	for (; *phrases != NULL; phrases++) {
		if (talk_has(talk, *phrases))
			return true;
	}
	return false;
}

/* Lower-case words between single blanks; other scripts stay as they are, punctuation and apostrophes go. */
static const char *plain_words(struct pl_pool *pool, struct pl_str text)
{
	struct pl_buf out = PL_BUF(pool);

	pl_buf_addc(&out, ' ');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == '\'')
			continue;
		if (c >= 0x80 || isalnum(c))
			pl_buf_addc(&out, (char)(c < 0x80 ? tolower(c) : c));
		else if (out.ptr[out.len - 1] != ' ')
			pl_buf_addc(&out, ' ');
	}
	if (out.ptr[out.len - 1] != ' ' || out.len == 1)
		pl_buf_addc(&out, ' ');
	return out.ptr;
}

/* "@guide: hello" is "hello" to the one who is called. */
static struct pl_str without_mention(struct pl_str text)
{
	size_t n = 1;

	text = pl_str_trim(text);
	if (text.len == 0 || text.ptr[0] != '@')
		return text;
	while (n < text.len && (isalnum((unsigned char)text.ptr[n]) || strchr("_.-", text.ptr[n]) != NULL))
		n++;
	while (n < text.len && strchr(" ,:\t\n", text.ptr[n]) != NULL)
		n++;
	return pl_strn(text.ptr + n, text.len - n);
}

/* A piece of the user's own text, on one line. */
static void add_quote(struct pl_buf *out, struct pl_str text)
{
	size_t len = pl_utf8_cut(text.ptr, text.len, QUOTE_MAX_BYTES);

	pl_buf_adds(out, "\"");
	for (size_t i = 0; i < len; i++)
		pl_buf_addc(out, (unsigned char)text.ptr[i] < 0x20 ? ' ' : text.ptr[i]);
	pl_buf_adds(out, len < text.len ? " ...\"" : "\"");
}

/* ---- rules; each says whether it applies and has answered ---- */

static bool rule_empty(const struct llm_talk *talk, struct pl_buf *out)
{
	if (talk->last.len > 0)
		return false;
	pl_buf_adds(out, WHAT_I_AM " Write something and I will do what I can; \"help\" lists it.");
	return true;
}

static bool rule_count(const struct llm_talk *talk, struct pl_buf *out)
{
	const char *at = strstr(talk->plain, " count to ");
	long last;

	if (at == NULL || !isdigit((unsigned char)at[10]))
		return false;
	last = strtol(at + 10, NULL, 10);
	if (last > COUNT_MAX)
		pl_buf_addf(out, "That is far; I stop at %d. ", COUNT_MAX);
	last = last > COUNT_MAX ? COUNT_MAX : last;
	for (long i = 1; i <= last; i++)
		pl_buf_addf(out, i < last ? "%ld, " : "%ld.", i);
	if (last < 1)
		pl_buf_adds(out, "I count upwards from 1, so there is nothing to say.");
	return true;
}

/* FNV-1a, 32 bit: the same request tells the same story. */
static uint32_t seed_of(struct pl_str text)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.ptr[i]) * 16777619u;
	return hash;
}

static const char *pick(uint32_t *seed, const char *const *words, uint32_t count)
{
	*seed = *seed * 1664525u + 1013904223u;
	return words[(*seed >> 16) % count];
}

static bool rule_story(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const who[] = { "the ferryman", "a clockmaker", "the baker's daughter",
		"an old cartographer", "the lighthouse keeper", "a travelling singer" };
	static const char *const did[] = { "looked for", "forgot about", "asked everyone about", "dreamed of",
		"carefully wrapped up", "told a long tale about", "drew a picture of" };
	static const char *const what[] = { "a blue lantern", "the missing key", "seven white stones",
		"a letter without a name", "the map of the harbour", "a clock that ran backwards" };
	static const char *const where[] = { "by the river", "on the market square", "behind the mill",
		"under the old bridge", "at the edge of the woods" };
	uint32_t seed = seed_of(talk->last);
	int sentences = talk_has(talk, "long") ? STORY_LONG : STORY_SHORT;

	if (!talk_has(talk, "story") && !talk_has(talk, "tale"))
		return false;
	pl_buf_adds(out, "Here is a story, put together from a box of words.");
	for (int i = 1; i <= sentences; i++) {
		const char *actor = pick(&seed, who, PL_COUNT(who));
		const char *deed = pick(&seed, did, PL_COUNT(did));
		const char *thing = pick(&seed, what, PL_COUNT(what));

		pl_buf_addf(out, "%sOn day %d %s %s %s %s.", i % 8 == 1 ? "\n\n" : " ", i, actor, deed, thing,
		    pick(&seed, where, PL_COUNT(where)));
	}
	pl_buf_adds(out, "\n\nAnd that is where the box was empty.");
	return true;
}

static bool rule_time(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const phrases[] = { "what time", "the time", "what date", "the date", "what day",
		"todays date", NULL };
	char now[PL_TIME_LEN];

	if (!has_any(talk, phrases))
		return false;
	pl_time_format(pl_wall_us(), now);
	pl_buf_addf(out, "My clock says %.10s, %.5s UTC.", now, now + 11);
	return true;
}

static bool rule_arithmetic(const struct llm_talk *talk, struct pl_buf *out)
{
	struct pl_str sum;
	double value;

	switch (llm_local_sum(talk->last, &sum, &value)) {
	case LLM_SUM_NONE:
		return false;
	case LLM_SUM_UNDEFINED:
		pl_buf_addf(out, "%.*s has no value that I could give.", PL_FMT(sum));
		return true;
	case LLM_SUM_VALUE:
		pl_buf_addf(out, "%.*s = %.12g", PL_FMT(sum), value);
		return true;
	}
	return false;
}

static bool rule_identity(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const phrases[] = { "who are you", "what are you", "whats your name", "what is your name",
		"are you human", "are you a bot", "are you an ai", "are you real", "which model", "what model", NULL };

	if (!has_any(talk, phrases))
		return false;
	pl_buf_adds(out, WHAT_I_AM " My model is called " LLM_LOCAL_MODEL
	    ". An operator can connect a real one with an [llm NAME] section in parlour.conf.");
	return true;
}

static bool rule_help(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const phrases[] = { "help", "what can you do", NULL };

	if (!has_any(talk, phrases))
		return false;
	pl_buf_adds(out, WHAT_I_AM " I can greet you, do sums (\"what is 12 * 7?\"), say the time, sum up who wrote "
	    "how much (\"summarise\"), repeat what you said before (\"what did I say?\"), count (\"count to 100\"), "
	    "tell a story (\"tell me a long story\") and quote the documents of the knowledge base. For everything "
	    "else "
	    "I need a model.");
	return true;
}

static bool rule_summary(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const phrases[] = { "summarise", "summarize", "summary", "sum up", "tldr", NULL };

	if (!has_any(talk, phrases))
		return false;
	llm_local_summary(talk->request, out);
	return true;
}

static bool rule_repeat(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const phrases[] = { "what did i say", "what did i write", "what i said", "repeat that",
		"my last message", NULL };

	if (!has_any(talk, phrases))
		return false;
	if (talk->before == NULL) {
		pl_buf_adds(out, "Nothing before this, as far as I can see.");
		return true;
	}
	pl_buf_adds(out, "Before this you wrote: ");
	add_quote(out, without_mention(talk->before->text));
	pl_buf_adds(out, ".");
	return true;
}

static bool rule_courtesy(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const thanks[] = { "thanks", "thank you", "thx", NULL };
	static const char *const byes[] = { "bye", "goodbye", "good night", "see you", NULL };
	static const char *const hellos[] = { "hello", "hi", "hey", "good morning", "good evening", "good afternoon",
		"greetings", "ping", NULL };

	if (has_any(talk, thanks))
		pl_buf_adds(out, "You are welcome");
	else if (has_any(talk, byes))
		pl_buf_adds(out, "Goodbye");
	else if (has_any(talk, hellos))
		pl_buf_adds(out, talk->own_turns > 0 ? "Hello again" : "Hello");
	else
		return false;
	if (talk->name.len > 0)
		pl_buf_addf(out, ", %.*s", PL_FMT(talk->name));
	pl_buf_adds(out, talk->own_turns > 0 ? "." : ". " WHAT_I_AM " Say \"help\" to see what I can do.");
	return true;
}

/* Passages that were found for a question beat what only looks like one of the rules below ... */
static bool rule_passage(const struct llm_talk *talk, struct pl_buf *out)
{
	return llm_local_passage(talk, true, out);
}

/* ... and anything beats having to say that nothing is known. */
static bool rule_any_passage(const struct llm_talk *talk, struct pl_buf *out)
{
	return llm_local_passage(talk, false, out);
}

static bool is_question(const struct llm_talk *talk)
{
	static const char *const firsts[] = { " what ", " who ", " why ", " how ", " when ", " where ", " which ",
		" can ", " could ", " do ", " does ", " is ", " are ", " should ", " will ", " would " };

	if (memchr(talk->last.ptr, '?', talk->last.len) != NULL)
		return true;
	for (size_t i = 0; i < PL_COUNT(firsts); i++) {
		if (strncmp(talk->plain, firsts[i], strlen(firsts[i])) == 0)
			return true;
	}
	return false;
}

static bool rule_anything(const struct llm_talk *talk, struct pl_buf *out)
{
	bool question = is_question(talk);

	pl_buf_adds(out, question ? "You ask about " : "I read ");
	if (question)
		llm_local_topic(talk, out);
	else
		add_quote(out, talk->last);
	pl_buf_addf(out, question ? ". " : " (%lld words). ", (long long)llm_local_words(talk->last));
	pl_buf_adds(out, WHAT_I_AM);
	pl_buf_adds(out, question ? " Knowing that takes a real model" : " An answer to that takes a real model");
	if (talk->request->messages_count > 1)
		pl_buf_addf(out, "; all I can add is that this is message %d of our conversation.",
		    talk->request->messages_count);
	else
		pl_buf_adds(out, "; say \"help\" to see what works without one.");
	return true;
}

/* ---- the conversation ---- */

static void talk_init(struct llm_talk *talk, struct pl_pool *pool, const struct llm_request *request)
{
	*talk = (struct llm_talk){ .request = request, .last = PL_STR("") };
	for (int i = request->messages_count - 1; i >= 0; i--) {
		const struct llm_message *message = &request->messages[i];

		if (message->from == LLM_ASSISTANT) {
			talk->own_turns++;
		} else if (!talk->found) {
			talk->found = true;
			talk->last = without_mention(message->text.ptr != NULL ? message->text : PL_STR(""));
			talk->name = message->name;
		} else if (talk->before == NULL && (talk->name.len == 0 || pl_str_eq(message->name, talk->name))) {
			talk->before = message;
		}
	}
	talk->plain = plain_words(pool, talk->last);
}

void llm_local_answer(const struct llm_request *request, struct pl_buf *answer)
{
	typedef bool (rule_fn)(const struct llm_talk *talk, struct pl_buf *out);
	static rule_fn *const rules[] = { rule_empty, rule_count, rule_passage, rule_story, rule_time, rule_arithmetic,
		rule_identity, rule_summary, rule_repeat, rule_help, rule_courtesy, rule_any_passage, rule_anything };
	struct pl_pool *pool = pl_pool_new(0);
	struct llm_talk talk;

	talk_init(&talk, pool, request);
	for (size_t i = 0; i < PL_COUNT(rules); i++) {
		if (rules[i](&talk, answer))
			break;
	}
	pl_pool_free(&pool);
}
