/* SPDX-License-Identifier: ISC */
/*
 * Finds the user of an API key.
 *
 * The result of a look-up is used for a minute, unless the rights of a key changed meanwhile (shm_keys_epoch()).
 * Revoked keys are in the revocation table, like ended login sessions. Invalid keys have separate slots, so that many
 * of them cannot displace valid ones. A look-up that finds no key counts against its address like a failed login; an
 * address with too many gets no further look-ups.
 */
#include "svc/account/apikey_check.h"

#include "clock.h"
#include "db/repo/repo_apikey.h"
#include "svc/account/apikey.h"
#include "svc/account/limits.h"

#define SLOTS 1024u			/* power of two; two ways */
#define KEEP_NS (60 * PL_NS_PER_S)	/* at most as long as revocations are kept */
#define LONGEST_S (10 * 365 * 86400LL)	/* for timers: a key without an end is looked up again much earlier */

struct good {
	uint64_t key[2], epoch;
	int64_t until_ns;
	struct pl_token token;
	unsigned scopes;
	struct pl_rate rate;
};
struct bad { uint64_t key[2], epoch; int64_t until_ns; enum pl_code code; };
struct apikey_cache { struct good good[SLOTS]; struct bad bad[SLOTS]; };

struct apikey_cache *apikey_cache_new(void)
{
	return pl_new(sizeof(struct apikey_cache));
}

void apikey_cache_free(struct apikey_cache **cache)
{
	pl_free(*cache);
	*cache = NULL;
}

static bool is_key(const uint64_t a[2], const uint64_t b[2])
{
	return a[0] == b[0] && a[1] == b[1];
}

static struct good *good_find(struct apikey_cache *cache, const uint64_t key[2])
{
	struct good *at = &cache->good[key[0] & (SLOTS - 2)];

	return is_key(at[0].key, key) ? &at[0] : is_key(at[1].key, key) ? &at[1] : NULL;
}

static void good_put(struct apikey_cache *cache, const struct auth_who *who, int64_t until_ns)
{
	struct good *at = &cache->good[who->key[0] & (SLOTS - 2)];

	if (!is_key(at[0].key, who->key))
		at[1] = at[0];
	at[0] = (struct good){ .key = { who->key[0], who->key[1] }, .epoch = who->key_epoch, .until_ns = until_ns,
		.token = who->token, .scopes = who->scopes, .rate = who->key_rate };
}

static const struct bad *bad_find(struct apikey_cache *cache, const uint64_t key[2])
{
	const struct bad *at = &cache->bad[key[0] & (SLOTS - 2)];

	return is_key(at[0].key, key) ? &at[0] : is_key(at[1].key, key) ? &at[1] : NULL;
}

static void bad_put(struct apikey_cache *cache, const struct auth_who *who, int64_t until_ns, enum pl_code code)
{
	struct bad *at = &cache->bad[who->key[0] & (SLOTS - 2)];

	if (!is_key(at[0].key, who->key))
		at[1] = at[0];
	at[0] = (struct bad){ .key = { who->key[0], who->key[1] },
		.epoch = who->key_epoch, .until_ns = until_ns, .code = code };
}

static bool fail(enum pl_code code, struct pl_err *err)
{
	return pl_err_set(err, code, code == PL_E_REVOKED ? "The API key was revoked." :
	    code == PL_E_TOKEN_EXPIRED ? "The API key has expired." : "The API key is unknown.");
}

static bool still_good(struct svc *svc, const struct pl_token *token, struct pl_err *err)
{
	int64_t now_s = pl_wall_us() / PL_US_PER_S;

	if (shm_revoked(svc->shm, token->login_id, now_s))
		return fail(PL_E_REVOKED, err);
	return token->expires_s > now_s || fail(PL_E_TOKEN_EXPIRED, err);
}

/* Checks the limit without counting: only failed look-ups count. */
static bool may_look_up(struct svc *svc, const struct config *config, const struct pl_caller *from, struct pl_err *err)
{
	const struct pl_str kind = PL_STR("key");

	if (!limits_take(svc, config, LIMIT_LOGIN, from, kind, NULL, err))
		return false;
	limits_give(svc, config, LIMIT_LOGIN, from, kind);
	return true;
}

