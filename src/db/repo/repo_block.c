/* SPDX-License-Identifier: ISC */
/*
 * Blocked users: statements, parameters, row readers.
 */
#include "db/repo/repo_block.h"

#include "db/repo/repo_int.h"

void repo_block_add(struct db *db, struct pl_task *task, int64_t user_id, const char *whom, int64_t id,
    struct pl_str name, int64_t most, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_BLOCK_ADD, repo_on_status, done, arg);

	pgquery_i64(query, user_id);
	pgquery_cstr(query, whom);
	pgquery_i64(query, id);
	pgquery_text(query, name);
	pgquery_i64(query, most);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_block_remove(struct db *db, struct pl_task *task, int64_t user_id, int64_t id, struct pl_str name,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_BLOCK_REMOVE, repo_on_status, done, arg);

	pgquery_i64(query, user_id);
	pgquery_i64(query, id);
	pgquery_text(query, name);
	pgquery_audited(query);
	pgquery_start(query);
}

static void read_block(struct pgrow *row, struct block *out)
{
	out->user_id = pgrow_i64(row);
	out->username = pgrow_text(row);
	out->name = pgrow_text(row);
	out->created_us = pgrow_time(row);
}

REPLY(on_blocks, struct block_list)
{
	READ_ROWS(query, res, out, struct block, read_block);
	return true;
}

void repo_block_list(struct db *db, struct pl_task *task, int64_t user_id, repo_block_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_BLOCK_LIST, on_blocks, done, arg);

	pgquery_i64(query, user_id);
	pgquery_start(query);
}
