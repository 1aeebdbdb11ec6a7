/* SPDX-License-Identifier: ISC */
/*
 * The built-in responder: its rules, its pieces, its token counts.
 */
#include <check.h>
#include <stdio.h>

#include "clock.h"
#include "llm/llm_local.h"

#define WHAT_IT_IS "offline responder"
#define NOT_A_PERSON "I am an automatic assistant, not a person."
#define UNKNOWN "I do not know that. I can quote"
#define SORRY "I am sorry about that."
#define PERSON "cannot connect you to a person"

static void answer_to(const struct llm_message *messages, int count, struct pl_buf *out)
{
	const struct llm_request request = { .messages = messages, .messages_count = count };

	pl_buf_reset(out);
	llm_local_answer(&request, out);
	ck_assert_uint_gt(out->len, 0);
	ck_assert_msg(pl_utf8_ok(out->ptr, out->len), "%s", out->ptr);
}

static const struct rule_case { const char *asked, *says, *not; } rules[] = {
	{ "Hello!", "Hello, alice. I am", "again" },
	{ "hi", "Hello, alice", NULL },
	{ "@guide: good morning", "Hello, alice", NULL },
	{ "Hello there", "Hello, alice", NULL },
	{ "hi all", "Hello, alice", NULL },
	{ "thanks a lot", "welcome, alice", NULL },
	{ "Thank you very much for your help!", "welcome, alice", NULL },
	{ "ok thanks", "welcome, alice", NULL },
	{ "bye", "Goodbye, alice", NULL },
	{ "ok, see you later", "Goodbye, alice", NULL },
	{ "Who are you?", NOT_A_PERSON, "parlour.conf" },
	{ "Hello, who are you?", NOT_A_PERSON, "parlour.conf" },
	{ "which MODEL are you", NOT_A_PERSON, "parlour.conf" },
	{ "what's your name?", NOT_A_PERSON, "parlour.conf" },
	{ "are you a robot", "To reach a person", "model" }, { "Is this a bot?", NOT_A_PERSON, "model" },
	{ "r u a bot", NOT_A_PERSON, NULL }, { "are you a robot vacuum shop", UNKNOWN, NULL },
	{ "what model do you use?", "local-1", "[llm" },
	{ "are you human?", NOT_A_PERSON, "parlour.conf" },
	{ "What can you do?", "offline responder", NULL },
	{ "help", "offline responder", NULL },
	{ "Can you help me?", "offline responder", NULL },
	{ "", "offline responder", NULL },
	{ "   ", "offline responder", NULL },
	{ "@guide", "offline responder", NULL },
	{ "what time is it?", "2026-11-20, 23:59 UTC", NULL },
	{ "What time is it now?", "2026-11-20, 23:59 UTC", NULL },
	{ "hey, can you tell me what time it is please", "2026-11-20, 23:59 UTC", NULL },
	{ "What's the date today?", "2026-11-20, 23:59 UTC", NULL },
	{ "what day is it", "2026-11-20, 23:59 UTC", NULL },
	{ "What is 12 * 7?", "12 * 7 = 84", NULL },
	{ "2+3*4", "2+3*4 = 14", NULL },
	{ "(2+3)*4 please", "(2+3)*4 = 20", NULL },
	{ "what's -3 - -4?", "-3 - -4 = 1", NULL },
	{ "0.1+0.2", "0.1+0.2 = 0.3", NULL },
	{ "10/4 = ?", "10/4 = 2.5", NULL },
	{ "what is 10/4?", "10/4 = 2.5", NULL },
	{ "Calculate 100 - 42", "100 - 42 = 58", NULL },
	{ "how much is 3 * 4,  please?", "3 * 4 = 12", NULL },
	{ "what is 1/0?", "1/0 has no value", NULL },
	{ "(1+1) =", "= 2", NULL },
	{ "2024-1128 = ?", "2024-1128 = 896", NULL },
	{ "Do you offer 24/7 support?", UNKNOWN, " = " },
	{ "24/7", UNKNOWN, " = " },
	{ "24/7?", UNKNOWN, " = " },
	{ "what is 24/7?", UNKNOWN, " = " },
	{ "my order number is 2024-1128", "I did not note that number", " = " },
	{ "2024-1128", UNKNOWN, " = " },
	{ "what is 2024-1128?", UNKNOWN, " = " },
	{ "call me at 555-1234", "I did not note that number", " = " },
	{ "555-1234", UNKNOWN, " = " },
	{ "what is 555-1234?", UNKNOWN, " = " },
	{ "10/12/2025", UNKNOWN, " = " },
	{ "what is 10/12/2025?", UNKNOWN, " = " },
	{ "2025-12-10", UNKNOWN, " = " },
	{ "what about 3 - 2 weeks?", UNKNOWN, " = " },
	{ "call 5-what", UNKNOWN, " = " },
	{ "3 - the magic number", UNKNOWN, " = " },
	{ "v1.2-3", UNKNOWN, " = " },
	{ "How much is 2 * 3 metres of cable?", UNKNOWN, " = " },
	{ "I paid 2 * 30 dollars", UNKNOWN, " = " },
	{ "room 4-5", UNKNOWN, " = " },
	{ "is it 1/2 price?", UNKNOWN, " = " },
	{ "between 10-12 o'clock", UNKNOWN, " = " },
	{ "my iban is 12-34-56", UNKNOWN, " = " },
	{ "it costs 5+ dollars", UNKNOWN, " = " },
	{ "A4 210*297 mm", UNKNOWN, " = " },
	{ "3-4", UNKNOWN, " = " },
	{ "1/2", UNKNOWN, " = " },
	{ "+49 30 123-456", UNKNOWN, " = " },
	{ "What is the date of my delivery?", UNKNOWN, "UTC" },
	{ "what time do you open?", UNKNOWN, "UTC" },
	{ "What time is it in Tokyo?", UNKNOWN, "UTC" },
	{ "what is the time limit?", UNKNOWN, "UTC" },
	{ "any day now", UNKNOWN, "UTC" },
	{ "whats the time frame for refunds", UNKNOWN, "UTC" },
	{ "what day do you deliver?", UNKNOWN, "UTC" },
	{ "the date is wrong", UNKNOWN, "UTC" },
	{ "today's date on my invoice is wrong", UNKNOWN, "UTC" },
	{ "what time is check-in?", UNKNOWN, "UTC" },
	{ "whats the story with my refund", UNKNOWN, "nce upon" },
	{ "tell me a story", UNKNOWN, "nce upon" },
	{ "Tell me a long story", UNKNOWN, "nce upon" },
	{ "what's the tale of the missing parcel", UNKNOWN, "nce upon" },
	{ "long story short, it is broken", SORRY, "nce upon" },
	{ "no thanks to your product I lost money", SORRY, "welcome" },
	{ "thanks for nothing", SORRY, "welcome" },
	{ "no thanks", "All right.", "welcome" },
	{ "Thank you, but where is my order?", UNKNOWN, "welcome" },
	{ "thanks to you I missed my flight", UNKNOWN, "welcome" },
	{ "this is high", UNKNOWN, "Hello" },
	{ "Hello, where is my order?", "I cannot look up your order:", "Hello" },
	{ "hi, my parcel is late", UNKNOWN, "Hello" },
	{ "say hello to my little friend", UNKNOWN, "Hello" },
	{ "bye bye money, where is my refund?", UNKNOWN, "Goodbye" },
	{ "good night stays cost how much?", UNKNOWN, "Goodbye" },
	{ "tell me a joke", UNKNOWN, NULL },
	{ "is it?", UNKNOWN, NULL },
	{ "?", UNKNOWN, NULL },
	{ "a\nb\tc", UNKNOWN, NULL },
	{ "你好", "只能看懂英文", "I " }, { "你们几点开门", "只能看懂英文", NULL },
	{ "Wo ist mein Paket?", "lese nur Englisch", "know" },
	{ "wann kommt meine lieferung", "lese nur Englisch", NULL },
	{ "Où est mon colis ?", "que l'anglais", "know" }, { "je n'ai rien reçu", "que l'anglais", NULL },
	{ "¿Dónde está mi pedido?", "solo leo inglés", "know" }, { "donde esta mi pedido", "solo leo inglés", NULL },
	{ "Dov'è il mio pacco?", "solo l'inglese", NULL }, { "Onde está a minha encomenda?", "só leio inglês", NULL },
	{ "Waar is mijn pakket?", "lees alleen Engels", NULL }, { "Danke!", "lese nur Englisch", NULL },
	{ "いつ開きますか", "英語しか", NULL }, { "언제 문을 여나요?", "영어만", NULL }, { "Где мой заказ?", "по-английски", NULL },
	{ "أين طلبي؟", "الإنجليزية", NULL }, { "मेरा ऑर्डर कहाँ है?", "अंग्रेज़ी", NULL },
	{ "Де моє замовлення?", UNKNOWN, "по-английски" }, { "my son met the die hard fans", UNKNOWN, NULL },
	{ "Müller", UNKNOWN, NULL }, { "Juan de la Cruz", UNKNOWN, NULL }, { "Ludwig van Beethoven", UNKNOWN, NULL },
	{ "is the AI in via mail", UNKNOWN, NULL }, { "what does 谢谢 mean in English", UNKNOWN, NULL },
	{ "Why is the sky blue?", UNKNOWN, NULL },
	{ "summarise", UNKNOWN, NULL },
	{ "count to ten", UNKNOWN, NULL },
	{ "count to 5 thousand", UNKNOWN, NULL },
	{ "help me with my refund", UNKNOWN, NULL },
	{ "I count to 10 before I answer", UNKNOWN, NULL },
	{ "what is my problem", UNKNOWN, NULL },
	{ "what model of fridge do you sell?", UNKNOWN, NULL },
	{ "are you open on Sunday?", UNKNOWN, NULL },
	{ "count to 5", "1, 2, 3, 4, 5.", NULL },
	{ "please count to 1", "1.", NULL },
	{ "count to 0", "nothing to say", NULL },
	{ "count to 100000", "499, 500.", "501" },
	{ "count to -5", "nothing to say", "1, 2" }, { "Count to −5!", UNKNOWN, "1, 2" },
	{ "count to - 5", "nothing to say", "1, 2" }, { "count to 3.5", UNKNOWN, "1, 2" },
	{ "how late is it?", "2026-11-20, 23:59 UTC", NULL },
	{ "are you still there?", "Yes, I am here.", NULL }, { "ok", "All right.", NULL },
	{ "cancel", "nothing to cancel", NULL },
	{ "it's me again", "Hello again.", NULL }, { "ok but where is it", UNKNOWN, "All right" },
	{ "cancel my order", "I cannot do that", NULL }, { "please delete my data", "I cannot do that", NULL },
	{ "my order was cancelled by my bank yesterday", UNKNOWN, NULL },
	{ "wheres my parcel", "I cannot look up your parcel:", NULL },
	{ "Where is my parcel that you sent on Monday last week?", UNKNOWN, NULL },
	{ "this is ridiculous", SORRY, NULL }, { "I ordered 2 weeks ago and NOTHING arrived", SORRY, NULL },
	{ "why do you need my name", UNKNOWN, NULL },
	{ "What did I say?", "Nothing before this", NULL },
	{ "can you repeat that?", "I have not said anything yet", NULL },
	{ "Repeat that, please", "I have not said anything yet", NULL },
	{ "say that again", "I have not said anything yet", NULL },
	{ "Pardon?", "I have not said anything yet", NULL },
	{ "what did you say?", "I have not said anything yet", NULL },
	{ "Come again?", "I have not said anything yet", NULL },
	{ "I want to talk to a human", PERSON, NULL },
	{ "can I speak to someone?", PERSON, NULL },
	{ "talk to human", PERSON, NULL },
	{ "human please", PERSON, NULL },
	{ "HUMAN!", PERSON, NULL },
	{ "agent", PERSON, NULL },
	{ "let me talk to a real person", PERSON, NULL },
	{ "connect me to an agent", PERSON, NULL },
	{ "Get me a manager", PERSON, NULL },
	{ "get me your supervisor", PERSON, NULL },
	{ "I need a person", PERSON, NULL },
	{ "can you transfer me to a representative", PERSON, NULL },
	{ "put me through to somebody", PERSON, NULL },
	{ "please escalate this to a manager", PERSON, NULL },
	{ "I'd like to speak with a person", PERSON, NULL },
	{ "is there anyone I can talk to?", PERSON, NULL },
	{ "real human please", PERSON, NULL },
	{ "live agent", PERSON, NULL },
	{ "I don't want to talk to a bot, give me a human", PERSON, NULL },
	{ "this stupid bot", PERSON, NULL },
	{ "customer service please", PERSON, NULL },
	{ "I would rather chat with an actual person", PERSON, NULL },
	{ "how can I contact support?", PERSON, NULL },
	{ "can somebody call me back?", PERSON, NULL },
	{ "Ich möchte mit einem Menschen sprechen", PERSON, NULL },
	{ "Mitarbeiter bitte", PERSON, NULL },
	{ "je veux parler à un humain", PERSON, NULL },
	{ "quiero hablar con una persona", PERSON, NULL },
	{ "转人工", PERSON, NULL },
	{ "is anybody there?", PERSON, NULL },
	{ "can a human help me", PERSON, NULL },
	{ "I'd rather deal with a person", PERSON, NULL },
	{ "is there somebody real here", PERSON, NULL },
	{ "connect me with customer care", PERSON, NULL },
	{ "please escalate this", PERSON, NULL },
	{ "put me through", PERSON, NULL },
	{ "could somebody ring me", PERSON, NULL },
	{ "I don't want to talk to a bot", PERSON, NULL },
	{ "no bots please", PERSON, NULL },
	{ "no, get me a human", PERSON, NULL },
	{ "No, I would like to talk to a human", PERSON, NULL },
	{ "let me talk to your boss", PERSON, NULL },
	{ "why can I not talk to a human?", PERSON, NULL },
	{ "I do not want to talk to a human", UNKNOWN, PERSON },
	{ "I don't want to speak with an agent", UNKNOWN, PERSON },
	{ "no need to call a manager", UNKNOWN, PERSON },
	{ "how many people work there?", UNKNOWN, PERSON },
	{ "what does it cost per person?", UNKNOWN, PERSON },
	{ "the agent said my parcel is lost", UNKNOWN, PERSON },
	{ "a person told me it was free", UNKNOWN, PERSON },
	{ "which agent has the lowest fee?", UNKNOWN, PERSON },
	{ "I talked to my manager yesterday", UNKNOWN, PERSON },
	{ "the human body", UNKNOWN, PERSON },
	{ "do you have a family plan for four people?", UNKNOWN, PERSON },
	{ "my colleague makes 90k", UNKNOWN, PERSON },
	{ "operator manual", UNKNOWN, PERSON },
	{ "does the support contract include parts?", UNKNOWN, PERSON },
	{ "Is anybody there on a Saturday?", UNKNOWN, PERSON },
	{ "I want a person to be fired", SORRY, PERSON }, { "I want a person to be fired for this", SORRY, PERSON },
	{ "I want your manager fired", UNKNOWN, PERSON }, { "I need a representative sample", UNKNOWN, PERSON },
	{ "get me the manager's address", UNKNOWN, PERSON }, { "I want an agent to be punished", UNKNOWN, PERSON },
	{ "give me a person count", UNKNOWN, PERSON }, { "I need a human resources report", UNKNOWN, PERSON },
	{ "I want a human rights lawyer", UNKNOWN, PERSON }, { "I need a person to sign the form", UNKNOWN, PERSON },
	{ "I want a person who can help", PERSON, NULL }, { "I need a human to look at this", PERSON, NULL },
	{ "get me a manager now", PERSON, NULL }, { "I want a person, not you", PERSON, NULL },
	{ "give me a human agent please", PERSON, NULL },
	{ "i want to speak to someone who knows something", PERSON, NULL },
	{ "talk to the agent who called me", UNKNOWN, PERSON },
};

