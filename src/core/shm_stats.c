/* SPDX-License-Identifier: ISC */
/* Counters with labels. */
#include "core/shm_stats.h"

#include <stdio.h>

#include "core/shm_layout.h"

static const int64_t bounds[SHM_BOUNDS_COUNT] = SHM_BOUNDS;

static struct shm_stats *stats_at(const struct shm *shm, int slot)
{
	return (struct shm_stats *)(void *)(shm->stats + (size_t)slot * shm->stats_stride);
}

/* Slots that were never used are not read, because reading would allocate their pages. */
static bool slot_lived(const struct shm *shm, int slot)
{
	return atomic_load_explicit(&shm->scores[slot].generation, memory_order_relaxed) != 0;
}

/* Each counter has a single writer: see shm_count(). */
static void add(_Atomic int64_t *at, int64_t n)
{
	atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + n, memory_order_relaxed);
}

static int64_t get(const _Atomic int64_t *at)
{
	return atomic_load_explicit(at, memory_order_relaxed);
}

static void times_add(struct shm_times *times, int64_t us)
{
	int bucket = 0;

	while (bucket < SHM_BOUNDS_COUNT && us > bounds[bucket])
		bucket++;
	add(&times->bucket[bucket], 1);
	add(&times->sum_us, us);
}

static void times_sum(struct shm_times_sum *sum, const struct shm_times *times)
{
	sum->sum_us += get(&times->sum_us);
	for (int b = 0; b <= SHM_BOUNDS_COUNT; b++)
		sum->bucket[b] += get(&times->bucket[b]);
}

/* ---- requests ---- */

void shm_endpoint_count(struct shm *shm, int endpoint, int status, int64_t us)
{
	struct shm_endpoint *e;
	int klass = status / 100 - 1;

	PL_BUG(endpoint < 0 || endpoint >= SHM_ENDPOINTS);
	e = &stats_at(shm, shm->slot)->endpoints[endpoint];
	add(&e->status[klass >= 0 && klass < SHM_STATUSES ? klass : SHM_STATUSES - 1], 1);
	times_add(&e->times, us);
}

int64_t shm_requests(const struct shm *shm, int slot)
{
	const struct shm_stats *stats = stats_at(shm, slot);
	int64_t sum = 0;

	for (int i = 0; i < SHM_ENDPOINTS; i++)
		for (int s = 0; s < SHM_STATUSES; s++)
			sum += get(&stats->endpoints[i].status[s]);
	return sum;
}

void shm_endpoint_read(const struct shm *shm, int endpoint, struct shm_endpoint_sum *sum_r)
{
	*sum_r = (struct shm_endpoint_sum){ 0 };
	for (int slot = 0; slot < (int)shm->head->sizes.slots; slot++) {
		const struct shm_endpoint *e = &stats_at(shm, slot)->endpoints[endpoint];

		if (!slot_lived(shm, slot))
			continue;
		for (int s = 0; s < SHM_STATUSES; s++)
			sum_r->status[s] += get(&e->status[s]);
		times_sum(&sum_r->times, &e->times);
	}
}

/* ---- models ---- */

/* Finds the entry of that name in this slot; creates it if it is missing. */
static struct shm_upstream *upstream_need(struct shm *shm, struct pl_str name)
{
	struct shm_upstream *all = stats_at(shm, shm->slot)->upstreams, *u = all;

	while (u < &all[SHM_UPSTREAMS - 1] && atomic_load_explicit(&u->used, memory_order_relaxed) &&
	    !pl_str_is(name, u->name))
		u++;
	if (!atomic_load_explicit(&u->used, memory_order_relaxed)) {
		if (u == &all[SHM_UPSTREAMS - 1])
			name = PL_STR("other");
		snprintf(u->name, sizeof(u->name), "%.*s", PL_FMT(name));
		atomic_store_explicit(&u->used, 1, memory_order_release);
	}
	return u;
}

void shm_upstream_count(struct shm *shm, struct pl_str name, const struct shm_question *q)
{
	struct shm_upstream *u = upstream_need(shm, name);

	add(&u->outcome[q->outcome], 1);
	add(&u->attempts, q->attempts);
	add(&u->prompt_tokens, q->prompt_tokens > 0 ? q->prompt_tokens : 0);
	add(&u->completion_tokens, q->completion_tokens > 0 ? q->completion_tokens : 0);
	if (q->outcome != SHM_ASKED_UNAVAILABLE)
		times_add(&u->total, q->total_us);
	if (q->first_us >= 0)
		times_add(&u->first, q->first_us);
}

void shm_upstream_cost(struct shm *shm, struct pl_str name, int64_t micros)
{
	if (micros > 0)
		add(&upstream_need(shm, name)->cost_micros, micros);
}

static struct shm_upstream_sum *sum_need(struct shm_upstream_sum *sums, int *count, const char *name)
{
	int i = 0;

	while (i < *count && strcmp(sums[i].name, name) != 0)
		i++;
	/* slots may have different entries: those beyond the maximum are not shown */
	if (i < *count || *count == SHM_UPSTREAMS)
		return i < *count ? &sums[i] : NULL;
	sums[i] = (struct shm_upstream_sum){ 0 };
	snprintf(sums[i].name, sizeof(sums[i].name), "%s", name);
	++*count;
	return &sums[i];
}

int shm_upstreams_read(const struct shm *shm, struct shm_upstream_sum sums_r[SHM_UPSTREAMS])
{
	int count = 0;

	for (int i = 0; i < (int)shm->head->sizes.slots * SHM_UPSTREAMS; i++) {
		const struct shm_upstream *u = &stats_at(shm, i / SHM_UPSTREAMS)->upstreams[i % SHM_UPSTREAMS];
		struct shm_upstream_sum *sum;

		if (!slot_lived(shm, i / SHM_UPSTREAMS) || !atomic_load_explicit(&u->used, memory_order_acquire) ||
		    (sum = sum_need(sums_r, &count, u->name)) == NULL)
			continue;
		for (int o = 0; o < SHM_ASKED_COUNT; o++)
			sum->outcome[o] += get(&u->outcome[o]);
		sum->attempts += get(&u->attempts);
		sum->prompt_tokens += get(&u->prompt_tokens);
		sum->completion_tokens += get(&u->completion_tokens);
		sum->cost_micros += get(&u->cost_micros);
		times_sum(&sum->total, &u->total);
		times_sum(&sum->first, &u->first);
	}
	return count;
}
