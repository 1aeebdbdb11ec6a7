/* SPDX-License-Identifier: ISC */
/*
 * Tables of words and phrases, and functions that search them. A table of words is one string, with blanks between
 * words and at both ends. A table of phrases has "|" between them; "_" is an adverb or nothing.
 */
#include <stdio.h>

#include "svc/read/read_int.h"

const char words_title[] = " mr mrs ms miss mx dr prof professor sir madam herr frau monsieur madame mme señor señora "
			   "sr sra srta signor signora fru hr ing rev reverend hon doctor dipl mag mister ";
const char words_suffix[] = " jr sr ii iii iv phd md esq junior senior ";
const char words_particle[] =
    " van von der den de del della di da do dos das du la le el al bin ibn bint ben abu bar y e i "
    "zu zum zur ten ter te af av mac mc san santa st ap ab o ' ";
const char words_filler[] =
    " yes yeah yep yup ya yah ja oui si sure ok okay okey alright well so um uh uhm erm hm hmm oh ah "
    "aha please pls plz thanks thank thx ty cheers hi hello hey hallo hiya hola greetings dear certainly absolutely "
    "definitely then gladly fine great good anyway cool there and here speaking right sir madam mate btw actually wait "
    "sorry "
    "oops no nope nah correction rather ah ugh lol it's its just yours sincerely regards bye too also now currently "
    "basically obviously simply exactly precisely indeed you say let's "
    "है हूँ हूं ہے ہوں است ";
const char words_doubt[] =
    " maybe perhaps probably possibly guess think suppose believe might could should would unsure "
    "somewhere something almost nearly if unless assume hopefully ish someday soon ";
const char words_not[] =
    " not never don't doesn't didn't isn't wasn't aren't ain't won't can't cannot without nor neither "
    "none nobody nothing wouldn't shouldn't couldn't haven't dont isnt wont cant stop ";
const char words_change[] =
    " but not no nothing none nope never instead actually sorry wrong or except rather correction meant mean else wait "
    "old former formerly previous until unless before was were wasn't isn't change changed different another other "
    "mistake "
    "oops joke joking kidding lie lied fake false secret call calls name named used use although though however don't "
    "forget ignore correct fix than spelled spelt called prefer only until if first last maiden ";
const char words_third[] =
    " colleague colleagues wife husband friend friends boss brother sister mother father mom mum dad "
    "son daughter partner he she they his her hers their him them somebody someone people neighbor neighbour everybody "
    "anyone everyone nobody others other another average girlfriend boyfriend uncle aunt cousin assistant secretary "
    "customer "
    "company team typical minimum maximum roommate grandfather grandmother parents kids children guy man woman ceo "
    "manager "
    "who whose he's she's they're you your your's you're we're ";
const char words_past[] =
    " paid pay ordered order bought buy sold cost costs charged charge refund refunded invoice ticket "
    "number no. nr order-number id arrived yesterday lost owe spent overcharged transferred deposited booked waiting "
    "waited delivered broken cheaper discount reference ref tracking case account code pin zip room page version "
    "bookings "
    "year's age years-old minutes hours-ago owed ";
const char words_about[] = " about around roughly approximately approx circa ca some say like ";
const char words_bound[] =
    " less more under over below above least most up max maximum minimum min than fewer exceeding beyond "
    "upwards almost nearly several few couple some-thousand between to till until plus minus or ";
const char words_adjective[] =
    " yearly annual annually monthly weekly daily hourly current full complete whole new real actual "
    "personal private work business gross net total main correct right proper preferred best phone cell "
    "mobile "
    "e-mail email mail own base approximate estimated average overall present legal official good contact ";
const char words_part_name[] = " last first second middle sur family nick user maiden given company pet screen ";
const char words_pronoun[] =
    " i you we they he she it this that these those there the my your our his her their a an me us them "
    "anyone anybody someone somebody everyone people all any ";
