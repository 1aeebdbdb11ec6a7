/* SPDX-License-Identifier: ISC */
/* Rate classes, counted in the shared table. */
#include <arpa/inet.h>
#include <stdio.h>

#include "clock.h"
#include "core/shm_rate.h"
#include "svc/account/limits.h"

static const struct { const char *name, *by; size_t offset; } classes[LIMIT_COUNT] = {
	[LIMIT_NONE] = { "none", "", 0 },
	[LIMIT_LOGIN] = { "login", "address", offsetof(struct settings, rate_login) },
	[LIMIT_ASK] = { "ask", "user", offsetof(struct settings, rate_ask) },
	[LIMIT_ASK_SESSION] = { "ask-session", "session, or user and room",
		offsetof(struct settings, rate_ask_session) },
	[LIMIT_CHANNEL] = { "channel", "channel", offsetof(struct settings, rate_channel) },
	[LIMIT_PERSON] = { "person", "user", offsetof(struct settings, rate_person) },
	[LIMIT_SEND] = { "send", "user", offsetof(struct settings, rate_send) },
	[LIMIT_KEY] = { "key", "API key", offsetof(struct settings, rate_key) },
	[LIMIT_GUEST] = { "guest", "address", offsetof(struct settings, rate_guest) },
	[LIMIT_READ] = { "read", "user, else address", offsetof(struct settings, rate_read) },
};

const char *limit_name(enum limit_class klass)
{
	return classes[klass].name;
}

