/* SPDX-License-Identifier: ISC */
/*
 * Circuit breakers: one word per upstream, changed by CAS.
 *
 * closed --failures_max in a row--> open --cooldown--> half open, one trial --good--> closed, --bad--> open.
 * If the process of a trial dies, no result is reported. After another cooldown, another trial is allowed.
 */
#include "clock.h"
#include "core/shm_layout.h"

/*
 * The word: state in bits 0-1, failures in a row in bits 2-15, time in ms in bits 16-63: when a trial may begin (open)
 * or another one (half open).
 */
#define FAILURES_CAP 0x3fff
#define STATE(word) ((enum shm_breaker_state)((word) & 3))
#define FAILURES(word) ((int64_t)((word) >> 2 & FAILURES_CAP))
#define TIME_MS(word) ((int64_t)((word) >> 16))

static uint64_t word_make(enum shm_breaker_state state, int64_t failures, int64_t time_ms)
{
	if (failures > FAILURES_CAP)
		failures = FAILURES_CAP;
	return (uint64_t)state | (uint64_t)failures << 2 | (uint64_t)time_ms << 16;
}

/* NULL: not found, or (with `make`) there are more upstreams than entries. Both mean a closed breaker. */
static struct shm_breaker *breaker_find(const struct shm *shm, struct pl_str upstream, bool make)
{
	struct shm_breaker *breakers = (struct shm_breaker *)(void *)shm->breakers;
	uint64_t tag = shm_tag(shm, upstream.ptr, upstream.len);

	for (uint32_t i = 0; i < SHM_BREAKERS; i++) {
		struct shm_breaker *breaker = &breakers[(tag + i) % SHM_BREAKERS];
		uint64_t seen = atomic_load_explicit(&breaker->tag, memory_order_acquire);

		if (seen == 0 && !make)
			return NULL;
		if (seen == 0 && atomic_compare_exchange_strong(&breaker->tag, &seen, tag))
			return breaker;
		if (seen == tag)
			return breaker;
	}
	return NULL;
}

bool shm_breaker_allow(struct shm *shm, struct pl_str upstream, int64_t cooldown_ms, int64_t now_ns)
{
	struct shm_breaker *breaker = breaker_find(shm, upstream, false);
	int64_t now_ms = now_ns / PL_NS_PER_MS;
	uint64_t word;

	if (breaker == NULL)
		return true;
	word = atomic_load(&breaker->word);
	if (STATE(word) == SHM_CLOSED)
		return true;
	if (now_ms < TIME_MS(word))
		return false;
	if (atomic_compare_exchange_strong(&breaker->word, &word,
	    word_make(SHM_HALF_OPEN, FAILURES(word), now_ms + cooldown_ms)))
		return true;
	return STATE(word) == SHM_CLOSED;	/* another process has the trial, or the trial succeeded already */
}

/* Returns the word after a report. */
static uint64_t word_report(uint64_t word, bool good, int64_t failures_max, int64_t reopen_ms)
{
	int64_t failures = FAILURES(word) + 1;

	switch (STATE(word)) {
	case SHM_OPEN:
		return word;		/* the report is about a request that began before the breaker opened */
	case SHM_HALF_OPEN:
		return good ? word_make(SHM_CLOSED, 0, 0) : word_make(SHM_OPEN, failures, reopen_ms);
	case SHM_CLOSED:
		break;
	}
	if (good)
		return word_make(SHM_CLOSED, 0, 0);
	if (failures_max > 0 && failures >= failures_max)
		return word_make(SHM_OPEN, failures, reopen_ms);
	return word_make(SHM_CLOSED, failures, 0);
}

void shm_breaker_report(struct shm *shm, struct pl_str upstream, bool good, int64_t failures_max,
    int64_t cooldown_ms, int64_t now_ns)
{
	struct shm_breaker *breaker = breaker_find(shm, upstream, !good);
	uint64_t word, next;

	if (breaker == NULL)
		return;
	word = atomic_load(&breaker->word);
	do {
		next = word_report(word, good, failures_max, now_ns / PL_NS_PER_MS + cooldown_ms);
		if (next == word)
			return;
	} while (!atomic_compare_exchange_weak(&breaker->word, &word, next));
}

enum shm_breaker_state shm_breaker_get(const struct shm *shm, struct pl_str upstream)
{
	const struct shm_breaker *breaker = breaker_find(shm, upstream, false);

	return breaker != NULL ? STATE(atomic_load(&breaker->word)) : SHM_CLOSED;
}
