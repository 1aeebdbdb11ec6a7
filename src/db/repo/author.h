/* SPDX-License-Identifier: ISC */
/*
 * Names of authors, so that neither messages nor logs read the table of users.
 *
 * names.c has the names. An unknown name is looked up. A known name is used at once, and is looked up again when
 * PostgreSQL notifies that it changed (channel parlour_names), or when notifications may have been missed.
 */
#ifndef DB_AUTHOR_H
#define DB_AUTHOR_H

#include "db/db_int.h"
#include "db/repo/repo_message.h"

struct authors *authors_new(struct db *db);
/* Messages that wait continue without names. Called before the connections are freed, and after. */
void authors_stop(struct authors *authors);
void authors_free(struct authors **authors);
/* Starts the lookups of this loop turn; called before the turn of the connections. */
void authors_turn(struct authors *authors);
/* A notification of channel parlour_names: the id of the user as text; NULL: some may have been missed. */
void authors_notice(void *authors, const char *payload);

/*
 * Returns whether a message must wait until the name of its author is known, or after another message of this author
 * that waits. true: it was copied and is given to the write group later, in order, with or without the name. It waits
 * for a second at most, and not while such lookups are stuck.
 */
bool author_wait(struct db *db, struct pl_task *task, const struct message_new *in, repo_append_fn *done, void *arg);
/* A statement read these names. */
void author_learn(struct pgquery *query, int64_t user_id, struct pl_str name, struct pl_str display);
/* Looks the name up unless it is known and has not changed; no message waits for it. */
void author_want(struct db *db, int64_t user_id);

/* Names to be filled in; `display` may be NULL. The same user several times in a row shares the texts. */
struct author_ref { int64_t user_id; struct pl_str *name, *display; };
typedef void (author_fill_fn)(struct pgquery *query, void *result, const struct pl_err *err);
/*
 * Fills in the names for a result of `query`, then calls done(), at once if all are known here. The query that done()
 * gets has the same task, done, and arg. Names of deleted users are not changed. refs is kept.
 */
void author_fill(struct pgquery *query, const struct author_ref *refs, int count, author_fill_fn *done, void *result);

#endif
