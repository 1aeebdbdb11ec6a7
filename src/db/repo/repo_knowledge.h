/* SPDX-License-Identifier: ISC */
/*
 * The knowledge base (tables knowledge_documents, knowledge_chunks).
 */
#ifndef DB_REPO_KNOWLEDGE_H
#define DB_REPO_KNOWLEDGE_H

#include "db/db.h"

struct knowledge {
	int64_t id, bytes, chunks, created_us, updated_us;
	struct pl_str title, source, sha256, author;	/* source, author: absent when none */
	struct pl_str language, found_by;		/* found_by: stems, words, pairs */
	struct pl_str text;				/* absent in lists */
};
struct knowledge_list { const struct knowledge *rows; int count; bool more; };
typedef void (repo_knowledge_fn)(void *arg, const struct knowledge *document, const struct pl_err *err);
typedef void (repo_knowledge_list_fn)(void *arg, const struct knowledge_list *list, const struct pl_err *err);

/* title, text, language and sha256 (hex) of `in`; chunks: chunk_json(). */
void repo_knowledge_put(struct db *db, struct pl_task *task, int64_t user_id, const struct knowledge *in,
    struct pl_str chunks, repo_knowledge_fn *done, void *arg);
/* PL_E_NOT_FOUND. */
void repo_knowledge_get(struct db *db, struct pl_task *task, int64_t id, repo_knowledge_fn *done, void *arg);
/* Ascending, ids > after. */
void repo_knowledge_list(struct db *db, struct pl_task *task, int64_t after, int limit, repo_knowledge_list_fn *done,
    void *arg);
/* PL_E_NOT_FOUND. */
void repo_knowledge_delete(struct db *db, struct pl_task *task, int64_t id, db_done_fn *done, void *arg);

/* first, last: characters of the document, [first, last). similar: a word of the query was treated as misspelled. */
struct passage {
	int64_t document_id, number, first, last;
	struct pl_str title, text;
	double score;
	bool similar;
};
struct passage_list { const struct passage *rows; int count; };
typedef void (repo_passages_fn)(void *arg, const struct passage_list *list, const struct pl_err *err);
/* operators: query is in the query language. */
struct passage_query { struct pl_str query; bool operators; double floor; int limit; };
/* The best first, without passages whose score is under `floor` (0 to 1). */
void repo_knowledge_search(struct db *db, struct pl_task *task, const struct passage_query *query,
    repo_passages_fn *done, void *arg);
/* *result: whether there is any document. */
void repo_knowledge_any(struct db *db, struct pl_task *task, db_done_fn *done, void *arg);

#endif
