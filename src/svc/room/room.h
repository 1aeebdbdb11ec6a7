/* SPDX-License-Identifier: ISC */
/*
 * Changes of rooms and their members. Each function commits, notifies all listeners of the room on all workers and, if
 * a user joined or left, the sockets of this user; then it completes.
 *
 * The caller of the task is the acting user; admins count as an owner of every room. Errors: see the repo_* function of
 * the same purpose.
 */
#ifndef SVC_ROOM_H
#define SVC_ROOM_H

#include "db/repo/repo_invite.h"
#include "db/repo/repo_mark.h"
#include "svc/svc.h"

/* The caller owns it. */
void room_create(struct svc *svc, struct pl_task *task, const struct room_new *in, repo_room_result_fn *done,
    void *arg);
/* Runs once for concurrent calls on this worker; messages that the caller sends meanwhile wait for it (chat.c). */
void room_join(struct svc *svc, struct pl_task *task, int64_t room_id, repo_room_result_fn *done, void *arg);
void room_patch(struct svc *svc, struct pl_task *task, int64_t room_id, const struct room_patch *patch,
    repo_room_result_fn *done, void *arg);
/* All subscriptions end. In the audit trail. */
void room_delete(struct svc *svc, struct pl_task *task, int64_t room_id, db_done_fn *done, void *arg);
void room_leave(struct svc *svc, struct pl_task *task, int64_t room_id, repo_room_result_fn *done, void *arg);
void room_member_add(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t other_id,
    enum member_level level, repo_room_result_fn *done, void *arg);
/* PL_E_NOT_FOUND: also when that user is not a member. In the audit trail. */
void room_member_remove(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t other_id,
    repo_room_result_fn *done, void *arg);
/* In the audit trail, both. */
void room_hand_over(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t other_id, repo_room_result_fn *done,
    void *arg);
/* Ends the subscriptions of the user in all workers. */
void room_ban(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t other_id, struct pl_str reason,
    repo_room_result_fn *done, void *arg);
/* The caller joins the room of an invite: repo_invite_accept(). */
void room_invite_accept(struct svc *svc, struct pl_task *task, const struct invite_rule *rule,
    repo_room_result_fn *done, void *arg);
/* The same for an account that was just made with it (user_created.joined), which committed already. */
void room_joined_by_invite(struct svc *svc, const struct room_change *joined);
void room_role_attach(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t role_id, bool attach,
    repo_room_result_fn *done, void *arg);

/* A role of the room's owner joins, because the caller used it: repo_room_take(). */
void room_role_take(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t role_id, repo_room_result_fn *done,
    void *arg);

/*
 * The caller has read the room up to seq; with `back`, seq and all that follows count as unread. Completes after the
 * commit. See repo_read_mark_move().
 */
void room_read(struct svc *svc, struct pl_task *task, int64_t room_id, int64_t seq, bool back, repo_unread_fn *done,
    void *arg);
/* The same for a member who listens to the room, which has this entry. Stored within 2 s; see read_mark.h. */
void room_read_live(struct svc *svc, int64_t room_id, int64_t user_id, int64_t seq);

/* The reply policy of a room. If none is set yet, it is the one that the next role to join would set. */
static inline enum reply_policy room_reply_policy(int policy, int role_count)
{
	if (policy != REPLY_DEFAULT)
		return (enum reply_policy)policy;
	return role_count == 1 ? REPLY_ALL : REPLY_MENTION;
}

#endif