const char words_question[] =
    " what who why how when where which whose whom what's who's how's where's when's why's whats hows "
    "wheres wat wats wots whts wht wher hw was-ist wie warum wann qué cómo pourquoi ";
const char words_auxiliary[] =
    " can could do does did is are was were will would should shall may might must have has had am "
    "isn't aren't don't doesn't didn't can't couldn't won't wouldn't shouldn't haven't hasn't ";
const char words_yes[] =
    " yes y yeah yep yup ya ja jawohl oui si sí sure correct right ok okay true exactly indeed affirmative "
    "absolutely certainly definitely perfect good fine great confirmed confirm agreed да так はい 是 是的 对 对的 네 "
    "evet sim tak ano ";
const char words_no[] =
    " no n nope nah nein non não нет ні いいえ 不 不是 不对 아니요 hayır nie ne wrong incorrect false negative ";
static const char words_adverb[] =
    " actually really currently now still just only also usually normally typically presently about "
    "simply always basically however indeed then today correctly ";
static const char words_empty[] =
    " that that's thats it it's is all of course you the that is looks look seems sounds as is very "
    "so quite well this thanks thank please everything yes is's entirely totally spelled for sure me to i am i'm "
    "and but not was are they're they ";

/* ---- phrases ---- */

const char phrases_filler[] =
    "here you go|here it is|here you are|there you go|here is|of course|by the way|let me see|nice to "
    "meet you|pleased to meet you|good morning|good afternoon|good evening|good day|thank you|thank you very "
    "much|thanks a lot|"
    "many thanks|kind regards|best regards|no problem|for you|you can use|you can take|please use|please take|please "
    "note|that "
    "would be|that'd be|it would be|that will be|sure thing|all right|my pleasure|why not|as follows|at the "
    "moment|right now|"
    "these days|in fact|it's me|it is me|this is me|that's me|to be exact|to be precise|let's say|the answer is|my "
    "answer is|guten tag|guten morgen|hi there|hello there";
const char phrases_name[] =
    "my name _ is|my name's|my name|my full name _ is|my real name _ is|my name _ would be|the name _ is|"
    "the name's|name is|name's|my names|my friends call me|i _ go by|i _ am called|i'm _ called|i am named|i'm "
    "named|people call "
    "me|everybody calls me|everyone calls me|they call me|you can call me|you may call me|please call me|just call "
    "me|call me|"
    "ich heiße|ich heisse|mein name ist|je m'appelle|mon nom est|me llamo|mi nombre es|mi chiamo|il mio nome è|meu "
    "nome é|"
    "chamo-me|me chamo|ik heet|mijn naam is|jag heter|jeg heter|jeg hedder|nazywam się|mam na imię|jmenuji se|меня "
    "зовут|мене "
    "звати|adım|benim adım|nama saya|tên tôi là|tôi tên là|jina langu ni|με λένε|اسمي|שמי|मेरा नाम|minun nimeni "
    "on|nimeni on";
const char phrases_name_weak[] =
    "i'm|i am|im|it is|it's|this is|that's|that is|it should be|it should read|i said|i'm the|ich bin|"
    "je suis|soy|sono|sou|jag är|jeg er";
const char phrases_email[] =
    "you can write to me at|you can write me at|you can mail me at|you can email me at|"
    "you can e-mail me at|you can contact me under|reach me under|write to me at|write me at|write me to|"
    "mail me at|mail me to|mail me|email me at|email me|e-mail me at|e-mail me|send it to me at|"
    "reach me at|you can reach me at|you can reach me under|contact me at|you can contact me at|"
    "i _ am at|i'm at|i can be reached at|reachable at|drop me a line at|mailto";
const char phrases_phone[] =
    "call me on|call me at|call me under|reach me on|reach me at|you can reach me at|you can reach me on|"
    "you can call me on|you can call me at|text me at|text me on|ring me on|phone me on|phone me at";
