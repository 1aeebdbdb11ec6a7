/* SPDX-License-Identifier: ISC */
/*
 * Jobs for parlourctl: each function runs one statement and returns one text for the operator.
 */
#ifndef DB_DB_JOBS_H
#define DB_DB_JOBS_H

#include "db/admin/db_import.h"

/*
 * A table, oldest first; "" if it is empty. If there are more than 1,000 jobs, it has the newest and a line that says
 * so. state NULL: waiting, running, and dead jobs; "all": all jobs.
 */
bool db_jobs_list(struct db_import *db, const char *state, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* A line per property, "" when there is no such job. */
bool db_jobs_show(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Calls job_retry() or job_drop(): "ok", or the status that they return. */
bool db_jobs_retry(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
bool db_jobs_drop(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Makes all dead jobs due now. The text is their number. */
bool db_jobs_retry_dead(struct db_import *db, struct pl_pool *pool, const char **text_r, char why[512]) PL_MUSTCHECK;

#endif
