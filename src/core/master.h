/* SPDX-License-Identifier: ISC */
/*
 * The master reads the configuration, opens sockets, creates the shared segment, starts the processes, and supervises
 * them. It does not handle requests.
 */
#ifndef CORE_MASTER_H
#define CORE_MASTER_H

#include "core/worker.h"

struct master_opts {
	const char *config_path;
	const char *const *overrides;
	int overrides_count;
	bool foreground;		/* -f */
	bool single;			/* -1 */
	/* Called in the master before it forks: checks the database (schema version, fsync, connection budget). */
	bool (*check)(char why[512]);	/* at a reload: checks files of the layers above; may be NULL */
	int (*preflight)(const struct config *config, char why[512]); /* 0, or an exit status such as 78 or 69 */
	/* Text of `parlourctl why`, `limits`, and /metrics, made in the master from shared memory. false: nothing. */
	bool (*render)(const struct config *config, struct shm *shm, const char *what, const char *arg,
	    struct pl_buf *out);
	struct app_hooks worker, clerk, courier;
};

/*
 * Exit statuses (sysexits.h): 0, 64 usage, 69 database away, 71 system, 73 cannot create, 77 permission, 78
 * configuration.
 */
int master_run(const struct master_opts *opts);

#endif
