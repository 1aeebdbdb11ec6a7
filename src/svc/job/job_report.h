/* SPDX-License-Identifier: ISC */
/*
 * The report of a porter to the courier: records of fixed size in the pipe of the porter.
 */
#ifndef SVC_JOB_REPORT_H
#define SVC_JOB_REPORT_H

#include "core/shm_parts.h"
#include "svc/job/job.h"

enum job_say { JOB_SAYS_DOUBT = 1, JOB_SAYS_END };
struct job_word { int32_t say, pad; struct job_end end; };

#define JOB_SECRETS_MAX 8

struct job_out {
	int fd;
	struct shm_outcome *outcome;	/* where the outcome is kept if the courier dies; NULL: nowhere */
	struct pl_str secrets[JOB_SECRETS_MAX];
	int secrets_count;
};

struct job_report {
	const char *words;		/* bytes from the pipe */
	size_t bytes;
	const char *died;		/* how the porter ended, as a phrase */
	const struct shm *shm;		/* NULL: it keeps no outcome */
	int place;
};
/*
 * The outcome that the porter reported; or the one that it kept, if it died before the report; else a retry whose `why`
 * contains `died`.
 */
void job_report_read(const struct job_report *report, struct job_end *end_r);
/* The outcome that the porter at this place kept, and its job. false: none; the arguments are unchanged. */
bool job_outcome_read(const struct shm *shm, int place, char id_r[PL_UUID_LEN + 1], struct job_end *end_r);

#endif
