/* SPDX-License-Identifier: ISC */
/*
 * The answers of the built-in responder: rules about the conversation, tried in the order of the table at the end. It
 * says what it is, and does not pretend to know what it cannot know.
 */
#include <ctype.h>
#include <stdlib.h>

#include "clock.h"
#include "llm/llm_local.h"

enum { OWN_WORDS_MAX = 4, COUNT_MAX = 500, QUOTE_MAX_BYTES = 160 };

#define NO_PERSON \
	LLM_LOCAL_NOT_HERE ": please use the contact that this service gives you elsewhere, " \
	"such as its web site or its mails."

/* ---- reading ---- */

/*
 * Lower-case words with single blanks between them. Other scripts are not changed; punctuation and apostrophes are
 * removed.
 */
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

/* "@guide: hello" is "hello" for the role that is mentioned. */
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

/* Quotes a part of the user's text on one line. */
static void add_quote(struct pl_buf *out, struct pl_str text)
{
	size_t len = pl_utf8_cut(text.ptr, text.len, QUOTE_MAX_BYTES);

	pl_buf_adds(out, "\"");
	for (size_t i = 0; i < len; i++)
		pl_buf_addc(out, (unsigned char)text.ptr[i] < 0x20 ? ' ' : text.ptr[i]);
	pl_buf_adds(out, len < text.len ? " ...\"" : "\"");
}

/* ---- comparing phrases ---- */

static bool begins_with_any(const char *text, const char *const *phrases)
{
	for (; *phrases != NULL; phrases++) {
		if (strncmp(text, *phrases, strlen(*phrases)) == 0)
			return true;
	}
	return false;
}

/* A copy without phrases that only introduce or end a request: "hello, can you tell me what time it is, please". */
static const char *core_of(struct pl_pool *pool, const char *plain)
{
	static const char *const heads[] = {"hello there ", "hi there ", "hello ", "hi ", "hey ", "please ", "ok ",
	    "okay ", "and ", "so ", "well ", "sorry ", "excuse me ", "good morning ", "good evening ",
	    "good afternoon ", "can you tell me ", "could you tell me ", "can you please ", "could you please ",
	    "can you ", "could you ", "would you ", "tell me ", "do you know ", "do you still know ",
	    "i want to know ", "i would like to know ", NULL};
	static const char *const tails[] = {
	    " please", " now", " right now", " today", " for me", " then", " exactly", NULL};
	struct pl_str text = pl_str_trim(pl_str(plain));

	for (bool cut = true; cut;) {
		cut = false;
		for (int i = 0; heads[i] != NULL; i++) {
			size_t len = strlen(heads[i]);

			if (text.len > len && memcmp(text.ptr, heads[i], len) == 0) {
				text = pl_strn(text.ptr + len, text.len - len);
				cut = true;
			}
		}
		for (int i = 0; tails[i] != NULL; i++) {
			size_t len = strlen(tails[i]);

			if (text.len > len && memcmp(text.ptr + text.len - len, tails[i], len) == 0) {
				text.len -= len;
				cut = true;
			}
		}
	}
	return pl_str_c(pool, text);
}

/* ---- rules; each returns whether it applies and has answered ---- */

static bool rule_empty(const struct llm_talk *talk, struct pl_buf *out)
{
	if (talk->last.len > 0)
		return false;
	pl_buf_adds(out, LLM_LOCAL_AM " " LLM_LOCAL_CAN);
	return true;
}

static bool rule_person(const struct llm_talk *talk, struct pl_buf *out)
{
	const char *contact = talk->request->config != NULL ? talk->request->config->s.person_contact : "";

	if (!llm_local_wants_person(talk->last))
		return false;
	if (talk->request->person.len > 0)
		pl_buf_addf(out, "%.*s", PL_FMT(talk->request->person));
	else if (contact[0] != '\0')
		pl_buf_addf(out, LLM_LOCAL_NOT_HERE ". To reach one: %s", contact);
	else
		pl_buf_adds(out, NO_PERSON);
	return true;
}

/*
 * "what is my name?", "do you know my e-mail address?": the value that the session collected with that name or label.
 */
