/* SPDX-License-Identifier: ISC */
/*
 * What a porter says to the courier: words of one size through the porter's pipe.
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
	struct shm_outcome *outcome;	/* where it is kept should the courier die; NULL: nowhere */
	struct pl_str secrets[JOB_SECRETS_MAX];
	int secrets_count;
};

/* What was said so far: the end, if there was one; else a retry whose `why` begins with `died`. */
void job_report_read(const char *report, size_t bytes, const char *died, struct job_end *end_r);

#endif
