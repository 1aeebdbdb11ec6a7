/* SPDX-License-Identifier: ISC */
/*
 * The knowledge base: statements, parameters, row readers.
 */
#include "db/repo/repo_knowledge.h"

#include "db/repo/repo_int.h"

static void read_document(struct pgrow *row, struct knowledge *d)
{
	d->id = pgrow_i64(row);
	d->title = pgrow_text(row);
	d->source = pgrow_text(row);
	d->bytes = pgrow_i64(row);
	d->sha256 = pgrow_text(row);
	d->chunks = pgrow_i64(row);
	d->author = pgrow_text(row);
	d->created_us = pgrow_time(row);
	d->updated_us = pgrow_time(row);
}

static void on_put(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct knowledge d = { .id = 0 };
	struct pl_err bad;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		if (repo_status_err(pgrow_text(&row), &bad)) {
			(void)pgrow_bool(&row);
			read_document(&row, &d);
		} else {
			err = &bad;
		}
	}
	DONE(repo_knowledge_fn, call)(call->arg, err == NULL ? &d : NULL, err);
}

void repo_knowledge_put(struct db *db, struct pl_task *task, int64_t user_id, const struct knowledge *in,
    struct pl_str chunks, repo_knowledge_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_KNOWLEDGE_PUT, on_put, (pgcall_done_fn *)done, arg);

	pgcall_text(call, PL_STR_NONE);
	pgcall_text(call, in->title);
	pgcall_text(call, in->text);
	pgcall_text(call, in->sha256);
	pgcall_i64(call, user_id);
	pgcall_text(call, chunks);
	pgcall_start(call);
}

static void on_document(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct knowledge d = { .id = 0 };
	struct pl_err bad;

	if (err == NULL && PQntuples(res) == 0)
		err = repo_not_found(&bad);
	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->task->pool);

		read_document(&row, &d);
		d.text = pgrow_text(&row);
	}
	DONE(repo_knowledge_fn, call)(call->arg, err == NULL ? &d : NULL, err);
}

void repo_knowledge_get(struct db *db, struct pl_task *task, int64_t id, repo_knowledge_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_KNOWLEDGE_GET, on_document, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, id);
	pgcall_start(call);
}

static void on_list(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct knowledge_list list = { .count = 0 };

	if (err == NULL) {
		struct knowledge *rows;

		list.count = repo_rows(call, res, &list.more);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].text = PL_STR_NONE;
			read_document(&row, &rows[i]);
		}
		list.rows = rows;
	}
	DONE(repo_knowledge_list_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_knowledge_list(struct db *db, struct pl_task *task, int64_t after, int limit, repo_knowledge_list_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_KNOWLEDGE_LIST, on_list, (pgcall_done_fn *)done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, after);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_knowledge_delete(struct db *db, struct pl_task *task, int64_t id, db_done_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_KNOWLEDGE_DELETE, repo_on_status, (pgcall_done_fn *)done, arg);

	pgcall_i64(call, id);
	pgcall_start(call);
}

static void on_passages(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct passage_list list = { .count = 0 };

	if (err == NULL) {
		struct passage *rows;

		list.count = PQntuples(res);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].document_id = pgrow_i64(&row);
			rows[i].title = pgrow_text(&row);
			rows[i].number = pgrow_i64(&row);
			rows[i].first = pgrow_i64(&row);
			rows[i].last = pgrow_i64(&row);
			rows[i].text = pgrow_text(&row);
			rows[i].score = pgrow_f64_or(&row, 0);
		}
		list.rows = rows;
	}
	DONE(repo_passages_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_knowledge_search(struct db *db, struct pl_task *task, struct pl_str query, double floor, int limit,
    repo_passages_fn *done, void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_KNOWLEDGE_SEARCH, on_passages, (pgcall_done_fn *)done, arg);

	pgcall_text(call, query);
	pgcall_f64_or_null(call, floor, false);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

static void on_any(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	bool any = false;

	if (err == NULL) {
		struct pgrow row = pgrow_at(res, 0, call->pool);

		any = pgrow_bool(&row);
	}
	DONE(db_done_fn, call)(call->arg, err == NULL ? &any : NULL, err);
}

void repo_knowledge_any(struct db *db, struct pl_task *task, db_done_fn *done, void *arg)
{
	pgcall_start(pgcall_new(db, task, S_KNOWLEDGE_ANY, on_any, (pgcall_done_fn *)done, arg));
}
