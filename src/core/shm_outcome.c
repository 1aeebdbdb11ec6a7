/* SPDX-License-Identifier: ISC */
/* Outcomes of jobs. The word is written last, so that a porter killed in the middle leaves "unknown". */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "core/shm_layout.h"

#define FREE 0u
#define UNKNOWN 1u
#define RESULT 2u

static struct shm_outcome *outcome_at(const struct shm *shm, int place)
{
	PL_BUG(place < 0 || place >= (int)SHM_OUTCOMES);
	return (struct shm_outcome *)(void *)shm->outcomes + place;
}

void shm_outcome_begin(struct shm *shm, int place, const char *id)
{
	struct shm_outcome *outcome = outcome_at(shm, place);

	atomic_store(&outcome->word, FREE);
	snprintf(outcome->id, sizeof(outcome->id), "%s", id);
	outcome->why[0] = '\0';
	atomic_store(&outcome->word, UNKNOWN);
}

void shm_outcome_clear(struct shm *shm, int place)
{
	atomic_store(&outcome_at(shm, place)->word, FREE);
}

struct shm_outcome *shm_outcome_keep(struct shm **shm, int place)
{
	struct shm *old = *shm;
	const struct shm_part *part = shm_part_find(old->head, SHM_PART_OUTCOMES);
	struct shm_outcome *outcome = outcome_at(old, place);
	char *base = (char *)old->head, *kept = old->outcomes, *rest = kept + part->bytes;
	size_t bytes = old->bytes;

	*shm = NULL;
	munmap(rest, bytes - (size_t)(rest - base));
	munmap(base, (size_t)(kept - base));
	return outcome;
}

void shm_outcome_set(struct shm_outcome *outcome, int result, const char *why)
{
	size_t len = pl_utf8_cut(why, strlen(why), SHM_OUTCOME_WHY - 1);

	snprintf(outcome->why, sizeof(outcome->why), "%.*s", (int)len, why);
	atomic_store(&outcome->word, (uint32_t)result + RESULT);
}

bool shm_outcome_get(const struct shm *shm, int place, char id_r[PL_UUID_LEN + 1], int *result_r,
    char why_r[SHM_OUTCOME_WHY])
{
	const struct shm_outcome *outcome = outcome_at(shm, place);
	uint32_t word = atomic_load(&outcome->word);

	if (word < RESULT)
		return false;
	snprintf(id_r, PL_UUID_LEN + 1, "%s", outcome->id);
	snprintf(why_r, SHM_OUTCOME_WHY, "%s", outcome->why);
	*result_r = (int)(word - RESULT);
	return true;
}
