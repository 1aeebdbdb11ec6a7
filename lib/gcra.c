/* SPDX-License-Identifier: ISC */
/*
 * Generic cell rate algorithm, and the words people write rates in.
 */
#include "gcra.h"

#include <stdio.h>

#define NS_PER_S 1000000000LL
/* Keeps now + burst * interval inside int64_t for 146 years of uptime. */
#define DEPTH_MAX_NS (INT64_MAX / 2)

/* How far ahead of `now` the arrival time may stand: burst * interval. */
static int64_t rate_depth_ns(const struct pl_rate *rate)
{
	int64_t depth_ns;

	if (__builtin_mul_overflow(rate->burst, rate->interval_ns, &depth_ns) || depth_ns > DEPTH_MAX_NS)
		return DEPTH_MAX_NS;
	return depth_ns;
}

struct pl_gcra pl_gcra_step(const struct pl_rate *rate, int64_t tat_ns, int64_t now_ns)
{
	struct pl_gcra step = { .allowed = true, .tat_ns = tat_ns, .remaining = INT64_MAX };
	int64_t depth_ns, ahead_ns;

	if (rate->burst <= 0 || rate->interval_ns <= 0)
		return step;
	depth_ns = rate_depth_ns(rate);
	/* A state left over from a wider limit counts as "just used up" of this one, no more. */
	ahead_ns = tat_ns > now_ns ? tat_ns - now_ns : 0;
	if (ahead_ns > depth_ns)
		ahead_ns = depth_ns;

	step.allowed = ahead_ns <= depth_ns - rate->interval_ns;
	if (step.allowed) {
		ahead_ns += rate->interval_ns;
		step.tat_ns = now_ns + ahead_ns;
	} else {
		step.retry_ns = ahead_ns - (depth_ns - rate->interval_ns);
	}
	step.remaining = (depth_ns - ahead_ns) / rate->interval_ns;
	step.reset_ns = ahead_ns;
	return step;
}

int64_t pl_gcra_refund(const struct pl_rate *rate, int64_t tat_ns)
{
	/* An arrival time in the past means idle, so nothing more than a full bucket can come out of this. */
	return tat_ns > rate->interval_ns ? tat_ns - rate->interval_ns : 0;
}

struct window {
	const char *word;
	int64_t seconds;
};

static const struct window windows[] = {
	{ "s", 1 }, { "sec", 1 }, { "second", 1 },
	{ "m", 60 }, { "min", 60 }, { "minute", 60 },
	{ "h", 3600 }, { "hour", 3600 },
	{ "d", 86400 }, { "day", 86400 },
};

/* "min", "10min", "10 min" */
static bool window_parse(struct pl_str text, int64_t *seconds_r)
{
	size_t digits = 0;
	int64_t times = 1;

	while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
		digits++;
	if (digits > 0 && !pl_str_i64(pl_strn(text.ptr, digits), 1, 366, &times))
		return false;
	text = pl_str_trim(pl_strn(text.ptr + digits, text.len - digits));
	for (size_t i = 0; i < PL_COUNT(windows); i++) {
		if (pl_str_is(text, windows[i].word)) {
			*seconds_r = times * windows[i].seconds;
			return true;
		}
	}
	return false;
}

/* Splits "30/min burst 60" behind the window; *burst_r absent when there is no such part. */
static bool rate_split(struct pl_str text, struct pl_str *count_r, struct pl_str *window_r, struct pl_str *burst_r)
{
	static const char word[] = "burst";
	struct pl_str rest = text;

	*burst_r = PL_STR_NONE;
	if (!pl_str_cut(&rest, '/', count_r) || rest.ptr == NULL)
		return false;
	*window_r = rest;
	for (size_t i = 1; i + sizeof(word) - 1 < rest.len; i++) {
		if (rest.ptr[i - 1] == ' ' && memcmp(rest.ptr + i, word, sizeof(word) - 1) == 0) {
			*window_r = pl_strn(rest.ptr, i);
			i += sizeof(word) - 1;
			*burst_r = pl_str_trim(pl_strn(rest.ptr + i, rest.len - i));
			break;
		}
	}
	*count_r = pl_str_trim(*count_r);
	*window_r = pl_str_trim(*window_r);
	return true;
}

bool pl_rate_parse(struct pl_str text, struct pl_rate *rate_r)
{
	struct pl_rate rate = { 0 };
	struct pl_str count, window, burst;

	text = pl_str_trim(text);
	if (pl_str_is(text, "off")) {
		*rate_r = rate;
		return true;
	}
	if (!rate_split(text, &count, &window, &burst) || !pl_str_i64(count, 1, NS_PER_S, &rate.count) ||
	    !window_parse(window, &rate.window_s))
		return false;
	rate.burst = rate.count;
	if (burst.ptr != NULL && !pl_str_i64(burst, 1, NS_PER_S, &rate.burst))
		return false;
	rate.interval_ns = rate.window_s * NS_PER_S / rate.count;
	if (rate.burst > DEPTH_MAX_NS / rate.interval_ns)
		return false;
	*rate_r = rate;
	return true;
}

void pl_rate_text(const struct pl_rate *rate, char out[48])
{
	static const struct window words[] = { { "day", 86400 }, { "hour", 3600 }, { "minute", 60 }, { "second", 1 } };
	const struct window *word = words;

	if (rate->burst <= 0) {
		snprintf(out, 48, "off");
		return;
	}
	while (word->seconds > 1 && (rate->window_s < word->seconds || rate->window_s % word->seconds != 0))
		word++;
	snprintf(out, 48, "%lld per %lld %s", (long long)rate->count, (long long)(rate->window_s / word->seconds),
	    word->word);
}
