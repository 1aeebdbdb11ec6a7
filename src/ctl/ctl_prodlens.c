/* SPDX-License-Identifier: ISC */
/*
 * parlourctl import prodlens: converts the SQLite file of ProdLens into JSON lines for the importers of usage sessions
 * and figures. Pull requests and commits become daily figures of their authors.
 */
#include <sqlite3.h>

#include "ctl/ctl_import_int.h"
#include "json.h"

#define SOURCE "prodlens"
#define BY_AUTHOR "coalesce(nullif(trim(author), ''), 'unknown'), "
#define MERGED "SELECT date(merged_at), " BY_AUTHOR
#define OF_MERGED "FROM pull_requests WHERE merged_at IS NOT NULL "
/* The number of the row, its number among rows with the same session_id, and its columns. */
#define SESSIONS "SELECT rowid, row_number() OVER (PARTITION BY session_id ORDER BY rowid), * " \
	"FROM sessions ORDER BY rowid"

static const struct { const char *table, *sql; } figures[] = {
	{ "pull_requests", MERGED "'prs_merged', count(*) " OF_MERGED "GROUP BY 1, 2" },
	{ "pull_requests", MERGED "'pr_merge_hours', max(0, avg(julianday(merged_at) - julianday(created_at)) * 24) "
	    OF_MERGED "AND julianday(created_at) IS NOT NULL GROUP BY 1, 2" },
	{ "pull_requests", MERGED "'rework', sum(coalesce(reopened, 0) <> 0) " OF_MERGED "GROUP BY 1, 2" },
	{ "commits", "SELECT date(\"timestamp\"), " BY_AUTHOR "'commits', count(*) FROM commits GROUP BY 1, 2" },
};
static const char *const kept[] = { "timestamp", "model", "tokens_in", "tokens_out", "latency_ms", "status_code",
	"accepted_flag", "repo_slug", "cost_usd", "diff_ratio", "accepted_lines" };

static bool say(sqlite3 *file, const char *path, char why[512])
{
	snprintf(why, 512, "%.300s: %.150s", path, sqlite3_errmsg(file));
	return false;
}

static int column(sqlite3_stmt *row, const char *name)
{
	for (int i = 0; i < sqlite3_column_count(row); i++)
		if (sqlite3_stricmp(sqlite3_column_name(row, i), name) == 0)
			return i;
	return -1;
}

/* Returns text unchanged. Text that is not UTF-8 becomes JSON that is refused with its line number. */
static struct pl_str text_at(sqlite3_stmt *row, int at)
{
	const char *text = at >= 0 ? (const char *)sqlite3_column_text(row, at) : NULL;

	return text != NULL ? pl_strn(text, (size_t)sqlite3_column_bytes(row, at)) : PL_STR_NONE;
}

static void write_value(struct pl_jw *w, const char *name, sqlite3_stmt *row, int at)
{
	struct pl_str text;

	switch (at >= 0 ? sqlite3_column_type(row, at) : SQLITE_NULL) {
	case SQLITE_INTEGER:
		pl_jw_ki64(w, name, sqlite3_column_int64(row, at));
		break;
	case SQLITE_FLOAT:
		pl_jw_key(w, name);
		pl_jw_f64(w, sqlite3_column_double(row, at));
		break;
	case SQLITE_TEXT:
		text = text_at(row, at);
		if (text.len > 0)
			pl_jw_kstr(w, name, pl_utf8_ok(text.ptr, text.len) ? text : PL_STR(""));
		break;
	default:
		break;
	}
}

/* Writes the total only if it is at least the sum of its parts. */
static void write_total(struct pl_jw *w, sqlite3_stmt *row)
{
	int total = column(row, "total_tokens"), in = column(row, "tokens_in"), out = column(row, "tokens_out");
	int64_t parts = (in >= 0 ? sqlite3_column_int64(row, in) : 0) + (out >= 0 ? sqlite3_column_int64(row, out) : 0);

	if (total >= 0 && sqlite3_column_int64(row, total) >= parts)
		write_value(w, "total_tokens", row, total);
}

