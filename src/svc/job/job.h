/* SPDX-License-Identifier: ISC */
/*
 * Kinds of jobs, and the result that their functions report. kinds.def has the table.
 */
#ifndef SVC_JOB_H
#define SVC_JOB_H

#include "core/settings.h"
#include "core/shm.h"
#include "db/repo/repo_job.h"

/* The state of the peer that the attempt showed, with any outcome of the job. */
enum job_peer { JOB_PEER_UNSEEN, JOB_PEER_UP, JOB_PEER_DOWN };

struct job_end {
	enum job_result result;
	enum job_peer peer;
	int64_t delay_us;		/* until the next attempt, if the peer named a time; 0: default pause */
	char why[2000];			/* "" when it is done; may contain texts that job_secret() named */
};

/* The report of an attempt to the courier; exists in the porter. */
struct job_out;
/*
 * Removes this text from the log and from last_error. Call it before the attempt, at most 8 times. Texts of less than 4
 * bytes are not removed.
 */
void job_secret(struct job_out *out, struct pl_str secret);
/* From now on, until job_ended(), it is unknown whether the job is done. Used for last_error if the porter dies. */
void job_in_doubt(struct job_out *out);
/* Call it once. Later work must not matter, because it may be cut off. */
void job_ended(struct job_out *out, const struct job_end *end);

typedef bool (job_ready_fn)(const struct config *config);
/* Must call job_ended(). If a porter ends without it, the attempt failed and is repeated. */
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
