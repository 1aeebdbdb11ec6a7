/* SPDX-License-Identifier: ISC */
/*
 * The words of questions, as tables.
 */
#include <strings.h>

#include "svc/usage/intent_int.h"

/* The words of an intent for clients and the database. */
const char *const intent_metrics[METRIC_COUNT] = { "", "messages", "sessions", "tokens", "cost", "feedback", "users",
	"rooms", "errors", "error_rate", "acceptance" };
const char *const intent_units[METRIC_COUNT] = { "", "messages", "sessions", "tokens", "USD", "votes", "users",
	"rooms", "errors", "%", "%" };
const char *const intent_metric_texts[METRIC_COUNT] = { "", "Messages", "Sessions", "Tokens", "Cost", "Feedback",
	"Active users", "Active rooms", "Errors", "Error rate", "Acceptance rate" };
const char *const intent_dims[DIM_COUNT] = { "", "hour", "day", "week", "month", "quarter", "year", "hour_of_day",
	"weekday", "user", "room", "model", "role", "session" };
const char *const intent_dim_texts[DIM_COUNT] = { "", "hour", "day", "week", "month", "quarter", "year",
	"hour of the day", "weekday", "user", "room", "model", "role", "session" };
const char *const intent_orders[ORDER_COUNT] = { "", "most", "least" };
const char *const intent_aggs[AGG_COUNT] = { "sum", "average", "median", "share" };
const char *const intent_limits[LIMIT_COUNT] = { "", "over", "under", "at_least", "at_most", "exactly" };
const char *const intent_kinds[KIND_COUNT] = { "", "user", "room", "model", "role" };

const char *const intent_periods[] = {
	"today", "yesterday", "on Monday", "on 2026-11-20", "20 November", "3 days ago", "this week", "last month",
	"this quarter", "last year", "in October", "October 2026", "Q3", "Q3 2026", "in 2026", "year to date",
	"last 24 hours", "last 7 days", "last 3 months", "past month", "between 2026-10-01 and 2026-10-31",
	"from October to November", "from 1 October", "since 2026-01-31", "since Monday", "until 2026-10-31",
	"before October", "all time", NULL };
const char *const intent_samples[] = { "messages per day, last 7 days", "top 5 users by cost this month",
	"cost this month vs last month", "did costs go up this week?", "average cost per session by model",
	"median tokens per session last month", "share of cost by model this quarter",
	"users who spent more than 10 dollars this month", "cheapest model last month", "messages over time this year",
	"acceptance rate per week", "errors per model yesterday", "messages per hour of the day",
	"busiest weekday last month", "tokens per hour today", NULL };

struct meaning { int value; const char *words; };
static const struct meaning metrics[] = {
	{ METRIC_MESSAGES, "messages message msgs posts" },
	{ METRIC_SESSIONS, "sessions session conversations conversation" },
	{ METRIC_TOKENS, "tokens token" },
	{ METRIC_COST, "cost costs spend spends spent spending money dollars usd expenses" },
	{ METRIC_FEEDBACK, "feedback votes vote ratings" },
	{ METRIC_USERS, "users people" },
	{ METRIC_ROOMS, "rooms channels" },
	{ METRIC_ERRORS, "errors error failures" },
	{ METRIC_ACCEPTANCE, "acceptance" },
};
static const struct meaning dims[] = {
	{ DIM_HOUR, "hour hours hourly" },
	{ DIM_HOUR_OF_DAY, "hour-of-day time-of-day" }, { DIM_WEEKDAY, "weekday weekdays" },
	{ DIM_DAY, "day days date daily" }, { DIM_WEEK, "week weeks weekly" }, { DIM_MONTH, "month months monthly" },
	{ DIM_QUARTER, "quarter quarters quarterly" }, { DIM_YEAR, "year years yearly annual annually" },
	{ DIM_USER, "user users person people developer developers" },
	{ DIM_ROOM, "room rooms channel channels" }, { DIM_MODEL, "model models" }, { DIM_ROLE, "role roles" },
	{ DIM_SESSION, "session conversation" },
};
static const char fillers[] =
    "a all an and are at be been by can compare could count did display do does for from gave get give given go goes "
    "going gone got graph chart plot had has have how in is it list made many me much number of on opened our over "
    "overall please post posted produced sent send show showing so tell that the their them there they these to total "
    "us use used uses using via was we went were what whats when while with would write written wrote you your during "
    "across asked answered came as table sum sorted ordered sort order beginning start "
    "let's lets i'd i'm who's what's how's figures figure amount usage anyone everyone everybody ? then";
