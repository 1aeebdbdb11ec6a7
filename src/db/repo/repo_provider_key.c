/* SPDX-License-Identifier: ISC */
/* Keys of users for providers: statements, parameters, row readers. */
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
	READ_ROWS(query, res, out, struct sealed_key, read_sealed_key);
	return true;
}

void repo_provider_key_put(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    struct pl_str sealed, repo_provider_key_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_PROVIDER_KEY_PUT, on_list, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, provider);
	pgquery_bytes(query, sealed.ptr, sealed.len);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_provider_key_list(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    repo_provider_key_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_PROVIDER_KEY_LIST, on_list, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, provider);
	pgquery_start(query);
}

void repo_provider_key_delete(struct db *db, struct pl_task *task, int64_t user_id, struct pl_str provider,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_PROVIDER_KEY_DELETE, repo_on_status, done, arg);

	pgquery_i64(query, user_id);
	pgquery_text(query, provider);
	pgquery_audited(query);
	pgquery_start(query);
}
