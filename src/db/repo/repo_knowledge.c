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
	d->language = pgrow_text(row);
	d->found_by = pgrow_text(row);
}

REPLY(on_put, struct knowledge)
{
	struct pgrow row = pgrow_at(res, 0, call->task->pool);

	if (repo_status_err(pgrow_text(&row), bad)) {
		(void)pgrow_bool(&row);
		read_document(&row, out);
	} else {
		return false;
	}
	return true;
}

void repo_knowledge_put(struct db *db, struct pl_task *task, int64_t user_id, const struct knowledge *in,
    struct pl_str chunks, repo_knowledge_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_KNOWLEDGE_PUT, on_put, done, arg);

	pgcall_text(call, PL_STR_NONE);
	pgcall_text(call, in->title);
	pgcall_text(call, in->text);
	pgcall_text(call, in->sha256);
	pgcall_i64(call, user_id);
	pgcall_text(call, chunks);
	pgcall_text(call, in->language);
	pgcall_start(call);
}

REPLY(on_document, struct knowledge)
{
	struct pgrow row;

	if (!repo_first(call, res, &row, bad))
		return false;
	read_document(&row, out);
	out->text = pgrow_text(&row);
	return true;
}

void repo_knowledge_get(struct db *db, struct pl_task *task, int64_t id, repo_knowledge_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_KNOWLEDGE_GET, on_document, done, arg);

	pgcall_i64(call, id);
	pgcall_start(call);
}

REPLY(on_list, struct knowledge_list)
{
	READ_PAGE(call, res, out, struct knowledge, read_document);
	return true;
}

void repo_knowledge_list(struct db *db, struct pl_task *task, int64_t after, int limit, repo_knowledge_list_fn *done,
    void *arg)
{
	struct pgcall *call = CALL(db, task, S_KNOWLEDGE_LIST, on_list, done, arg);

	repo_keep_limit(call, limit);
	pgcall_i64(call, after);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_knowledge_delete(struct db *db, struct pl_task *task, int64_t id, db_done_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_KNOWLEDGE_DELETE, repo_on_status, done, arg);

	pgcall_i64(call, id);
	pgcall_start(call);
}

static void read_passage(struct pgrow *row, struct passage *out)
{
	out->document_id = pgrow_i64(row);
	out->title = pgrow_text(row);
	out->number = pgrow_i64(row);
	out->first = pgrow_i64(row);
	out->last = pgrow_i64(row);
	out->text = pgrow_text(row);
	out->score = pgrow_f64_or(row, 0);
	out->similar = pgrow_bool(row);
}

REPLY(on_passages, struct passage_list)
{
	READ_ROWS(call, res, out, struct passage, read_passage);
	return true;
}

void repo_knowledge_search(struct db *db, struct pl_task *task, const struct passage_query *query,
    repo_passages_fn *done, void *arg)
{
	struct pgcall *call = CALL(db, task, S_KNOWLEDGE_SEARCH, on_passages, done, arg);

	pgcall_text(call, query->query);
	pgcall_bool(call, query->operators);
	pgcall_f64_or_null(call, query->floor, false);
	pgcall_i32(call, query->limit);
	pgcall_start(call);
}

void repo_knowledge_any(struct db *db, struct pl_task *task, db_done_fn *done, void *arg)
{
	pgcall_start(CALL(db, task, S_KNOWLEDGE_ANY, repo_on_bool, done, arg));
}