/* Words with a meaning elsewhere in a question, which are never names. */
static const char reserved[] =
    "per each every which who whom whose my mine i me myself top bottom most least more less fewer highest lowest "
    "biggest smallest largest greatest best worst expensive cheapest cheap costly active busiest used average avg mean "
    "median "
    "share percentage percent proportion fraction trend trends time rank ranks ranking ranked spender spenders rate "
    "last past previous preceding prior next this current today yesterday tomorrow now since until till before after "
    "between through "
    "to date ytd mtd qtd wtd ago hour hours minute minutes second seconds weekend weekends weekday weekdays rolling "
    "trailing than vs versus against compared not no none non never without except excluding but besides only other "
    "others another or nor if unless new old first second third fourth half inactive registered deleted failed "
    "successful why because should will shall may might must cannot can't don't didn't isn't wasn't up down "
    "increase increased increases increasing rise rose risen rising grow grew grown growing growth drop dropped drops "
    "dropping fall fell fallen falling decrease decreased decreasing decline declined change changed changes longer "
    "shorter slower faster slowest fastest long short latency duration characters words minus plus times "
    "difference forecast predict expected budget yet still already again both either neither same different "
    "typical delete remove drop add euro euros eur gbp pounds dollar cents cent thousand million billion one two "
    "three four five six seven eight nine "
    "ten eleven twelve";

bool word_among(struct pl_str word, const char *list)
{
	size_t len;

	for (const char *p = list; *p != '\0'; p += len, p += strspn(p, " ")) {
		len = strcspn(p, " ");
		if (len == word.len && strncasecmp(p, word.ptr, word.len) == 0)
			return true;
	}
	return false;
}

static int meaning_of(struct pl_str word, const struct meaning *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (word_among(word, table[i].words))
			return table[i].value;
	}
	return 0;
}

static const char *words_of(int value, const struct meaning *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (table[i].value == value)
			return table[i].words;
	}
	return "";
}

const char *intent_metric_words(enum intent_metric metric)
{
	return words_of(metric == METRIC_ERROR_RATE ? METRIC_ERRORS : metric, metrics, PL_COUNT(metrics));
}

const char *intent_dim_words(enum intent_dim dim)
{
	return words_of(dim, dims, PL_COUNT(dims));
}

enum intent_metric word_metric(struct pl_str word)
{
	return (enum intent_metric)meaning_of(word, metrics, PL_COUNT(metrics));
}

enum intent_dim word_dim(struct pl_str word)
{
	return (enum intent_dim)meaning_of(word, dims, PL_COUNT(dims));
}

bool word_filler(struct pl_str word)
{
	return word_among(word, fillers);
}

/* Returns the number of date and time characters at the beginning of a word. */
static size_t strspn_digits(struct pl_str word)
{
	size_t len = 0;

	while (len < word.len && strchr("0123456789-/.:", word.ptr[len]) != NULL)
		len++;
	return len;
}

bool word_reserved(struct pl_str word)
{
	double number;
	bool money;
	struct tokens one = { .list = { { .text = word, .kind = TOKEN_WORD } }, .count = 1 };

	return word.len == 0 || strspn_digits(word) == word.len || word_among(word, reserved) || word_filler(word) ||
	    word_metric(word) != METRIC_NONE ||
	    word_dim(word) != DIM_NONE || (word.len > 3 && word_month(word) != 0) ||
	    (word.len > 3 && word_weekday(word) != 0) || number_read(&one, 0, &number, &money) != 0 ||
	    strcspn(word.ptr, "<>=*|%$") < word.len;
}

bool word_count(struct pl_str word, int64_t *n_r)
{
	static const char *const words[] = { "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
		"ten", "eleven", "twelve" };

	for (size_t i = 0; i < PL_COUNT(words); i++) {
		if (pl_str_ieq(word, pl_str(words[i]))) {
			*n_r = (int64_t)i + 1;
			return true;
		}
	}
	return pl_str_i64(word, 1, COUNT_MAX, n_r);
}

/* Matches a whole word or its first three letters; also "sept". */
static int name_of(struct pl_str word, const char *const *names, int count)
{
	for (int i = 1; i < count; i++) {
		if (pl_str_ieq(word, pl_str(names[i])) || (word.len == 3 && strncasecmp(word.ptr, names[i], 3) == 0))
			return i;
	}
	return 0;
}

const char *const month_names[13] = { "", "January", "February", "March", "April", "May", "June", "July", "August",
	"September", "October", "November", "December" };
const char *const weekday_names[8] = { "", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
	"Sunday" };

int dim_read(const struct tokens *tokens, int at, enum intent_dim *dim_r)
{
	struct pl_str head = token_word(tokens, at);
	bool hour = word_among(head, "hour hours time times"), day = word_among(head, "day days");
	int whole = at + 2 + word_among(token_word(tokens, at + 2), "the a");

	*dim_r = word_dim(head);
	if ((hour || day) && word_among(token_word(tokens, at + 1), "of") &&
	    word_among(token_word(tokens, whole), hour ? "day" : "week")) {
		*dim_r = hour ? DIM_HOUR_OF_DAY : DIM_WEEKDAY;
		return whole + 1 - at;
	}
	return *dim_r != DIM_NONE;
}

int word_month(struct pl_str word)
{
	return word_among(word, "sept") ? 9 : name_of(word, month_names, 13);
}

int word_weekday(struct pl_str word)
{
	return word_among(word, "tues") ? 2 : word_among(word, "thur thurs") ? 4 : name_of(word, weekday_names, 8);
}

bool word_before_time(struct pl_str word)
{
	return word_among(word,
	    "in on during for since until till from to between and through of last this than vs versus "
	    "before after against");
}
