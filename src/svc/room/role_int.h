/* SPDX-License-Identifier: ISC */
/*
 * Shared by role_turn.c and role_answer.c.
 */
#ifndef SVC_ROLE_INT_H
#define SVC_ROLE_INT_H

#include "db/repo/repo_role.h"
#include "svc/room/role_answer.h"

/* The message that roles are asked to answer. */
struct role_question {
	int64_t room_id, seq, asker_id;
	struct pl_str asker_name, room_name;
	bool again;			/* the message was sent again: perhaps no role was asked about it */
};

/* Starts the answer of one role; takes copies. */
void role_answer_start(struct svc *svc, const struct config *config, const struct role_question *question,
    const struct role *role, const char *asker_addr);
/* Starts the follow-up that was recorded while the role was busy. */
void role_follow_up(struct svc *svc, const struct config *config, const struct generation_ended *ended);

#endif