bool apikey_check(struct svc *svc, struct apikey_cache *cache, const struct config *config, struct pl_str text,
    const struct pl_caller *from, struct auth_who *who, struct pl_err *err)
{
	int64_t now_ns = pl_now_ns();
	const struct good *good = good_find(cache, who->key);
	const struct bad *bad = bad_find(cache, who->key);

	who->key_epoch = shm_keys_epoch(svc->shm);
	if (good != NULL && good->until_ns > now_ns && good->epoch == who->key_epoch &&
	    !shm_revoked_unsure(svc->shm, pl_wall_us() / PL_US_PER_S)) {
		shm_count(svc->shm, SHM_M_token_hits, 1);
		who->token = good->token;
		who->scopes = good->scopes;
		who->key_rate = good->rate;
		return still_good(svc, &who->token, err);
	}
	if (bad != NULL && bad->until_ns > now_ns && bad->epoch == who->key_epoch)
		return fail(bad->code, err);
	if (!may_look_up(svc, config, from, err))
		return false;
	shm_count(svc->shm, SHM_M_token_misses, 1);
	apikey_hash(text, who->key_hash);
	who->is_key = who->ask = true;
	return true;
}

struct find {
	struct svc *svc;
	struct apikey_cache *cache;
	struct pl_task *task;
	struct auth_who *who;
	int64_t began_ns;
	db_done_fn *done;
	void *arg;
};

static void find_fail(struct find *f, enum pl_code code)
{
	struct pl_err err = { 0 };

	bad_put(f->cache, f->who, f->began_ns + KEEP_NS, code);
	fail(code, &err);
	f->done(f->arg, NULL, &err);
}

static void find_fill(struct auth_who *who, const struct apikey_found *found)
{
	int64_t now_s = pl_wall_us() / PL_US_PER_S, until_s = found->expires_us / PL_US_PER_S;
	size_t len = found->username.len < sizeof(who->token.name) ? found->username.len : sizeof(who->token.name) - 1;

	if (found->expires_us == 0 || until_s > now_s + LONGEST_S)
		until_s = now_s + LONGEST_S;
	who->token = (struct pl_token){ .type = PL_TOKEN_ACCESS, .user_id = found->user_id, .login_id = found->id,
		.issued_s = now_s, .expires_s = until_s,
		.access = found->scopes & SCOPE_ADMIN ? found->access : ACCESS_USER };
	memcpy(who->token.name, found->username.ptr, len);
	who->scopes = found->scopes;
	if (found->rate.ptr == NULL || !apikey_rate(found->rate, &who->key_rate))
		who->key_rate = (struct pl_rate){ 0 };
	who->ask = false;
}

static void find_on_key(void *arg, const struct apikey_found *found, const struct pl_err *err)
{
	struct find *f = arg;
	struct pl_err ended = { 0 };
	const bool yes = true;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		(void)limits_take(f->svc, svc_config(f->svc), LIMIT_LOGIN, &f->task->who, PL_STR("key"), NULL, NULL);
		find_fail(f, PL_E_UNAUTHORIZED);
	} else if (err != NULL) {
		f->done(f->arg, NULL, err);
	} else if (found->ended) {
		find_fail(f, PL_E_REVOKED);
	} else if (found->expires_us != 0 && found->expires_us <= pl_wall_us()) {
		find_fail(f, PL_E_TOKEN_EXPIRED);
	} else {
		find_fill(f->who, found);
		if (!still_good(f->svc, &f->who->token, &ended)) {
			f->done(f->arg, NULL, &ended);
			return;
		}
		good_put(f->cache, f->who, f->began_ns + KEEP_NS);
		if (found->note)
			repo_apikey_used(f->svc->db, f->task, found->id, NULL, NULL);
		if (!db_overloaded(f->svc->db))
			repo_user_want_name(f->svc->db, found->user_id);
		f->done(f->arg, &yes, NULL);
	}
}

void apikey_find(struct svc *svc, struct apikey_cache *cache, struct pl_task *task, struct auth_who *who,
    db_done_fn *done, void *arg)
{
	struct find *f = pl_alloc(task->pool, sizeof(*f));

	*f = (struct find){ .svc = svc, .cache = cache, .task = task, .who = who, .began_ns = pl_now_ns(),
		.done = done, .arg = arg };
	repo_apikey_find(svc->db, task, who->key_hash, find_on_key, f);
}