const char phrases_weak[] =
    "mine is|the correct one is|the right one is|the new one is|the answer is|it is now|it's now|it is|"
    "it's|that's|that is|this is|i said|i say|it should be|it should read|it would be|make it|make that|"
    "i meant|i mean|i'd say|i would say|i have|i get|i use|you can use|use|take|try|together|in total|"
    "altogether|total|combined|all together|in all|that makes|at|write to|send it to|send mail to|"
    "you can send it to|you can write to|you may use|write me under";
const char phrases_change[] =
    "change it to|change that to|correct it to|correct that to|set it to|make it|make that|i _ meant|i _ "
    "mean|it should be|it should have been|it should read|it must be|please use|use|replace it with|replace it by|i "
    "want to "
    "change it to|change to|correction|should be|i wanted to say|i meant to say|it's|it is|that's|try";
const char phrases_refusal[] =
    "rather not|prefer not|prefer to keep|don't want to|do not want to|not telling|won't tell|will not tell|"
    "won't say|none of your|not your business|no way|skip|skip it|skip this|next|pass|i refuse|no comment|not "
    "now|later|maybe "
    "later|not comfortable|not going to|don't wish|do not wish|don't like to|no thanks|no thank you|keep it private|"
    "is private|it's private|confidential|don't know|do not know|no idea|not sure|don't have|do not have|haven't got|"
    "why do you|never mind|nevermind";
const char phrases_talk[] =
    "talk to a|talk to human|talk to someone|talk to somebody|talk to an|speak to|speak with|talk with|a human|"
    "real person|a person|an agent|human agent|live agent|customer service|customer support|go away|leave me|wrong "
    "chat|"
    "wrong number|wrong window|this is ridiculous|is ridiculous|it is broken|is broken|it's broken|not working|doesn't "
    "work|does not work|"
    "hasn't arrived|has not arrived|not arrived|nothing arrived|never arrived|order status|my order|refund|are you a "
    "bot|shut up|"
    "waste of time|bad service|terrible service|fed up|operator|representative|help|help me|what do you|who are you|"
    "i need help|i have a question|i want to|i would like to|i'd like to|i need to|can you|could you|tell me|show "
    "me|explain|"
    "i am looking|i'm looking|i paid|i ordered|i bought|i want my|give me|where is|where's|complaint|complain|how "
    "much|scam|"
    "i hate|i love|you are|you're|wrong item|status|my question|the question|i told you|already told you|useless|"
    "for nothing|still waiting|lost money|be fired|nobody|so angry|are you there|still there|answer me";
const char phrases_said[] =
    "i said|as i said|like i said|i already said|i told you|as i told you|i already told you|as i said before";
const char phrases_about[] =
    "somewhere around|in the region of|more or less|or so|give or take|or thereabouts|in the area of|"
    "something like|a little|roughly|about|around|approximately|approx|circa|ca|exactly|precisely|a total of|in total|"
    "round about|some|~";
const char phrases_after[] =
    "before tax|before taxes|after tax|after taxes|pre tax|gross|net|in total|altogether|together|all in|"
    "combined|or so|give or take|more or less|all told|roughly|approximately|about|total|a total|or thereabouts|"
    "brutto|netto|cash|as of now|this year|right now|at the moment|at present|before deductions|after "
    "deductions|income|salary|sharp";

const char han_names[] =
    "王李张張刘劉陈陳杨楊赵趙黄黃周吴吳徐孙孫胡朱高林何郭马馬罗羅梁宋郑鄭谢謝韩韓唐冯馮于董萧蕭程曹袁邓鄧许許傅沈曾"
    "彭吕呂苏蘇卢盧蒋蔣蔡贾賈丁魏薛叶葉阎余潘杜戴夏钟鍾汪田任姜范方石姚谭譚廖邹熊金陆陸郝孔白崔康毛邱秦江史顾顧侯邵孟龙"
    "龍段雷汤湯尹黎易武乔喬贺賀赖龚文"
    "田佐鈴高渡伊山中小加吉松井木林斎斉清森池橋阿石近藤長後前村藤岡坂遠青福西太原竹金和東本大";
