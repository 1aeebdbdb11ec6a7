/* SPDX-License-Identifier: ISC */
/* Ended login sessions and used tickets: pairs of a tag and the second (wall clock) until which they are kept. */
#include "clock.h"
#include "core/shm_layout.h"

/* Used tickets are kept a little longer than they are valid, for processes that read the clock a moment earlier. */
#define ONCE_SLACK_S 5

static uint64_t login_tag(const struct shm *shm, int64_t login_id)
{
	struct { char class[8]; int64_t id; } key = { "login", login_id };

	return shm_tag(shm, &key, sizeof(key));
}

static void revoked_full_note(struct shm *shm, int64_t until_s)
{
	int64_t old = atomic_load(&shm->head->revoked_full);

	while (old < until_s && !atomic_compare_exchange_weak(&shm->head->revoked_full, &old, until_s))
		;
}

bool shm_revoke(struct shm *shm, int64_t login_id, int64_t until_s)
{
	uint64_t tag = login_tag(shm, login_id);
	int64_t now_s = pl_wall_us() / PL_US_PER_S;
	struct pl_pair seen, *pair;
	bool found;

	if (until_s <= now_s)
		return true;
	do {
		pair = pl_pair_find(shm->revoked, shm->head->sizes.revoked_pairs, tag, (uint64_t)now_s, &seen, &found);
		if (pair == NULL) {
			revoked_full_note(shm, until_s);
			return false;
		}
		if (found && (int64_t)seen.value >= until_s)
			return true;
	} while (!pl_pair_cas(pair, seen, (struct pl_pair){ tag, (uint64_t)until_s }));
	return true;
}

bool shm_revoked(const struct shm *shm, int64_t login_id, int64_t now_s)
{
	uint64_t tag = login_tag(shm, login_id);
	struct pl_pair seen, *pair;
	bool found;

	pair = pl_pair_find(shm->revoked, shm->head->sizes.revoked_pairs, tag, (uint64_t)now_s, &seen, &found);
	if (pair == NULL || found)
		return pair != NULL;
	/*
	 * If two processes revoke it at the same time, it may be entered twice, and only the shorter entry has expired.
	 */
	return seen.tag == tag &&
	    shm_pair_twin(shm->revoked, shm->head->sizes.revoked_pairs, pair, tag, (uint64_t)now_s) != NULL;
}

bool shm_revoked_unsure(const struct shm *shm, int64_t now_s)
{
	return atomic_load_explicit(&shm->head->revoked_full, memory_order_acquire) > now_s;
}

uint64_t shm_keys_epoch(const struct shm *shm)
{
	return atomic_load_explicit(&shm->head->keys_epoch, memory_order_acquire);
}

void shm_keys_changed(struct shm *shm)
{
	atomic_fetch_add(&shm->head->keys_epoch, 1);
}

bool shm_once(struct shm *shm, uint64_t tag, int64_t until_s, int64_t now_s)
{
	size_t count = shm->head->sizes.revoked_pairs;
	struct pl_pair *used = shm->revoked + count;
	struct pl_pair seen, *pair;
	bool found;

	if (until_s <= now_s)
		return false;
	do {
		pair = pl_pair_find(used, count, tag, (uint64_t)now_s, &seen, &found);
		if (pair == NULL || found)
			return false;
	} while (!pl_pair_cas(pair, seen, (struct pl_pair){ tag, (uint64_t)(until_s + ONCE_SLACK_S) }));
	/*
	 * If it was entered twice at the same time, at most one process may win. So both lose when they see each other.
	 */
	return shm_pair_twin(used, count, pair, tag, (uint64_t)now_s) == NULL;
}
