/* SPDX-License-Identifier: ISC */
/*
 * Users' keys for providers: statements, parameters, row readers.
 */
#include "db/repo/repo_provider_key.h"

#include "db/repo/repo_int.h"

static void read_sealed_key(struct pgrow *row, struct sealed_key *out)
{
	out->provider = pgrow_text(row);
	out->sealed = pgrow_text(row);
	out->created_us = pgrow_time(row);
	out->updated_us = pgrow_time(row);
}

REPLY(on_list, struct sealed_key_list)
{
	READ_ROWS(call, res, out, struct sealed_key, read_sealed_key);
	return true;
}

void repo_provider_key_put(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    struct pl_str sealed, repo_provider_key_list_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_PROVIDER_KEY_PUT, on_list, done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, provider);
	pgcall_bytes(call, sealed.ptr, sealed.len);
	pgcall_start(call);
}

void repo_provider_key_list(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    repo_provider_key_list_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_PROVIDER_KEY_LIST, on_list, done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, provider);
	pgcall_start(call);
}

void repo_provider_key_delete(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    db_done_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_PROVIDER_KEY_DELETE, repo_on_status, done, arg);

	pgcall_i64(call, user_id);
	pgcall_text(call, provider);
	pgcall_start(call);
}
