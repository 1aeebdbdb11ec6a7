/* SPDX-License-Identifier: ISC */
/*
 * The parts of a write group: one send, and one room's statement with its sends.
 */
#ifndef DB_WSEND_H
#define DB_WSEND_H

#include "db/db_int.h"

#define WGROUP_MAX 256		/* sends in one group, or in one parked statement */

struct wsend {
	TAILQ_ENTRY(wsend) link;
	struct pl_pool *pool;		/* the send lives in it */
	struct db *db;
	struct pl_task *task;		/* held until its completion; NULL after it */
	struct message_new in;		/* copied into pool; client_id is never absent */
	repo_append_fn *done;
	void *arg;
	int64_t started_ns;
	struct shed_work work;
	int order;			/* place among the sends of its group */
	bool sent;			/* was part of a statement that was sent */
};
TAILQ_HEAD(wsend_list, wsend);

struct wroom {
	TAILQ_ENTRY(wroom) link;
	int64_t room_id;
	struct wsend_list sends;
	int count;
	bool unknown; /* was sent before and its outcome is not known: `duplicate` then means stored */
	int tries;
	struct pgquery *query;		/* in flight */
	PGresult *res;			/* its rows, to be reported after the commit */
};
TAILQ_HEAD(wroom_list, wroom);

struct wsend *wsend_new(
    struct db *db, struct pl_task *task, const struct message_new *in, repo_append_fn *done, void *arg);
/* Reports the result to the caller (once) and leaves the send allocated. */
void wsend_finish(struct wsend *send, const struct appended *result, const struct pl_err *err);
/* Fails and frees all of a list. sent ones get PL_E_WRITE_UNKNOWN instead, if `unknown`. */
void wsend_fail_list(struct wsend_list *list, enum pl_code code, int retry_after_s, bool unknown);
/* Deadline and cancellation of a list: finished sends that were never sent are removed and freed. */
void wsend_sweep(struct wsend_list *list, int64_t now_ns, bool away);

struct wroom *wroom_new(int64_t room_id);
void wroom_add(struct wroom *room, struct wsend *send);
/* A new query of room_append() for the room; task NULL. finish may be NULL. */
struct pgquery *wroom_call(struct wroom *room, struct db *db, pgquery_fn *finish, void *arg);
/* Reports its row to each send. Frees the sends; the room stays. */
void wroom_settle(struct wroom *room, const PGresult *res, struct db *db);
void wroom_free(struct wroom **room);	/* with the sends that are left, which must be finished */

#endif
