/* SPDX-License-Identifier: ISC */
/*
 * The built-in responder: small talk, complaints, other languages, and its answers when it knows nothing. It never says
 * the same sentence twice in a row.
 */
#include "llm/llm.h"
#include "llm/llm_local.h"
#include "tongue.h"

/* ---- reading ---- */

static bool talk_has(const struct llm_talk *talk, const char *phrase)
{
	size_t len = strlen(phrase);
	const char *at = talk->plain;

	/*
	 * `plain` begins and ends with a blank and has single blanks between words, so whole words can be found as text
	 */
	while ((at = strstr(at, phrase)) != NULL) {
		if (at[-1] == ' ' && at[len] == ' ')
			return true;
		at++;
	}
	return false;
}

bool llm_local_has_any(const struct llm_talk *talk, const char *const *phrases)
{
	for (; *phrases != NULL; phrases++) {
		if (talk_has(talk, *phrases))
			return true;
	}
	return false;
}

bool llm_local_is_any(const char *text, const char *const *phrases)
{
	for (; *phrases != NULL; phrases++) {
		if (strcmp(text, *phrases) == 0)
			return true;
	}
	return false;
}

/* ---- not twice in a row ---- */

static bool contains(struct pl_str text, const char *sentence)
{
	return text.len > 0 && memmem(text.ptr, text.len, sentence, strlen(sentence)) != NULL;
}

static bool just_said(const struct llm_talk *talk, const char *sentence)
{
	return talk->own != NULL && contains(talk->own->text, sentence);
}

static bool once_said(const struct llm_talk *talk, const char *sentence)
{
	for (int i = 0; i < talk->request->messages_count; i++)
		if (talk->request->messages[i].from == LLM_ASSISTANT &&
		    contains(talk->request->messages[i].text, sentence))
			return true;
	return false;
}

bool llm_local_person_waits(const struct llm_message *messages, int count)
{
	for (int i = count - 1; i >= 0; i--) {
		if (messages[i].from != LLM_ASSISTANT)
			continue;
		if (contains(messages[i].text, LLM_LOCAL_ASKED))
			return true;
		if (contains(messages[i].text, LLM_LOCAL_FAILED))
			return false;
	}
	return false;
}

const char *llm_local_pick(const struct llm_talk *talk, const char *const *sentences)
{
	int at = 0;

	/* the sentence after that of the last answer */
	for (int i = 0; sentences[i] != NULL; i++)
		if (just_said(talk, sentences[i]))
			at = sentences[i + 1] != NULL ? i + 1 : 0;
	return sentences[at];
}

#define SAY_IT "say \"I want to talk to a person\"."

bool llm_local_reach(const struct llm_talk *talk, struct pl_buf *out)
{
	const char *contact = talk->request->config != NULL ? talk->request->config->s.person_contact : "";

	if (talk->request->person_failed.len > 0)
		return false;		/* this answer says it already */
	if (llm_local_person_waits(talk->request->messages, talk->request->messages_count)) {
		if (just_said(talk, LLM_LOCAL_ASKED) || just_said(talk, LLM_LOCAL_WAITING))
			return false;
		pl_buf_adds(out, LLM_LOCAL_WAITING);
	} else if (talk->request->person_asks || contact[0] == '\0') {
		if (just_said(talk, SAY_IT) || (!talk->request->person_asks && once_said(talk, LLM_LOCAL_NOT_HERE)))
			return false;		/* or there is no person to ask */
		pl_buf_adds(out, "To reach a person, " SAY_IT);
	} else {
		if (just_said(talk, contact))
			return false;
		pl_buf_addf(out, "To reach a person: %s", contact);
	}
	return true;
}

/* ---- small talk ---- */

/* Only if the message contains nothing else: "thanks to you I lost money" does not count. */
bool llm_local_courtesy(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const thanks[] = {"thanks", "thank you", "thx", NULL};
	static const char *const byes[] = {"bye", "goodbye", "good night", "see you", NULL};
	static const char *const hellos[] = {
	    "hello", "hi", "hey", "good morning", "good evening", "good afternoon", "greetings", "ping", NULL};
	static const char *const more[] = {"thanks", "thank", "you", "thx", "bye", "goodbye", "good", "night", "see",
	    "later", "soon", "tomorrow", "hello", "hi", "hey", "morning", "evening", "afternoon", "day", "greetings",
	    "ping", "there", "all", "everyone", "team", "so", "very", "much", "a", "lot", "many", "again", "ok", "okay",
	    "great", "perfect", "and", "for", "your", "the", "help", "answer", "have", "nice", "one", NULL};
	static const char *const again[] = {"Hello again", "I am listening", NULL};
	struct pl_str rest = pl_str_trim(pl_str(talk->plain)), word;

	while (pl_str_cut(&rest, ' ', &word)) {
		bool known = false;

		for (int i = 0; more[i] != NULL && !known; i++)
			known = pl_str_is(word, more[i]);
		if (!known)
			return false;
	}
	if (llm_local_has_any(talk, thanks))
		pl_buf_adds(out, "You are welcome");
	else if (llm_local_has_any(talk, byes))
		pl_buf_adds(out, "Goodbye");
	else if (llm_local_has_any(talk, hellos))
		pl_buf_adds(out, talk->own == NULL ? "Hello" : llm_local_pick(talk, again));
	else
		return false;
	if (talk->name.len > 0)
		pl_buf_addf(out, ", %.*s", PL_FMT(talk->name));
	pl_buf_adds(out, talk->own != NULL ? "." : ". " LLM_LOCAL_AM " Say \"help\" to see what I can do.");
	return true;
}

