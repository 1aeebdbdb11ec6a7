/* SPDX-License-Identifier: ISC */
/* Maps SQLSTATEs to kinds and codes. */
#include "db/conn/pgerr.h"

#include <string.h>

#include "db/db_int.h"
#include "log.h"
#include "str.h"

static const struct { const char *prefix; enum pgerr_kind kind; } kinds[] = {
	{ "57P", PGERR_LOST },
	{ "08", PGERR_LOST },
	{ "40001", PGERR_RETRY },
	{ "40P01", PGERR_RETRY },
	{ "26000", PGERR_RETRY },
	{ "55P03", PGERR_LOCK },
	{ "57014", PGERR_LOCK },
	{ "25006", PGERR_AWAY },
	{ "53", PGERR_AWAY },
	{ "PL001", PGERR_TAKEN },
};

enum pgerr_kind pgerr_kind(const char *sqlstate)
{
	if (sqlstate == NULL)
		return PGERR_LOST;	/* no SQLSTATE: libpq reports that the connection broke */
	for (size_t i = 0; i < PL_COUNT(kinds); i++) {
		if (strncmp(sqlstate, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].kind;
	}
	return PGERR_FATAL;
}

void pgerr_text(const char *message, char out[256])
{
	size_t len = message != NULL ? strcspn(message, "\n") : 0;

	len = pl_utf8_cut(message, len, 255);
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)message[i] < ' ' ? ' ' : message[i];
	out[len] = '\0';
}

enum pgerr_kind pgerr_of(const PGresult *res, const char *stmt_name, const struct pl_task *task, struct pl_err *err_r)
{
	const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	enum pgerr_kind kind = pgerr_kind(sqlstate);
	char text[256];

	switch (kind) {
	case PGERR_LOST:
	case PGERR_AWAY:
		pl_err_set(err_r, PL_E_DB_AWAY, NULL);
		err_r->retry_after_s = DB_RETRY_AFTER_S;
		break;
	case PGERR_RETRY:
	case PGERR_LOCK:
		pl_err_set(err_r, PL_E_BUSY, NULL);
		err_r->retry_after_s = 1;
		break;
	case PGERR_TAKEN:
		pl_err_set(err_r, PL_E_IN_PROGRESS, NULL);
		break;
	case PGERR_FATAL:
		pgerr_text(PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY), text);
		pl_log(PL_LOG_ERROR, task, "database error", "statement=%s sqlstate=%s text=%s", stmt_name, sqlstate,
		    text);
		pl_err_set(err_r, PL_E_DB, NULL);
		break;
	}
	if (sqlstate != NULL)
		memcpy(err_r->sqlstate, sqlstate, strnlen(sqlstate, 5));
	return kind;
}