static bool rule_fact(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const asks[] = {"what is my ", "whats my ", "what was my ", "my ", "which is my ",
	    "do you have my ", "do you remember my ", "remember my ", "have i told you my ", "did i tell you my ",
	    "repeat my ", "read back my ", "what did i say my ", "what did i give as my ", "what did you note as my ",
	    NULL};
	const char *rest = talk->core;
	bool asked = memchr(talk->last.ptr, '?', talk->last.len) != NULL;

	if (strcmp(rest, "who am i") == 0 || strcmp(rest, "what am i called") == 0)
		rest = "what is my name";
	for (int i = 0; asks[i] != NULL; i++) {
		size_t len = strlen(asks[i]);

		if (strncmp(rest, asks[i], len) != 0 || (strcmp(asks[i], "my ") == 0 && !asked))
			continue;
		for (int f = 0; f < talk->request->facts_count; f++) {
			const struct llm_fact *fact = &talk->request->facts[f];

			if (!llm_local_same_label(rest + len, fact->name) &&
			    !llm_local_same_label(rest + len, fact->label))
				continue;
			if (fact->value.len > 0 && fact->sensitive)
				pl_buf_addf(out, "I have noted your %.*s and keep it sealed. I show it only in part: "
				    "%.*s.", PL_FMT(fact->label), PL_FMT(fact->value));
			else if (fact->value.len > 0)
				pl_buf_addf(out, "Your %.*s, as I have noted it: %.*s.", PL_FMT(fact->label),
				    PL_FMT(fact->value));
			else if (fact->sensitive && fact->noted)
				pl_buf_addf(out, "I have noted your %.*s and keep it sealed.", PL_FMT(fact->label));
			else
				pl_buf_addf(out, "You have not told me your %.*s yet.", PL_FMT(fact->label));
			return true;
		}
	}
	return false;
}