START_TEST(test_rule)
{
	const struct rule_case *c = &rules[_i];
	const struct llm_message message = { LLM_USER, PL_STR("alice"), pl_str(c->asked) };
	struct pl_buf first = PL_BUF(NULL), second = PL_BUF(NULL);

	pl_clock_fake(PL_NS_PER_S, 1795219140 * PL_US_PER_S);	/* 2026-11-20 23:59 UTC */
	answer_to(&message, 1, &first);
	ck_assert_msg(strstr(first.ptr, c->says) != NULL, "%s: %s", c->asked, first.ptr);
	ck_assert_msg(c->not == NULL || strstr(first.ptr, c->not) == NULL, "%s: %s", c->asked, first.ptr);
	answer_to(&message, 1, &second);
	ck_assert_str_eq(first.ptr, second.ptr);
	pl_clock_fake(0, 0);
	pl_buf_fini(&first);
	pl_buf_fini(&second);
}
END_TEST

START_TEST(test_conversation)
{
	struct llm_message messages[] = {
		{ LLM_USER, PL_STR("alice"), PL_STR("@guide I like tea") },
		{ LLM_ASSISTANT, PL_STR_NONE, PL_STR("I see.") },
		{ LLM_USER, PL_STR("bob"), PL_STR("coffee for me") },
		{ LLM_USER, PL_STR("alice"), PL_STR("what did I say?") },
	};
	struct pl_buf out = PL_BUF(NULL);

	answer_to(messages, 4, &out);
	ck_assert_msg(strstr(out.ptr, "\"I like tea\"") != NULL, "%s", out.ptr);
	messages[3].text = PL_STR("hello");
	answer_to(messages, 4, &out);
	ck_assert_str_eq(out.ptr, "Hello again, alice.");
	messages[3].text = PL_STR("can you repeat that?");
	answer_to(messages, 4, &out);
	ck_assert_str_eq(out.ptr, "I see.");
	messages[3].text = PL_STR("why?");
	answer_to(messages, 4, &out);
	ck_assert_msg(strstr(out.ptr, "I do not know that.") == out.ptr && strchr(out.ptr, '4') == NULL, "%s", out.ptr);
	answer_to(messages, 2, &out);
	ck_assert_msg(strstr(out.ptr, "I do not know that.") != NULL, "%s", out.ptr);
	answer_to(messages, 0, &out);
	ck_assert_msg(strstr(out.ptr, WHAT_IT_IS) != NULL, "%s", out.ptr);
	pl_buf_fini(&out);
}
END_TEST

