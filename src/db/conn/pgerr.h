/* SPDX-License-Identifier: ISC */
/*
 * What PostgreSQL's errors mean here. Source: PostgreSQL manual, appendix A (SQLSTATE).
 */
#ifndef DB_PGERR_H
#define DB_PGERR_H

#include <libpq-fe.h>

#include "err.h"
#include "task.h"

enum pgerr_kind {
	PGERR_LOST,	/* the connection is going away (57P01 .. 57P05, 08xxx): the connection's loss will follow */
	PGERR_RETRY,	/* no fault of its own (40001, 40P01; 26000: an aborted group prepared it): repeat it */
	PGERR_LOCK,	/* a lock or the statement took too long (55P03, 57014): nothing happened */
	PGERR_TAKEN,	/* somebody else has the Idempotency-Key now (PL001, see sql): rolled back */
	PGERR_AWAY,	/* the server cannot write now (25006, 53xxx): nothing happened */
	PGERR_FATAL	/* everything else: the statement is wrong, or its data */
};

/* Fills *err_r for the caller. PGERR_FATAL is logged here with the statement's name, since its text must not travel. */
enum pgerr_kind pgerr_of(const PGresult *res, const char *stmt_name, const struct pl_task *task, struct pl_err *err_r);
/* Only the kind, without log; for tests and pgerr_of(). sqlstate may be NULL. */
enum pgerr_kind pgerr_kind(const char *sqlstate);
/* Copies libpq's message without its newline, cut to fit, control bytes as blanks. */
void pgerr_text(const char *message, char out[256]);

#endif
