/* SPDX-License-Identifier: ISC */
/*
 * parlourctl login.
 */
#include "ctl/ctl_login.h"

#include <string.h>

#include "ctl/ctl_table.h"
#include "db/admin/db_audit.h"
#include "db/admin/db_logins.h"

enum { EXIT_USAGE = 64, EXIT_NOT_POSSIBLE = 65, EXIT_AWAY = 69, EXIT_DB = 70 };
enum { LIMIT_MAX = 100000 };

#define LIMIT_USUAL "1000"
#define USAGE_TEXT "login takes `list [USER] [--state active | ended | all] [--address ADDRESS] [--limit N]` or " \
	"`end NUMBER`; N is at most 100000"

static bool state_ok(const char *word)
{
	return word == NULL || strcmp(word, "active") == 0 || strcmp(word, "ended") == 0 || strcmp(word, "all") == 0;
}

static bool usage_ok(const struct ctl_login_opts *o)
{
	const char *verb = o->argc > 0 ? o->argv[0] : "";
	int64_t number;

	if (strcmp(verb, "list") == 0)
		return o->argc <= 2 && state_ok(o->state) &&
		    (o->limit == NULL || pl_str_i64(pl_str(o->limit), 1, LIMIT_MAX, &number));
	return strcmp(verb, "end") == 0 && o->argc == 2 && o->state == NULL && o->address == NULL && o->limit == NULL &&
	    pl_str_i64(pl_str(o->argv[1]), 1, INT64_MAX, &number);
}

static int fail(char why[512], int status, const char *text)
{
	snprintf(why, 512, "%s", text);
	return status;
}

static int run_list(const struct ctl_login_opts *o, struct db_import *db, struct pl_pool *pool, FILE *out,
    char why[512])
{
	struct logins_wanted in = { .user = o->argc == 2 ? o->argv[1] : NULL, .address = o->address,
		.state = o->state != NULL ? o->state : "active", .limit = o->limit != NULL ? o->limit : LIMIT_USUAL };
	int64_t limit = 0, count = 0;
	const char *text;
	struct pl_str rows;

	if (in.user != NULL && !db_audit_user(db, in.user, pool, &text, why))
		return EXIT_DB;
	if (in.user != NULL && text[0] == '\0')
		return fail(why, EXIT_NOT_POSSIBLE, pl_sprintf(pool, "there is no account %s", in.user));
	if (!db_logins_list(db, &in, pool, &text, why))
		return EXIT_DB;
	(void)!pl_str_i64(pl_str(in.limit), 1, LIMIT_MAX, &limit);
	rows = pl_str(text);
	for (size_t i = 0; i < rows.len && count < limit; i++)
		if (rows.ptr[i] == '\n' && ++count == limit)
			rows.len = i;
	ctl_table_print(out, "NUMBER\tKIND\tUSER\tCREATED (UTC)\tLAST USED (UTC)\tEXPIRES (UTC)\tADDRESS\tNAME", rows);
	if (count == limit)
		fprintf(out, "(there are more: name a user, or use --limit)\n");
	return 0;
}

static int run_end(const struct ctl_login_opts *o, struct db_import *db, struct pl_pool *pool, FILE *out, char why[512])
{
	const char *text;

	if (!db_logins_end(db, o->argv[1], pool, &text, why))
		return EXIT_DB;
	if (text[0] == '\0')
		return fail(why, EXIT_NOT_POSSIBLE, pl_sprintf(pool, "there is no active login session %s; "
		    "'parlourctl login list' shows them; nothing was changed", o->argv[1]));
	fprintf(out, "login session %s of %s ended\n", o->argv[1], text);
	return 0;
}

int ctl_login(const struct ctl_login_opts *o, FILE *out, char why[512])
{
	struct pl_pool *pool;
	struct db_import *db;
	char ignored[512];
	int status;

	if (!usage_ok(o))
		return fail(why, EXIT_USAGE, USAGE_TEXT);
	db = db_import_open(o->dsn, why);
	if (db == NULL)
		return EXIT_AWAY;
	pool = pl_pool_new(0);
	status = (strcmp(o->argv[0], "list") == 0 ? run_list : run_end)(o, db, pool, out, why);
	if (!db_import_close(&db, status == 0, status == 0 ? why : ignored) && status == 0)
		status = EXIT_DB;
	pl_pool_free(&pool);
	return status;
}
