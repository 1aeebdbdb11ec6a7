/* SPDX-License-Identifier: ISC */
/*
 * Questions: statements, parameters, row readers.
 */
#include "db/repo/repo_query.h"

#include <math.h>

#include "db/repo/repo_int.h"

static void read_query_row(struct pgrow *row, struct query_row *out)
{
	for (int k = 0; k < QUERY_KEYS; k++)
		out->key[k] = pgrow_text(row);
	out->value = pgrow_f64_or(row, NAN);
	out->earlier = pgrow_f64_or(row, NAN);
}

REPLY(on_zone, struct query_zone)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	out->asked_ok = pgrow_bool(&row);
	out->zone = pgrow_text(&row);
	out->shown = pgrow_text(&row);
	out->local_s = pgrow_i64(&row);
	return true;
}

void repo_query_zone(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str asked, struct pl_str usual,
    int64_t at_us, repo_query_zone_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_QUERY_ZONE, on_zone, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, asked);
	pgquery_text(query, usual);
	pgquery_time(query, at_us);
	pgquery_start(query);
}

static void read_query_known(struct pgrow *row, struct query_known *out)
{
	pgrow_skip(row, 1);
	out->asked = pgrow_text(row);
	out->name = pgrow_text(row);
	out->kind = (int)pgrow_i64_or(row, 0);
}

REPLY(on_frame, struct query_frame)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);
	const int64_t *us;
	int count;

	READ_ROWS(query, res, out, struct query_known, read_query_known);
	us = pgrow_i64s(&row, &count);
	for (int i = 0; i < QUERY_TIMES && i < count; i++)
		out->us[i] = us[i];
	return true;
}

void repo_query_frame(struct db *db, struct pl_task *task, struct pl_str zone, const int64_t local_s[QUERY_TIMES],
    int64_t scope, const struct pl_str *names, int count, repo_query_frame_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_QUERY_FRAME, on_frame, done, arg);

	pgquery_text(query, zone);
	pgquery_i64s(query, local_s, QUERY_TIMES, false);
	pgquery_i64_or_null(query, scope, QUERY_EVERYBODY);
	pgquery_texts(query, names, count);
	pgquery_start(query);
}

REPLY(on_rows, struct query_rows)
{
	READ_PAGE(query, res, out, struct query_row, read_query_row);
	out->total = repo_total_f64(res);
	return true;
}

void repo_query_run(struct db *db, struct pl_task *task, const struct query_ask *ask, int limit, repo_query_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_QUERY_RUN, on_rows, done, arg);

	repo_keep_limit(query, limit);
	pgquery_cstr(query, ask->metric);
	pgquery_cstr(query, ask->agg);
	pgquery_texts(query, ask->dims, ask->dim_count);
	pgquery_cstr(query, ask->unit);
	pgquery_text(query, ask->zone);
	pgquery_time(query, ask->from_us);
	pgquery_time(query, ask->to_us);
	pgquery_time(query, ask->earlier_from_us);
	pgquery_time(query, ask->earlier_to_us);
	pgquery_i64_or_null(query, ask->scope, QUERY_EVERYBODY);
	pgquery_texts(query, ask->users.list, ask->users.count);
	pgquery_texts(query, ask->rooms.list, ask->rooms.count);
	pgquery_texts(query, ask->models.list, ask->models.count);
	pgquery_texts(query, ask->roles.list, ask->roles.count);
	pgquery_texts(query, ask->only.list, ask->only.count);
	pgquery_cstr(query, ask->limit);
	pgquery_f64_or_null(query, ask->bound, false);
	pgquery_cstr(query, ask->order);
	pgquery_i32_or_null(query, ask->top, 0);
	pgquery_i32(query, ask->each);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

REPLY(on_translated, int64_t)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	*out = pgrow_i64_or(&row, -1);
	return true;
}

void repo_query_translated(struct db *db, struct pl_task *task, const struct query_translation *translation,
    repo_query_cost_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_QUERY_TRANSLATED, on_translated, done, arg);

	pgquery_text(query, translation->id);
	pgquery_i64(query, translation->user_id);
	pgquery_text(query, translation->upstream);
	pgquery_text(query, translation->model);
	pgquery_i64_or_null(query, translation->prompt, -1);
	pgquery_i64_or_null(query, translation->completion, -1);
	pgquery_i64_or_null(query, translation->told, -1);
	pgquery_cstr(query, translation->state);
	pgquery_start(query);
}

void repo_query_note(struct db *db, struct pl_task *task, int64_t user_id, const struct query_past *past,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_QUERY_NOTE, repo_on_done, done, arg);

	pgquery_text(query, past->id);
	pgquery_i64(query, user_id);
	pgquery_text(query, past->query);
	pgquery_text(query, past->intent);
	pgquery_i32(query, past->rows);
	pgquery_time(query, past->expires_us);
	pgquery_start(query);
}

static void read_query_past(struct pgrow *row, struct query_past *out)
{
	out->id = pgrow_text(row);
	out->query = pgrow_text(row);
	out->intent = pgrow_text(row);
	out->rows = pgrow_i32(row);
	out->created_us = pgrow_time(row);
	out->expires_us = pgrow_time(row);
}

REPLY(on_history, struct query_past_list)
{
	READ_ROWS(query, res, out, struct query_past, read_query_past);
	return true;
}

void repo_query_history(struct db *db, struct pl_task *task, int64_t user_id, int limit, repo_query_past_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_QUERY_HISTORY, on_history, done, arg);

	pgquery_i64(query, user_id);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

static void read_query_suggestion(struct pgrow *row, struct query_suggestion *out)
{
	out->format = pgrow_text(row);
	out->text = pgrow_text(row);
	out->reason = pgrow_text(row);
}

REPLY(on_suggestions, struct query_suggestion_list)
{
	READ_ROWS(query, res, out, struct query_suggestion, read_query_suggestion);
	out->format = out->count > 0 ? out->rows[0].format : PL_STR_NONE;
	out->beginner = out->count == 0 || out->rows[0].text.ptr == NULL;
	return true;
}

void repo_query_suggest(struct db *db, struct pl_task *task, int64_t user_id, repo_suggestion_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_QUERY_SUGGEST, on_suggestions, done, arg);

	pgquery_i64(query, user_id);
	pgquery_start(query);
}
