/* SPDX-License-Identifier: ISC */
/*
 * Finds the start of a page, for lists that continue after an id.
 */
#ifndef DB_REPO_LIST_H
#define DB_REPO_LIST_H

#include "db/db.h"

enum list_of { LIST_ROLES, LIST_ROOMS, LIST_MEMBERS, LIST_FEEDBACK, LIST_REQUESTS, LIST_KNOWLEDGE, LIST_LOGINS };

struct list_ask {
	enum list_of list;
	int64_t user_id, id;		/* of the caller, of the room */
	bool asked;			/* requests: those to the caller, not those of the caller */
	struct pl_str status;		/* requests: only these; absent: all */
	int64_t offset;			/* rows before the page */
};
/*
 * total: rows of the whole list. last: id of the row before the page; 0: the first page, INT64_MAX: after the end. For
 * lists in descending order, it is negated. No access check: the statement of the list does that.
 */
struct list_place { int64_t total, last; };
typedef void (repo_list_place_fn)(void *arg, const struct list_place *place, const struct pl_err *err);

void repo_list_place(struct db *db, struct pl_task *task, const struct list_ask *ask, repo_list_place_fn *done,
    void *arg);

#endif
