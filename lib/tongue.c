/* SPDX-License-Identifier: ISC */
#include "tongue.h"

#include "text.h"

#define TEXT_MAX 1024
#define WORDS_MAX 48
#define WORD_MAX 32
#define HITS_MIN 2
#define SHARE 4			/* one word in so many has to be of the language */

const char *const pl_tongues[PL_TONGUE_COUNT] = { "", "de", "fr", "es", "it", "pt", "nl", "zh", "ja", "ko", "ru", "ar",
	"hi" };

/*
 * Words of sentences, with and without accents. None of them is an English word, part of names (de, la, van, dos), or
 * a name.
 */
static const char *const tables[PL_TONGUE_COUNT] = {
	[PL_TONGUE_NONE] = " the is are was were do does did i you he she it we they my your his her our their me this "
	    "that what where when why how who which and or but not to of in on at for with from have has had will "
	    "would can could a an please ",
	[PL_TONGUE_DE] = " ich du er wir ihr ist sind bin bist nicht kein keine mein meine meinen meiner dein deine "
	    "ihre ihren der das und oder aber wo wann warum wieso wie wer was welche welcher wohin habe haben hatte "
	    "hätte kann können könnte möchte moechte muss müssen wird werden wurde auf mit von zu zum zur für fuer "
	    "über ueber nach bei aus eine einen einem ein noch schon auch nur sehr bitte danke guten wieviel viel "
	    "gibt es mir mich dich uns sie ",
	[PL_TONGUE_FR] = " je tu il elle nous vous ils elles est sont suis êtes etes c'est pas ne mon ma mes votre vos "
	    "notre nos où quand pourquoi combien quel quelle quels quelles qui que quoi les des une et ou mais avec "
	    "dans sur sans ai avez avons ont peux pouvez voudrais veux bonjour bonsoir merci s'il svp très tres "
	    "aussi encore déjà deja j'ai n'ai qu'est ce cette ",
	[PL_TONGUE_ES] = " yo usted ustedes nosotros ellos es son soy está estan están estoy mi mis su sus tu el los "
	    "las un una y pero con sin dónde donde cuándo cuando qué que cuánto cuanto cuánta cuál cual cómo por "
	    "para porque quiero puedo puede tengo tiene hay muy también tambien ya hola gracias buenos buenas días ",
	[PL_TONGUE_IT] = " io lei noi voi loro è sono sei siamo il lo gli mio mia miei mie suo sua che chi dove dov'è "
	    "quando perché perche quanto quanta quale cosa ma con non per più piu ho hai abbiamo avete hanno vorrei "
	    "posso può puo ciao buongiorno buonasera grazie questo questa ancora anche già ",
	[PL_TONGUE_PT] = " eu você voce vocês voces ele ela nós é são sao sou está estou meu minha meus minhas seu sua "
	    "os um uma e mas com sem não nao onde quando quanto quanta qual quem que por porque para quero posso "
	    "pode tenho tem há muito também tambem já ainda olá ola obrigado obrigada bom boa ",
	[PL_TONGUE_NL] = " ik jij je u hij zij wij jullie ben bent zijn niet geen mijn jouw uw ons onze het een en "
	    "maar met voor naar waar wanneer waarom hoe wie wat welke heb hebt heeft hebben kan kunt kunnen wil zou "
	    "zal nog ook al alleen zeer goedemorgen goedendag dank bedankt alstublieft ",
};
/* What customers ask about: words that say something. */
static const char *const topics[PL_TONGUE_COUNT] = {
	[PL_TONGUE_DE] = " paket rechnung lieferung bestellung ware kostet dauert geld angekommen ",
	[PL_TONGUE_FR] = " commande colis livraison facture argent arrivé arrive reçu recu ",
	[PL_TONGUE_ES] = " pedido paquete envío envio factura llega dinero llegado recibido ",
	[PL_TONGUE_IT] = " ordine pacco consegna fattura arrivato ricevuto soldi ",
	[PL_TONGUE_PT] = " pedido encomenda entrega fatura dinheiro chegou recebi ",
	[PL_TONGUE_NL] = " pakket bestelling levering rekening kost duurt geld aangekomen ",
};
/* A greeting or a thanks that says enough alone. */
static const char *const alone[PL_TONGUE_COUNT] = {
	[PL_TONGUE_DE] = " danke bitte servus tschüss grüezi moin dankeschön ",
	[PL_TONGUE_FR] = " bonjour bonsoir merci salut ",
	[PL_TONGUE_ES] = " hola gracias adiós ",
	[PL_TONGUE_IT] = " ciao grazie buongiorno buonasera arrivederci ",
	[PL_TONGUE_PT] = " olá obrigado obrigada tchau ",
	[PL_TONGUE_NL] = " bedankt dankjewel goedemorgen goedendag ",
};

struct words { char word[WORDS_MAX][WORD_MAX + 4]; int count; };

static bool in_table(const char *table, const char *word)
{
	size_t len = strlen(word);
	const char *at = table;

	if (table == NULL || len == 0)
		return false;
	while ((at = strstr(at, word)) != NULL) {
		if (at[-1] == ' ' && at[len] == ' ')
			return true;
		at++;
	}
	return false;
}

bool pl_tongue_has(enum pl_tongue tongue, struct pl_str word)
{
	char text[WORD_MAX + 1];

	if (tongue == PL_TONGUE_NONE || word.len == 0 || word.len > WORD_MAX)
		return false;
	memcpy(text, word.ptr, word.len);
	text[word.len] = '\0';
	return in_table(tables[tongue], text) || in_table(alone[tongue], text);
}

