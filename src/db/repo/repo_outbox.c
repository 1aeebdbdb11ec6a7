/* SPDX-License-Identifier: ISC */
/*
 * The queue of what is sent: statements, parameters, row readers.
 */
#include "db/repo/repo_outbox.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

static void on_claimed(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct outbox_list list = { .count = 0 };

	if (err == NULL) {
		struct outbox_item *rows;

		list.count = PQntuples(res);
		rows = pl_alloc(call->task->pool, ((size_t)list.count + 1) * sizeof(*rows));
		for (int i = 0; i < list.count; i++) {
			struct pgrow row = pgrow_at(res, i, call->task->pool);

			rows[i].id = pgrow_text(&row);
			rows[i].kind = pgrow_text(&row);
			rows[i].destination = pgrow_text(&row);
			rows[i].subject = pgrow_text(&row);
			rows[i].body = pgrow_text(&row);
			rows[i].tries = pgrow_i32(&row);
			rows[i].request_id = pgrow_text(&row);
			rows[i].asker = pgrow_text(&row);
			rows[i].question = pgrow_text(&row);
			rows[i].context = pgrow_text(&row);
			rows[i].options = pgrow_text(&row);
			rows[i].on_timeout = pgrow_text(&row);
			rows[i].due_us = pgrow_time(&row);
		}
		list.rows = rows;
	}
	if (call->done != NULL)
		DONE(repo_outbox_fn, call)(call->arg, err == NULL ? &list : NULL, err);
}

void repo_outbox_claim(struct db *db, struct pl_task *task, bool mail, bool slack, int limit, repo_outbox_fn *done,
    void *arg)
{
	struct pgcall *call = pgcall_new(db, task, S_OUTBOX_CLAIM, on_claimed, (pgcall_done_fn *)done, arg);

	pgcall_cstr(call, db->host);
	pgcall_bool(call, mail);
	pgcall_bool(call, slack);
	pgcall_i32(call, limit);
	pgcall_start(call);
}

void repo_outbox_done(struct db *db, struct pl_task *task, struct pl_str id, enum outbox_result result,
    struct pl_str error, int64_t delay_us, db_done_fn *done, void *arg)
{
	static const char *const words[] = { "sent", "retry", "failed" };
	struct pgcall *call = pgcall_new(db, task, S_OUTBOX_DONE, repo_on_status, (pgcall_done_fn *)done, arg);

	PL_BUG(!pl_uuid_ok(id));
	pgcall_text(call, id);
	pgcall_cstr(call, words[result]);
	pgcall_text(call, error);
	pgcall_i64(call, delay_us);
	pgcall_start(call);
}
