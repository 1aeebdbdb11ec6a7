/* SPDX-License-Identifier: ISC */
/*
 * The packets between a worker and a hasher: one packet per job, and one per answer.
 */
#ifndef CORE_HASHER_WIRE_H
#define CORE_HASHER_WIRE_H

#include "core/hasher.h"

enum hash_verb { HASH_MAKE = 1, HASH_VERIFY };

/*
 * Answered in the order of arrival per socket. After a job of a higher generation on the same socket, all older jobs
 * are dropped.
 */
struct hash_job {
	uint64_t id;
	uint32_t generation;		/* of the asking slot */
	uint32_t verb;			/* enum hash_verb */
	int64_t deadline_ns;		/* after this time, the worker no longer waits */
	struct pl_passwd_cost cost;
	uint32_t password_bytes;
	uint32_t has_encoded;
	char encoded[PL_PASSWD_HASH_MAX];
	char password[PL_PASSWD_MAX];	/* the packet ends after its last byte */
};

struct hash_answer {
	uint64_t id;
	uint32_t generation;
	uint32_t good, rehash, failed;	/* failed: it could not be computed */
	char encoded[PL_PASSWD_HASH_MAX];
};

#define HASH_JOB_BYTES(job) (offsetof(struct hash_job, password) + (job)->password_bytes)

/* The computation itself; wipes the job's password. */
void hash_compute(struct hash_job *job, struct hash_answer *answer_r);

#endif
