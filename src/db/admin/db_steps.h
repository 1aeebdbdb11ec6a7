/* SPDX-License-Identifier: ISC */
/*
 * Jobs that work in the database: an SQL function does the next part in one transaction, and is called until nothing is
 * left. The position is stored in the same transaction.
 */
#ifndef DB_DB_STEPS_H
#define DB_DB_STEPS_H

#include <stdbool.h>

#include "pool.h"
#include "str.h"

enum db_steps { DB_STEPS_ACCOUNT_DELETE, DB_STEPS_ACCOUNT_EXPORT };

/*
 * Runs the steps of a job over a connection of its own, and blocks until they are done. false: no connection, or a step
 * failed; why[] has a sentence without passwords, and the job goes on with that step when it is called again.
 */
bool db_steps_run(const char *dsn, enum db_steps what, struct pl_str job_id, char why[512]) PL_MUSTCHECK;

#endif
