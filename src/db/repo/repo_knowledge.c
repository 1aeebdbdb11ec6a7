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
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

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
	struct pgquery *query = QUERY(db, task, S_KNOWLEDGE_PUT, on_put, done, arg);

	pgquery_text(query, PL_STR_NONE);
	pgquery_text(query, in->title);
	pgquery_text(query, in->text);
	pgquery_text(query, in->sha256);
	pgquery_i64(query, user_id);
	pgquery_text(query, chunks);
	pgquery_text(query, in->language);
	pgquery_start(query);
}

REPLY(on_document, struct knowledge)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	read_document(&row, out);
	out->text = pgrow_text(&row);
	return true;
}

void repo_knowledge_get(struct db *db, struct pl_task *task, int64_t id, repo_knowledge_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_KNOWLEDGE_GET, on_document, done, arg);

	pgquery_i64(query, id);
	pgquery_start(query);
}

REPLY(on_list, struct knowledge_list)
{
	READ_PAGE(query, res, out, struct knowledge, read_document);
	return true;
}

void repo_knowledge_list(struct db *db, struct pl_task *task, int64_t after, int limit, repo_knowledge_list_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_KNOWLEDGE_LIST, on_list, done, arg);

	repo_keep_limit(query, limit);
	pgquery_i64(query, after);
	pgquery_i32(query, limit);
	pgquery_start(query);
}

void repo_knowledge_delete(struct db *db, struct pl_task *task, int64_t id, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_KNOWLEDGE_DELETE, repo_on_status, done, arg);

	pgquery_i64(query, id);
	pgquery_start(query);
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
	READ_ROWS(query, res, out, struct passage, read_passage);
	return true;
}

void repo_knowledge_search(struct db *db, struct pl_task *task, const struct passage_query *query,
    repo_passages_fn *done, void *arg)
{
	struct pgquery *q = QUERY(db, task, S_KNOWLEDGE_SEARCH, on_passages, done, arg);

	pgquery_text(q, query->query);
	pgquery_bool(q, query->operators);
	pgquery_f64_or_null(q, query->floor, false);
	pgquery_i32(q, query->limit);
	pgquery_start(q);
}

void repo_knowledge_any(struct db *db, struct pl_task *task, db_done_fn *done, void *arg)
{
	pgquery_start(QUERY(db, task, S_KNOWLEDGE_ANY, repo_on_bool, done, arg));
}
