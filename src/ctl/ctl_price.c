/* SPDX-License-Identifier: ISC */
/*
 * parlourctl price.
 */
#include "ctl/ctl_price.h"

#include <stdlib.h>

#include "db/admin/db_import.h"

#define ANY_UPSTREAM "*"
#define PRICE_DIGITS 6		/* digits before the point, and digits after it */

enum { EXIT_USAGE = 64, EXIT_NOTHING = 65, EXIT_AWAY = 69, EXIT_DB = 70 };

/* "3", "0.15": dollars in decimal notation, so that exactly what was typed is stored. */
static bool is_price(const char *text)
{
	size_t whole = strspn(text, "0123456789"), part = 0;

	if (text[whole] == '.')
		part = strspn(text + whole + 1, "0123456789");
	if (whole == 0 || whole > PRICE_DIGITS || part > PRICE_DIGITS || (text[whole] == '.' && part == 0))
		return false;
	return text[whole + (part > 0 ? part + 1 : 0)] == '\0';
}

/* Accepts a day of the calendar in the years 1 to 9999. */
static bool is_day(const char *text)
{
	static const char form[] = "0000-00-00";
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool good = strlen(text) == sizeof(form) - 1, leap;
	int year, month, day;

	for (size_t i = 0; good && form[i] != '\0'; i++)
		good = form[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i];
	if (!good)
		return false;
	year = atoi(text);
	month = atoi(text + 5);
	day = atoi(text + 8);
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

static bool is_name(const char *text, size_t max)
{
	return text[0] != '\0' && strlen(text) <= max && pl_utf8_ok(text, strlen(text));
}

/* `list` prints names in lines, so they must not contain control characters, including C1 (U+0080 to U+009F). */
static bool is_line(const char *text)
{
	bool good = true;

	for (const unsigned char *c = (const unsigned char *)text; good && *c != '\0'; c++)
		good = *c >= ' ' && *c != 127 && !(c[0] == 0xc2 && c[1] < 0xa0);
	return good;
}

static const char *price_upstream(const struct ctl_price_opts *opts)
{
	return opts->upstream != NULL ? opts->upstream : ANY_UPSTREAM;
}

/* NULL, or the error in the arguments. */
static const char *wrong(const struct ctl_price_opts *opts, int words)
{
	const char *verb = opts->argc > 0 ? opts->argv[0] : "";

	if (words < 0 || opts->argc != words)
		return "price takes `set MODEL PROMPT COMPLETION`, `list` or `remove MODEL`";
	if (words > 1 && !is_name(opts->argv[1], 128))
		return "MODEL is a name of 1 to 128 bytes";
	if (opts->upstream != NULL && (words == 1 || !is_name(opts->upstream, 64)))
		return "--upstream is the NAME of an [llm NAME] section, with set and remove";
	if (opts->upstream != NULL && strcmp(opts->upstream, "local") == 0)
		return "the built-in responder, local, has no price";
	if (opts->from != NULL && (words == 1 || !is_day(opts->from)))
		return "--from is a date such as 2026-11-20, with set and remove";
	if (strcmp(verb, "set") == 0 && (!is_line(opts->argv[1]) || !is_line(price_upstream(opts))))
		return "names of models and upstreams must not contain control characters";
	if (strcmp(verb, "set") == 0 && (!is_price(opts->argv[2]) || !is_price(opts->argv[3])))
		return "PROMPT and COMPLETION are US dollars per million tokens, such as 3 or 0.15";
	return NULL;
}

static int words_of(const char *verb)
{
	if (strcmp(verb, "set") == 0)
		return 4;
	if (strcmp(verb, "remove") == 0)
		return 2;
	return strcmp(verb, "list") == 0 ? 1 : -1;
}

static bool run(struct db_import *db, const struct ctl_price_opts *opts, int words, struct pl_pool *pool,
    const char **text_r, char why[512])
{
	struct import_price price = { .upstream = price_upstream(opts), .from = opts->from };

	if (words > 1)
		price.model = opts->argv[1];
	if (words == 4) {
		price.prompt = opts->argv[2];
		price.completion = opts->argv[3];
		return db_import_price(db, &price, pool, text_r, why);
	}
	return words == 2 ? db_import_price_remove(db, &price, pool, text_r, why) : db_import_prices(db, pool, text_r,
	    why);
}

static void say(FILE *out, int words, const char *text)
{
	if (words == 4)
		fprintf(out, "price set; the cost of %s earlier answers was added\n", text);
	else if (words == 2)
		fprintf(out, "%s removed\n", text);
	else if (text[0] != '\0')
		fprintf(out, "%s\n", text);
}

int ctl_price(const struct ctl_price_opts *opts, FILE *out, char why[512])
{
	int words = opts->argc > 0 ? words_of(opts->argv[0]) : -1;
	const char *bad = wrong(opts, words), *text = NULL;
	struct db_import *db;
	struct pl_pool *pool;
	char ignored[512];
	int status = 0;
	bool good;

	if (bad != NULL) {
		snprintf(why, 512, "%s", bad);
		return EXIT_USAGE;
	}
	db = db_import_open(opts->dsn, why);
	if (db == NULL)
		return EXIT_AWAY;
	pool = pl_pool_new(0);
	good = run(db, opts, words, pool, &text, why);
	good = db_import_close(&db, good, good ? why : ignored) && good;
	if (!good) {
		status = EXIT_DB;
	} else if (words == 2 && strcmp(text, "0") == 0) {
		snprintf(why, 512, "there is no such price; 'parlourctl price list' lists all prices");
		status = EXIT_NOTHING;
	} else {
		say(out, words, text);
	}
	pl_pool_free(&pool);
	return status;
}
