/* SPDX-License-Identifier: ISC */
/*
 * Figures with labels for /metrics: requests by route, and models by upstream. One table per slot, written by the
 * slot's process alone; its successor in the slot continues them. Labels come from tables and the configuration, never
 * from clients.
 */
#ifndef CORE_SHM_STATS_H
#define CORE_SHM_STATS_H

#include "core/shm.h"
#include "str.h"

/* Upper bounds of the buckets of all histograms, in us; the last bucket is +Inf. */
#define SHM_BOUNDS { 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, \
	5000000, 10000000, 30000000, 60000000 }
#define SHM_BOUNDS_COUNT 18

struct shm_times { _Atomic int64_t sum_us, bucket[SHM_BOUNDS_COUNT + 1]; };

/* ---- requests: routes, then sockets; 0: requests without a route ---- */
#define SHM_ENDPOINTS 512
#define SHM_STATUSES 5			/* 1xx to 5xx */

struct shm_endpoint { _Atomic int64_t status[SHM_STATUSES]; struct shm_times times; };

/* ---- models: by upstream ---- */
#define SHM_UPSTREAMS 33		/* the last one is "other", for names that do not fit */
#define SHM_UPSTREAM_NAME 40

enum shm_asked { SHM_ASKED_DONE, SHM_ASKED_FAILED, SHM_ASKED_CANCELLED, SHM_ASKED_UNAVAILABLE, SHM_ASKED_COUNT };
struct shm_upstream {
	char name[SHM_UPSTREAM_NAME];	/* written before `used`, never changed */
	_Atomic int32_t used;
	_Atomic int64_t outcome[SHM_ASKED_COUNT], attempts, prompt_tokens, completion_tokens, cost_micros;
	struct shm_times total, first;
};

struct shm_stats {
	_Alignas(64) struct shm_endpoint endpoints[SHM_ENDPOINTS];
	struct shm_upstream upstreams[SHM_UPSTREAMS];
};

/* Counts a finished request to this endpoint. */
void shm_endpoint_count(struct shm *shm, int endpoint, int status, int64_t us);
/* Requests that a slot has answered. */
int64_t shm_requests(const struct shm *shm, int slot);

/* One query of a model; -1: unknown. first_us: time until its first text. */
struct shm_question {
	enum shm_asked outcome;
	int64_t attempts, total_us, first_us, prompt_tokens, completion_tokens;
};
void shm_upstream_count(struct shm *shm, struct pl_str name, const struct shm_question *question);
/* Adds the cost of an answer of an upstream, which is known only after its end. */
void shm_upstream_cost(struct shm *shm, struct pl_str name, int64_t micros);

/* Plain copies, summed over the slots. */
struct shm_times_sum { int64_t sum_us, bucket[SHM_BOUNDS_COUNT + 1]; };	/* buckets: not cumulative */
struct shm_endpoint_sum { int64_t status[SHM_STATUSES]; struct shm_times_sum times; };
struct shm_upstream_sum {
	char name[SHM_UPSTREAM_NAME];
	int64_t outcome[SHM_ASKED_COUNT], attempts, prompt_tokens, completion_tokens, cost_micros;
	struct shm_times_sum total, first;
};
void shm_endpoint_read(const struct shm *shm, int endpoint, struct shm_endpoint_sum *sum_r);
/* Returns the number of upstreams; they are in the order of their first use. */
int shm_upstreams_read(const struct shm *shm, struct shm_upstream_sum sums_r[SHM_UPSTREAMS]);

#endif
