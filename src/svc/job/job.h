/* SPDX-License-Identifier: ISC */
/*
 * Kinds of jobs, and what their functions say about a try. kinds.def has the table.
 */
#ifndef SVC_JOB_H
#define SVC_JOB_H

#include "core/settings.h"
#include "core/shm.h"
#include "db/repo/repo_job.h"

/* What the try showed of the peer's health, whatever became of the job. */
enum job_peer { JOB_PEER_UNSEEN, JOB_PEER_UP, JOB_PEER_DOWN };

struct job_end {
	enum job_result result;
	enum job_peer peer;
	int64_t delay_us;		/* until the next try, when the peer named it; 0: the usual pause */
	char why[2000];			/* "" when it is done; may hold what job_secret() named */
};

/* What a try reports to the courier; lives in the porter. */
struct job_out;
/* Keeps this out of the log and of last_error. Before the try; at most 8. Less than 4 bytes are not looked for. */
void job_secret(struct job_out *out, struct pl_str secret);
/* From now on nobody knows whether the job is done, until job_ended(). For last_error, should the porter die. */
void job_in_doubt(struct job_out *out);
/* Once. What comes after it is good manners, and may be cut off. */
void job_ended(struct job_out *out, const struct job_end *end);

typedef bool (job_ready_fn)(const struct config *config);
/* Must call job_ended(); a porter that ends without it has failed and is repeated. */
typedef void (job_run_fn)(const struct job *job, const struct config *config, struct job_out *out);
typedef void (job_look_fn)(const struct config *config, struct job_out *out);

#define JOB_KIND(kind, peer, look, ...) job_ready_fn job_##kind##_ready; job_run_fn job_##kind##_run;
#include "svc/job/kinds.def"
#undef JOB_KIND
job_look_fn job_mail_look;

struct job_kind {
	const char *name;
	job_ready_fn *ready;
	job_run_fn *run;
	const char *peer;
	job_look_fn *look;
	int lane_max, limit_s, cpu_s, memory_mb;
	enum shm_metric ended[JOB_DEAD + 1];	/* by enum job_result */
};
#define JOB_KINDS_MAX 32
extern const struct job_kind job_kinds[];
extern const int job_kinds_count;

#endif
