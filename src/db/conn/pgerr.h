/* SPDX-License-Identifier: ISC */
/*
 * Translates errors of PostgreSQL. Source: PostgreSQL manual, appendix A (SQLSTATE).
 */
#ifndef DB_PGERR_H
#define DB_PGERR_H

#include <libpq-fe.h>

#include "err.h"
#include "task.h"

enum pgerr_kind {
	PGERR_LOST,	/* the connection is closing (57P01 .. 57P05, 08xxx): its loss follows */
	PGERR_RETRY,	/* repeat it (40001, 40P01; 26000: an aborted group prepared it) */
	PGERR_LOCK,	/* a lock or the statement took too long (55P03, 57014): nothing happened */
	PGERR_TAKEN,	/* another request has the Idempotency-Key now (PL001, see sql): rolled back */
	PGERR_AWAY,	/* the server cannot write now (25006, 53xxx): nothing happened */
	PGERR_FATAL	/* everything else: the statement is wrong, or its data */
};

/*
 * Fills *err_r for the caller. PGERR_FATAL is logged here with the name of the statement, because clients must not see
 * its text.
 */
enum pgerr_kind pgerr_of(const PGresult *res, const char *stmt_name, const struct pl_task *task, struct pl_err *err_r);
/* Returns the kind without a log line; for tests and pgerr_of(). sqlstate may be NULL. */
enum pgerr_kind pgerr_kind(const char *sqlstate);
/* Copies libpq's message without its newline, cut to fit, control bytes as blanks. */
void pgerr_text(const char *message, char out[256]);

#endif