static const struct passage_case { const char *asked, *passage; bool torn; const char *says; } passages[] = {
	{ "When is the refund for my parcel paid?",
	    "# Parcels\n\nWe ship on\nMondays. Refunds for parcels are paid within\n14 days. Refunds, again.", false,
	    "\"Refunds for parcels are paid within 14 days.\" [1]" },
	{ "refunds?", "Refunds\n\nThe office pays refunds on Friday. It is open.", false,
	    "\"The office pays refunds on Friday.\" [1]" },
	{ "what time does the office open?", "It opens at nine, e.g. in Lisbon. The office opens at ten.", false,
	    "\"The office opens at ten.\" [1]" },
	{ "what time is it?", "Time is money.", false, "My clock says" },
	{ "hello", "Hello is a word.", false, "Hello, alice" },
	{ "What is 12 * 7?", "12 times 7 is a sum.", false, "12 * 7 = 84" },
	{ "tell me about the company's story", "The story of the company began in 1912.", false,
	    "\"The story of the company began in 1912.\" [1]" },
	{ "Who is J. Doe of accounting?", "Nobody knows. Accounting belongs to J. Doe of Lisbon.", false,
	    "\"Accounting belongs to J. Doe of Lisbon.\" [1]" },
	{ "parcel refund", "parcel refunds are late. A refund of a parcel takes a day.", true,
	    "\"A refund of a parcel takes a day.\" [1]" },
	{ "parcel refund", "parcel refunds are late", true, "\"parcel refunds are late\" [1]" },
	{ "which fruit?", "- apples\n- fruit such as pears\n* plums", false, "\"fruit such as pears\" [1]" },
	{ "running", "He ran.", false, "I do not know that" },
	{ "\u9000\u6b3e?", "\u5929\u6c14\u597d\u3002\u9000\u6b3e\u3002", false, "\u3002\" [1]" },
	{ "how?", "#", false, "I do not know that" },
	{ "just answer my question", "Our support team answers from Monday to Friday.", false, SORRY },
	{ "can you help me please", "We help you.", false, WHAT_IT_IS },
	{ "where is my parcel", "Refunds are paid within 14 days after the parcel is back.", false,
	    "To reach a person" },
	{ "where is my parcel", "Parcels are sent on Monday.", false, "\"Parcels are sent on Monday.\" [1]" },
	{ "where is my refund", "Refunds are paid within 14 days.", false, "\"Refunds are paid within 14 days.\" [1]" },
	{ "can I pay in Bitcoin with a French passport", "Bitcoin is a currency.", false, "I do not know that" },
	{ "is [income] enough for the premium plan", "The premium plan costs 29 euros.", false, "29 euros" },
	{ "what is the delivrey time", "Delivery takes three days.", false, "three days" },
	{ "when does the cafe open", "The café opens at nine.", false, "at nine" },
	{ "what is the warranty of the DS-7604NI", "It has four channels. The warranty is two years.", false,
	    "I do not know that" },
	{ "Wo ist mein Paket?", "Ihr Paket kommt am Montag.", false, "\"Ihr Paket kommt am Montag.\" [1]" },
	{ "Wo ist mein Paket?", "We repair bicycles.", false, "lese nur Englisch" },
	{ "how?", " \n ", false, "I do not know that" },
	{ "tell me a story", "The story of the company began in 1912.", false,
	    "\"The story of the company began in 1912.\" [1]" },
	{ "can I talk to a person?", "A person is a human.", false, "cannot connect you" },
};