static bool rule_repeat(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const mine[] = {"repeat", "repeat that", "repeat it", "repeat this", "repeat yourself",
	    "say that", "say that again", "say it", "say it again", "repeat that again", "repeat your answer",
	    "repeat your last answer", "repeat the last answer", "repeat what you said", "repeat your last message",
	    "what did you say", "what did you just say", "what was that", "come again", "pardon", "pardon me",
	    "say again", "say that once more", "repeat that once more", "once more", "one more time",
	    "i beg your pardon", "what was your answer", "what was your last answer", NULL};
	static const char *const yours[] = {"what did i say", "what did i write", "what did i just say",
	    "what did i just write", "what have i said", "what i said", "what was my last message", "my last message",
	    "repeat what i said", "repeat my last message", "what did i ask", "what was my question",
	    "what did i say before", NULL};

	if (llm_local_is_any(talk->core, mine)) {
		if (talk->own == NULL)
			pl_buf_adds(out, "I have not said anything yet.");
		else
			pl_buf_addf(out, "%.*s", PL_FMT(talk->own->text));
		return true;
	}
	if (!llm_local_is_any(talk->core, yours))
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

/* "-5", which is "5" in the plain words */
static bool is_negative(struct pl_str text)
{
	size_t at = 0;

	while (at < text.len && !isdigit((unsigned char)text.ptr[at]))
		at++;
	while (at > 0 && text.ptr[at - 1] == ' ')
		at--;
	return at > 0 && text.ptr[at - 1] == '-';
}

static bool rule_count(const struct llm_talk *talk, struct pl_buf *out)
{
	char *end;
	long last;

	if (strncmp(talk->core, "count to ", 9) != 0 || !isdigit((unsigned char)talk->core[9]))
		return false;
	last = strtol(talk->core + 9, &end, 10);
	if (*end != '\0')
		return false;
	if (is_negative(talk->last))
		last = 0;
	if (last > COUNT_MAX)
		pl_buf_addf(out, "That is far; I stop at %d. ", COUNT_MAX);
	last = last > COUNT_MAX ? COUNT_MAX : last;
	for (long i = 1; i <= last; i++)
		pl_buf_addf(out, i < last ? "%ld, " : "%ld.", i);
	if (last < 1)
		pl_buf_adds(out, "I count upwards from 1, so there is nothing to say.");
	return true;
}

/* Only for questions about the current time, not for others that mention a time. */
static bool rule_time(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const phrases[] = {"what time is it", "what time it is", "whats the time",
	    "what is the time", "what the time is", "the time", "current time", "the current time",
	    "what is the current time", "whats the current time", "what is the date", "whats the date",
	    "what date is it", "what is todays date", "whats todays date", "todays date", "the date",
	    "the current date", "what is the current date", "what day is it", "what day is", "which day is it",
	    "what is the time and date", "what time do you have", "what time is it where you are",
	    "how late is it", NULL};
	char now[PL_TIME_LEN];

	if (!llm_local_is_any(talk->core, phrases))
		return false;
	pl_time_format(pl_wall_us(), now);
	pl_buf_addf(out, "My clock says %.10s, %.5s UTC.", now, now + 11);
	return true;
}

static bool rule_arithmetic(const struct llm_talk *talk, struct pl_buf *out)
{
	struct pl_str sum;
	double value;

	switch (llm_local_asked_sum(talk->last, &sum, &value)) {
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

/* For people who want to know with whom they talk, not for operators. */
static bool rule_identity(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const persons[] = {"who are you", "what are you", "whats your name", "what is your name",
	    "are you human", "are you a human", "are you a bot", "are you a robot", "are you an ai", "are you real",
	    "are you a real person", "are you a person", "are you a machine", "are you a computer", "are you a program",
	    "are you a chatbot", "are you chatgpt", "are you a real human", "are you even human", "are you even real",
	    "r u a bot", "r u human", "are u a bot", "are u human", "are u a robot",
	    "who am i talking to", "who is this", "what is this", "am i talking to a bot",
	    "am i talking to a robot", "am i talking to a human", "am i talking to a person",
	    "am i talking to a machine", "is this a bot", "is this a robot", "is this a human", "is this a person",
	    "is this automated", "bot", "robot", "you are a bot", "youre a bot", "you are a robot", "youre a robot",
	    NULL};
	static const char *const models[] = {"which model are you", "what model are you", "which model is this",
	    "which model do you use", "what model do you use", NULL};
	bool model = llm_local_is_any(talk->core, models);

	if (!model && !llm_local_is_any(talk->core, persons))
		return false;
	pl_buf_adds(out, "I am an automatic assistant, not a person. ");
	if (model)
		pl_buf_adds(out, "My model is called " LLM_LOCAL_MODEL ": I answer by simple rules.");
	else if (!llm_local_reach(talk, out))
		pl_buf_adds(out, NO_PERSON);
	return true;
}

static bool rule_help(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const phrases[] = {"help", "help me", "i need help", "i need some help", "i need your help",
	    "what can you do", "what do you do", "what can i ask", "what can i ask you", "how can you help",
	    "how can you help me", "what can you help me with", "what do you know", "what can you answer", NULL};

	if (!llm_local_is_any(talk->core, phrases))
		return false;
	pl_buf_adds(out, LLM_LOCAL_AM " " LLM_LOCAL_CAN);
	return true;
}

/* Finds the value that "my NAME", "this", or no word means. false: none. asked_r: -1: the form does not ask now. */
static bool fact_meant(const struct llm_talk *talk, const char *rest, int *fact_r)
{
	static const char *const these[] = {"", "it", "that", "this", "it for", "that for", "this for", "to know",
	    "to know it", "to know that", "to know this", "this information", "that information", NULL};
	struct pl_str text = pl_str(rest);

	*fact_r = talk->request->fact_asked;
	if (llm_local_is_any(rest, these))
		return true;
	if (!pl_str_starts(text, "my ") && !pl_str_starts(text, "to know my "))
		return false;
	text = pl_strn(strstr(rest, "my ") + 3, text.len - (size_t)(strstr(rest, "my ") + 3 - rest));
	if (text.len > 4 && pl_str_is(pl_strn(text.ptr + text.len - 4, 4), " for"))
		text.len -= 4;
	for (int i = 0; i < talk->request->facts_count; i++) {
		const struct llm_fact *fact = &talk->request->facts[i];
		const char *said = pl_str_c(talk->pool, text);

		if (llm_local_same_label(said, fact->name) || llm_local_same_label(said, fact->label)) {
			*fact_r = i;
			return true;
		}
	}
	*fact_r = -1;
	return true;
}

static void add_labels(const struct llm_request *request, struct pl_buf *out)
{
	pl_buf_addf(out, "The form \"%.*s\" of this service asks for: ", PL_FMT(request->form_title));
	for (int i = 0; i < request->facts_count; i++)
		pl_buf_addf(out, "%s%.*s", i > 0 ? ", " : "", PL_FMT(request->facts[i].label));
	pl_buf_addc(out, '.');
}

/* "why do you need my name", "what do you need that for": the form's reason, or what the form is for. */
static bool rule_why(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const asks[] = {"why do you need", "why do u need", "why do you want", "why do you ask for",
	    "why do you ask", "why are you asking for", "why are you asking", "what do you need", "what do you want",
	    "why should i tell you", "why should i give you", "why must i tell you", "why must i give you", "why",
	    "what for", NULL};
	const struct llm_request *request = talk->request;

	for (int i = 0; request->facts_count > 0 && asks[i] != NULL; i++) {
		size_t len = strlen(asks[i]);
		int at;

		if (strncmp(talk->core, asks[i], len) != 0 || (talk->core[len] != '\0' && talk->core[len] != ' '))
			continue;
		if (talk->core[len] == '\0' && strncmp(asks[i], "what do", 7) == 0)
			continue;
		if (!fact_meant(talk, talk->core + len + (talk->core[len] == ' '), &at))
			continue;
		if (at >= 0 && request->facts[at].why.len > 0)
			pl_buf_addf(out, "%.*s", PL_FMT(request->facts[at].why));
		else if (at >= 0)
			pl_buf_addf(out, "Your %.*s is for the form \"%.*s\" of this service. I know no other reason.",
			    PL_FMT(request->facts[at].label), PL_FMT(request->form_title));
		else
			add_labels(request, out);
		return true;
	}
	return false;
}

#define NUMBER_DIGITS 3		/* with fewer, it looks like an amount or a time */

/* The digits of the next number of a text, which may have marks between them, and nothing else. false: no more. */
static bool next_number(struct pl_str text, size_t *at, struct pl_buf *digits)
{
	pl_buf_reset(digits);
	for (; *at < text.len; (*at)++) {
		if (isdigit((unsigned char)text.ptr[*at]))
			pl_buf_addc(digits, text.ptr[*at]);
		else if (strchr(" -/.+()#", text.ptr[*at]) == NULL && digits->len >= NUMBER_DIGITS)
			return true;
		else if (strchr(" -/.+()#", text.ptr[*at]) == NULL)
			pl_buf_reset(digits);
	}
	return digits->len >= NUMBER_DIGITS;
}

/* Is the number one of the form's values, or part of what a value was read from? */
static bool is_taken(const struct llm_talk *talk, const char *digits)
{
	for (int i = 0; i < talk->request->facts_count; i++) {
		struct pl_buf own = PL_BUF(talk->pool);
		size_t at = 0;

		while (next_number(talk->request->facts[i].taken, &at, &own))
			if (strstr(own.ptr, digits) != NULL || strstr(digits, own.ptr) != NULL)
				return true;
	}
	return false;
}

/* Does the message contain a number that the form did not take? */
static bool has_number(const struct llm_talk *talk)
{
	struct pl_buf digits = PL_BUF(talk->pool);
	size_t at = 0;

	while (next_number(talk->last, &at, &digits))
		if (!is_taken(talk, digits.ptr))
			return true;
	return false;
}

/*
 * "my order number is 2024-1128", "call me at 555-1234": the form did not take it, no document answers, and nothing
 * else can be done.
 */
static bool rule_number(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const orders[] = {"order number", "order no", "order nr", "order id", "my order is",
	    "ticket number", "ticket no", "ticket id", "customer number", "customer no", "customer id",
	    "tracking number", "tracking no", "tracking id", "invoice number", "invoice no", "reference number",
	    "reference no", "case number", "case no", "booking number", "account number", "serial number",
	    "contract number", NULL};
	static const char *const phones[] = {"call me", "ring me", "phone me", "text me", "reach me", "phone number",
	    "telephone number", "mobile number", "cell number", "phone is", "telephone is", "mobile is", "my phone",
	    "my number is", "whatsapp", NULL};
	static const char *const questions[] = {"what ", "whats ", "where ", "wheres ", "when ", "why ", "how ", "who ",
	    "which ", "is ", "are ", "was ", "do ", "does ", "did ", "has ", "have you ", "can ", "could ", "will ",
	    NULL};
	bool order = llm_local_has_any(talk, orders), phone = llm_local_has_any(talk, phones);

	if ((!order && !phone) || !has_number(talk) || memchr(talk->last.ptr, '?', talk->last.len) != NULL ||
	    begins_with_any(talk->core, questions))
		return false;
	pl_buf_adds(out, llm_local_pick(talk, order ?
	    (const char *const[]){"I did not note that number, because I cannot look up orders or customers.",
		"I can do nothing with that number, so I did not note it.", NULL} :
	    (const char *const[]){"I did not note that number, because I cannot make calls.",
		"I can do nothing with that number, so I did not note it.", NULL}));
	pl_buf_addc(out, ' ');
	if (!llm_local_reach(talk, out))
		pl_buf_adds(out, llm_local_pick(talk, (const char *const[]){
		    "I can look for documents if you ask a question.", "Say \"help\" to see what I can do.", NULL}));
	return true;
}

/*
 * "where is my parcel", "cancel my order": the responder sees no orders and no accounts, and performs no actions. For a
 * question like the former, documents may have an answer.
 */
static bool rule_own_affairs(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const looks[] = {"where is my ", "wheres my ", "where are my ", "did you find my ",
	    "track my ", "what is the status of my ", "whats the status of my ", "status of my ",
	    "what happened to my ", "whats with my ", "find my ", "check my ", "look up my ", NULL};
	static const char *const acts[] = {"cancel my ", "delete my ", "forget my ", "remove my ", "erase my ",
	    "refund my ", "i want to cancel my ", "please cancel my ", "send me my ", "i want my ", NULL};
	const char *const *heads[] = {looks, acts};

	for (size_t h = 0; h < PL_COUNT(heads); h++) {
		for (int i = 0; heads[h][i] != NULL; i++) {
			size_t len = strlen(heads[h][i]);
			const char *what = talk->core + len;

			if (strncmp(talk->core, heads[h][i], len) != 0 || llm_local_words(pl_str(what)) > OWN_WORDS_MAX)
				continue;
			if (heads[h] == acts) {
				pl_buf_adds(out, llm_local_pick(talk, (const char *const[]){
				    "I cannot do that: I only answer questions.",
				    "That is not in my power either.", NULL}));
				pl_buf_addc(out, ' ');
				(void)llm_local_reach(talk, out);
				return true;
			}
			pl_buf_addf(
			    out, "I cannot look up your %s: I only know the documents of the knowledge base. ", what);
			if (!llm_local_passage(talk, true, out))
				(void)llm_local_reach(talk, out);
			return true;
		}
	}
	return false;
}

static bool rule_passage(const struct llm_talk *talk, struct pl_buf *out)
{
	return llm_local_passage(talk, false, out);
}

/* ---- the conversation ---- */

void llm_local_talk(struct llm_talk *talk, struct pl_pool *pool, const struct llm_request *request)
{
	*talk = (struct llm_talk){.request = request, .last = PL_STR("")};
	for (int i = request->messages_count - 1; i >= 0; i--) {
		const struct llm_message *message = &request->messages[i];

		if (message->from == LLM_ASSISTANT) {
			talk->own = talk->own == NULL && message->text.len > 0 ? message : talk->own;
		} else if (!talk->found) {
			talk->found = true;
			talk->last = without_mention(message->text.ptr != NULL ? message->text : PL_STR(""));
			talk->name = message->name;
		} else if (talk->before == NULL && (talk->name.len == 0 || pl_str_eq(message->name, talk->name))) {
			talk->before = message;
		}
	}
	talk->pool = pool;
	talk->plain = plain_words(pool, talk->last);
	talk->core = core_of(pool, talk->plain);
}

void llm_local_answer(const struct llm_request *request, struct pl_buf *answer)
{
	typedef bool(rule_fn)(const struct llm_talk *talk, struct pl_buf *out);
	static rule_fn *const rules[] = {rule_empty, rule_person, rule_fact, rule_repeat, rule_count, rule_time,
	    rule_arithmetic, rule_identity, rule_help, llm_local_courtesy, llm_local_presence, rule_why,
	    rule_own_affairs, rule_passage, rule_number, llm_local_foreign, llm_local_upset, llm_local_anything};
	struct pl_pool *pool = pl_pool_new(0);
	struct llm_talk talk;

	llm_local_talk(&talk, pool, request);
	if (request->person_failed.len > 0)
		pl_buf_addf(answer, "%.*s ", PL_FMT(request->person_failed));
	for (size_t i = 0; i < PL_COUNT(rules); i++) {
		if (rules[i](&talk, answer))
			break;
	}
	while (answer->len > 0 && answer->ptr[answer->len - 1] == ' ')
		answer->ptr[--answer->len] = '\0';
	pl_pool_free(&pool);
}
