/* SPDX-License-Identifier: ISC */
/*
 * The queue of what is sent: statements, parameters, row readers.
 */
#include "db/repo/repo_outbox.h"

#include "db/repo/repo_int.h"
#include "leaf.h"

static void read_outbox_item(struct pgrow *row, struct outbox_item *out)
{
	out->id = pgrow_text(row);
	out->kind = pgrow_text(row);
	out->destination = pgrow_text(row);
	out->subject = pgrow_text(row);
	out->body = pgrow_text(row);
	out->tries = pgrow_i32(row);
	out->request_id = pgrow_text(row);
	out->asker = pgrow_text(row);
	out->question = pgrow_text(row);
	out->context = pgrow_text(row);
	out->options = pgrow_text(row);
	out->on_timeout = pgrow_text(row);
	out->due_us = pgrow_time(row);
}

REPLY(on_claimed, struct outbox_list)
{
	READ_ROWS(call, res, out, struct outbox_item, read_outbox_item);
	return true;
}

void repo_outbox_claim(struct db *db, struct pl_task *task, bool mail, bool slack, int limit, repo_outbox_fn *done,
    void *arg)
{
	struct pgcall *call = CALL(db, task, S_OUTBOX_CLAIM, on_claimed, done, arg);

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
	struct pgcall *call = CALL(db, task, S_OUTBOX_DONE, repo_on_status, done, arg);

	PL_BUG(!pl_uuid_ok(id));
	pgcall_text(call, id);
	pgcall_cstr(call, words[result]);
	pgcall_text(call, error);
	pgcall_i64(call, delay_us);
	pgcall_start(call);
}