static const struct fact_case { const char *asked, *says; } facts[] = {
	{ "what is my name?", "Your name, as I have noted it: Ann Lee." },
	{ "What's my name", "Your name, as I have noted it: Ann Lee." },
	{ "do you remember my name?", "Ann Lee" }, { "can you tell me what is my full name please?", "Ann Lee" },
	{ "who am I?", "Ann Lee" }, { "my name?", "Ann Lee" },
	{ "what is my email address?", "You have not told me your email address yet." },
	{ "whats my e-mail?", "You have not told me your email address yet." },
	{ "what is my income?", "I have noted your income and keep it sealed. I show it only in part: **,*" },
	{ "what is my annual income?", "**,***" },
	{ "what is my tax id?", "I have noted your tax id and keep it sealed." },
	{ "why do you need my name?", "So that we can address you." },
	{ "why do you want my e-mail address", "Your email address is for the form \"Contact details\"" },
	{ "why?", "So that we can address you." }, { "what do you need that for?", "So that we can address you." },
	{ "why do you need my shoe size?", "The form \"Contact details\" of this service asks for: name, email" },
	{ "why is the sky blue?", "I do not know that." }, { "what do you need", "I do not know that." },
	{ "my order number is 2024-1128", "I did not note that number, because I cannot look up orders" },
	{ "call me at 555-1234", "I did not note that number, because I cannot make calls." },
	{ "order number", "I do not know that." }, { "what is order number 2024-1128?", "I do not know that." },
	{ "what is my order number?", "I do not know that." }, { "what is your name?", NOT_A_PERSON },
	{ "what is my name worth?", "I do not know that." }, { "my name is Bob", "I do not know that." },
};

