/* SPDX-License-Identifier: ISC */
/*
 * Jobs: statements, parameters, row readers.
 */
#include "db/repo/repo_job.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

static void read_job(struct pgrow *row, struct job *out)
{
	out->id = pgrow_text(row);
	out->kind = pgrow_text(row);
	out->lane = pgrow_text(row);
	out->payload = pgrow_text(row);
	out->tries = pgrow_i32(row);
	out->request_id = pgrow_text(row);
	out->asker = pgrow_text(row);
	out->question = pgrow_text(row);
	out->context = pgrow_text(row);
	out->options = pgrow_text(row);
	out->on_timeout = pgrow_text(row);
	out->due_us = pgrow_time(row);
}

REPLY(on_claimed, struct job_list)
{
	READ_ROWS(query, res, out, struct job, read_job);
	return true;
}

struct pl_str repo_jobs_owner(struct db *db, struct pl_pool *pool)
{
	return pl_str(pl_sprintf(pool, "%s/%llx/%d/%u", db->place, (unsigned long long)db->boot, db->slot,
	    (unsigned)db->slot_generation));
}

void repo_jobs_claim(struct db *db, struct pl_task *task, const struct job_claim *claim, int64_t lease_us,
    repo_jobs_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_JOBS_CLAIM, on_claimed, done, arg);

	pgquery_text(query, repo_jobs_owner(db, query->pool));
	pgquery_texts(query, claim->kinds, claim->kinds_count);
	pgquery_i64s(query, claim->lane_max, claim->kinds_count, false);
	pgquery_texts(query, claim->lanes, claim->lanes_count);
	pgquery_i32(query, claim->limit);
	pgquery_i64(query, lease_us);
	pgquery_start(query);
}

REPLY(on_next, int64_t)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);

	*out = pgrow_i64_or(&row, -1);
	return true;
}

void repo_jobs_next(struct db *db, struct pl_task *task, const struct pl_str *kinds, int count, db_count_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_JOBS_NEXT, on_next, done, arg);

	pgquery_texts(query, kinds, count);
	pgquery_start(query);
}

REPLY(on_owners, struct job_owners)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	out->names = pgrow_texts(&row, &out->count);
	return true;
}

void repo_jobs_owners(struct db *db, struct pl_task *task, repo_job_owners_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_JOBS_OWNERS, on_owners, done, arg);

	pgquery_cstr(query, db->place);
	pgquery_start(query);
}

void repo_jobs_tend(struct db *db, struct pl_task *task, const struct job_tend *tend, int64_t lease_us,
    db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_JOBS_TEND, repo_on_count, done, arg);

	pgquery_text(query, repo_jobs_owner(db, query->pool));
	pgquery_texts(query, tend->dead.names, tend->dead.count);
	pgquery_texts(query, tend->held, tend->held_count);
	pgquery_i64(query, lease_us);
	pgquery_bool(query, tend->expired);
	pgquery_start(query);
}

void repo_job_end(struct db *db, struct pl_task *task, struct pl_str id, enum job_result result, struct pl_str error,
    int64_t delay_us, db_done_fn *done, void *arg)
{
	static const char *const words[] = { "done", "retry", "dead" };
	struct pgquery *query = QUERY(db, task, S_JOB_END, repo_on_status, done, arg);

	PL_BUG(!pl_uuid_ok(id));
	pgquery_text(query, id);
	pgquery_text(query, repo_jobs_owner(db, query->pool));
	pgquery_cstr(query, words[result]);
	pgquery_text(query, error);
	pgquery_i64_or_null(query, delay_us, 0);
	pgquery_start(query);
}

REPLY(on_counted, struct job_counts)
{
	struct pgrow row = pgrow_at(res, 0, query->pool);

	out->waiting = pgrow_i64(&row);
	out->dead = pgrow_i64(&row);
	return true;
}

void repo_jobs_count(struct db *db, struct pl_task *task, repo_job_counts_fn *done, void *arg)
{
	pgquery_start(QUERY(db, task, S_JOBS_COUNT, on_counted, done, arg));
}

void repo_jobs_listen(struct db *db, void (*fn)(void *arg), void *arg)
{
	db_listen(db, "parlour_jobs", fn, arg);
}
