/* SPDX-License-Identifier: ISC */
/*
 * The built-in responder: decides whether a user wants to talk to a person.
 *
 * A wish is a verb of talking or passing on together with a person ("talk to someone", "get me a manager"), a bare
 * "human please", or a complaint about talking to a machine. These are not wishes: whether the bot is human, what a
 * person said, and what something costs per person.
 */
#include <ctype.h>

#include "llm/llm.h"
#include "llm/llm_local.h"

enum { WORDS_MAX = 40 };

struct said {
	struct pl_str word[WORDS_MAX];
	int count;
};

static const char *const persons[] = {"human", "humans", "person", "people", "agent", "agents", "operator",
    "representative", "rep", "someone", "somebody", "anyone", "anybody", "manager", "supervisor", "staff", "employee",
    "colleague", "advisor", "adviser", "consultant", "support", "team", "mensch", "menschen", "mitarbeiter",
    "mitarbeiterin", "berater", "jemand", "jemandem", "jemanden", "humain", "humaine", "personne", "conseiller",
    "conseillere", "humano", "persona", "agente", "operatore", "umano", NULL};
static const char *const surely[] = {"human", "person", "agent", "operator", "representative", "rep", "manager",
    "supervisor", "mensch", "menschen", "mitarbeiter", "humain", "humano", NULL};
static const char *const talking[] = {"talk", "speak", "chat", "connect", "transfer", "reach", "contact", "call",
    "escalate", "forward", "pass", "put", "switch", "sprechen", "reden", "verbinden", "parler", "hablar", "parlare",
    NULL};
static const char *const wanting[] = {"get", "want", "need", "prefer", "give", NULL};
static const char *const bridges[] = {
    "to", "with", "me", "mit", "avec", "con", "a", "an", "un", "une", "your", "einem", "einen", "through", NULL};
static const char *const courtesy[] = {"please", "a", "an", "the", "real", "live", "actual", "now", "hello", "hi",
    "hey", "to", "just", "ok", "bitte", "einen", "ein", "svp", "por", "favor", "no", "customer", "service", "support",
    "i", "my", "your", "want", "need", "would", "like", "with", "human", "person", "agent", "operator",
    "representative", "rep", "mensch", "mitarbeiter", "humain", "humano", "manager", "supervisor", "immediately", NULL};

static bool among(struct pl_str word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (pl_str_is(word, *words))
			return true;
	return false;
}

static void read_words(struct pl_str text, struct said *said, char *room)
{
	char *at = room;

	said->count = 0;
	for (size_t i = 0; i < text.len && said->count < WORDS_MAX; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		char *start = at;

		while (i < text.len && ((c = (unsigned char)text.ptr[i]) >= 0x80 || isalnum(c) || c == '\'')) {
			if (c != '\'')
				*at++ = (char)(c < 0x80 ? tolower(c) : c);
			i++;
		}
		if (at > start)
			said->word[said->count++] = pl_strn(start, (size_t)(at - start));
	}
}

/* "a person who can help" is a wish for any such person; "the agent who called" is not. */
static bool anybody_who(const struct said *said, int at)
{
	static const char *const can[] = {"can", "could", "knows", "will", "would", "understands", "has", "is", NULL};

	return at + 2 < said->count && pl_str_is(said->word[at + 1], "who") && among(said->word[at + 2], can);
}

/*
 * After "I want a person" follow the end, a courtesy, or what the person shall do. These are not wishes to talk: "I
 * want a person to be fired", "I need a representative sample", and "get me the manager's name".
 */
static bool ends_wish(const struct said *said, int at)
{
	static const char *const after[] = {"please", "now", "immediately", "asap", "here", "instead", "right", "today",
	    "thanks", "not", "who", "that", "on", "and", "because", "or", "about", "for", "bitte", "really", "already",
	    "quickly", "urgently", "soon", "i", "you", "this", "cause", "as", "at", "but", NULL};
	static const char *const acts[] = {"help", "talk", "speak", "call", "assist", "contact", "answer", "explain",
	    "solve", "fix", "handle", "take", "look", "chat", "deal", "ring", "sort", "reply", "respond", "phone",
	    "text", NULL};

	while (at < said->count && (among(said->word[at], surely) || among(said->word[at], persons)))
		at++;
	if (at >= said->count || among(said->word[at], after))
		return true;
	return at + 1 < said->count && pl_str_is(said->word[at], "to") && among(said->word[at + 1], acts);
}

/* Words about other people: "my colleague told", "per person", "the agent who", "for two people". */
static bool spoken_of(const struct said *said, int at)
{
	static const char *const before[] = {"per", "each", "every", "one", "two", "three", "four", "five", "many",
	    "which", "other", "most", "some", "are", "is", "you", "how", "another", "same", "first", NULL};
	static const char *const after[] = {"who", "said", "told", "was", "were", "promised", "has", "had", "did",
	    "does", "cost", "fee", "price", "count", "size", "rights", "resources", "number", "else", NULL};

	return (at > 0 && among(said->word[at - 1], before)) ||
	    (at + 1 < said->count && among(said->word[at + 1], after));
}

