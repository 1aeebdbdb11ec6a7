/* SPDX-License-Identifier: ISC */
/* Positions of pages: statement, parameters, row reader. */
#include "db/repo/repo_list.h"

#include "db/repo/repo_int.h"

REPLY(on_place, struct list_place)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	out->total = pgrow_i64(&row);
	out->last = pgrow_i64(&row);
	return true;
}

void repo_list_place(struct db *db, struct pl_task *task, const struct list_ask *ask, repo_list_place_fn *done,
    void *arg)
{
	static const char *const words[] = { "roles", "rooms", "members", "feedback", "requests", "knowledge",
		"logins" };
	struct pgquery *query = QUERY(db, task, S_LIST_PLACE, on_place, done, arg);

	pgquery_cstr(query, words[ask->list]);
	pgquery_i64(query, ask->user_id);
	pgquery_i64(query, ask->id);
	pgquery_bool(query, ask->asked);
	pgquery_text(query, ask->status);
	pgquery_i64(query, ask->offset);
	pgquery_start(query);
}