/* Values that the session has, and values that it does not have; no document about names interferes. */
START_TEST(test_fact)
{
	static const struct llm_fact known[] = {
		{ .name = PL_STR("name"), .label = PL_STR("name"), .value = PL_STR("Ann Lee"),
		    .why = PL_STR("So that we can address you."), .noted = true },
		{ .name = PL_STR("email"), .label = PL_STR("email address") },
		{ .name = PL_STR("income"), .label = PL_STR("income"), .value = PL_STR("**,***"), .noted = true,
		    .sensitive = true },
		{ .name = PL_STR("tax"), .label = PL_STR("tax id"), .noted = true, .sensitive = true } };
	const struct llm_message message = { LLM_USER, PL_STR_NONE, pl_str(facts[_i].asked) };
	const struct llm_request request = { .messages = &message, .messages_count = 1, .facts = known,
		.facts_count = 4, .form_title = PL_STR("Contact details") };
	struct pl_buf out = PL_BUF(NULL);

	llm_local_answer(&request, &out);
	ck_assert_msg(strstr(out.ptr, facts[_i].says) != NULL, "%s: %s", facts[_i].asked, out.ptr);
	pl_buf_fini(&out);
}
END_TEST

/* A number that a document is about, or that the form took, was not ignored; any other number in the message was. */
static const struct number_case { const char *asked, *taken, *says, *not; } numbers[] = {
	{ "My phone XZ-500 does not start", NULL,
	    "\"Hold the button of the phone XZ-500 until it starts.\" [1]", "note" },
	{ "WhatsApp shows error 404", NULL, "\"If WhatsApp shows error 404, start it again.\" [1]", "note" },
	{ "call me at 555-1234", NULL, "I did not note that number", "[1]" },
	{ "my phone number is +1 555-1234", "+1 555-1234", "", "note" },
	{ "my phone number is 555-1234", "+15551234", "", "note" },
	{ "call me at 555-1234, my order number is 2024-1128", "555-1234", "I did not note that number", "[1]" },
	{ "my order number is 2024-1128", "1980-01-31", "I did not note that number", "[1]" },
};