/* "ok", "are you still there", "it's me again" */
bool llm_local_presence(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const there[] = {"are you there", "are you still there", "still there", "you there", NULL};
	static const char *const agreed[] = {"ok", "okay", "k", "fine", "all right", "alright", "great", "cool",
	    "got it", "i see", "good",
	    "nice", "perfect", "understood", "yes", "no", "never mind", "nevermind",
	    "no thanks", "no thank you", "nope", "yep", "yeah", "nothing", "nothing else", "that is all",
	    "thats all", NULL};
	static const char *const ends[] = {"cancel", "stop", "quit", "abort", "please stop", "stop it", NULL};
	static const char *const back[] = {"its me again", "it is me again", "me again", "im back", "i am back", NULL};
	struct pl_str whole = pl_str_trim(pl_str(talk->plain));
	const char *plain = pl_str_c(talk->pool, whole);

	if (llm_local_is_any(plain, ends))
		pl_buf_adds(out, "There is nothing to cancel.");
	else if (llm_local_is_any(talk->core, there))
		pl_buf_adds(out, "Yes, I am here.");
	else if (llm_local_is_any(talk->core, back))
		pl_buf_adds(out, "Hello again.");
	else if (llm_local_is_any(plain, agreed))
		pl_buf_adds(out, "All right.");
	else
		return false;
	return true;
}

/* ---- other languages ---- */

bool llm_local_foreign(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const sentences[PL_TONGUE_COUNT] = {
	    [PL_TONGUE_DE] = "Ich bin ein automatischer Assistent ohne Sprachmodell und lese nur Englisch.",
	    [PL_TONGUE_FR] = "Je suis un assistant automatique sans modèle de langue et je ne lis que l'anglais.",
	    [PL_TONGUE_ES] = "Soy un asistente automático sin modelo de lenguaje y solo leo inglés.",
	    [PL_TONGUE_IT] = "Sono un assistente automatico senza modello linguistico e leggo solo l'inglese.",
	    [PL_TONGUE_PT] = "Sou um assistente automático sem modelo de linguagem e só leio inglês.",
	    [PL_TONGUE_NL] = "Ik ben een automatische assistent zonder taalmodel en lees alleen Engels.",
	    [PL_TONGUE_ZH] = "我是没有语言模型的自动助手，只能看懂英文。",
	    [PL_TONGUE_JA] = "私は言語モデルのない自動アシスタントで、英語しか読めません。",
	    [PL_TONGUE_KO] = "저는 언어 모델이 없는 자동 도우미라서 영어만 읽을 수 있습니다.",
	    [PL_TONGUE_RU] = "Я автоматический помощник без языковой модели и читаю только по-английски.",
	    [PL_TONGUE_AR] = "أنا مساعد آلي بلا نموذج لغوي ولا أقرأ إلا الإنجليزية.",
	    [PL_TONGUE_HI] = "मैं बिना भाषा मॉडल वाला स्वचालित सहायक हूँ और केवल अंग्रेज़ी पढ़ सकता हूँ।"};
	static const char *const requests[PL_TONGUE_COUNT] = {
	    [PL_TONGUE_DE] = "Bitte schreiben Sie auf Englisch. Um mit einem Menschen zu sprechen, schreiben Sie "
			     "\"human please\".",
	    [PL_TONGUE_FR] = "Veuillez écrire en anglais. Pour parler à une personne, écrivez \"human please\".",
	    [PL_TONGUE_ES] = "Escriba en inglés, por favor. Para hablar con una persona, escriba \"human please\".",
	    [PL_TONGUE_IT] = "Scriva in inglese, per favore. Per parlare con una persona, scriva \"human please\".",
	    [PL_TONGUE_PT] = "Escreva em inglês, por favor. Para falar com uma pessoa, escreva \"human please\".",
	    [PL_TONGUE_NL] = "Schrijf alstublieft in het Engels. Schrijf \"human please\" om met een mens "
			     "te spreken.",
	    [PL_TONGUE_ZH] = "请用英文书写。如需联系人工，请输入 \"human please\"。",
	    [PL_TONGUE_JA] = "英語でお書きください。担当者と話すには \"human please\" と入力してください。",
	    [PL_TONGUE_KO] = "영어로 적어 주세요. 사람과 이야기하려면 \"human please\"라고 적어 주세요.",
	    [PL_TONGUE_RU] = "Пожалуйста, пишите по-английски. Чтобы поговорить с человеком, напишите "
			     "\"human please\".",
	    [PL_TONGUE_AR] = "يرجى الكتابة بالإنجليزية. للتحدث إلى شخص، اكتب \"human please\".",
	    [PL_TONGUE_HI] = "कृपया अंग्रेज़ी में लिखें। किसी व्यक्ति से बात करने के लिए \"human please\" लिखें।"};
	enum pl_tongue tongue = pl_tongue_of(talk->last);

	if (tongue == PL_TONGUE_NONE)
		return false;
	pl_buf_adds(out, llm_local_pick(talk, (const char *const[]){sentences[tongue], requests[tongue], NULL}));
	return true;
}

