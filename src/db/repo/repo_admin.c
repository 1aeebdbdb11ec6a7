/* SPDX-License-Identifier: ISC */
/*
 * Limit hits, purge: statements, parameters, row readers.
 */
#include "db/repo/repo_admin.h"

#include "db/repo/repo_int.h"

void repo_limit_hits_add(struct db *db, struct pl_task *task, const struct shm_refusal *refusals, int count,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_LIMIT_HITS_ADD, repo_on_done, done, arg);
	struct pl_str *texts = pl_alloc(query->pool, (size_t)count * sizeof(*texts));
	int64_t *numbers = pl_alloc(query->pool, (size_t)count * sizeof(*numbers));

	for (int i = 0; i < count; i++)
		texts[i] = pl_str(refusals[i].klass);
	pgquery_texts(query, texts, count);
	for (int i = 0; i < count; i++)
		numbers[i] = refusals[i].user_id;
	pgquery_i64s(query, numbers, count, true);
	for (int i = 0; i < count; i++)
		texts[i] = refusals[i].addr[0] != '\0' ? pl_str(refusals[i].addr) : PL_STR_NONE;
	pgquery_texts(query, texts, count);
	for (int i = 0; i < count; i++)
		numbers[i] = refusals[i].count;
	pgquery_i64s(query, numbers, count, false);
	for (int i = 0; i < count; i++)
		numbers[i] = refusals[i].first_us;
	pgquery_i64s(query, numbers, count, false);
	for (int i = 0; i < count; i++)
		numbers[i] = refusals[i].last_us;
	pgquery_i64s(query, numbers, count, false);
	pgquery_start(query);
}

static void read_hit(struct pgrow *row, struct limit_hit *out)
{
	out->klass = pgrow_text(row);
	out->username = pgrow_text(row);
	out->address = pgrow_text(row);
	out->user_id = pgrow_i64(row);
	out->count = pgrow_i64(row);
	out->first_us = pgrow_time(row);
	out->last_us = pgrow_time(row);
}

REPLY(on_hits, struct limit_hit_list)
{
	READ_ROWS(query, res, out, struct limit_hit, read_hit);
	return true;
}

void repo_limit_hit_list(struct db *db, struct pl_task *task, int64_t since_us, int limit,
    repo_limit_hit_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_LIMIT_HIT_LIST, on_hits, done, arg);

	pgquery_time(query, since_us > 0 ? since_us : 1);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

void repo_purge(struct db *db, struct pl_task *task, const struct purge_limits *limits, db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_PURGE, repo_on_count, done, arg);

	pgquery_i32(query, limits->rows);
	pgquery_i32(query, limits->audit_days);
	pgquery_i64(query, limits->export_keep_ms);
	pgquery_start(query);
}