START_TEST(test_number)
{
	const struct number_case *one = &numbers[_i];
	const struct llm_fact fact = { .name = PL_STR("phone"), .label = PL_STR("phone number"),
		.taken = one->taken != NULL ? pl_str(one->taken) : PL_STR_NONE };
	const struct llm_message message = { LLM_USER, PL_STR_NONE, pl_str(one->asked) };
	const struct llm_passage found = { 1, false, PL_STR("Hold the button of the phone XZ-500 until it starts. If "
	    "WhatsApp shows error 404, start it again."), PL_STR("Problems") };
	const struct llm_request request = { .messages = &message, .messages_count = 1, .passages = &found,
		.passages_count = 1, .facts = &fact, .facts_count = 1 };
	struct pl_buf out = PL_BUF(NULL);

	llm_local_answer(&request, &out);
	ck_assert_msg(strstr(out.ptr, one->says) != NULL && strstr(out.ptr, one->not) == NULL, "%s: %s", one->asked,
	    out.ptr);
	pl_buf_fini(&out);
}
END_TEST

/* The words of a title count for its passages. */
START_TEST(test_title)
{
	const struct llm_message message = { LLM_USER, PL_STR_NONE, PL_STR("what is the warranty of the DS-7604NI") };
	const struct llm_passage found = { 1, false, PL_STR("It has four channels. The warranty is two years."),
		PL_STR("Recorder DS-7604NI") };
	const struct llm_request request = { .messages = &message, .messages_count = 1, .passages = &found,
		.passages_count = 1 };
	struct pl_buf out = PL_BUF(NULL);

	llm_local_answer(&request, &out);
	ck_assert_str_eq(out.ptr, "\"The warranty is two years.\" [1]");
	pl_buf_fini(&out);
}
END_TEST