/* ---- complaints ---- */

static bool is_upset(const struct llm_talk *talk)
{
	static const char *const phrases[] = {"thanks for nothing", "no thanks to", "useless", "ridiculous", "stupid",
	    "terrible", "awful", "horrible", "nothing arrived", "never arrived", "not arrived", "hasnt arrived",
	    "didnt arrive", "is broken", "lost money", "waste of time", "wasting my time", "scam", "fraud", "idiot",
	    "idiots", "angry", "annoying", "annoyed", "fed up", "had enough", "unacceptable", "disappointed", "worst",
	    "not helpful", "unhelpful", "you dont understand", "you do not understand", "wtf", "damn", "bad service",
	    "hate this", "hate you", "be fired", "already told you", "answer my question", "disgrace",
	    "disgusting", "pathetic", "rubbish", "garbage", "shut up", "never came", "didnt come", "still waiting",
	    "not acceptable", "so bad",
	    "ripped off", "rip off", "this is a joke", "what a joke", "nobody answers", "no one answers", "not working",
	    "doesnt work",
	    "does not work", "this sucks", "you suck", "outrageous", "shame on you", NULL};


	return llm_local_has_any(talk, phrases);
}

bool llm_local_upset(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const sorry[] = {"I am sorry about that.",
	    "I understand that this is not what you expect.", "I am sorry that I cannot solve this for you.",
	    "I see that this is annoying.", NULL};

	static const char *const more[] = {"I am a program and can only quote the documents of this service.",
	    "I can look for another document if you ask in other words.", NULL};

	if (!is_upset(talk))
		return false;
	pl_buf_addf(out, "%s ", llm_local_pick(talk, sorry));
	if (!llm_local_reach(talk, out))
		pl_buf_adds(out, llm_local_pick(talk, more));
	return true;
}

/* ---- no answer known ---- */

bool llm_local_anything(const struct llm_talk *talk, struct pl_buf *out)
{
	static const char *const more[] = {"Please ask in other words.", "Say \"help\" to see what I can do.", NULL};
	static const char *const unknown[] = {"I do not know that.", "I have no answer to that.",
	    "I found nothing about that.", NULL};

	pl_buf_addf(out, "%s ", llm_local_pick(talk, unknown));
	if (!once_said(talk, LLM_LOCAL_CAN_QUOTE)) /* one mention is enough */
		pl_buf_adds(out, LLM_LOCAL_CAN);
	else if (!llm_local_reach(talk, out))
		pl_buf_adds(out, llm_local_pick(talk, more));
	return true;
}

/* ---- exported functions ---- */

enum llm_mood llm_local_mood(struct pl_str text)
{
	const struct llm_message message = {.from = LLM_USER, .text = text};
	const struct llm_request request = {.messages = &message, .messages_count = 1};
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf reply = PL_BUF(pool);
	struct llm_talk talk;
	enum llm_mood mood = LLM_MOOD_NONE;

	llm_local_talk(&talk, pool, &request);
	if (llm_local_wants_person(talk.last))
		mood = LLM_MOOD_PERSON;
	else if (is_upset(&talk))
		mood = LLM_MOOD_UPSET;
	else if (llm_local_courtesy(&talk, &reply) || llm_local_presence(&talk, &reply) ||
	    llm_local_foreign(&talk, &reply))
		mood = LLM_MOOD_IDLE;
	pl_pool_free(&pool);
	return mood;
}
