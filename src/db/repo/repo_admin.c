/* SPDX-License-Identifier: ISC */
/*
 * Limit hits, audit, purge, ping: statements, parameters, row readers.
 */
#include "db/repo/repo_admin.h"

#include "db/repo/repo_int.h"

void repo_ping(struct db *db, struct pl_task *task, db_done_fn *done, void *arg)
{
	pgcall_start(pgcall_new(db, task, S_PING, repo_on_done, (pgcall_done_fn *)done, arg));
}

void repo_limit_hits_add(struct db *db, struct pl_task *task, const struct shm_refusal *refusals, int count,
    db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_LIMIT_HITS_ADD, repo_on_done, (pgcall_done_fn *)done, arg);
	struct pl_str *texts = pl_alloc(call->pool, (size_t)count * sizeof(*texts));
	int64_t *numbers = pl_alloc(call->pool, (size_t)count * sizeof(*numbers));

	for (int i = 0; i < count; i++)
		texts[i] = pl_str(refusals[i].klass);
	pgcall_texts(call, texts, count);
	for (int i = 0; i < count; i++)
		numbers[i] = refusals[i].user_id;
	pgcall_i64s(call, numbers, count, true);
	for (int i = 0; i < count; i++)
		texts[i] = refusals[i].addr[0] != '\0' ? pl_str(refusals[i].addr) : PL_STR_NONE;
	pgcall_texts(call, texts, count);
	for (int i = 0; i < count; i++)
		numbers[i] = refusals[i].count;
	pgcall_i64s(call, numbers, count, false);
	for (int i = 0; i < count; i++)
		numbers[i] = refusals[i].first_us;
	pgcall_i64s(call, numbers, count, false);
	for (int i = 0; i < count; i++)
		numbers[i] = refusals[i].last_us;
	pgcall_i64s(call, numbers, count, false);
	pgcall_start(call);
}

static void on_hits(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct limit_hit_list list = { .count = 0 };

	if (err == NULL) {
		struct limit_hit *hits;

		list.count = PQntuples(res);
		hits = pl_alloc(call->task->pool, (size_t)list.count * sizeof(*hits));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			hits[i].klass = pgrow_text(&row);
			hits[i].username = pgrow_text(&row);
			hits[i].address = pgrow_text(&row);
			hits[i].user_id = pgrow_i64(&row);
			hits[i].count = pgrow_i64(&row);
			hits[i].first_us = pgrow_time(&row);
			hits[i].last_us = pgrow_time(&row);
		}
		list.rows = hits;
	}
	if (call->done != NULL)
		DONE(repo_limit_hit_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_limit_hit_list(struct db *db, struct pl_task *task, int64_t since_us, int limit,
    repo_limit_hit_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_LIMIT_HIT_LIST, on_hits, (pgcall_done_fn *)done, arg);

	pgcall_time(call, since_us > 0 ? since_us : 1);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_audit_add(struct db *db, struct pl_task *task, const struct audit_row *row, db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_AUDIT_ADD, repo_on_done, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, row->actor_id != 0 ? row->actor_id : task->who.user_id);
	pgcall_text(call, row->action);
	pgcall_text(call, row->target);
	pgcall_text(call, row->address.ptr != NULL ? row->address : pl_str(task->who.addr));
	pgcall_text(call, row->request_id.ptr != NULL ? row->request_id : pl_str(task->request_id));
	pgcall_text(call, row->body);
	pgcall_start(call);
}

static void on_audit(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct audit_list list = { .count = 0 };

	if (err == NULL) {
		struct audit_row *rows;

		list.count = repo_rows(call, res, &list.more);
		rows = pl_alloc(call->task->pool, (size_t)list.count * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].id = pgrow_i64(&row);
			rows[i].actor_id = pgrow_i64(&row);
			rows[i].actor_name = pgrow_text(&row);
			rows[i].action = pgrow_text(&row);
			rows[i].target = pgrow_text(&row);
			rows[i].address = pgrow_text(&row);
			rows[i].request_id = pgrow_text(&row);
			rows[i].body = pgrow_text(&row);
			rows[i].created_us = pgrow_time(&row);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_audit_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_audit_list(struct db *db, struct pl_task *task, int64_t actor_id, int64_t before, int limit,
    repo_audit_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_AUDIT_LIST, on_audit, (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, actor_id);
	pgcall_i64(call, before);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_purge(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_PURGE, repo_on_count, (pgcall_done_fn *)done, arg);

	pgcall_i32(call, limit);
	pgcall_start(call);
}