static const char *const moods[][8] = {
	[LLM_MOOD_NONE] = { "how long does delivery take", "my order number is 2024-1128", "Ann Lee", "why?" },
	[LLM_MOOD_IDLE] = { "hi", "thanks a lot", "ok", "are you there?", "Wo ist mein Paket?", "你好" },
	[LLM_MOOD_UPSET] = { "this is ridiculous", "nothing arrived", "thanks for nothing",
	    "just answer my question" },
	[LLM_MOOD_PERSON] = { "human please", "I want to talk to a person", "this stupid bot" },
};

START_TEST(test_mood)
{
	for (int i = 0; i < 8 && moods[_i][i] != NULL; i++)
		ck_assert_msg((int)llm_local_mood(pl_str(moods[_i][i])) == _i, "%s", moods[_i][i]);
}
END_TEST

/* Sentences of the previous answer are not repeated, however often somebody complains. */
START_TEST(test_not_twice)
{
	static const char *const complaints[] = { "this is ridiculous", "you are useless", "nothing arrived",
	    "thanks for nothing", "what a disgrace", "blorb?", "what about blorb", "blorb!", "cancel my order",
	    "delete my account", "you are useless" };
	struct llm_message messages[2 * PL_COUNT(complaints)];
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_str last = PL_STR("");
	int count = 0;

	for (size_t i = 0; i < PL_COUNT(complaints); i++) {
		struct llm_request request = { .messages = messages, .person_asks = _i == 1 };
		struct pl_buf out = PL_BUF(pool);
		struct pl_str rest, sentence;

		messages[count++] = (struct llm_message){ LLM_USER, PL_STR_NONE, pl_str(complaints[i]) };
		request.messages_count = count;
		llm_local_answer(&request, &out);
		for (rest = pl_buf_str(&out); pl_str_cut(&rest, '.', &sentence);)
			ck_assert_msg(pl_str_trim(sentence).len < 3 || memmem(last.ptr, last.len, sentence.ptr,
			    sentence.len) == NULL, "%s: %s", complaints[i], out.ptr);
		last = i == 3 && _i == 1 ? PL_STR(LLM_LOCAL_ASKED " to take over, by mail.") : pl_buf_str(&out);
		messages[count++] = (struct llm_message){ LLM_ASSISTANT, PL_STR_NONE, last };
		if (i > 4 && _i == 1)
			ck_assert_ptr_null(strstr(out.ptr, "I want to talk to a person\"."));
	}
	pl_pool_free(&pool);
}
END_TEST

/* A passage that was found is quoted with its mark; small talk gets small talk. */
START_TEST(test_passage)
{
	const struct passage_case *c = &passages[_i];
	const struct llm_message message = { LLM_USER, PL_STR("alice"), pl_str(c->asked) };
	const struct llm_passage found[] = { { .number = 1, .torn = c->torn, .text = pl_str(c->passage) },
		{ .number = 2, .text = PL_STR("Another one: refund.") } };
	const struct llm_request request = { .messages = &message, .messages_count = 1, .passages = found,
		.passages_count = 2 };
	struct pl_buf out = PL_BUF(NULL);

	pl_clock_fake(PL_NS_PER_S, 1795219140 * PL_US_PER_S);
	llm_local_answer(&request, &out);
	ck_assert_msg(strstr(out.ptr, c->says) != NULL, "%s: %s", c->asked, out.ptr);
	ck_assert(pl_utf8_ok(out.ptr, out.len));
	pl_clock_fake(0, 0);
	pl_buf_fini(&out);
}
END_TEST

