/* SPDX-License-Identifier: ISC */
/*
 * Exports of accounts: statements, parameters, row readers.
 */
#include "db/repo/repo_export.h"

#include "db/repo/repo_int.h"

const char *const export_state_words[] = { "queued", "running", "done", "failed", NULL };

static void read_export(struct pgrow *row, struct export *out)
{
	out->id = pgrow_text(row);
	out->state = (enum export_state)pgrow_word(row, export_state_words, EXPORT_FAILED);
	out->created_us = pgrow_time(row);
	out->finished_us = pgrow_time(row);
	out->parts = pgrow_i32(row);
	out->bytes = pgrow_i64(row);
}

REPLY(on_asked, struct export)
{
	struct pgrow row;
	struct pl_str status;

	if (!repo_first(query, res, &row, bad))
		return false;
	status = pgrow_text(&row);
	out->wait_us = pgrow_i64_or(&row, 0);
	out->refused = pl_str_is(status, "limit");
	if (out->refused)
		return true;
	if (!repo_status_err(status, bad))
		return false;
	read_export(&row, out);
	return true;
}

void repo_export_ask(struct db *db, struct pl_task *task, int per_day, repo_export_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_EXPORT_ASK, on_asked, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_i32(query, per_day);
	pgquery_audited(query);
	pgquery_start(query);
}

REPLY(on_export, struct export)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	read_export(&row, out);
	return true;
}

void repo_export_find(struct db *db, struct pl_task *task, repo_export_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_EXPORT_NEWEST, on_export, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_start(query);
}

void repo_export_opened(struct db *db, struct pl_task *task, struct pl_str id, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_EXPORT_OPENED, repo_on_bool, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_text(query, id);
	pgquery_audited(query);
	pgquery_start(query);
}

REPLY(on_part, struct pl_str)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	*out = pgrow_text(&row);
	return true;
}

void repo_export_part(struct db *db, struct pl_task *task, struct pl_str id, int part, repo_export_part_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_EXPORT_PART, on_part, done, arg);

	pgquery_text(query, id);
	pgquery_i32(query, part);
	pgquery_start(query);
}
