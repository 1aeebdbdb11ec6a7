/* SPDX-License-Identifier: ISC */
/*
 * What is to be sent by mail or to Slack (table outbox). Anybody queues; only clerks take and note.
 */
#ifndef DB_REPO_OUTBOX_H
#define DB_REPO_OUTBOX_H

#include "db/db.h"

struct outbox_item {
	struct pl_str id, kind, destination;
	struct pl_str subject, body;		/* absent: made from the request */
	int tries;				/* this one included */
	struct pl_str request_id;		/* absent: no feedback request; then so is the rest */
	struct pl_str asker, question, context, options, on_timeout;
	int64_t due_us;
};
struct outbox_list { const struct outbox_item *rows; int count; };
typedef void (repo_outbox_fn)(void *arg, const struct outbox_list *list, const struct pl_err *err);

/*
 * Takes what is due, at most `limit`, for 150 s. What this host holds already is taken again: its clerk calls this only
 * while it sends nothing, so that is what a dead clerk, or a reply that was lost, left.
 */
void repo_outbox_claim(struct db *db, struct pl_task *task, bool mail, bool slack, int limit, repo_outbox_fn *done,
    void *arg);

enum outbox_result { OUTBOX_SENT, OUTBOX_RETRY, OUTBOX_FAILED };
/* What became of a try; may be repeated. error absent: none. delay_us: until the next try. */
void repo_outbox_done(struct db *db, struct pl_task *task, struct pl_str id, enum outbox_result result,
    struct pl_str error, int64_t delay_us, db_done_fn *done, void *arg);

#endif
