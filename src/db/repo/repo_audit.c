/* SPDX-License-Identifier: ISC */
/*
 * The audit trail: statements, parameters, row readers.
 */
#include "db/repo/repo_audit.h"

#include "db/repo/repo_int.h"

void repo_audit_add(struct db *db, struct pl_task *task, struct pl_str action, struct pl_str target,
    struct pl_str after, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_AUDIT_ADD, repo_on_done, done, arg);

	pgquery_text(query, action);
	pgquery_text(query, target);
	pgquery_text(query, after);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_audit_add_bounded(struct db *db, struct pl_task *task, struct pl_str action, struct pl_str target, int most,
    db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_AUDIT_ADD_BOUNDED, repo_on_done, done, arg);

	pgquery_text(query, action);
	pgquery_text(query, target);
	pgquery_i32(query, most);
	pgquery_audited(query);
	pgquery_start(query);
}

static void read_audit(struct pgrow *row, struct audit_row *out)
{
	out->id = pgrow_i64(row);
	out->at_us = pgrow_time(row);
	out->actor_id = pgrow_i64(row);
	out->actor = pgrow_text(row);
	out->act = pgrow_text(row);
	out->subject = pgrow_text(row);
	out->subject_user = pgrow_text(row);
	out->address = pgrow_text(row);
	out->request_id = pgrow_text(row);
	out->before = pgrow_text(row);
	out->after = pgrow_text(row);
}

REPLY(on_audit, struct audit_list)
{
	READ_PAGE(query, res, out, struct audit_row, read_audit);
	return true;
}

void repo_audit_list(struct db *db, struct pl_task *task, const struct audit_ask *ask, repo_audit_list_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_AUDIT_LIST, on_audit, done, arg);

	repo_keep_limit(query, ask->limit);
	pgquery_text(query, ask->actor);
	pgquery_text(query, ask->act);
	pgquery_text(query, ask->subject);
	pgquery_time(query, ask->since_us);
	pgquery_time(query, ask->until_us);
	pgquery_i64(query, ask->before);
	pgquery_i32(query, ask->limit);
	pgquery_start(query);
}

/* audit_caller() in sql/057_audit.sql splits the text into words. A client may have chosen the request id. */
static const char *word(struct pl_pool *pool, const char *text)
{
	char *copy = pl_strdup(pool, text[0] != '\0' ? text : "-");

	for (char *p = copy; *p != '\0'; p++)
		if (*p == ' ')
			*p = '_';
	return copy;
}

struct pgquery *repo_audit_caller(struct db *db, const struct pl_task *task)
{
	struct pgquery *query = pgquery_new(db, NULL, S_AUDIT_CALLER, NULL, NULL, NULL);

	pgquery_cstr(query, pl_sprintf(query->pool, "%lld %s %s", (long long)task->who.user_id,
	    word(query->pool, task->who.addr), word(query->pool, task->request_id)));
	query->finished = true;
	return query;
}
