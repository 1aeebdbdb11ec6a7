/* SPDX-License-Identifier: ISC */
/* Rate limits across all processes: GCRA states in a table of pairs. */
#include "core/shm_rate.h"

#include "core/shm_layout.h"

#define TWIN_TRIES 4

/* Checks all pairs, except `mine`, that a probe can have reached in any order. */
struct pl_pair *shm_pair_twin(struct pl_pair *table, size_t count, const struct pl_pair *mine, uint64_t tag,
    uint64_t now)
{
	size_t at = (size_t)(mine - table) + count - (PL_PAIR_PROBE - 1) % count;

	for (size_t i = 0; i < 2 * PL_PAIR_PROBE - 1; i++) {
		struct pl_pair *pair = &table[(at + i) & (count - 1)];

		if (pair != mine && __atomic_load_n(&pair->tag, __ATOMIC_RELAXED) == tag) {
			struct pl_pair seen = pl_pair_load(pair);

			if (seen.tag == tag && seen.value > now)
				return pair;
		}
	}
	return NULL;
}

struct pl_gcra shm_rate_take(struct shm *shm, uint64_t tag, const struct pl_rate *rate, int64_t now_ns)
{
	size_t count = shm->head->sizes.rate_pairs;
	struct pl_pair seen, want, none = { 0, 0 };
	struct pl_pair *pair;
	struct pl_gcra step;
	bool found;

	if (rate->burst <= 0)
		return pl_gcra_step(rate, 0, now_ns);
	for (int tries = 0;;) {
		pair = pl_pair_find(shm->rate, count, tag, (uint64_t)now_ns, &seen, &found);
		if (pair == NULL) {
			if (shm->slot >= 0)
				shm_count(shm, SHM_M_rate_full, 1);
			return pl_gcra_step(rate, 0, now_ns);
		}
		step = pl_gcra_step(rate, found ? (int64_t)seen.value : 0, now_ns);
		if (!step.allowed)
			return step;
		want = (struct pl_pair){ tag, (uint64_t)step.tat_ns };
		if (!pl_pair_cas(pair, seen, want))
			continue;
		/*
		 * Two processes may have entered a new key at the same time. Then this entry is removed, and the other
		 * one is charged.
		 */
		if (found || ++tries > TWIN_TRIES ||
		    shm_pair_twin(shm->rate, count, pair, tag, (uint64_t)now_ns) == NULL ||
		    !pl_pair_cas(pair, want, none))
			return step;
	}
}

void shm_rate_refund(struct shm *shm, uint64_t tag, const struct pl_rate *rate, int64_t now_ns)
{
	struct pl_pair seen, want;
	struct pl_pair *pair;
	bool found;

	if (rate->burst <= 0)
		return;
	do {
		pair = pl_pair_find(shm->rate, shm->head->sizes.rate_pairs, tag, (uint64_t)now_ns, &seen, &found);
		if (pair == NULL || !found)
			return;
		want = (struct pl_pair){ tag, (uint64_t)pl_gcra_refund(rate, (int64_t)seen.value) };
	} while (!pl_pair_cas(pair, seen, want));
}

int64_t shm_rate_look(const struct shm *shm, uint64_t tag, int64_t now_ns)
{
	struct pl_pair seen;
	bool found = false;

	(void)pl_pair_find(shm->rate, shm->head->sizes.rate_pairs, tag, (uint64_t)now_ns, &seen, &found);
	return found ? (int64_t)seen.value : 0;
}

bool shm_rate_clear(struct shm *shm, uint64_t tag, int64_t now_ns)
{
	struct pl_pair seen, none = { 0, 0 };
	struct pl_pair *pair;
	bool found, any = false;

	/* Until none is left: a key may be entered twice for a moment. */
	while ((pair = pl_pair_find(shm->rate, shm->head->sizes.rate_pairs, tag, (uint64_t)now_ns, &seen, &found)) !=
	    NULL && found) {
		if (pl_pair_cas(pair, seen, none))
			any = true;
	}
	return any;
}
