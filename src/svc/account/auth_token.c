/* SPDX-License-Identifier: ISC */
/* Finds the user of a token: verification, the cache of verified tokens in each worker, and revocation. */
#include <stdio.h>

#include "clock.h"
#include "db/repo/apikey_text.h"
#include "svc/account/apikey_check.h"

#define CACHE_SLOTS 2048u	/* power of two; two ways */

struct cached { uint64_t key[2]; struct pl_token token; };
struct auth_cache { struct cached slots[CACHE_SLOTS]; uint64_t tag; struct apikey_cache *keys; };

struct auth_cache *auth_cache_new(void)
{
	struct auth_cache *cache = pl_new(sizeof(*cache));

	cache->keys = apikey_cache_new();
	return cache;
}

void auth_cache_free(struct auth_cache **cache)
{
	apikey_cache_free(&(*cache)->keys);
	pl_free(*cache);
	*cache = NULL;
}

static struct cached *cache_find(struct auth_cache *cache, const uint64_t key[2])
{
	struct cached *at = &cache->slots[key[0] & (CACHE_SLOTS - 2)];

	for (int way = 0; way < 2; way++)
		if (at[way].key[0] == key[0] && at[way].key[1] == key[1])
			return &at[way];
	return NULL;
}

/* What was verified with a key that is no longer in the ring must be refused. */
static void cache_follow(struct auth_cache *cache, const struct pl_keyring *keys)
{
	if (keys->tag == cache->tag)
		return;
	memset(cache->slots, 0, sizeof(cache->slots));
	cache->tag = keys->tag;
}

/*
 * The newer one of the two entries moves to the other place, so that one rare token does not displace a frequent one.
 */
static void cache_put(struct auth_cache *cache, const struct auth_who *who)
{
	struct cached *at = &cache->slots[who->key[0] & (CACHE_SLOTS - 2)];

	at[1] = at[0];
	memcpy(at[0].key, who->key, sizeof(at[0].key));
	at[0].token = who->token;
}

/*
 * If a reload makes access_token_life shorter, that also applies to earlier tokens, because ended login sessions are
 * kept only for this time.
 */
static bool still_good(struct svc *svc, const struct config *config, const struct pl_token *token, int64_t now_s,
    struct pl_err *err)
{
	if (token->expires_s <= now_s || token->issued_s + config->s.access_token_life / 1000 <= now_s)
		return pl_err_set(err, PL_E_TOKEN_EXPIRED, NULL);
	if (shm_revoked(svc->shm, token->login_id, now_s))
		return pl_err_set(err, PL_E_REVOKED, NULL);
	return true;
}

/* Who has the signing key can write any `exp`. Sockets go by it, and ask for nothing else until then. */
static void end_in_time(const struct config *config, struct pl_token *token)
{
	int64_t until_s = token->issued_s + config->s.access_token_life / 1000;

	if (token->expires_s > until_s)
		token->expires_s = until_s;
}

static bool check(struct svc *svc, const struct config *config, struct pl_str token, const struct pl_caller *from,
    struct auth_who *who, struct pl_err *err)
{
	int64_t now_s = pl_wall_us() / PL_US_PER_S;
	const struct cached *hit;

	memset(who, 0, sizeof(*who));
	pl_siphash128(&svc->shm->head->boot_key, token.ptr, token.len, who->key);
	cache_follow(svc->tokens, &config->keys);
	hit = cache_find(svc->tokens, who->key);
	if (hit != NULL) {
		shm_count(svc->shm, SHM_M_token_hits, 1);
		who->token = hit->token;
		who->ask = shm_revoked_unsure(svc->shm, now_s);
		if (!still_good(svc, config, &who->token, now_s, err))
			return false;
		end_in_time(config, &who->token);
		return true;
	}
	if (apikey_like(token))
		return apikey_check(svc, svc->tokens->keys, config, token, from, who, err);
	shm_count(svc->shm, SHM_M_token_misses, 1);
	if (!pl_keyring_verify(token, &config->keys, config->s.issuer, PL_TOKEN_ACCESS, &who->token, err))
		return false;
	if (!still_good(svc, config, &who->token, now_s, err))
		return false;
	who->ask = shm_revoked_unsure(svc->shm, now_s);
	if (!who->ask)
		cache_put(svc->tokens, who);
	end_in_time(config, &who->token);
	if (!db_overloaded(svc->db))
		repo_user_want_name(svc->db, who->token.user_id);
	return true;
}

bool auth_check(struct svc *svc, const struct config *config, struct pl_str token, const struct pl_caller *from,
    struct auth_who *who, struct pl_err *err)
{
	if (!check(svc, config, token, from, who, err))
		return false;
	return !who->token.enrol || pl_err_set(err, PL_E_MFA_ENROLMENT, NULL);
}

void auth_caller(const struct auth_who *who, struct pl_caller *caller)
{
	caller->user_id = who->token.user_id;
	caller->login_id = who->token.login_id;
	caller->token_until_s = who->token.expires_s;
	caller->access = who->token.access;
	memcpy(caller->name, who->token.name, sizeof(caller->name));
	caller->scopes = who->scopes;
	caller->key_epoch = who->key_epoch;
	caller->signed_by = who->token.signed_by;
	caller->key_rate = who->key_rate;
}

struct confirm {
	struct svc *svc;
	struct auth_who *who;
	db_done_fn *done;
	void *arg;
};

static void confirm_on_alive(void *arg, const bool *alive, const struct pl_err *err)
{
	struct confirm *c = arg;

	if (err == NULL) {
		c->who->ask = false;
		cache_put(c->svc->tokens, c->who);
	}
	c->done(c->arg, alive, err);
}

void auth_confirm(struct svc *svc, struct pl_task *task, struct auth_who *who, db_done_fn *done, void *arg)
{
	struct confirm *c = pl_alloc(task->pool, sizeof(*c));

	if (who->is_key) {
		apikey_find(svc, svc->tokens->keys, task, who, done, arg);
		return;
	}
	*c = (struct confirm){ .svc = svc, .who = who, .done = done, .arg = arg };
	repo_login_check(svc->db, task, who->token.login_id, confirm_on_alive, c);
}
