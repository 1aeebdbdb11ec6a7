/* SPDX-License-Identifier: ISC */
/*
 * Sending a message into a room: the one way, for REST and all socket dialects.
 */
#ifndef SVC_CHAT_H
#define SVC_CHAT_H

#include "db/repo/repo_message.h"
#include "db/repo/repo_room.h"
#include "svc/room/role_answer.h"
#include "svc/svc.h"

struct chat_send {
	int64_t room_id, reply_to;
	struct pl_str client_id;		/* absent: one is made */
	struct pl_str content;
	int64_t role_id;			/* the role that shall answer; 0: those whose turn it is */
	role_asked_fn *asked;			/* with role_id: whether it will; NULL: nobody wants to know */
};
struct chat_sent { struct message message; bool duplicate; };	/* texts borrowed from the task's pool */
typedef void (chat_sent_fn)(void *arg, const struct chat_sent *sent, const struct pl_err *err);

/*
 * Joins a public room if need be, appends, acknowledges (done), tells everybody (own sockets after their ack), and lets
 * AI roles answer. Stored in the order of the calls per user and room. Rate limits were taken by the caller. Errors:
 * PL_E_NOT_FOUND (also for strangers of private rooms), PL_E_CONFLICT (client_id with other content), PL_E_ARCHIVED,
 * PL_E_TOO_LARGE (setting max_content; with field body.content), PL_E_BUSY (too much waits for the same join),
 * database's. `asked` completes, with the same arg, after a `done` that is neither an error nor a duplicate.
 */
void chat_send(struct svc *svc, const struct config *config, struct pl_task *task, const struct chat_send *in,
    chat_sent_fn *done, void *arg);

struct chat *chat_new(struct svc *svc);
/* After the database, which has completed everything, and before the hub. */
void chat_free(struct chat **chat);

#endif
