/* SPDX-License-Identifier: ISC */
/*
 * Passages of the knowledge base for an answer, and which of them it cites. Help, not a condition: what is late or
 * fails is left out.
 */
#ifndef SVC_KNOWLEDGE_H
#define SVC_KNOWLEDGE_H

#include "db/repo/repo_knowledge.h"
#include "svc/svc.h"

#define KNOWLEDGE_FLOOR 0.15	/* knowledge_search() in sql/ has the other conditions */

struct knowledge_watch;
struct knowledge_watch *knowledge_watch_new(struct svc *svc);
/* After db_free(): nothing is under way any more. */
void knowledge_watch_free(struct knowledge_watch **watch);

/* Operators and admins may add and remove documents. PL_E_FORBIDDEN. */
bool knowledge_may_change(const struct pl_caller *who, struct pl_err *err) PL_MUSTCHECK;
/* Absent: becomes the setting's. PL_E_INVALID (body.language): there is no such language. */
bool knowledge_language(const struct config *config, struct pl_pool *pool, struct pl_str *language,
    struct pl_err *err) PL_MUSTCHECK;
/* Stores a document (title, text, language) in passages, in the audit trail. Errors: repo_knowledge_put(). */
void knowledge_add(struct svc *svc, struct pl_task *task, const struct knowledge *in, repo_knowledge_fn *done,
    void *arg);
/* In the audit trail. PL_E_NOT_FOUND. */
void knowledge_remove(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg);

/* A search for somebody: counted, noted for knowledge_state_find(). operators: see struct passage_query. */
void knowledge_search(struct svc *svc, struct pl_task *task, struct pl_str query, bool operators, int limit,
    repo_passages_fn *done, void *arg);

enum knowledge_outcome { KNOWLEDGE_NOTHING, KNOWLEDGE_FOUND, KNOWLEDGE_FAILED, KNOWLEDGE_LATE };
struct knowledge_found {
	enum knowledge_outcome outcome;
	struct pl_str prompt;			/* to be appended to the system prompt; absent unless FOUND */
	const struct llm_passage *passages;	/* the same for llm_request; [1] is rows[0] */
	const struct passage *rows;
	int count;
};
typedef void (knowledge_fn)(void *arg, const struct knowledge_found *found);
/*
 * What fits the question, within the setting knowledge_timeout. The texts live in the task's pool. The search is left
 * out when there are no documents; where knowledge_empty() is true this need not even be asked.
 */
void knowledge_find(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str question,
    knowledge_fn *done, void *arg);
/* "failed", "late": the answer had to do without the knowledge base; else absent. */
struct pl_str knowledge_lack(const struct knowledge_found *found);

/*
 * Of the first `count` passages the ones that a text names: bit 0 for [1], bit 1 for [2] ... Lists such as [1, 3]
 * count.
 */
uint64_t knowledge_marks(struct pl_str text, int count);
/*
 * The passages that the answer names: [{mark, document, title, from, to, text}], text being how the passage begins;
 * absent when it names none. It says what it cites also when the document is gone. */
struct pl_str knowledge_cite(struct pl_pool *pool, const struct knowledge_found *found, struct pl_str answer);

enum knowledge_state { KNOWLEDGE_OFF, KNOWLEDGE_UP, KNOWLEDGE_DOWN };
typedef void (knowledge_state_fn)(void *arg, enum knowledge_state state);
/* What is known, at most 5 seconds old; false: knowledge_state_ask(). */
bool knowledge_state_find(const struct svc *svc, enum knowledge_state *state_r);
/*
 * OFF: there are no documents. DOWN: the search does not answer in time. Callers that ask meanwhile wait for the same
 * answer.
 */
void knowledge_state_ask(struct svc *svc, const struct config *config, struct pl_task *task, knowledge_state_fn *done,
    void *arg);
/* There were no documents a second ago. */
bool knowledge_empty(const struct svc *svc);
/* Documents came or went; other workers learn it too. */
void knowledge_changed(struct svc *svc);
/* How a search ended. */
void knowledge_state_note(struct svc *svc, enum knowledge_outcome outcome);

#endif