/* Texts of any length can be quoted, and no character is cut. */
START_TEST(test_long_passage)
{
	const struct llm_message message = { LLM_USER, PL_STR("alice"), PL_STR("\xe4\xbd\xa0") };
	struct pl_buf text = PL_BUF(NULL), out = PL_BUF(NULL);
	struct llm_passage found = { .number = 3 };
	struct llm_request request = { .messages = &message, .messages_count = 1, .passages = &found,
		.passages_count = 1 };

	for (int i = 0; i < 1000; i++)
		pl_buf_adds(&text, "\xe4\xbd\xa0");
	found.text = pl_buf_str(&text);
	llm_local_answer(&request, &out);
	ck_assert_uint_lt(out.len, 450);
	ck_assert(pl_utf8_ok(out.ptr, out.len));
	ck_assert_ptr_nonnull(strstr(out.ptr, " ...\" [3]"));
	pl_buf_fini(&text);
	pl_buf_fini(&out);
}
END_TEST

/* Long words and other scripts: the pieces join to the text, and none cuts a character or is too long. */
START_TEST(test_pieces)
{
	static const char *const texts[] = { "one two  three\n\nfour", "  lead", "trail  ", "x", "" };
	struct pl_buf text = PL_BUF(NULL);
	struct pl_str rest;

	if (_i < (int)PL_COUNT(texts))
		pl_buf_adds(&text, texts[_i]);
	else
		for (int i = 0; i < 100; i++)
			pl_buf_adds(&text, "\xe4\xbd\xa0\xf0\x9f\x98\x80");
	rest = pl_buf_str(&text);
	while (rest.len > 0) {
		size_t n = llm_local_piece(rest);

		ck_assert_uint_gt(n, 0);
		ck_assert_uint_le(n, 64);
		ck_assert(pl_utf8_ok(rest.ptr, n));
		rest = pl_strn(rest.ptr + n, rest.len - n);
	}
	ck_assert_uint_eq(llm_local_piece(rest), 0);
	pl_buf_fini(&text);
}
END_TEST

START_TEST(test_words)
{
	ck_assert_int_eq(llm_local_words(PL_STR("")), 0);
	ck_assert_int_eq(llm_local_words(PL_STR_NONE), 0);
	ck_assert_int_eq(llm_local_words(PL_STR("  a\nbc\t d ")), 3);
}
END_TEST

/* No text of a user makes the calculator recurse without limit or read beyond the end. */
START_TEST(test_sum_depth)
{
	struct pl_buf text = PL_BUF(NULL);
	struct pl_str sum;
	double value;

	for (int i = 0; i < 900; i++)
		pl_buf_addc(&text, _i == 0 ? '(' : '-');
	pl_buf_adds(&text, "1+1");
	ck_assert_int_eq(llm_local_sum(pl_buf_str(&text), &sum, &value), LLM_SUM_VALUE);
	ck_assert_double_eq(value, _i == 0 ? 2 : 0);	/* the last 31 signs count: -1 + 1 */
	for (int i = 0; i < 2000; i++)
		pl_buf_adds(&text, "+1");
	ck_assert_int_eq(llm_local_sum(pl_strn(text.ptr + 900, text.len - 900), &sum, &value), LLM_SUM_VALUE);
	ck_assert_double_eq(value, 512);	/* what fits into the first 1024 bytes */
	ck_assert_int_eq(llm_local_sum(PL_STR("1+"), &sum, &value), LLM_SUM_NONE);
	ck_assert_int_eq(llm_local_sum(pl_strn("1+12", 3), &sum, &value), LLM_SUM_VALUE);
	ck_assert_double_eq(value, 2);
	pl_buf_fini(&text);
}
END_TEST

Suite *suite_llm_local(void);

Suite *suite_llm_local(void)
{
	Suite *suite = suite_create("llm_local");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, test_rule, 0, PL_COUNT(rules));
	tcase_add_test(tc, test_conversation);
	tcase_add_loop_test(tc, test_fact, 0, PL_COUNT(facts));
	tcase_add_loop_test(tc, test_passage, 0, PL_COUNT(passages));
	tcase_add_loop_test(tc, test_number, 0, PL_COUNT(numbers));
	tcase_add_test(tc, test_title);
	tcase_add_loop_test(tc, test_mood, 0, PL_COUNT(moods));
	tcase_add_loop_test(tc, test_not_twice, 0, 2);
	tcase_add_test(tc, test_long_passage);
	tcase_add_loop_test(tc, test_pieces, 0, 6);
	tcase_add_test(tc, test_words);
	tcase_add_loop_test(tc, test_sum_depth, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
