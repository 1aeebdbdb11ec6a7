/* SPDX-License-Identifier: ISC */
/* Rates in shared memory, for `parlourctl limits`. */
#include <stdio.h>

#include "clock.h"
#include "core/app.h"
#include "svc/account/apikey.h"
#include "svc/account/limits.h"

/* "CLASS USER KEY ADDRESS RATE" with - for what is absent. false: it is not such a text. */
static bool read_words(const char *arg, enum limit_class *klass_r, struct pl_caller *who_r)
{
	struct pl_str rest = pl_str(arg), words[4];

	*who_r = (struct pl_caller){ 0 };
	for (size_t i = 0; i < PL_COUNT(words); i++)
		if (!pl_str_cut(&rest, ' ', &words[i]))
			return false;
	*klass_r = limit_class_of(words[0]);
	if (words[3].len >= sizeof(who_r->addr) ||
	    (!pl_str_is(words[1], "-") && !pl_str_i64(words[1], 1, INT64_MAX, &who_r->user_id)) ||
	    (!pl_str_is(words[2], "-") && !pl_str_i64(words[2], 1, INT64_MAX, &who_r->login_id)))
		return false;
	if (!pl_str_is(words[3], "-"))
		snprintf(who_r->addr, sizeof(who_r->addr), "%.*s", PL_FMT(words[3]));
	if (rest.ptr != NULL && !pl_str_is(rest, "-") && !apikey_rate(rest, &who_r->key_rate))
		return false;
	return *klass_r != LIMIT_NONE;
}

bool app_rate_look(const struct config *config, const struct shm *shm, const char *arg, struct pl_buf *out)
{
	struct limit_state state;
	struct pl_caller who;
	enum limit_class klass;
	char text[48], until[PL_TIME_LEN];

	if (!read_words(arg, &klass, &who))
		return false;
	if (!limits_look(shm, config, klass, &who, &state))
		return true;
	pl_rate_text(&state.rate, text);
	pl_time_format(pl_wall_us() + state.idle_ns / 1000, until);
	until[10] = ' ';		/* as parlourctl prints times */
	pl_buf_addf(out, "%s\t%lld\t%.19s\n", text, (long long)state.remaining, until);
	return true;
}

bool app_rate_reset(struct shm *shm, const char *arg, struct pl_buf *out)
{
	struct pl_caller who;
	enum limit_class klass;

	if (!read_words(arg, &klass, &who))
		return false;
	pl_buf_adds(out, limits_clear(shm, klass, &who) ? "reset\n" : "unused\n");
	return true;
}
