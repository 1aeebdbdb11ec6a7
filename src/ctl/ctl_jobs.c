/* SPDX-License-Identifier: ISC */
/*
 * parlourctl jobs.
 */
#include "ctl/ctl_jobs.h"

#include <string.h>

#include "db/admin/db_jobs.h"
#include "leaf.h"

enum { EXIT_USAGE = 64, EXIT_NOTHING = 65, EXIT_AWAY = 69, EXIT_DB = 70 };

struct jobs {
	const struct ctl_jobs_opts *opts;
	struct db_import *db;
	struct pl_pool *pool;
	FILE *out;
	char *why;
};

static bool is_state(const char *word)
{
	static const char *const states[] = { "waiting", "running", "done", "dead", "dropped", "all" };

	for (size_t i = 0; i < PL_COUNT(states); i++)
		if (strcmp(word, states[i]) == 0)
			return true;
	return false;
}

static bool are_ids(const struct ctl_jobs_opts *opts)
{
	for (int i = 1; i < opts->argc; i++)
		if (!pl_uuid_ok(pl_str(opts->argv[i])))
			return false;
	return opts->argc > 1;
}

static bool usage_ok(const struct ctl_jobs_opts *opts)
{
	const char *verb = opts->argc > 0 ? opts->argv[0] : "list";

	if (strcmp(verb, "list") == 0)
		return opts->argc <= 1 || (opts->argc == 2 && is_state(opts->argv[1]));
	if (strcmp(verb, "show") == 0)
		return opts->argc == 2 && are_ids(opts);
	if (strcmp(verb, "retry") == 0 && opts->argc == 2 && strcmp(opts->argv[1], "dead") == 0)
		return true;
	return (strcmp(verb, "retry") == 0 || strcmp(verb, "drop") == 0) && are_ids(opts);
}

static int list(struct jobs *j)
{
	const char *text;

	if (!db_jobs_list(j->db, j->opts->argc == 2 ? j->opts->argv[1] : NULL, j->pool, &text, j->why))
		return EXIT_DB;
	if (text[0] != '\0')
		fprintf(j->out, "%s\n", text);
	return 0;
}

static int show(struct jobs *j)
{
	const char *text;

	if (!db_jobs_show(j->db, j->opts->argv[1], j->pool, &text, j->why))
		return EXIT_DB;
	if (text[0] == '\0') {
		snprintf(j->why, 512, "there is no job %s; 'parlourctl jobs list all' lists all jobs",
		    j->opts->argv[1]);
		return EXIT_NOTHING;
	}
	fprintf(j->out, "%s\n", text);
	return 0;
}

static int retry_dead(struct jobs *j)
{
	const char *text;

	if (!db_jobs_retry_dead(j->db, j->pool, &text, j->why))
		return EXIT_DB;
	fprintf(j->out, "%s %s due now\n", text, strcmp(text, "1") == 0 ? "job is" : "jobs are");
	return 0;
}

/* Changes all of the given jobs or none. */
static int act(struct jobs *j)
{
	bool retry = strcmp(j->opts->argv[0], "retry") == 0, one;
	const char *text, *id;

	for (int i = 1; i < j->opts->argc; i++) {
		id = j->opts->argv[i];
		if (!(retry ? db_jobs_retry : db_jobs_drop)(j->db, id, j->pool, &text, j->why))
			return EXIT_DB;
		if (strcmp(text, "ok") == 0)
			continue;
		if (strcmp(text, "not_found") == 0)
			snprintf(j->why, 512, "there is no job %s; nothing was changed", id);
		else if (strcmp(text, "exists") == 0)
			snprintf(j->why, 512, "a newer job has the key of %s; nothing was changed", id);
		else if (strcmp(text, "needed") == 0)
			snprintf(j->why, 512,
			    "job %s deletes an account and cannot be dropped; nothing was changed", id);
		else
			snprintf(j->why, 512, "job %s is %s; nothing was changed", id, text);
		return EXIT_NOTHING;
	}
	one = j->opts->argc == 2;
	fprintf(j->out, "%d %s\n", j->opts->argc - 1, retry ? (one ? "job is due now" : "jobs are due now") :
	    (one ? "job dropped" : "jobs dropped"));
	return 0;
}

static int run(struct jobs *j)
{
	const char *verb = j->opts->argc > 0 ? j->opts->argv[0] : "list";

	if (strcmp(verb, "list") == 0)
		return list(j);
	if (strcmp(verb, "show") == 0)
		return show(j);
	return strcmp(j->opts->argv[1], "dead") == 0 ? retry_dead(j) : act(j);
}

int ctl_jobs(const struct ctl_jobs_opts *opts, FILE *out, char why[512])
{
	struct jobs j = { .opts = opts, .out = out, .why = why };
	char ignored[512];
	int status;

	if (!usage_ok(opts)) {
		snprintf(why, 512, "jobs takes `list [waiting | running | done | dead | dropped | all]`, `show ID`, "
		    "`retry ID ...`, `retry dead`, or `drop ID ...`");
		return EXIT_USAGE;
	}
	j.db = db_import_open(opts->dsn, why);
	if (j.db == NULL)
		return EXIT_AWAY;
	j.pool = pl_pool_new(0);
	status = run(&j);
	if (!db_import_close(&j.db, status == 0, status == 0 ? why : ignored) && status == 0)
		status = EXIT_DB;
	pl_pool_free(&j.pool);
	return status;
}
