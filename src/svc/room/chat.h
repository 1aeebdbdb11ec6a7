/* SPDX-License-Identifier: ISC */
/*
 * Sends a message to a room; the only function for this, used by REST and all socket dialects.
 */
#ifndef SVC_CHAT_H
#define SVC_CHAT_H

#include "db/repo/repo_message.h"
#include "db/repo/repo_room.h"
#include "svc/room/role_answer.h"
#include "svc/svc.h"

struct chat_send {
	int64_t room_id, reply_to;
	struct pl_str client_id;		/* absent: one is generated */
	struct pl_str content;
	int64_t role_id;			/* the role that must answer; 0: the roles whose turn it is */
	role_asked_fn *asked;			/* with role_id: reports whether it answers; may be NULL */
};
struct chat_sent { struct message message; bool duplicate; };	/* texts borrowed from the task's pool */
typedef void (chat_sent_fn)(void *arg, const struct chat_sent *sent, const struct pl_err *err);

/*
 * Joins a public room if necessary, stores the message, acknowledges it (done), sends it to all listeners (to the
 * sockets of the sender after their ack), and lets AI roles answer. Messages are stored in the order of the calls per
 * user and room. The caller has already checked the rate limits. Errors: PL_E_NOT_FOUND (also for private rooms of
 * others), PL_E_CONFLICT (client_id with other content), PL_E_ARCHIVED, PL_E_TOO_LARGE (setting max_content; with field
 * body.content), PL_E_BUSY (too many messages wait for the same join), and those of the database. `asked` completes,
 * with the same arg, after a `done` that is neither an error nor a duplicate.
 */
void chat_send(struct svc *svc, const struct config *config, struct pl_task *task, const struct chat_send *in,
    chat_sent_fn *done, void *arg);

struct chat *chat_new(struct svc *svc);
/* Called after db_free(), which has completed everything, and before hub_free(). */
void chat_free(struct chat **chat);

#endif
