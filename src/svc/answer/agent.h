/* SPDX-License-Identifier: ISC */
/*
 * AI roles in rooms: who answers a message, and the answer as a job (a generation) that outlives its asker.
 *
 * A generation: take a place in shared memory and in PostgreSQL -> read the history -> ask the model -> text into
 * shared memory, viewers told every llm_delta -> the finished text as a message of the role -> the row ended -> its
 * follow-up.
 * Every way to end (done, failed, cancelled, interrupted) keeps the text and marks it.
 */
#ifndef SVC_AGENT_H
#define SVC_AGENT_H

#include "db/repo/repo_generation.h"
#include "db/repo/repo_message.h"
#include "svc/svc.h"

struct agents;
struct agents *agents_new(struct svc *svc);
void agents_free(struct agents **agents);

/* After a user's message was committed: starts answers of the roles whose turn it is. Texts are copied. */
void agent_consider(struct svc *svc, const struct config *config, struct pl_task *task, const struct message *message);
/* Stops one: its asker, moderators and owners of the room, admins. PL_E_NOT_FOUND, PL_E_FORBIDDEN. Gives the row. */
void agent_stop(struct svc *svc, struct pl_task *task, struct pl_str id, repo_generation_fn *done, void *arg);
/* End of the loop turn: looks at the cancel flags of this worker's answers. */
void agents_turn(void *agents);
/* Text of answers whose worker died is stored and marked interrupted; called at start and when a slot died. */
void agents_adopt(struct agents *agents);
/* The process will end: cuts all running answers (they are stored as interrupted). */
void agents_cut(struct agents *agents);
int agents_running(const struct agents *agents);

/* Does the text mention `name`: @name at its start or after a non-word character, not inside code? */
bool mention_has(struct pl_str text, struct pl_str name);

#endif
