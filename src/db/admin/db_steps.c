/* SPDX-License-Identifier: ISC */
/*
 * Steps of jobs, with synchronous libpq.
 */
#include "db/admin/db_steps.h"

#include <string.h>

#include "db/admin/migrate_int.h"

/* A batch takes milliseconds. One that waits for a lock gives up, and the job is repeated later. */
#define BOUNDS "SET statement_timeout = '60s'; SET lock_timeout = '20s'"

static const char *const steps[] = {
	[DB_STEPS_ACCOUNT_DELETE] = "SELECT account_delete_step($1::uuid)",
	[DB_STEPS_ACCOUNT_EXPORT] = "SELECT account_export_step($1::uuid)",
};

static bool step(PGconn *pg, enum db_steps what, const char *job, bool *more_r, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	const char *said = migrate_value(pg, pool, steps[what], 1, &job, why);

	*more_r = said != NULL && strcmp(said, "more") == 0;
	pl_pool_free(&pool);
	return said != NULL;
}

bool db_steps_run(const char *dsn, enum db_steps what, struct pl_str job_id, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	const char *job = pl_str_c(pool, job_id);
	PGconn *pg = migrate_connect(dsn, "parlourd job", why);
	bool more = true, good = pg != NULL && migrate_exec(pg, BOUNDS, "set", why);

	while (good && more)
		good = step(pg, what, job, &more, why);
	if (pg != NULL)
		PQfinish(pg);
	pl_pool_free(&pool);
	return good;
}
