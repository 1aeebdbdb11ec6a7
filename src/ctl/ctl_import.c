/* SPDX-License-Identifier: ISC */
/* parlourctl import: reads the file, sends 1000 records at a time, and commits at the end. */
#include <errno.h>

#include "ctl/ctl_import_int.h"
#include "db/admin/db_import.h"
#include "svc/usage/usage_read.h"

#define RECORDS_PER_STATEMENT 1000
#define FILE_BYTES_MAX (1024LL * 1024 * 1024)

enum { EXIT_USAGE = 64, EXIT_REFUSED = 65, EXIT_NO_FILE = 66, EXIT_AWAY = 69, EXIT_DB = 70 };

static bool read_all(const char *path, struct pl_buf *out, char why[512])
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	size_t got = 1;
	bool good;

	if (file == NULL) {
		snprintf(why, 512, "%.300s: %s", path, strerror(errno));
		return false;
	}
	while (got > 0 && (int64_t)out->len <= FILE_BYTES_MAX) {
		got = fread(pl_buf_room(out, 65536), 1, 65536, file);
		out->len += got;
	}
	good = ferror(file) == 0 && (int64_t)out->len <= FILE_BYTES_MAX;
	if (!good)
		snprintf(why, 512, "%.300s: %s", path, ferror(file) ? strerror(errno) : "is larger than 1 GiB");
	if (file != stdin)
		fclose(file);
	return good;
}

/* Sends up to 1000 records. false: the database refused them. *more_r: there may be more. */
static bool one_batch(struct import_run *run, struct usage_text *text, enum usage_kind kind, struct pl_str source,
    bool *more_r, char why[512])
{
	struct pl_pool *pool = pl_pool_new(65536);
	struct usage_batch batch;
	int64_t fresh = 0;
	bool good = true;

	usage_batch_init(&batch, pool);
	*more_r = true;
	while (batch.good + batch.refused < RECORDS_PER_STATEMENT && *more_r)
		*more_r = usage_batch_next(&batch, text, kind, source);
	for (int i = 0; i < batch.refusals_count; i++)
		fprintf(run->complaints, "%s:%lld: %s\n", run->opts->path, (long long)batch.refusals[i].line,
		    batch.refusals[i].error);
	if (batch.good > 0)
		good = db_import_rows(run->db, kind == USAGE_FIGURES, usage_batch_json(&batch), &fresh, why);
	run->good += batch.good;
	run->refused += batch.refused;
	run->fresh += fresh;
	pl_pool_free(&pool);
	return good;
}

bool ctl_import_records(struct import_run *run, struct pl_str all, enum usage_kind kind, const char *source,
    char why[512])
{
	struct usage_text text;
	bool more = true, good = true;

	usage_text_init(&text, all, kind);
	while (more && good)
		good = one_batch(run, &text, kind, pl_str(run->opts->source != NULL ? run->opts->source : source),
		    &more, why);
	return good;
}

static bool is_prodlens(const struct import_run *run)
{
	return strcmp(run->opts->kind, "prodlens") == 0;
}

/* all: the file. For ProdLens: its sessions; `series` are its other data. */
static int everything(struct import_run *run, struct pl_str all, struct pl_str series, FILE *out, char why[512])
{
	bool good;
	char ignored[512];

	run->db = db_import_open(run->opts->dsn, why);
	if (run->db == NULL)
		return EXIT_AWAY;
	if (is_prodlens(run))
		good = ctl_prodlens_store(run, all, series, out, why);
	else if (ctl_import_over_kind(run->opts->kind) != NULL)
		good = ctl_import_over(run, all, why);
	else
		good = ctl_import_records(run, all, strcmp(run->opts->kind, "series") == 0 ? USAGE_FIGURES :
		    USAGE_SESSIONS, USAGE_SOURCE, why);
	if (!db_import_close(&run->db, good && !run->opts->dry_run, good ? why : ignored) || !good)
		return EXIT_DB;
	return run->refused > 0 ? EXIT_REFUSED : 0;
}

int ctl_import(const struct ctl_import_opts *opts, FILE *out, FILE *complaints, char why[512])
{
	struct import_run run = { .opts = opts, .complaints = complaints };
	struct pl_buf all = { 0 }, rest = { 0 };
	bool series = strcmp(opts->kind, "series") == 0, over = ctl_import_over_kind(opts->kind) != NULL;
	int status = EXIT_NO_FILE;

	if (!series && !over && !is_prodlens(&run) && strcmp(opts->kind, "usage") != 0) {
		snprintf(why, 512, "import takes usage, series, prodlens, users, roles, rooms or messages, and a FILE");
		return EXIT_USAGE;
	}
	if (over && opts->source == NULL) {
		snprintf(why, 512, "import %s needs --source: a name for the old system, the same for all its files",
		    opts->kind);
		return EXIT_USAGE;
	}
	if (opts->source != NULL && (opts->source[0] == '\0' || strlen(opts->source) > 64 ||
	    !pl_utf8_ok(opts->source, strlen(opts->source)))) {
		snprintf(why, 512, "--source is a name of 1 to 64 bytes");
		return EXIT_USAGE;
	}
	if (is_prodlens(&run) ? ctl_prodlens_read(opts->path, &all, &rest, why) : read_all(opts->path, &all, why))
		status = everything(&run, pl_buf_str(&all), pl_buf_str(&rest), out, why);
	pl_buf_fini(&all);
	pl_buf_fini(&rest);
	if ((status == 0 || status == EXIT_REFUSED) && !is_prodlens(&run))
		fprintf(out, "%s%lld %s, %lld %s, %lld refused\n", opts->dry_run ? "dry run: " : "",
		    (long long)run.fresh, series ? "new or changed" : "imported", (long long)(run.good - run.fresh),
		    series ? "unchanged" : "duplicates", (long long)run.refused);
	return status;
}
