/* SPDX-License-Identifier: ISC */
/*
 * Users' keys for providers: statements, parameters, row readers.
 */
#include "db/repo/repo_provider_key.h"

#include "db/repo/repo_int.h"

static void on_list(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct sealed_key_list list = { .count = 0 };

	if (err == NULL) {
		struct sealed_key *keys;

		list.count = PQntuples(res);
		keys = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*keys));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			keys[i].provider = pgrow_text(&row);
			keys[i].sealed = pgrow_text(&row);
			keys[i].created_us = pgrow_time(&row);
			keys[i].updated_us = pgrow_time(&row);
		}
		list.rows = keys;
	}
	if (call->done != NULL)
		DONE(repo_provider_key_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_provider_key_put(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    struct pl_str sealed, repo_provider_key_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_PROVIDER_KEY_PUT, on_list, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, provider);
	pgcall_bytes(call, sealed.ptr, sealed.len);
	pgcall_start(call);
}

void repo_provider_key_list(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    repo_provider_key_list_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_PROVIDER_KEY_LIST, on_list, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, provider);
	pgcall_start(call);
}

void repo_provider_key_delete(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_PROVIDER_KEY_DELETE, repo_on_status, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, provider);
	pgcall_start(call);
}
