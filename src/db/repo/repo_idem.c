/* SPDX-License-Identifier: ISC */
/*
 * Idempotency keys: statements, parameters, row reader.
 */
#include "db/repo/repo_idem.h"

#include "db/repo/repo_int.h"

static void add_key(struct pgquery *query, const struct pl_once *once)
{
	pgquery_i64(query, once->user_id);
	pgquery_text(query, once->route);
	pgquery_text(query, once->key);
}

REPLY(on_begun, struct idem_begun)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);
	struct pl_str status = pgrow_text(&row);

	out->fresh = pl_str_is(status, "fresh");
	if (pl_str_is(status, "conflict")) {
		pl_err_set(bad, PL_E_CONFLICT, "This Idempotency-Key was used with a different body.");
		return false;
	} else if (!out->fresh && !pl_str_is(status, "replay") && !pl_str_is(status, "made") &&
	    !repo_status_err(status, bad)) {
		return false;
	}
	out->status = pgrow_i32(&row);
	out->body = pgrow_text(&row);
	out->location = pgrow_text(&row);
	out->claim = pgrow_i64(&row);
	out->born_us = pgrow_i64(&row);
	out->made = pgrow_text(&row);
	out->made_new = pgrow_bool(&row);
	return true;
}

void repo_idem_begin(struct db *db, struct pl_task *task, const struct pl_once *once,
    const unsigned char body_sha256[32], repo_idem_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_IDEM_BEGIN, on_begun, done, arg);

	add_key(query, once);
	pgquery_bytes(query, body_sha256, 32);
	pgquery_start(query);
}

void repo_idem_finish(struct db *db, struct pl_task *task, const struct pl_once *once, int status, struct pl_str body,
    struct pl_str location, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_IDEM_FINISH, repo_on_done, done, arg);

	add_key(query, once);
	pgquery_i64(query, once->claim);
	pgquery_i32(query, status);
	pgquery_text(query, body);
	pgquery_text(query, location);
	pgquery_start(query);
}

void repo_idem_forget(struct db *db, struct pl_task *task, const struct pl_once *once, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_IDEM_FORGET, repo_on_done, done, arg);

	add_key(query, once);
	pgquery_i64(query, once->claim);
	pgquery_start(query);
}

void repo_idem_release(struct db *db, struct pl_task *task, const struct pl_once *once, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_IDEM_RELEASE, repo_on_done, done, arg);

	add_key(query, once);
	pgquery_i64(query, once->claim);
	pgquery_start(query);
}

struct pgquery *repo_idem_work(struct db *db, const struct pl_once *once)
{
	struct pgquery *query = pgquery_new(db, NULL, S_IDEM_WORK, NULL, NULL, NULL);

	add_key(query, once);
	pgquery_i64(query, once->claim);
	query->finished = true;
	return query;
}
