/* SPDX-License-Identifier: ISC */
/*
 * Limit hits, audit, purge, ping: statements, parameters, row readers.
 */
#include "db/repo/repo_admin.h"

#include "db/repo/repo_int.h"

void repo_limit_hits_add(struct db *db, struct pl_task *task, const struct shm_refusal *refusals, int count,
    db_done_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_LIMIT_HITS_ADD, repo_on_done, done, arg);
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
	READ_ROWS(call, res, out, struct limit_hit, read_hit);
	return true;
}

void repo_limit_hit_list(struct db *db, struct pl_task *task, int64_t since_us, int limit,
    repo_limit_hit_list_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_LIMIT_HIT_LIST, on_hits, done, arg);

	pgcall_time(call, since_us > 0 ? since_us : 1);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_audit_add(struct db *db, struct pl_task *task, const struct audit_row *row, db_done_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_AUDIT_ADD, repo_on_done, done, arg);

	pgcall_i64(call, row->actor_id != 0 ? row->actor_id : task->who.user_id);
	pgcall_text(call, row->action);
	pgcall_text(call, row->target);
	pgcall_text(call, row->address.ptr != NULL ? row->address : pl_str(task->who.addr));
	pgcall_text(call, row->request_id.ptr != NULL ? row->request_id : pl_str(task->request_id));
	pgcall_text(call, row->body);
	pgcall_start(call);
}

static void read_audit(struct pgrow *row, struct audit_row *out)
{
	out->id = pgrow_i64(row);
	out->actor_id = pgrow_i64(row);
	out->actor_name = pgrow_text(row);
	out->action = pgrow_text(row);
	out->target = pgrow_text(row);
	out->address = pgrow_text(row);
	out->request_id = pgrow_text(row);
	out->body = pgrow_text(row);
	out->created_us = pgrow_time(row);
}

REPLY(on_audit, struct audit_list)
{
	READ_PAGE(call, res, out, struct audit_row, read_audit);
	return true;
}

void repo_audit_list(struct db *db, struct pl_task *task, int64_t actor_id, int64_t before, int limit,
    repo_audit_list_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_AUDIT_LIST, on_audit, done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, actor_id);
	pgcall_i64(call, before);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_purge(struct db *db, struct pl_task *task, int limit, db_count_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_PURGE, repo_on_count, done, arg);

	pgcall_i32(call, limit);
	pgcall_start(call);
}
