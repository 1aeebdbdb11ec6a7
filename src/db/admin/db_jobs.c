/* SPDX-License-Identifier: ISC */
/*
 * Jobs for parlourctl: statements.
 */
#include "db/admin/db_jobs.h"

#include "db/admin/db_import_int.h"

bool db_jobs_list(struct db_import *db, const char *state, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { state };

	*text_r = migrate_value(db->pg, pool,
	    "SELECT format('%-36s  %-6s %-7s %5s  %-19s  %s', 'ID', 'KIND', 'STATE', 'TRIES', 'DUE (UTC)', "
	    "'KEY: LAST ERROR') || E'\\n' || string_agg(format('%-36s  %-6s %-7s %5s  %-19s  %s%s', j.id, j.kind, "
	    "j.state, j.tries, " WHEN("j.due_at") ", " CLEAN("j.key") ", "
	    "': ' || " CLEAN("split_part(j.last_error, E'\\n', 1)") "), E'\\n' "
	    "ORDER BY j.due_at, j.id) || CASE WHEN max(j.total) > count(*) THEN format(E'\\n(the newest %s of %s jobs; "
	    "`jobs show ID` shows any)', count(*), max(j.total)) ELSE '' END "
	    "FROM (SELECT s.*, count(*) OVER () AS total FROM jobs s WHERE CASE WHEN $1::text IS NULL "
	    "THEN s.state IN ('waiting', 'running', 'dead') ELSE $1 IN (s.state, 'all') END "
	    "ORDER BY s.created_at DESC LIMIT " LIST_MAX ") j", 1, params, why);
	return *text_r != NULL;
}

bool db_jobs_show(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { id };

	*text_r = migrate_value(db->pg, pool,
	    "SELECT (SELECT string_agg(format('%-12s %s', v.name, v.value), E'\\n' ORDER BY v.n) FROM (VALUES "
	    "(1, 'id', j.id::text), (2, 'kind', j.kind), (3, 'key', " CLEAN("j.key") "), (4, 'state', j.state), "
	    "(5, 'tries', j.tries::text), (6, 'due', " WHEN("j.due_at") "), (7, 'created', " WHEN("j.created_at") "), "
	    "(8, 'started', " WHEN("j.started_at") "), (9, 'finished', " WHEN("j.finished_at") "), "
	    "(10, 'given up', " WHEN("j.give_up_at") "), (11, 'lane', " CLEAN("j.lane") "), (12, 'owner', j.owner), "
	    "(13, 'to', " CLEAN("j.payload ->> 'to'") "), (14, 'request', j.request_id::text), "
	    "(15, 'session', j.session_id::text), "
	    "(16, 'last error', replace(regexp_replace(j.last_error, "
	    "'[\\u0001-\\u0009\\u000B-\\u001F\\u007F-\\u009F]', '?', 'g'), E'\\n', E'\\n' || repeat(' ', 13)))) "
	    "AS v (n, name, value) "
	    "WHERE v.value IS NOT NULL) "
	    "FROM jobs j WHERE j.id = $1::uuid", 1, params, why);
	return *text_r != NULL;
}

bool db_jobs_retry(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { id };

	*text_r = migrate_value(db->pg, pool, "SELECT job_retry($1::uuid)", 1, params, why);
	return *text_r != NULL;
}

bool db_jobs_drop(struct db_import *db, const char *id, struct pl_pool *pool, const char **text_r, char why[512])
{
	const char *params[] = { id };

	*text_r = migrate_value(db->pg, pool, "SELECT job_drop($1::uuid)", 1, params, why);
	return *text_r != NULL;
}

bool db_jobs_retry_dead(struct db_import *db, struct pl_pool *pool, const char **text_r, char why[512])
{
	*text_r = migrate_value(db->pg, pool,
	    "SELECT count(*) FROM (SELECT s.id FROM jobs s WHERE s.state = 'dead' ORDER BY s.id) j "
	    "WHERE job_retry(j.id) = 'ok'", 0, NULL, why);
	return *text_r != NULL;
}