/* "I do not want to talk", "there is no need to call": the verb at `at` is negated. */
static bool unwanted(const struct said *said, int at)
{
	static const char *const told[] = {"did", "already", "dont", "never", "had", "was", NULL};
	static const char *const wishing[] = {"want", "need", "wish", "like", "have", "prefer", NULL};
	static const char *const denying[] = {"not", "dont", "never", "no", "didnt", "wont", "wouldnt", NULL};

	if (at > 0 && among(said->word[at - 1], told))
		return true;
	/* "no, get me a manager" is a wish */
	if (at > 0 && among(said->word[at - 1], denying) && among(said->word[at], wanting))
		return !pl_str_is(said->word[at - 1], "no") || pl_str_is(said->word[at], "need");
	return at > 2 && pl_str_is(said->word[at - 1], "to") && among(said->word[at - 2], wishing) &&
	    among(said->word[at - 3], denying);
}

/* "talk to someone", "get me a manager": a verb, and the person within six words. */
static bool asks_for(const struct said *said)
{
	for (int i = 0; i < said->count; i++) {
		bool talk = among(said->word[i], talking), bridge = false;

		if ((!talk && !among(said->word[i], wanting)) || unwanted(said, i))
			continue;
		for (int k = i + 1; k < said->count && k <= i + 6; k++) {
			bool sure = among(said->word[k], surely);

			bridge = bridge || among(said->word[k], bridges);
			if (among(said->word[k], persons) && (!spoken_of(said, k) || anybody_who(said, k)) &&
			    (talk ? bridge || sure : bridge && sure && ends_wish(said, k + 1)))
				return true;
		}
	}
	for (int i = 0; i + 1 < said->count; i++) /* German for "talk to a person" */
		for (int k = i + 1; pl_str_is(said->word[i], "mit") && k < said->count; k++)
			if (among(said->word[k], talking) && (among(said->word[k - 1], persons)))
				return true;
	return false;
}

/* "human please", "agent!", "real person". */
static bool only_names(const struct said *said)
{
	bool person = false;

	for (int i = 0; i < said->count; i++) {
		if (!among(said->word[i], courtesy) && !among(said->word[i], surely))
			return false;
		person = person || among(said->word[i], surely);
	}
	return person;
}

bool llm_local_wants_person(struct pl_str text)
{
	static const char *const phrases[] = {"is there a human", "is there a person",
	    "is there anyone i can talk to", "is there somebody i can talk to", "is there someone i can talk to",
	    "any human there", "not a bot", "not a robot", "not a machine", "hate bots", "no more bots",
	    "stop the bot", "stupid bot", "useless bot", "call me back", "have someone call me",
	    "have somebody call me", "someone call me", "someone to call me", "human being", "real human",
	    "real person", "live agent", "live chat", "live person", "hand me over", "hand this over",
	    "speak to your manager", "contact support", "contact customer service", "talk to support",
	    "can i call you", "to talk to a bot", "to talk to a robot", "to talk to a machine", "no bots",
	    "can a human help", "could a human help", "deal with a human", "deal with a person", "someone real",
	    "somebody real", "anybody real", "with customer care", "to customer care", "escalate this",
	    "someone ring me", "somebody ring me", "talk to your boss", "speak to your boss", NULL};
	static const char *const whole[] = {"put me through", "please put me through", "anyone there",
	    "anybody there", "is anybody there", "is anyone there", "customer service", "customer support",
	    "customer service please", "customer support please", NULL};
	static const char *const others[] = {"\u4eba\u5de5", "\u771f\u4eba", "\u8f6c\u4eba\u5de5", "\u62c5\u5f53\u8005",
	    "\u4eba\u3068\u8a71", "\uc0c1\ub2f4\uc6d0", "\u043e\u043f\u0435\u0440\u0430\u0442\u043e\u0440",
	    "\u0447\u0435\u043b\u043e\u0432\u0435\u043a\u043e\u043c", NULL};
	char room[1025], line[1100] = " ";
	struct said said;
	size_t n = 1;
	bool bot;

	text.len = text.len < 1024 ? text.len : 1024;
	for (int i = 0; others[i] != NULL; i++)
		if (memmem(text.ptr, text.len, others[i], strlen(others[i])) != NULL)
			return true;
	read_words(text, &said, room);
	for (int i = 0; i < said.count && n + said.word[i].len + 2 < sizeof(line); i++) {
		memcpy(line + n, said.word[i].ptr, said.word[i].len);
		n += said.word[i].len;
		line[n++] = ' ';
	}
	line[n] = '\0';
	/* asking whether the bot is a human is not a wish */
	bot = strncmp(line, " are you ", 9) == 0 || strncmp(line, " am i ", 6) == 0 ||
	    strncmp(line, " is this ", 9) == 0 || strncmp(line, " who ", 5) == 0 ||
	    strncmp(line, " what is a ", 11) == 0;
	for (int i = 0; phrases[i] != NULL && !bot; i++) {
		const char *at = strstr(line, phrases[i]);

		if (at != NULL && at[-1] == ' ' && at[strlen(phrases[i])] == ' ')
			return true;
	}
	for (int i = 0; whole[i] != NULL; i++)
		if (n == strlen(whole[i]) + 2 && memcmp(line + 1, whole[i], n - 2) == 0)
			return true;
	return said.count > 0 && !bot && (asks_for(&said) || only_names(&said));
}
