/* SPDX-License-Identifier: ISC */
/*
 * AI roles in rooms: who answers a message, and the answer as a generation that outlives its asker.
 *
 * A generation: take a place in shared memory and in PostgreSQL -> the answer (svc/answer/answer.h) with text into
 * shared memory, viewers told every llm_delta -> the finished text as a message of the role -> the row ended -> its
 * follow-up.
 */
#ifndef SVC_ROLE_ANSWER_H
#define SVC_ROLE_ANSWER_H

#include "db/repo/repo_generation.h"
#include "db/repo/repo_message.h"
#include "db/repo/repo_role.h"
#include "svc/svc.h"

struct role_answers;
/* Also adopts answers of roles whose worker died. */
struct role_answers *role_answers_new(struct svc *svc);
void role_answers_free(struct role_answers **roles);
/* At the start: rows that earlier processes of this slot left running and nobody stores are marked interrupted. */
void role_answers_mark(struct role_answers *roles);

typedef void (role_asked_fn)(void *arg, const struct pl_err *err);
/*
 * After a user's message was committed: starts answers of the roles whose turn it is, or of role_id alone if that is
 * not 0. Texts are copied. `asked`, if not NULL, completes with what forbids it to role_id: PL_E_NOT_FOUND (no such
 * role, or it is neither in the room nor the asker's own), PL_E_FORBIDDEN (the room's policy is off), database's.
 */
void role_consider(struct svc *svc, const struct config *config, struct pl_task *task, const struct message *message,
    int64_t role_id, role_asked_fn *asked, void *arg);
/* After a message was sent again: asks only roles that were not asked about it or a later one. */
void role_consider_again(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct message *message, int64_t role_id);
/* Stops one: its asker, moderators and owners of the room, admins. PL_E_NOT_FOUND, PL_E_FORBIDDEN. Gives the row. */
void role_stop(struct svc *svc, struct pl_task *task, struct pl_str id, repo_generation_fn *done, void *arg);

/* False: the text mentions nobody. Cheap. */
bool mention_possible(struct pl_str text);
/*
 * Which of the roles the text mentions, by their name for mentions or as they are called ("@Product Manager"):
 * marks[i] of roles[i]. The longest name at a place is meant: this does not mention a role called Product.
 */
void mention_mark(struct pl_pool *pool, struct pl_str text, const struct role *roles, int count, bool *marks);

#endif
