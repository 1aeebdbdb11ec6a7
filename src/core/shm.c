/* SPDX-License-Identifier: ISC */
/* Creates the shared segment; takes and clears its slots. */
#include "core/shm.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "core/shm_layout.h"
#include "core/shm_stats.h"
#include "log.h"

enum metric_kind { METRIC_COUNTER, METRIC_COUNTER_US, METRIC_GAUGE, METRIC_GAUGE_US };

static const enum metric_kind metric_kinds[SHM_M_COUNT] = {
#define METRIC(field, kind, ...) [SHM_M_##field] = METRIC_##kind,
#define LABELED(...)
#include "core/metrics.def"
#undef METRIC
#undef LABELED
};

static bool is_power_of_two(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static size_t page_round(size_t bytes)
{
	return (bytes + SHM_PAGE - 1) & ~(size_t)(SHM_PAGE - 1);
}

static bool sizes_check(const struct shm_sizes *s, char why[256])
{
	const char *rule = NULL;

	if (s->workers_max < 1 || s->slots != 2 * (s->workers_max + SHM_ASIDE) || s->slots > SHM_SLOTS_MAX)
		rule = "2 x (workers + 2) slots, at most 132";
	else if (!is_power_of_two(s->rate_pairs) || !is_power_of_two(s->revoked_pairs))
		rule = "a power of two of rate and revocation entries";
	else if (!is_power_of_two(s->ring_bytes) || s->ring_bytes < SHM_RING_MIN_BYTES)
		rule = "a power of two of ring bytes, at least 262144";
	else if (s->generations < 1 || s->generations > 65536)
		rule = "1 to 65536 generations";
	else if (s->text_pages < s->generations || s->text_pages - s->generations > SHM_TEXT_POOL_MAX)
		rule = "a page for the text of each generation, and at most 1 GiB of pages beside them";
	if (rule != NULL)
		snprintf(why, 256, "shared memory needs %s", rule);
	return rule == NULL;
}

/* Places one part after the previous one. Each part begins on a page. */
static void part_place(struct shm_header *head, enum shm_part_id id, uint32_t version, uint64_t count, uint64_t stride)
{
	PL_BUG(head->parts_count >= SHM_PARTS_MAX);
	head->parts[head->parts_count++] = (struct shm_part){ .id = id, .version = version, .offset = head->bytes,
		.bytes = page_round(count * stride), .count = count, .stride = stride };
	head->bytes += page_round(count * stride);
}

static void parts_place(struct shm_header *head)
{
	const struct shm_sizes *s = &head->sizes;

	head->bytes = page_round(sizeof(*head));
	part_place(head, SHM_PART_BEATS, 1, SHM_BEATS, sizeof(struct shm_beat));
	part_place(head, SHM_PART_SCORES, 1, s->slots, sizeof(struct shm_score));
	part_place(head, SHM_PART_COUNTERS, 1, s->slots, sizeof(struct shm_counters));
	part_place(head, SHM_PART_RATES, 1, s->rate_pairs, sizeof(struct pl_pair));
	/*
	 * two tables: ended login sessions and used tickets, so that many entries of one kind cannot displace the other
	 * kind
	 */
	part_place(head, SHM_PART_REVOKED, 1, 2 * (uint64_t)s->revoked_pairs, sizeof(struct pl_pair));
	part_place(head, SHM_PART_RINGS, 1, s->slots, page_round(sizeof(struct shm_ring) + s->ring_bytes));
	part_place(head, SHM_PART_PRESENCE, 1, s->slots, page_round(sizeof(struct shm_presence)));
	part_place(head, SHM_PART_GENERATIONS, 2, s->generations, sizeof(struct shm_gen));
	part_place(head, SHM_PART_BREAKERS, 1, SHM_BREAKERS, sizeof(struct shm_breaker));
	part_place(head, SHM_PART_TRACES, 1, s->slots, page_round(sizeof(struct shm_trace)));
	part_place(head, SHM_PART_REFUSALS, 1, s->slots, page_round(sizeof(struct shm_refusals)));
	part_place(head, SHM_PART_STATS, 1, s->slots, page_round(sizeof(struct shm_stats)));
	part_place(head, SHM_PART_OUTCOMES, 1, SHM_OUTCOMES, sizeof(struct shm_outcome));
	part_place(head, SHM_PART_LINKS, 1, s->text_pages, sizeof(struct shm_link));
	part_place(head, SHM_PART_PAGES, 1, s->text_pages, SHM_TEXT_PAGE);
}

const struct shm_part *shm_part_find(const struct shm_header *head, enum shm_part_id id)
{
	uint32_t i = 0;

	while (i < head->parts_count && head->parts[i].id != id)
		i++;
	PL_BUG(i == head->parts_count);
	return &head->parts[i];
}

static char *part_map(const struct shm *shm, enum shm_part_id id, size_t *stride_r)
{
	const struct shm_part *part = shm_part_find(shm->head, id);

	if (stride_r != NULL)
		*stride_r = part->stride;
	return (char *)shm->head + part->offset;
}

static void parts_map(struct shm *shm)
{
	shm->beats = (struct shm_beat *)(void *)part_map(shm, SHM_PART_BEATS, NULL);
	shm->scores = (struct shm_score *)(void *)part_map(shm, SHM_PART_SCORES, NULL);
	shm->counters = (struct shm_counters *)(void *)part_map(shm, SHM_PART_COUNTERS, NULL);
	shm->rate = (struct pl_pair *)(void *)part_map(shm, SHM_PART_RATES, NULL);
	shm->revoked = (struct pl_pair *)(void *)part_map(shm, SHM_PART_REVOKED, NULL);
	shm->rings = part_map(shm, SHM_PART_RINGS, &shm->ring_stride);
	shm->presence = part_map(shm, SHM_PART_PRESENCE, &shm->presence_stride);
	shm->gens = part_map(shm, SHM_PART_GENERATIONS, &shm->gen_stride);
	shm->breakers = part_map(shm, SHM_PART_BREAKERS, NULL);
	shm->traces = part_map(shm, SHM_PART_TRACES, &shm->trace_stride);
	shm->refusals = part_map(shm, SHM_PART_REFUSALS, &shm->refusal_stride);
	shm->stats = part_map(shm, SHM_PART_STATS, &shm->stats_stride);
	shm->outcomes = part_map(shm, SHM_PART_OUTCOMES, NULL);
	shm->links = (struct shm_link *)(void *)part_map(shm, SHM_PART_LINKS, NULL);
	shm->pages = part_map(shm, SHM_PART_PAGES, NULL);
	shm->page_hint = shm->head->sizes.generations;
}

static bool eventfds_make(struct shm *shm, int slots, char why[256])
{
	for (int i = 0; i < slots; i++) {
		shm->wake_fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (shm->wake_fd[i] < 0) {
			snprintf(why, 256, "eventfd %d of %d: %s", i + 1, slots, strerror(errno));
			return false;
		}
	}
	return true;
}

struct shm *shm_new(const struct shm_sizes *sizes, char why[256])
{
	struct shm_header head = { .version = SHM_VERSION, .sizes = *sizes };
	struct shm *shm;

	if (!sizes_check(sizes, why))
		return NULL;
	shm = pl_new(sizeof(*shm));
	shm->slot = -1;
	shm->fd = -1;
	for (int i = 0; i < SHM_SLOTS_MAX; i++)
		shm->wake_fd[i] = -1;
	parts_place(&head);
	pl_random(&head.boot_key, sizeof(head.boot_key));
	shm->bytes = head.bytes;
	shm->head = pl_shm_make("parlour", shm->bytes, &shm->fd);
	if (shm->head == NULL) {
		snprintf(why, 256, "shared memory of %zu bytes: %s", shm->bytes, strerror(errno));
		goto fail;
	}
	*shm->head = head;
	parts_map(shm);
	if (!eventfds_make(shm, (int)sizes->slots, why))
		goto fail;
	shm->head->magic = SHM_MAGIC;
	return shm;
fail:
	shm_free(&shm);
	return NULL;
}

static void fds_close(const struct shm *shm)
{
	for (int i = 0; i < SHM_SLOTS_MAX; i++) {
		if (shm->wake_fd[i] >= 0)
			close(shm->wake_fd[i]);
	}
	if (shm->fd >= 0)
		close(shm->fd);
}

void shm_free(struct shm **shm)
{
	struct shm *old = *shm;

	*shm = NULL;
	if (old == NULL)
		return;
	fds_close(old);
	if (old->head != NULL)
		munmap(old->head, old->bytes);
	pl_free(old);
}

struct shm_beat *shm_leave(struct shm **shm, int hasher)
{
	struct shm *old = *shm;
	struct shm_beat *beats = old->beats;
	char *base = (char *)old->head, *kept = (char *)beats;
	char *rest = kept + page_round(SHM_BEATS * sizeof(*beats));

	PL_BUG(hasher < 0 || hasher >= SHM_HASHERS_MAX);
	*shm = NULL;
	fds_close(old);
	munmap(base, (size_t)(kept - base));
	munmap(rest, old->bytes - (size_t)(rest - base));
	pl_free(old);
	return &beats[hasher];
}

/* A successor continues the counters, but gauges count only what this process holds. */
static void score_take(struct shm *shm, struct shm_score *score, int slot)
{
	struct shm_counters *counters = &shm->counters[slot];
	int64_t now_ns = pl_now_ns();
	const struct shm_sizes *sizes = &shm->head->sizes;

	for (int m = 0; m < SHM_M_COUNT; m++) {
		if (metric_kinds[m] >= METRIC_GAUGE)
			atomic_store_explicit(&counters->metric[m], 0, memory_order_relaxed);
	}
	atomic_store(&score->sockets, 0);
	atomic_store(&score->started_ns, now_ns);
	atomic_store(&score->last_turn_ns, now_ns);
	atomic_store(&score->is_aside, (uint32_t)slot % (sizes->workers_max + SHM_ASIDE) >= sizes->workers_max);
	atomic_store(&score->pid, getpid());
}

void shm_take_slot(struct shm *shm, int slot)
{
	struct shm_score *score;
	struct shm_ring *ring;
	uint32_t generation;

	PL_BUG(slot < 0 || (uint32_t)slot >= shm->head->sizes.slots);
	score = &shm->scores[slot];
	ring = shm_ring_at(shm, slot);
	shm->slot = slot;
	if (atomic_load(&ring->owned) != 0)
		shm_slot_died(shm, slot);	/* the predecessor was not yet reported as dead */
	/* The master increments it before a fork. Without a master, this process does. */
	generation = atomic_load(&score->generation);
	if (generation == atomic_load(&ring->taken)) {
		generation = generation + 1 != 0 ? generation + 1 : 1;
		atomic_store(&score->generation, generation);
	}
	atomic_store(&ring->owned, 1);
	atomic_store(&ring->taken, generation);
	score_take(shm, score, slot);
	shm_ring_take(shm, slot);
	atomic_store(&shm_presence_at(shm, slot)->generation, generation);
	atomic_fetch_and(&shm_refusals_at(shm, slot)->inside, ~1u);
	atomic_store(&score->state, SHM_STARTING);
}

void shm_slot_died(struct shm *shm, int slot)
{
	struct shm_score *score;

	PL_BUG(slot < 0 || (uint32_t)slot >= shm->head->sizes.slots);
	score = &shm->scores[slot];
	atomic_store(&score->pid, 0);
	atomic_store(&score->state, SHM_FREE);
	if (atomic_load(&shm_ring_at(shm, slot)->owned) == 0)
		return;				/* it died before it took anything */
	shm_gen_disown(shm, slot);
	shm_presence_clear(shm, slot);
	shm_ring_died(shm, slot);
	/* A worker that was killed between post and kick woke no reader, so all readers compare their positions now. */
	for (int i = 0; i < (int)shm->head->sizes.slots; i++) {
		if (shm_slot_live(shm, i))
			shm_wake(shm, i);
	}
}

bool shm_slot_live(const struct shm *shm, int slot)
{
	return atomic_load_explicit(&shm->scores[slot].state, memory_order_acquire) != SHM_FREE;
}

void shm_count_dropped(_Atomic int64_t *at)
{
	static unsigned long counted;
	unsigned long dropped = pl_log_dropped();

	if (at != NULL && dropped != counted)
		atomic_fetch_add(at, (int64_t)(dropped - counted));
	counted = dropped;
}

int64_t shm_sum(const struct shm *shm, enum shm_metric m)
{
	int64_t sum = 0;

	for (int i = 0; i < (int)shm->head->sizes.slots; i++) {
		if (metric_kinds[m] < METRIC_GAUGE || shm_slot_live(shm, i))
			sum += atomic_load_explicit(&shm->counters[i].metric[m], memory_order_relaxed);
	}
	for (int i = 0; m == SHM_M_log_dropped && i < SHM_BEATS; i++)
		sum += atomic_load_explicit(&shm->beats[i].log_dropped, memory_order_relaxed);
	return sum;
}

uint64_t shm_tag(const struct shm *shm, const void *key, size_t bytes)
{
	uint64_t tag = pl_siphash(&shm->head->boot_key, key, bytes);

	return tag != 0 ? tag : 1;
}

void shm_wake(const struct shm *shm, int slot)
{
	uint64_t one = 1;

	/* EAGAIN: the counter is at its limit, so the reader wakes anyway. */
	while (write(shm->wake_fd[slot], &one, sizeof(one)) < 0 && errno == EINTR)
		;
}