const char *limit_setting_name(struct pl_pool *pool, enum limit_class klass)
{
	char *name = pl_sprintf(pool, "rate_%s", limit_name(klass));

	for (char *p = name; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

const char *limit_counts_by(enum limit_class klass)
{
	return classes[klass].by;
}

const struct pl_rate *limit_rate(const struct config *config, enum limit_class klass)
{
	return klass == LIMIT_NONE ? NULL : (const void *)((const char *)&config->s + classes[klass].offset);
}

/* The address as a key. IPv6 counts by /64, because one subscriber has at least a /64. */
static size_t address_key(const char *addr, char *out, size_t cap)
{
	struct in6_addr v6;

	if (strchr(addr, ':') != NULL && inet_pton(AF_INET6, addr, &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6)) {
		memcpy(out, v6.s6_addr, 8);
		return 8;
	}
	return (size_t)snprintf(out, cap, "%s", addr);
}

static uint64_t key_tag(const struct shm *shm, enum limit_class klass, const struct pl_caller *who, struct pl_str extra)
{
	char key[512];
	size_t n = (size_t)snprintf(key, sizeof(key), "%d:", klass);
	bool session = klass == LIMIT_ASK_SESSION && pl_uuid_ok(extra);

	if (klass == LIMIT_CHANNEL || session) {
		/* counts per channel or session, for all users and addresses */
	} else if (klass == LIMIT_LOGIN || klass == LIMIT_GUEST || who->user_id == 0) {
		key[n++] = 'a';
		n += address_key(who->addr, key + n, sizeof(who->addr));
	} else if (klass == LIMIT_KEY) {
		n += (size_t)snprintf(key + n, 32, "k%lld", (long long)who->login_id);
	} else {
		n += (size_t)snprintf(key + n, 32, "u%lld", (long long)who->user_id);
	}
	if (extra.ptr != NULL && klass != LIMIT_ASK && extra.len < sizeof(key) - n - 1) {
		key[n++] = '/';
		memcpy(key + n, extra.ptr, extra.len);
		n += extra.len;
	}
	return shm_tag(shm, key, n);
}

struct taken { uint64_t tag; struct pl_rate rate; };

/* Returns the rate of a class for this user or key; a key may have a lower one. */
static struct pl_rate rate_for(const struct config *config, enum limit_class klass, const struct pl_caller *who)
{
	struct pl_rate rate = *limit_rate(config, klass);

	if (klass != LIMIT_KEY || who->key_rate.burst == 0)
		return rate;
	if (rate.burst == 0 || rate.interval_ns < who->key_rate.interval_ns)
		return who->key_rate;
	return rate;
}

/* Takes from one class; true: allowed. Keeps the limit with the least room in *result. */
static bool take_one(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra, int64_t now_ns, struct taken *taken, struct limit_result *result)
{
	struct pl_gcra g;

	taken->rate = rate_for(config, klass, who);
	if (taken->rate.burst == 0)
		return true;
	taken->tag = key_tag(svc->shm, klass, who, extra);
	g = shm_rate_take(svc->shm, taken->tag, &taken->rate, now_ns);
	if (!g.allowed || result->tightest == LIMIT_NONE || g.remaining < result->state.remaining) {
		result->tightest = klass;
		result->state = g;
		result->rate = taken->rate;
	}
	return g.allowed;
}

static void give_back(struct svc *svc, const struct taken *taken, int64_t now_ns)
{
	if (taken->tag != 0)
		shm_rate_refund(svc->shm, taken->tag, &taken->rate, now_ns);
}

/* Is the class counted per key? */
static bool by_key(enum limit_class klass, const struct pl_caller *who)
{
	return who->scopes != 0 && klass != LIMIT_LOGIN && klass != LIMIT_GUEST;
}

static bool limits_refuse(struct svc *svc, const struct limit_result *result, const struct pl_caller *who,
    struct pl_err *err)
{
	char text[48];
	bool by_user = result->tightest != LIMIT_LOGIN && who->user_id != 0;

	shm_count(svc->shm, SHM_M_rate_refused, 1);
	shm_refusal_note(svc->shm, limit_name(result->tightest), by_user ? who->user_id : 0, who->addr, pl_wall_us());
	pl_rate_text(&result->rate, text);
	pl_err_set(err, PL_E_RATE, "Rate limit exceeded: %s", text);
	if (err != NULL)
		err->retry_after_s = (int)((result->state.retry_ns + PL_NS_PER_S - 1) / PL_NS_PER_S);
	return false;
}

bool limits_take(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra, struct limit_result *result_r, struct pl_err *err)
{
	struct limit_result own = { .allowed = true }, *result = result_r != NULL ? result_r : &own;
	int64_t now_ns = pl_now_ns();
	struct taken narrow = { 0 }, wide = { 0 }, key = { 0 };

	*result = (struct limit_result){ .allowed = true, .now_ns = now_ns };
	if (klass == LIMIT_NONE)
		return true;
	if (by_key(klass, who)) {
		if (!take_one(svc, config, LIMIT_KEY, who, PL_STR_NONE, now_ns, &key, result)) {
			result->allowed = false;
			return limits_refuse(svc, result, who, err);
		}
		if (klass == LIMIT_READ)
			return true;
	}
	if (klass == LIMIT_ASK && extra.ptr != NULL &&
	    !take_one(svc, config, LIMIT_ASK_SESSION, who, extra, now_ns, &narrow, result)) {
		result->allowed = false;
	} else if (!take_one(svc, config, klass, who, extra, now_ns, &wide, result)) {
		give_back(svc, &narrow, now_ns);
		result->allowed = false;
	}
	if (result->allowed)
		return true;
	give_back(svc, &key, now_ns);
	return limits_refuse(svc, result, who, err);
}

static void give_one(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra)
{
	struct taken taken = { .rate = rate_for(config, klass, who) };

	if (taken.rate.burst != 0)
		taken.tag = key_tag(svc->shm, klass, who, extra);
	give_back(svc, &taken, pl_now_ns());
}

void limits_give(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra)
{
	if (klass == LIMIT_NONE)
		return;
	if (by_key(klass, who))
		give_one(svc, config, LIMIT_KEY, who, PL_STR_NONE);
	if (klass == LIMIT_READ && by_key(klass, who))
		return;
	if (klass == LIMIT_ASK && extra.ptr != NULL)
		give_one(svc, config, LIMIT_ASK_SESSION, who, extra);
	give_one(svc, config, klass, who, extra);
}

bool limits_take_more(struct svc *svc, const struct config *config, enum limit_class klass, const struct pl_caller *who,
    struct pl_str extra, enum limit_class before, struct limit_result *result, struct pl_err *err)
{
	struct taken taken = { 0 };

	if (take_one(svc, config, klass, who, extra, pl_now_ns(), &taken, result))
		return true;
	limits_give(svc, config, before, who, PL_STR_NONE);
	result->allowed = false;
	return limits_refuse(svc, result, who, err);
}

bool limits_look(const struct shm *shm, const struct config *config, enum limit_class klass,
    const struct pl_caller *who, struct limit_state *state_r)
{
	int64_t now_ns = pl_now_ns(), tat_ns;
	struct pl_gcra next;

	*state_r = (struct limit_state){ .rate = rate_for(config, klass, who) };
	if (state_r->rate.burst == 0)
		return false;
	tat_ns = shm_rate_look(shm, key_tag(shm, klass, who, PL_STR_NONE), now_ns);
	if (tat_ns <= now_ns)
		return false;
	next = pl_gcra_step(&state_r->rate, tat_ns, now_ns);
	state_r->remaining = next.allowed ? next.remaining + 1 : 0;
	state_r->idle_ns = tat_ns - now_ns;
	return true;
}

bool limits_clear(struct shm *shm, enum limit_class klass, const struct pl_caller *who)
{
	return shm_rate_clear(shm, key_tag(shm, klass, who, PL_STR_NONE), pl_now_ns());
}

const enum limit_class *limits_of(bool address, int *count_r)
{
	static const enum limit_class by_user[] = { LIMIT_ASK, LIMIT_PERSON, LIMIT_SEND, LIMIT_READ };
	static const enum limit_class by_address[] = { LIMIT_LOGIN, LIMIT_GUEST, LIMIT_ASK, LIMIT_PERSON, LIMIT_SEND,
		LIMIT_READ };

	*count_r = address ? PL_COUNT(by_address) : PL_COUNT(by_user);
	return address ? by_address : by_user;
}

enum limit_class limit_class_of(struct pl_str name)
{
	for (enum limit_class k = LIMIT_NONE + 1; k < LIMIT_COUNT; k++)
		if (pl_str_is(name, limit_name(k)))
			return k;
	return LIMIT_NONE;
}

void limits_headers(const struct limit_result *result, char limit[96], char policy[96])
{
	const char *name = limit_name(result->tightest);
	int64_t reset_s = (result->state.reset_ns + PL_NS_PER_S - 1) / PL_NS_PER_S;
	int64_t window_s = (result->rate.burst * result->rate.interval_ns + PL_NS_PER_S - 1) / PL_NS_PER_S;

	if (!result->allowed)
		reset_s = (result->state.retry_ns + PL_NS_PER_S - 1) / PL_NS_PER_S;
	snprintf(limit, 96, "\"%s\";r=%lld;t=%lld", name, (long long)result->state.remaining, (long long)reset_s);
	snprintf(policy, 96, "\"%s\";q=%lld;w=%lld", name, (long long)result->rate.burst, (long long)window_s);
}
