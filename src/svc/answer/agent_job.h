/* SPDX-License-Identifier: ISC */
/*
 * One running answer, shared by agent*.c only.
 */
#ifndef SVC_AGENT_JOB_H
#define SVC_AGENT_JOB_H

#include <event2/event.h>

#include "db/repo/repo_role.h"
#include "svc/answer/agent.h"
#include "svc/room/hub.h"
#include "svc/knowledge/knowledge.h"

struct agents {
	struct svc *svc;
	struct agent_job *jobs;
	int running;
	bool started, stopping;			/* stopping: what is asked now is not begun */
	struct event *late;			/* what nobody adopted is marked */
};

/* What is asked of whom. Texts live in the job's pool. */
struct agent_question {
	int64_t room_id, seq, asker_id;
	struct pl_str asker_name, room_name;
};

struct agent_job {
	struct agents *agents;
	CONFIG_HELD const struct config *config;
	struct pl_task *task;			/* its own; the asker may be long gone */
	struct agent_job *prev, *next;
	struct agent_question question;
	struct pl_caller asker;			/* whom LIMIT_ASK counted */
	struct role role;
	char id[PL_UUID_LEN + 1];
	char client_id[PL_UUID_LEN + 5];	/* "gen:" id: at most one answer per generation */
	int index;				/* in shared memory; -1: none */
	struct pl_buf text;			/* heap */
	size_t told;				/* bytes of it that viewers were told of */
	struct event *timer;			/* gathers deltas, later waits before the place is given back */
	bool timer_armed, over, full;
	bool adopted;				/* of a worker that died */
	bool retried;
	void (*retry)(struct agent_job *job);	/* what the database could not do; the timer does it again */
	struct knowledge_found found;		/* passages for the model */
	struct llm_request ask;			/* its texts live in the task's pool */
	struct llm_call *call;
	enum { AGENT_GOES_ON, AGENT_STOPPED, AGENT_CUT } ending;
	enum gen_state outcome;
	enum pl_code code;			/* of the error that ended it */
	const char *stop;			/* why the text ends, as in its usage */
	struct pl_str meta;
	struct generation_end end;
};

/* Starts the answer of one role; takes copies. */
void agent_start(struct agents *agents, const struct config *config, const struct agent_question *question,
    const struct role *role, const char *asker_addr);
/* A job in the list; takes copies. */
struct agent_job *agent_job_new(struct agents *agents, const struct config *config,
    const struct agent_question *question, const struct role *role);
/* Its id and what follows from it. */
void agent_job_name(struct agent_job *job, const char *id);
/* The model's last word: stores the text, ends the row, frees the job. */
void agent_finish(struct agent_job *job, const struct llm_result *result, const struct pl_err *err);
/* Tells viewers. */
void agent_tell(struct agent_job *job, int state, enum pl_code error);
void agent_job_free(struct agent_job *job);
/* The follow-up that was noted while the role was busy. */
void agent_follow_up(struct agents *agents, const struct config *config, const struct generation_ended *ended);
#endif
