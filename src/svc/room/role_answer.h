/* SPDX-License-Identifier: ISC */
/*
 * AI roles in rooms: which role answers a message, and the answer as a generation that continues if the asker leaves.
 *
 * A generation: take a place in shared memory and in PostgreSQL -> the answer (svc/answer/answer.h), with its text in
 * shared memory and sent to viewers every llm_delta -> the finished text as a message of the role -> the row ended ->
 * its follow-up.
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
/*
 * At the start: marks rows of earlier processes of this slot as interrupted if they are running and no process stores
 * them.
 */
void role_answers_mark(struct role_answers *roles);

typedef void (role_asked_fn)(void *arg, const struct pl_err *err);
/*
 * After a user's message was committed: starts answers of the roles whose turn it is, or of role_id only if it is not
 * 0. Texts are copied. `asked`, if not NULL, completes with the reason why role_id cannot answer: PL_E_NOT_FOUND (no
 * such role, or it is neither in the room nor the asker's own), PL_E_FORBIDDEN (the policy of the room is off), and
 * those of the database.
 */
void role_consider(struct svc *svc, const struct config *config, struct pl_task *task, const struct message *message,
    int64_t role_id, role_asked_fn *asked, void *arg);
/* After a message was sent again: asks only roles that were not asked about it or a later one. */
void role_consider_again(struct svc *svc, const struct config *config, struct pl_task *task,
    const struct message *message, int64_t role_id);
/* Stops one: its asker, moderators and owners of the room, admins. PL_E_NOT_FOUND, PL_E_FORBIDDEN. Returns the row. */
void role_stop(struct svc *svc, struct pl_task *task, struct pl_str id, repo_generation_fn *done, void *arg);

#endif
