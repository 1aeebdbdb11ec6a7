/* SPDX-License-Identifier: ISC */
/*
 * parlourctl audit.
 */
#include "ctl/ctl_audit.h"

#include "clock.h"
#include "csv.h"
#include "ctl/ctl_table.h"
#include "ctl/ctl_time.h"
#include "db/admin/db_audit.h"

enum { EXIT_USAGE = 64, EXIT_NOT_POSSIBLE = 65, EXIT_AWAY = 69, EXIT_DB = 70 };
enum { LIMIT_USUAL = 100, LIMIT_MAX = 100000 };
enum { ID, AT, AT_SHORT, ACTOR, ACT, SUBJECT, SUBJECT_USER, ADDRESS, REQUEST, BEFORE, AFTER };

#define USAGE_TEXT "audit takes [--user USER] [--action ACT] [--since TIME] [--until TIME] [--limit N] [--csv]"

static int fail(char why[512], int status, const char *text)
{
	snprintf(why, 512, "%s", text);
	return status;
}

/* The time as the database reads it; NULL: it is not a time. */
static const char *time_text(const char *text, struct pl_pool *pool)
{
	char at[PL_TIME_LEN];
	int64_t us;

	if (!ctl_time_point(text, &us))
		return NULL;
	pl_time_format(us, at);
	return pl_strndup(pool, at, sizeof(at));
}

/* Checks the options before the database is used. Returns 0 or an exit status. */
static int read_options(const struct ctl_audit_opts *o, struct pl_pool *pool, struct audit_wanted *in, int64_t *limit,
    char why[512])
{
	*limit = LIMIT_USUAL;
	if (o->argc > 0)
		return fail(why, EXIT_USAGE, USAGE_TEXT);
	if (o->limit != NULL && !pl_str_i64(pl_str(o->limit), 1, LIMIT_MAX, limit))
		return fail(why, EXIT_USAGE, "--limit takes a number from 1 to 100000");
	*in = (struct audit_wanted){ .action = o->action, .limit = pl_sprintf(pool, "%lld", (long long)*limit) };
	if (o->since != NULL && (in->since = time_text(o->since, pool)) == NULL)
		return fail(why, EXIT_USAGE, "--since takes an age such as 2h or 7d, or a time such as "
		    "2026-11-20 or 2026-11-20T09:00Z");
	if (o->until != NULL && (in->until = time_text(o->until, pool)) == NULL)
		return fail(why, EXIT_USAGE, "--until takes an age such as 2h or 7d, or a time such as "
		    "2026-11-20 or 2026-11-20T09:00Z");
	return 0;
}

/* The same columns as GET /api/admin/audit. */
static void print_csv(struct pl_str rows, struct pl_pool *pool, FILE *out)
{
	static const int columns[] = { ACTOR, ACT, SUBJECT, SUBJECT_USER, ADDRESS, REQUEST, BEFORE, AFTER };
	struct pl_str rest = rows, line, cells[CTL_CELLS_MAX];
	struct pl_buf buf = PL_BUF(pool);

	pl_buf_adds(&buf, "id,created_at,actor,act,subject,subject_user,address,request_id,before,after\r\n");
	while (rest.len > 0 && pl_str_cut(&rest, '\n', &line)) {
		ctl_cells(line, cells);
		pl_buf_addf(&buf, "%.*s,%.*s", PL_FMT(cells[ID]), PL_FMT(cells[AT]));
		for (size_t i = 0; i < PL_COUNT(columns); i++) {
			pl_buf_addc(&buf, ',');
			pl_csv_cell(&buf, cells[columns[i]]);
		}
		pl_buf_adds(&buf, "\r\n");
	}
	fwrite(buf.ptr, 1, buf.len, out);
}

static void print_table(struct pl_str rows, struct pl_pool *pool, FILE *out)
{
	struct pl_str rest = rows, line, c[CTL_CELLS_MAX];
	struct pl_buf buf = PL_BUF(pool);

	while (rest.len > 0 && pl_str_cut(&rest, '\n', &line)) {
		bool user;

		ctl_cells(line, c);
		user = c[SUBJECT_USER].len > 0;
		pl_buf_addf(&buf, "%.*s\t%.*s\t%.*s\t%.*s%s%.*s%s\t%.*s\t", PL_FMT(c[AT_SHORT]), PL_FMT(c[ACTOR]),
		    PL_FMT(c[ACT]), PL_FMT(c[SUBJECT]), user ? " (" : "", PL_FMT(c[SUBJECT_USER]), user ? ")" : "",
		    PL_FMT(c[ADDRESS]));
		pl_buf_addf(&buf, "%.*s%s%.*s\n", PL_FMT(c[BEFORE]), c[BEFORE].len > 0 ? " -> " : "",
		    PL_FMT(c[AFTER]));
	}
	ctl_table_print(out, "TIME (UTC)\tACTOR\tACT\tSUBJECT\tADDRESS\tDETAILS", pl_buf_str(&buf));
}

/* Cuts the row after the last one that is wanted. false: there is none. */
static bool cut(struct pl_str *rows, int64_t limit)
{
	struct pl_str rest = *rows, line;

	for (int64_t i = 0; i < limit && rest.len > 0; i++)
		(void)pl_str_cut(&rest, '\n', &line);
	if (rest.len == 0)
		return false;
	rows->len = (size_t)(rest.ptr - rows->ptr) - 1;
	return true;
}

static int run(const struct ctl_audit_opts *o, struct db_import *db, struct audit_wanted *in, int64_t limit,
    struct pl_pool *pool, FILE *out, char why[512])
{
	const char *text;
	struct pl_str rows;
	bool more;

	if (o->user != NULL && !db_audit_user(db, o->user, pool, &in->user_id, why))
		return EXIT_DB;
	if (o->user != NULL && in->user_id[0] == '\0')
		return fail(why, EXIT_NOT_POSSIBLE, pl_sprintf(pool, "there is no account %s; --user takes a name, an "
		    "e-mail address, a number, or the word system", o->user));
	if (!db_audit_list(db, in, pool, &text, why))
		return EXIT_DB;
	rows = pl_str(text);
	more = cut(&rows, limit);
	if (o->csv)
		print_csv(rows, pool, out);
	else
		print_table(rows, pool, out);
	if (more && !o->csv)
		fprintf(out, "(there are more entries: use --limit, --since, or --until)\n");
	return 0;
}

int ctl_audit(const struct ctl_audit_opts *o, FILE *out, char why[512])
{
	struct pl_pool *pool = pl_pool_new(0);
	struct audit_wanted in = { 0 };
	struct db_import *db = NULL;
	char ignored[512];
	int64_t limit;
	int status = read_options(o, pool, &in, &limit, why);

	if (status == 0 && (db = db_import_open(o->dsn, why)) == NULL)
		status = EXIT_AWAY;
	if (db != NULL) {
		status = run(o, db, &in, limit, pool, out, why);
		(void)!db_import_close(&db, false, ignored);
	}
	pl_pool_free(&pool);
	return status;
}
