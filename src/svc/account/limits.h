/* SPDX-License-Identifier: ISC */
/*
 * Rate classes: what counts against whom, checked exactly over all workers in shared memory.
 *
 * Classes are checked narrowest first; if one refuses, what the others took is given back. Source: PROTOCOL section 3
 * (parlour-api(7), "Limits"); headers: draft-ietf-httpapi-ratelimit-headers.
 */
#ifndef SVC_LIMITS_H
#define SVC_LIMITS_H

#include "svc/svc.h"

enum limit_class { LIMIT_NONE, LIMIT_LOGIN, LIMIT_ASK, LIMIT_ASK_SESSION, LIMIT_CHANNEL, LIMIT_PERSON, LIMIT_SEND,
    LIMIT_READ, LIMIT_GUEST, LIMIT_COUNT };

/* The outcome of one check of one or more classes. */
struct limit_result {
	bool allowed;
	enum limit_class tightest;	/* the refusing one, or the one with the fewest left */
	struct pl_gcra state;		/* of the tightest */
	struct pl_rate rate;
	int64_t now_ns;			/* of the check, pl_now_ns() */
};

const char *limit_name(enum limit_class klass);		/* "login", "ask" ... */
const char *limit_setting_name(struct pl_pool *pool, enum limit_class klass);	/* "rate_ask_session" */
const struct pl_rate *limit_rate(const struct config *config, enum limit_class klass);
/* "user", "address" or what else the class counts by; for `parlourd -T` and the manual. */
const char *limit_counts_by(enum limit_class klass);

/*
 * One more of `klass` by this caller. `extra` absent, or the session, room or channel that narrower classes count by
 * (LIMIT_ASK then also takes LIMIT_ASK_SESSION). LIMIT_LOGIN and LIMIT_GUEST always count by address. err (may be NULL)
 * gets PL_E_RATE with retry_after_s and "Rate limit exceeded: 5 per 1 minute". Refusals are noted for limit_hits.
 */
bool limits_take(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra, struct limit_result *result_r, struct pl_err *err);
/* Gives back what an allowed limits_take() with the same arguments took: nothing came of it. */
void limits_give(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra);
/*
 * One more class beside those of *result, which passed. *result then has the tightest of all; when this one refuses,
 * what `before` took for the same caller is given back.
 */
bool limits_take_more(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra, enum limit_class before, struct limit_result *result, struct pl_err *err);
/* The values of RateLimit and RateLimit-Policy. */
void limits_headers(const struct limit_result *result, char limit[96], char policy[96]);

#endif
