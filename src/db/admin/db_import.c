/* SPDX-License-Identifier: ISC */
/* Imports for parlourctl: statements. */
#include "db/admin/db_import.h"

#include <pwd.h>
#include <unistd.h>

#include "db/admin/db_import_int.h"

/* The audit trail attributes the changes of this transaction to the user that runs parlourctl. */
static bool name_caller(PGconn *pg, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	const struct passwd *user = getpwuid(getuid());
	const char *caller = user != NULL ? user->pw_name : pl_sprintf(pool, "%lld", (long long)getuid());
	bool good = migrate_value(pg, pool,
	    "SELECT set_config('parlour.caller', '0 parlourctl:' || replace($1, ' ', '_') || ' -', true)", 1, &caller,
	    why) != NULL;

	pl_pool_free(&pool);
	return good;
}

static bool ready(PGconn *pg, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	const char *found = migrate_value(pg, pool, "SELECT max(version) FROM schema_migrations", 0, NULL, why);
	int64_t version = 0;
	bool good = found != NULL && pl_str_i64(pl_str(found), 1, 1000000, &version) && version == MIGRATE_VERSION;

	if (found != NULL && !good)
		snprintf(why, 512, "the schema has version %s, this program needs %d: run parlourctl migrate", found,
		    MIGRATE_VERSION);
	pl_pool_free(&pool);
	return good && migrate_exec(pg, "BEGIN", "begin", why) && name_caller(pg, why);
}

struct db_import *db_import_open(const char *dsn, char why[512])
{
	PGconn *pg = migrate_connect(dsn, "parlourctl import", why);
	struct db_import *import;

	if (pg == NULL)
		return NULL;
	if (!ready(pg, why)) {
		PQfinish(pg);
		return NULL;
	}
	import = pl_new(sizeof(*import));
	import->pg = pg;
	return import;
}

bool db_import_rows(struct db_import *import, bool series, struct pl_str rows, int64_t *count_r, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	const char *param = pl_str_c(pool, rows);
	const char *count = migrate_value(import->pg, pool, series ? "SELECT usage_series_import($1::text::jsonb)" :
	    "SELECT usage_import($1::text::jsonb)", 1, &param, why);
	bool good = count != NULL && pl_str_i64(pl_str(count), 0, INT64_MAX, count_r);

	pl_pool_free(&pool);
	return good;
}

bool db_import_over(struct db_import *import, const char *source, const char *kind, struct pl_str lines,
    struct pl_str records, db_import_outcome_fn *on_outcome, void *arg, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	const char *params[] = { source, kind, pl_str_c(pool, lines), pl_str_c(pool, records) };
	PGresult *res = PQexecParams(import->pg, "SELECT line, outcome FROM import_all($1, $2, $3, $4)",
	    PL_COUNT(params), NULL, params, NULL, NULL, 0);
	bool good = PQresultStatus(res) == PGRES_TUPLES_OK;

	for (int i = 0; good && i < PQntuples(res); i++)
		on_outcome(arg, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
	if (!good)
		snprintf(why, 512, "the database reported an error: %.400s", PQresultErrorMessage(res));
	PQclear(res);
	pl_pool_free(&pool);
	return good;
}

bool db_import_document(struct db_import *import, const struct import_document *in, bool *fresh_r, char why[512])
{
	const char *params[] = { in->source, in->title, in->text, in->sha256, in->chunks, in->language };
	struct pl_pool *pool = pl_pool_new(0);
	const char *fresh = migrate_value(import->pg, pool,
	    "SELECT fresh FROM knowledge_put($1::text, $2::text, $3::text, $4::text, 0, $5::text, $6::text)", 6, params,
	    why);
	bool good = fresh != NULL;

	*fresh_r = good && fresh[0] == 't';
	pl_pool_free(&pool);
	return good;
}

bool db_import_price(struct db_import *import, const struct import_price *in, struct pl_pool *pool, const char **text_r,
    char why[512])
{
	const char *params[] = { in->upstream, in->model, in->prompt, in->completion, in->from };

	*text_r = migrate_value(import->pg, pool,
	    "SELECT price_set($1::text, $2::text, $3::text::numeric, $4::text::numeric, "
	    "coalesce($5::text::date, (now() AT TIME ZONE 'UTC')::date))", PL_COUNT(params), params, why);
	return *text_r != NULL;
}

bool db_import_price_remove(struct db_import *import, const struct import_price *in, struct pl_pool *pool,
    const char **text_r, char why[512])
{
	const char *params[] = { in->upstream, in->model, in->from };

	*text_r = migrate_value(import->pg, pool, "SELECT price_remove($1::text, $2::text, $3::text::date)",
	    PL_COUNT(params), params, why);
	return *text_r != NULL;
}

bool db_import_prices(struct db_import *import, struct pl_pool *pool, const char **text_r, char why[512])
{
	*text_r = migrate_value(import->pg, pool,
	    "SELECT format('%-12s %-40s %12s %12s  %s', 'UPSTREAM', 'MODEL', 'PROMPT', "
	    "'COMPLETION', 'FROM') || E'\n' || string_agg(format('%-12s %-40s %12s %12s  %s', p.upstream, p.model, "
	    "p.prompt_usd, "
	    "p.completion_usd, p.valid_from), E'\n' ORDER BY p.model, p.upstream, p.valid_from) FROM model_prices p", 0,
	    NULL, why);
	return *text_r != NULL;
}

bool db_import_close(struct db_import **import, bool keep, char why[512])
{
	bool good = migrate_exec((*import)->pg, keep ? "COMMIT" : "ROLLBACK", keep ? "commit" : "rollback", why);

	PQfinish((*import)->pg);
	pl_free(*import);
	*import = NULL;
	return good;
}