const char han_not[] = " 客服 人工 退款 救命 订单 訂單 快递 投诉 返品 注文 配送 人间 人間 "
		       " 高兴 高級 高级 周末 何时 何處 何处 马上 馬上 许多 許多 曾经 曾經 程序 程度 任何 任务 任務 "
		       "方便 方法 方案 金额 金額 白天 白色 康复 "
		       "江湖 历史 顾客 顧客 文件 文字 易于 余额 夏天 谢谢 謝謝 胡说 黄色 黄金 谢了 高手 大家 大丈夫 "
		       "小姐 中国 中文 中止 本当 本人 日本 山 前回 後で 和 田 "
		       "石头 武器 金 高 白 方 文 大 小 中 本 木 前 後 東 西 原 清 森 池 石 長 太 青 近 村 ";
const char hangul_names[] = "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허남심노하곽성차주우구민진나엄원천방"
			    "공현함변염여추도소석선설마길연위표명기반왕";
const char hangul_not[] = " 안녕 안녕하세요 안돼 이것 이거 이게 이름 정말 주문 배송 환불 취소 문의 상담 상담원 사람 "
			  "도움 도와줘 고객 전화 감사 감사합니다 고마워 "
			  "아니요 아니오 네 예 몰라 모르겠 싫어 나중에 한국 주세요 오늘 내일 문제 서비스 ";

/* ---- searching ---- */

bool word_in(const char *table, struct pl_str word)
{
	size_t len = strlen(table);
	const char *at = table;

	if (word.len == 0 || memchr(word.ptr, ' ', word.len) != NULL)
		return false;
	while ((at = memmem(at, len - (size_t)(at - table), word.ptr, word.len)) != NULL) {
		if (at > table && at[-1] == ' ' && at[word.len] == ' ')
			return true;
		at++;
	}
	return false;
}

bool token_in(const struct token *t, const char *table)
{
	return t->type == TOKEN_WORD && word_in(table, t->word);
}

static bool stem_is_common(struct pl_str word, const char *ending, const char *instead)
{
	size_t cut = strlen(ending);
	char stem[48];

	if (word.len < cut + 3 || word.len > sizeof(stem) - 4 || memcmp(word.ptr + word.len - cut, ending, cut) != 0)
		return false;
	snprintf(stem, sizeof(stem), "%.*s%s", (int)(word.len - cut), word.ptr, instead);
	if (word_in(words_common, pl_str(stem)))
		return true;
	/* "stopping" */
	cut = strlen(stem);
	if (instead[0] == '\0' && cut > 3 && stem[cut - 1] == stem[cut - 2]) {
		stem[cut - 1] = '\0';
		return word_in(words_common, pl_str(stem));
	}
	return false;
}

bool word_is_common(struct pl_str word)
{
	static const struct {
		const char *ending, *instead;
	} forms[] = {{"s", ""}, {"es", ""}, {"ies", "y"}, {"ed", ""}, {"ed", "e"}, {"ied", "y"}, {"ing", ""},
	    {"ing", "e"}, {"ly", ""}, {"er", ""}, {"er", "e"}, {"est", ""}, {"'s", ""}, {"ness", ""}, {"ment", ""},
	    {"n't", ""}, {"y", ""}};
	static const char *const endings[] = {"tion", "sion", "ment", "ness", "able", "ible", "ful", "less", "ship",
	    "ously", "ally", "ivity", "ility", "ized", "ised"};

	if (word_in(words_common, word) || word_in(words_filler, word) || word_in(words_not, word) ||
	    word_in(words_third, word))
		return true;
	for (size_t i = 0; i < PL_COUNT(forms); i++)
		if (stem_is_common(word, forms[i].ending, forms[i].instead))
			return true;
	for (size_t i = 0; i < PL_COUNT(endings); i++) {
		size_t len = strlen(endings[i]);

		if (word.len > len + 2 && memcmp(word.ptr + word.len - len, endings[i], len) == 0)
			return true;
	}
	return false;
}

