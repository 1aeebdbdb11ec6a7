/* SPDX-License-Identifier: ISC */
/*
 * Values of settings as a file would have them.
 */
#include "cfg_value.h"

#include <stdio.h>

struct unit {
	const char *suffix;
	int64_t times;
};

/* Largest first: the first that divides exactly is shown. */
static const struct unit size_units[] = {
	{ "T", 1LL << 40 }, { "G", 1 << 30 }, { "M", 1 << 20 }, { "k", 1 << 10 }, { "", 1 },
};
static const struct unit time_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
};
static const struct unit window_units[] = { { "day", 86400 }, { "hour", 3600 }, { "min", 60 }, { "s", 1 } };

static const struct unit *unit_of(const struct unit *unit, int64_t number)
{
	while (unit->times > 1 && number % unit->times != 0)
		unit++;
	return unit;
}

void pl_cfg_number_text(enum pl_setting_type type, int64_t number, char out[PL_CFG_NUMBER_LEN])
{
	const struct unit *unit = &size_units[PL_COUNT(size_units) - 1];

	if (type == PL_SET_SIZE && number != 0)
		unit = unit_of(size_units, number);
	else if (type == PL_SET_TIME)
		unit = number != 0 ? unit_of(time_units, number) : &time_units[3];
	if (type == PL_SET_MODE)
		snprintf(out, PL_CFG_NUMBER_LEN, "%04llo", (unsigned long long)number);
	else
		snprintf(out, PL_CFG_NUMBER_LEN, "%lld%s", (long long)(number / unit->times), unit->suffix);
}

static const char *rate_text(const struct pl_rate *rate, struct pl_pool *pool)
{
	struct pl_buf text = PL_BUF(pool);
	const struct unit *unit;

	if (rate->burst <= 0)
		return "off";
	unit = unit_of(window_units, rate->window_s);
	pl_buf_addf(&text, "%lld/", (long long)rate->count);
	if (rate->window_s != unit->times)
		pl_buf_addi(&text, rate->window_s / unit->times);
	pl_buf_adds(&text, unit->suffix);
	if (rate->burst != rate->count)
		pl_buf_addf(&text, " burst %lld", (long long)rate->burst);
	return text.ptr;
}

static const char *list_text(const struct pl_list *list, struct pl_pool *pool)
{
	struct pl_buf text = PL_BUF(pool);

	pl_buf_adds(&text, "");
	for (int i = 0; i < list->count; i++)
		pl_buf_addf(&text, "%s%s", i > 0 ? ", " : "", list->items[i]);
	return text.ptr;
}

static const char *number_text(const struct pl_setting *setting, int64_t number, struct pl_pool *pool)
{
	char text[PL_CFG_NUMBER_LEN];

	pl_cfg_number_text(setting->type, number, text);
	return pl_strdup(pool, text);
}

const char *pl_cfg_value_text(const struct pl_setting *setting, const void *base, struct pl_pool *pool)
{
	const void *at = (const char *)base + setting->offset;
	const char *text;

	switch (setting->type) {
	case PL_SET_BOOL:
		return *(const bool *)at ? "on" : "off";
	case PL_SET_INT:
	case PL_SET_SIZE:
	case PL_SET_TIME:
	case PL_SET_MODE:
		return number_text(setting, *(const int64_t *)at, pool);
	case PL_SET_STR:
		text = *(const char *const *)at;
		return text != NULL ? text : "";
	case PL_SET_SECRET:
	case PL_SET_LINES:
		return "(secret)";
	case PL_SET_ENUM:
		return setting->words[*(const int *)at];
	case PL_SET_RATE:
		return rate_text(at, pool);
	case PL_SET_LIST:
		return list_text(at, pool);
	}
	pl_bug("type of a setting", __FILE__, __LINE__);
}
