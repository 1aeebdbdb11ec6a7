/* SPDX-License-Identifier: ISC */
/*
 * Jobs (table jobs): work that the courier takes, does, and records. Functions of the database queue jobs in the
 * transaction that needs them.
 */
#ifndef DB_REPO_JOB_H
#define DB_REPO_JOB_H

#include "db/db.h"

struct job {
	struct pl_str id, kind, lane;
	struct pl_str payload;			/* JSON */
	int tries;				/* this one included */
	struct pl_str request_id;		/* absent: no feedback request; then the rest is absent, too */
	struct pl_str asker, question, context, options, on_timeout;
	int64_t due_us;				/* time-out of the feedback request */
};
struct job_list { const struct job *rows; int count; };
typedef void (repo_jobs_fn)(void *arg, const struct job_list *list, const struct pl_err *err);

/* The jobs that a courier can take now. Borrowed. */
struct job_claim {
	const struct pl_str *kinds;
	const int64_t *lane_max;		/* [kinds_count]: maximum of one lane at the same time */
	int kinds_count;
	const struct pl_str *lanes;		/* "kind lane" of each job that it runs */
	int lanes_count;
	int limit;
};
/*
 * Takes due jobs for `lease_us`; then others may take them, unless repo_jobs_tend() extends the lease. After
 * PL_E_WRITE_UNKNOWN, repo_jobs_tend() also returns jobs that were taken.
 */
void repo_jobs_claim(struct db *db, struct pl_task *task, const struct job_claim *claim, int64_t lease_us,
    repo_jobs_fn *done, void *arg);
/* Microseconds until the next job of these kinds becomes due; -1: there is none. */
void repo_jobs_next(struct db *db, struct pl_task *task, const struct pl_str *kinds, int count, db_count_fn *done,
    void *arg);
/* A unique name of this process as the owner of jobs: place/daemon/slot/process (lifeline_place()). In pool. */
struct pl_str repo_jobs_owner(struct db *db, struct pl_pool *pool);
struct job_owners { const struct pl_str *names; int count; };
typedef void (repo_job_owners_fn)(void *arg, const struct job_owners *owners, const struct pl_err *err);
/* Couriers of this place that have jobs, dead ones included. */
void repo_jobs_owners(struct db *db, struct pl_task *task, repo_job_owners_fn *done, void *arg);
struct job_tend {
	const struct pl_str *held;		/* jobs that this process has */
	int held_count;
	struct job_owners dead;			/* couriers known to be dead: their jobs are queued again at once */
	bool expired;				/* queue jobs of other couriers again if their lease has expired */
};
/*
 * Extends the leases of this process, and queues jobs again that no process works on; each counts as a failed attempt
 * with its pause. Not while a claim is in progress. *result: the number of queued jobs.
 */
void repo_jobs_tend(struct db *db, struct pl_task *task, const struct job_tend *tend, int64_t lease_us,
    db_count_fn *done, void *arg);

struct job_counts { int64_t waiting, dead; };
typedef void (repo_job_counts_fn)(void *arg, const struct job_counts *counts, const struct pl_err *err);
void repo_jobs_count(struct db *db, struct pl_task *task, repo_job_counts_fn *done, void *arg);

enum job_result { JOB_DONE, JOB_RETRY, JOB_DEAD };
/*
 * Stores the outcome of an attempt; may be repeated. error absent: none. delay_us: until the next attempt; 0: default.
 */
void repo_job_end(struct db *db, struct pl_task *task, struct pl_str id, enum job_result result, struct pl_str error,
    int64_t delay_us, db_done_fn *done, void *arg);

/* Calls fn(arg) when a transaction that queued a job was committed, and when such an event may have been missed. */
void repo_jobs_listen(struct db *db, void (*fn)(void *arg), void *arg);

#endif