/* ---- phrases ---- */

/* Matches one phrase at `at`. Returns the number of tokens, 0: no match. */
static int one_phrase(const struct read_message *m, int at, int to, struct pl_str phrase)
{
	struct pl_str word;
	int from = at;

	while (pl_str_cut(&phrase, ' ', &word)) {
		if (pl_str_is(word, "_")) {
			while (at < to && token_in(&m->tokens[at], words_adverb))
				at++;
		} else if (at < to && (m->tokens[at].type == TOKEN_WORD || m->tokens[at].type == TOKEN_SIGN) &&
		    pl_str_ieq(m->tokens[at].word, word)) {
			at++;
		} else {
			return 0;
		}
	}
	return at - from;
}

int phrase_at(const struct read_message *m, int at, int to, const char *phrases)
{
	struct pl_str rest = pl_str(phrases), phrase;
	int best = 0;

	while (pl_str_cut(&rest, '|', &phrase)) {
		int taken = one_phrase(m, at, to, pl_str_trim(phrase));

		best = taken > best ? taken : best;
	}
	return best;
}

/* Are all words yes-words or without meaning, and at least one a yes-word? */
static bool says_only(const struct read_message *m, const char *table)
{
	int said = 0;

	for (int i = 0; i < m->count; i++) {
		const struct token *t = &m->tokens[i];

		if (t->type == TOKEN_SIGN)
			continue;
		if (token_in(t, table))
			said++;
		else if (!token_in(t, words_empty) && !token_in(t, words_filler))
			return false;
	}
	return said > 0;
}

static bool has_word(const struct read_message *m, const char *table)
{
	for (int i = 0; i < m->count; i++)
		if (token_in(&m->tokens[i], table))
			return true;
	return false;
}

bool read_yes(const struct read_message *m)
{
	static const char but[] = " but not no nope wrong incorrect maybe if never isn't nein non except ";

	return says_only(m, words_yes) && !has_word(m, but) && !read_asks(m);
}

bool read_no(const struct read_message *m)
{
	static const char not [] = " not isn't ";

	return !read_asks(m) && (says_only(m, words_no) || (says_only(m, words_yes) && has_word(m, not )));
}

static bool has_phrase(const struct read_message *m, const char *phrases)
{
	for (int i = 0; i < m->count; i++)
		if (phrase_at(m, i, m->count, phrases) > 0)
			return true;
	return false;
}

bool read_refuses(const struct read_message *m)
{
	return has_phrase(m, phrases_refusal);
}

bool read_talks(const struct read_message *m)
{
	return has_phrase(m, phrases_talk);
}

bool read_tells(const struct read_message *m)
{
	for (int i = 0; i < m->count; i++)
		if (token_in(&m->tokens[i], words_past) ||
		    (token_in(&m->tokens[i], words_third) && !token_in(&m->tokens[i], " you your you're your's ")))
			return true;
	return false;
}

bool read_denies(const struct read_message *m)
{
	return has_word(m, words_not);
}

bool read_only(const struct read_message *m, const char *const *words, int words_count)
{
	static const char with[] =
	    " please this that it the form everything now i want to can you we let's me asking questions all here "
	    "just conversation chat process would like wanna need i'd immediately at once ok okay sorry no yes filling "
	    "in out stop cancel with hey talk whole thing thanks thank questionnaire right away let us ";
	int said = 0;

	for (int i = 0; i < m->count; i++) {
		bool own = false;

		for (int w = 0; w < words_count; w++)
			own =
			    own || (m->tokens[i].type == TOKEN_WORD && pl_str_ieq(m->tokens[i].word, pl_str(words[w])));
		said += own;
		if (!own && m->tokens[i].type != TOKEN_SIGN && !token_in(&m->tokens[i], with))
			return false;
	}
	return said > 0;
}

int read_words(const struct read_message *m)
{
	int words = 0;

	for (int i = 0; i < m->count; i++)
		words += m->tokens[i].type != TOKEN_SIGN;
	return words;
}
