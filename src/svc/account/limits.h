/* SPDX-License-Identifier: ISC */
/*
 * Rate classes: limits per user, address, and so on, checked exactly over all workers in shared memory.
 *
 * The narrowest class is checked first; if one refuses, the others are refunded. Source: PROTOCOL section 3
 * (parlour-api(7), "Limits"); headers: draft-ietf-httpapi-ratelimit-headers.
 */
#ifndef SVC_LIMITS_H
#define SVC_LIMITS_H

#include "svc/svc.h"

enum limit_class { LIMIT_NONE, LIMIT_LOGIN, LIMIT_ASK, LIMIT_ASK_SESSION, LIMIT_CHANNEL, LIMIT_PERSON, LIMIT_SEND,
    LIMIT_READ, LIMIT_KEY, LIMIT_GUEST, LIMIT_COUNT };

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
/* What the class counts by, such as "user" or "address"; for `parlourd -T` and the manual. */
const char *limit_counts_by(enum limit_class klass);

/*
 * One more of `klass` by this caller. `extra` absent, or the session, room or channel that narrower classes count by
 * (LIMIT_ASK then also takes LIMIT_ASK_SESSION). Requests with an API key also take LIMIT_KEY, and not LIMIT_READ.
 * LIMIT_LOGIN and LIMIT_GUEST always count by address. err (may be NULL)
 * gets PL_E_RATE with retry_after_s and "Rate limit exceeded: 5 per 1 minute". Refusals are recorded for limit_hits.
 */
bool limits_take(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra, struct limit_result *result_r, struct pl_err *err);
/* Refunds an allowed limits_take() with the same arguments, because its work was not done. */
void limits_give(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra);
/*
 * Counts in one more class besides those of *result, which passed. *result then has the tightest of all. If this class
 * refuses, `before` is refunded for the same caller.
 */
bool limits_take_more(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra, enum limit_class before, struct limit_result *result, struct pl_err *err);
/*
 * The state of one class for this caller, without counting. false: nothing is used, or the class is off. Only classes
 * that count by user, API key, or address (limit_counts_by()); LIMIT_KEY by who->login_id, and with who->key_rate.
 */
struct limit_state { struct pl_rate rate; int64_t remaining, idle_ns; };	/* idle_ns: until nothing is used */
bool limits_look(const struct shm *shm, const struct config *config, enum limit_class klass,
    const struct pl_caller *who, struct limit_state *state_r);
/* Refunds everything that this caller used, also if the class is off. false: nothing was used. */
bool limits_clear(struct shm *shm, enum limit_class klass, const struct pl_caller *who);
/* The classes that operators see and reset: of an address, or of a user. Those of API keys are LIMIT_KEY. */
const enum limit_class *limits_of(bool address, int *count_r);
/* LIMIT_NONE: there is no class of this name. */
enum limit_class limit_class_of(struct pl_str name);
/* The values of RateLimit and RateLimit-Policy. */
void limits_headers(const struct limit_result *result, char limit[96], char policy[96]);

#endif
