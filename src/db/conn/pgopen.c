/* SPDX-License-Identifier: ISC */
/* Parameters for PQconnectStartParams(), and the first statement of each connection. */
#include "db/conn/pgopen.h"

#include <stdio.h>

#include "err.h"

static void ignore_notice(void *arg, const PGresult *res)
{
}

int64_t pgopen_answer_ms(const struct settings *s)
{
	return s->db_statement_timeout + s->db_answer_timeout;
}

/* The parameters before dbname are defaults that the operator's string may change. Those after it are fixed. */
PGconn *pgopen_start(const struct settings *s, const struct lookup_found *found, const char *name)
{
	char unheard[24];
	bool lists = found->hostaddr[0] != '\0';
	const char *keys[] = { "tcp_user_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
		"dbname", "application_name", "client_encoding", lists ? "host" : NULL, "hostaddr", "port", NULL };
	const char *values[] = { unheard, "30", "10", "3", s->db, name, "UTF8", found->host, found->hostaddr,
		found->port, NULL };
	PGconn *pg;

	snprintf(unheard, sizeof(unheard), "%lld", (long long)pgopen_answer_ms(s));
	pg = PQconnectStartParams(keys, values, 1);
	PL_BUG(pg == NULL);
	PQsetNoticeReceiver(pg, ignore_notice, NULL);
	return pg;
}

/*
 * Generic plans: PostgreSQL's default plans the statement of room_append() for each execution: 1.0 ms instead of 0.3.
 */
bool pgopen_setup(const struct settings *s, PGconn *pg, const char *channel)
{
	char statement[24], lock[24], listen[64] = "";
	const char *values[] = { statement, lock };

	snprintf(statement, sizeof(statement), "%lld", (long long)s->db_statement_timeout);
	if (channel != NULL)
		snprintf(listen, sizeof(listen), "LISTEN %s", channel);
	snprintf(lock, sizeof(lock), "%lld", (long long)s->db_lock_timeout);
	return PQsetnonblocking(pg, 1) == 0 && PQenterPipelineMode(pg) == 1 &&
	    PQsendQueryParams(pg,
		"SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false), "
		"set_config('client_min_messages', 'warning', false), set_config("
		"'plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false)",
		2, NULL, values, NULL, NULL, 0) == 1 &&
	    (channel == NULL || PQsendQueryParams(pg, listen, 0, NULL, NULL, NULL, NULL, 0) == 1) &&
	    PQpipelineSync(pg) == 1;
}
