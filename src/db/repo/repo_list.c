/* SPDX-License-Identifier: ISC */
/*
 * Places of pages: statement, parameters, row reader.
 */
#include "db/repo/repo_list.h"

#include "db/repo/repo_int.h"

REPLY(on_place, struct list_place)
{
	struct pgrow row = pgrow_at(res, 0, call->task->pool);

	out->total = pgrow_i64(&row);
	out->last = pgrow_i64(&row);
	return true;
}

void repo_list_place(struct db *db, struct pl_task *task, const struct list_ask *ask, repo_list_place_fn *done,
    void *arg)
{
	static const char *const words[] = { "roles", "rooms", "members", "feedback", "requests", "knowledge",
		"logins" };
	struct pgcall *call = CALL(db, task, S_LIST_PLACE, on_place, done, arg);

	pgcall_cstr(call, words[ask->list]);
	pgcall_i64(call, ask->user_id);
	pgcall_i64(call, ask->id);
	pgcall_bool(call, ask->asked);
	pgcall_text(call, ask->status);
	pgcall_i64(call, ask->offset);
	pgcall_start(call);
}
