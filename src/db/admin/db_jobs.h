/* SPDX-License-Identifier: ISC */
/*
 * Jobs for parlourctl: each call is one statement, and gives one text for people.
 */
#ifndef DB_DB_JOBS_H
#define DB_DB_JOBS_H

#include "db/admin/db_import.h"

/*
 * A table, oldest first, "" when it is empty; of more than 1,000 jobs the newest, with a line that says so. state NULL:
 * what waits, runs, or is dead; "all": everything.
 */
bool db_jobs_list(struct db_import *db, const char *state, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* A line per property, "" when there is no such job. */
bool db_jobs_show(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Calls job_retry() or job_drop(): "ok", or what they say. */
bool db_jobs_retry(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
bool db_jobs_drop(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r,
    char why[512]) PL_MUSTCHECK;
/* Makes all that are dead due now: how many. */
bool db_jobs_retry_dead(struct db_import *db, struct pl_pool *pool, const char **text_r, char why[512]) PL_MUSTCHECK;

#endif