static void write_session(struct pl_buf *out, sqlite3_stmt *row)
{
	struct pl_str id = text_at(row, column(row, "session_id"));
	struct pl_str developer = text_at(row, column(row, "developer_id"));
	int64_t row_number = sqlite3_column_int64(row, 0), copy_number = sqlite3_column_int64(row, 1);
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_jw w = PL_JW(out);

	if (id.len == 0)
		id = pl_str(pl_sprintf(pool, "row-%lld", (long long)row_number));
	else if (copy_number > 1)	/* the first one keeps the id */
		id = pl_str(pl_sprintf(pool, "%.*s#%lld", PL_FMT(id), (long long)copy_number));
	pl_jw_object(&w);
	pl_jw_kstr(&w, "session_id", pl_utf8_ok(id.ptr, id.len) ? id : PL_STR(""));
	pl_jw_kstr(&w, "developer_id", developer.len == 0 ? PL_STR("unknown") :
	    pl_utf8_ok(developer.ptr, developer.len) ? developer : PL_STR(""));
	for (size_t i = 0; i < PL_COUNT(kept); i++)
		write_value(&w, kept[i], row, column(row, kept[i]));
	write_total(&w, row);
	pl_jw_end_object(&w);
	pl_buf_addc(out, '\n');
	pl_pool_free(&pool);
}

static void write_figure(struct pl_buf *out, sqlite3_stmt *row)
{
	static const char *const names[] = { "day", "developer", "name", "value" };
	struct pl_jw w = PL_JW(out);

	pl_jw_object(&w);
	for (int i = 0; i < 4; i++)
		write_value(&w, names[i], row, i);
	pl_jw_end_object(&w);
	pl_buf_addc(out, '\n');
}

/* Writes every row of a statement as a line. */
static bool read_rows(sqlite3 *file, const char *path, const char *sql,
    void (*write)(struct pl_buf *out, sqlite3_stmt *row), struct pl_buf *out, char why[512])
{
	sqlite3_stmt *row;
	int got;

	if (sqlite3_prepare_v2(file, sql, -1, &row, NULL) != SQLITE_OK)
		return say(file, path, why);
	while ((got = sqlite3_step(row)) == SQLITE_ROW)
		write(out, row);
	if (got != SQLITE_DONE)
		say(file, path, why);
	sqlite3_finalize(row);
	return got == SQLITE_DONE;
}

static bool has_table(sqlite3 *file, const char *name)
{
	return sqlite3_table_column_metadata(file, NULL, name, NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

static bool read_tables(sqlite3 *file, const char *path, struct pl_buf *sessions, struct pl_buf *series, char why[512])
{
	/* one transaction, because ProdLens may write at the same time */
	if (sqlite3_exec(file, "BEGIN", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(file, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL) != SQLITE_OK)
		return say(file, path, why);
	if (!has_table(file, "sessions")) {
		snprintf(why, 512, "%.300s: has no table sessions, so it is not from ProdLens", path);
		return false;
	}
	if (!read_rows(file, path, SESSIONS, write_session, sessions, why))
		return false;
	for (size_t i = 0; i < PL_COUNT(figures); i++)
		if (has_table(file, figures[i].table) &&
		    !read_rows(file, path, figures[i].sql, write_figure, series, why))
			return false;
	return true;
}

bool ctl_prodlens_read(const char *path, struct pl_buf *sessions, struct pl_buf *series, char why[512])
{
	sqlite3 *file = NULL;
	bool good;

	if (sqlite3_open_v2(path, &file, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
		snprintf(why, 512, "%.300s: %.150s", path, file != NULL ? sqlite3_errmsg(file) : "not enough memory");
		sqlite3_close(file);
		return false;
	}
	sqlite3_busy_timeout(file, 5000);
	good = read_tables(file, path, sessions, series, why);
	sqlite3_close(file);
	return good;
}

bool ctl_prodlens_store(struct import_run *run, struct pl_str sessions, struct pl_str series, FILE *out, char why[512])
{
	struct import_run days = { .opts = run->opts, .db = run->db, .complaints = run->complaints };
	const char *dry = run->opts->dry_run ? "dry run: " : "";

	if (!ctl_import_records(run, sessions, USAGE_SESSIONS, SOURCE, why) ||
	    !ctl_import_records(&days, series, USAGE_FIGURES, SOURCE, why))
		return false;
	fprintf(out, "%ssessions: %lld imported, %lld duplicates, %lld refused\n", dry, (long long)run->fresh,
	    (long long)(run->good - run->fresh), (long long)run->refused);
	fprintf(out, "%sfigures: %lld new or changed, %lld unchanged, %lld refused\n", dry, (long long)days.fresh,
	    (long long)(days.good - days.fresh), (long long)days.refused);
	run->refused += days.refused;
	return true;
}
