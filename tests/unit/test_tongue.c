/* SPDX-License-Identifier: ISC */
/*
 * The language of short texts: clear cases, and cases that must stay undetermined.
 */
#include <check.h>

#include "tongue.h"

Suite *suite_tongue(void);

static const struct { const char *text, *tongue; } cases[] = {
	{ "Wo ist mein Paket?", "de" }, { "wann kommt meine lieferung", "de" }, { "Ich habe nichts bekommen", "de" },
	{ "Was kostet das", "de" }, { "Können Sie mir bitte helfen?", "de" }, { "GUTEN TAG, ICH BRAUCHE HILFE", "de" },
	{ "danke", "de" }, { "Où est mon colis ?", "fr" }, { "je n'ai rien reçu", "fr" }, { "j’ai une question", "fr" },
	{ "Combien coûte la livraison pour nous", "fr" }, { "Bonjour", "fr" }, { "¿Dónde está mi pedido?", "es" },
	{ "donde esta mi pedido", "es" }, { "quiero hablar con alguien, por favor", "es" }, { "Hola", "es" },
	{ "Dov'è il mio pacco?", "it" }, { "non ho ricevuto il pacco", "it" }, { "Onde está a minha encomenda?", "pt" },
	{ "não recebi meu pedido", "pt" }, { "Waar is mijn pakket?", "nl" }, { "ik heb niets ontvangen", "nl" },
	{ "你们几点开门", "zh" }, { "我的包裹在哪里?", "zh" }, { "いつ開きますか", "ja" }, { "配送はどのくらいかかりますか", "ja" },
	{ "カタログ", "ja" }, { "언제 문을 여나요?", "ko" }, { "Где мой заказ?", "ru" }, { "أين طلبي؟", "ar" },
	{ "मेरा ऑर्डर कहाँ है?", "hi" },
	/* English, whatever words it contains */
	{ "", "" }, { "?", "" }, { "42", "" }, { "where is my parcel", "" }, { "my son met the die hard fans", "" },
	{ "what does 谢谢 mean in English", "" }, { "I met a man in via mail", "" }, { "is the AI on", "" },
	{ "he has a pen and a son", "" }, { "sin city", "" }, { "a la carte", "" }, { "wo", "" }, { "no", "" },
	{ "NOTHING ARRIVED", "" }, { "how much is 12 * 7", "" }, { "DS-7604NI", "" }, { "ok", "" }, { "si", "" },
	{ "do you ship to the Netherlands", "" }, { "I want a Paket from you", "" },
	/* names and values */
	{ "Ann Lee", "" }, { "Ludwig van Beethoven", "" }, { "Juan de la Cruz", "" }, { "María del Carmen García", "" },
	{ "Müller", "" }, { "Maria dos Santos", "" }, { "Otto von Bismarck", "" }, { "Yo-Yo Ma", "" },
	{ "Siobhán Ní Bhriain", "" }, { "müller@example.org", "" }, { "80.000 €", "" },
	/* others in the same script */
	{ "Де моє замовлення?", "" }, { "Где ѝе мој пакет", "" }, { "سفارش من کجاست", "" },
	{ "Hvor er pakken min?", "" },
	{ "Kde je můj balík?", "" },
};

START_TEST(test_case)
{
	ck_assert_msg(strcmp(pl_tongues[pl_tongue_of(pl_str(cases[_i].text))], cases[_i].tongue) == 0, "%s: %s",
	    cases[_i].text, pl_tongues[pl_tongue_of(pl_str(cases[_i].text))]);
}
END_TEST

/* Long words and long texts are read up to a limit. */
START_TEST(test_long)
{
	struct pl_buf text = PL_BUF(NULL);

	for (int i = 0; i < 3000; i++)
		pl_buf_adds(&text, _i == 0 ? "\u00fc" : _i == 1 ? "\u4f60" : "ich ist ");
	ck_assert_int_eq(pl_tongue_of(pl_buf_str(&text)), _i == 1 ? PL_TONGUE_ZH : PL_TONGUE_NONE);
	pl_buf_fini(&text);
}
END_TEST

START_TEST(test_words)
{
	ck_assert(pl_tongue_has(PL_TONGUE_DE, PL_STR("ist")));
	ck_assert(pl_tongue_has(PL_TONGUE_FR, PL_STR("où")));
	ck_assert(!pl_tongue_has(PL_TONGUE_DE, PL_STR("paket")));
	ck_assert(!pl_tongue_has(PL_TONGUE_NONE, PL_STR("the")));
	ck_assert(!pl_tongue_has(PL_TONGUE_ZH, PL_STR("你")));
	ck_assert(!pl_tongue_has(PL_TONGUE_DE, PL_STR("")));
}
END_TEST

Suite *suite_tongue(void)
{
	Suite *suite = suite_create("tongue");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, test_case, 0, PL_COUNT(cases));
	tcase_add_loop_test(tc, test_long, 0, 3);
	tcase_add_test(tc, test_words);
	suite_add_tcase(suite, tc);
	return suite;
}