/* ---- scripts ---- */

enum script { LATIN, HAN, KANA, HANGUL, CYRILLIC, ARABIC, DEVANAGARI, SCRIPTS };

static enum script script_of(uint32_t c)
{
	if ((c >= 0x3400 && c <= 0x9fff) || (c >= 0x20000 && c <= 0x3ffff))
		return HAN;
	if (c >= 0x3041 && c <= 0x30ff)
		return KANA;
	if ((c >= 0xac00 && c <= 0xd7af) || (c >= 0x1100 && c <= 0x11ff))
		return HANGUL;
	if (c >= 0x400 && c <= 0x4ff)
		return CYRILLIC;
	if (c >= 0x600 && c <= 0x6ff)
		return ARABIC;
	return c >= 0x900 && c <= 0x97f ? DEVANAGARI : LATIN;
}

/* Letters of neighbors in the same script, which are other languages: Ukrainian, Belarusian, Serbian; Persian, Urdu. */
static bool is_neighbor(uint32_t c)
{
	static const uint32_t others[] = { 0x456, 0x457, 0x454, 0x491, 0x45e, 0x458, 0x452, 0x45b, 0x459, 0x45a, 0x406,
		0x407, 0x404, 0x67e, 0x686, 0x698, 0x6af, 0x6a9, 0x6cc, 0x679, 0x6d2 };

	for (size_t i = 0; i < PL_COUNT(others); i++)
		if (others[i] == c)
			return true;
	return false;
}

/* LATIN: the letters are, or no script has most of them. */
static enum script most_of(struct pl_str text, bool *neighbor_r)
{
	int letters = 0, of[SCRIPTS] = { 0 };
	enum script most = LATIN;
	uint32_t c;

	*neighbor_r = false;
	for (size_t at = 0; at < text.len;) {
		at += pl_text_char(text, at, &c);
		if (!pl_text_is_word(c) || (c >= '0' && c <= '9'))
			continue;
		letters++;
		of[script_of(c)]++;
		*neighbor_r = *neighbor_r || is_neighbor(c);
	}
	if (of[KANA] > 0 && (of[KANA] + of[HAN]) * 2 > letters)
		return KANA;
	for (int i = LATIN; i < SCRIPTS; i++)
		most = of[i] > of[most] ? (enum script)i : most;
	return of[most] * 2 > letters ? most : LATIN;
}

/* ---- words ---- */

static void add_char(char word[WORD_MAX + 4], size_t *len, uint32_t c)
{
	if (c < 0x80)
		word[(*len)++] = (char)c;
	else if (c < 0x800) {
		word[(*len)++] = (char)(0xc0 | c >> 6);
		word[(*len)++] = (char)(0x80 | (c & 0x3f));
	} else {
		word[(*len)++] = '?';
	}
}

static void split(struct pl_str text, struct words *words)
{
	size_t len = 0, bytes;
	uint32_t c;

	words->count = 0;
	for (size_t at = 0; at <= text.len && words->count < WORDS_MAX; at += bytes) {
		bytes = at < text.len ? pl_text_char(text, at, &c) : 1;
		if (at < text.len && (pl_text_is_word(c) || ((c == '\'' || c == 0x2019) && len > 0))) {
			if (len < WORD_MAX)
				add_char(words->word[words->count], &len, c == 0x2019 ? '\'' : pl_text_lower(c));
			continue;
		}
		words->word[words->count][len] = '\0';
		words->count += len > 0;
		len = 0;
	}
}

static int hits(const struct words *words, const char *table)
{
	int n = 0;

	for (int i = 0; i < words->count; i++) {
		bool before = false;

		for (int k = 0; k < i && !before; k++)
			before = strcmp(words->word[k], words->word[i]) == 0;
		n += !before && in_table(table, words->word[i]);
	}
	return n;
}

static enum pl_tongue of_words(struct pl_str text)
{
	struct words *words = pl_new(sizeof(*words));
	enum pl_tongue best = PL_TONGUE_NONE;
	int most = 0, english;

	split(text, words);
	english = hits(words, tables[PL_TONGUE_NONE]);
	for (int tongue = PL_TONGUE_DE; tongue < PL_TONGUE_COUNT; tongue++) {
		int n = hits(words, tables[tongue]) + hits(words, topics[tongue]);

		if (words->count <= 2 && hits(words, alone[tongue]) > 0)
			n = HITS_MIN;
		if (n > most) {
			most = n;
			best = (enum pl_tongue)tongue;
		}
	}
	if (most < HITS_MIN || most <= english || most * SHARE < words->count)
		best = PL_TONGUE_NONE;
	pl_free(words);
	return best;
}

enum pl_tongue pl_tongue_of(struct pl_str text)
{
	static const enum pl_tongue of_script[SCRIPTS] = { [HAN] = PL_TONGUE_ZH, [KANA] = PL_TONGUE_JA,
		[HANGUL] = PL_TONGUE_KO, [CYRILLIC] = PL_TONGUE_RU, [ARABIC] = PL_TONGUE_AR,
		[DEVANAGARI] = PL_TONGUE_HI };
	bool neighbor;
	enum script script;

	text.len = pl_utf8_cut(text.ptr, text.len, TEXT_MAX);
	script = most_of(text, &neighbor);
	if (script == LATIN)
		return of_words(text);
	return neighbor ? PL_TONGUE_NONE : of_script[script];
}
