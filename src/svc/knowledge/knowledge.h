/* SPDX-License-Identifier: ISC */
/*
 * Passages of the knowledge base for an answer, and which of them the answer cites. They are optional: if the search is
 * late or fails, the answer continues without them.
 */
#ifndef SVC_KNOWLEDGE_H
#define SVC_KNOWLEDGE_H

#include "db/repo/repo_knowledge.h"
#include "svc/svc.h"

#define KNOWLEDGE_FLOOR 0.15	/* knowledge_search() in sql/ has the other conditions */

struct knowledge_watch;
struct knowledge_watch *knowledge_watch_new(struct svc *svc);
/* After db_free(), so that no search is in progress. */
void knowledge_watch_free(struct knowledge_watch **watch);

/* Operators and admins may add and remove documents. PL_E_FORBIDDEN. */
bool knowledge_may_change(const struct pl_caller *who, struct pl_err *err) PL_MUSTCHECK;
/* If absent, sets the language of the setting. PL_E_INVALID (body.language): unknown language. */
bool knowledge_language(const struct config *config, struct pl_pool *pool, struct pl_str *language,
    struct pl_err *err) PL_MUSTCHECK;
/* Stores a document (title, text, language) in passages, in the audit trail. Errors: repo_knowledge_put(). */
void knowledge_add(struct svc *svc, struct pl_task *task, const struct knowledge *in, repo_knowledge_fn *done,
    void *arg);
/* In the audit trail. PL_E_NOT_FOUND. */
void knowledge_remove(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg);

/* A search for a client: counted, and recorded for knowledge_state_find(). operators: see struct passage_query. */
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
 * Finds passages for the question within the setting knowledge_timeout. The texts are in the pool of the task. Without
 * documents, there is no search; if knowledge_empty() is true, callers need not call this.
 */
void knowledge_find(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str question,
    knowledge_fn *done, void *arg);
/* "failed" or "late": the answer was written without the knowledge base; else absent. */
struct pl_str knowledge_lack(const struct knowledge_found *found);

/*
 * The passages, of the first `count`, that a text cites: bit 0 for [1], bit 1 for [2] ... Lists such as [1, 3] count,
 * too.
 */
uint64_t knowledge_marks(struct pl_str text, int count);
/*
 * The passages that the answer names: [{mark, document, title, from, to, text}], where text is the start of the
 * passage; absent if it names none. The result is complete even if the document was deleted.
 */
struct pl_str knowledge_cite(struct pl_pool *pool, const struct knowledge_found *found, struct pl_str answer);

enum knowledge_state { KNOWLEDGE_OFF, KNOWLEDGE_UP, KNOWLEDGE_DOWN };
typedef void (knowledge_state_fn)(void *arg, enum knowledge_state state);
/* The known state, at most 5 seconds old; false: use knowledge_state_ask(). */
bool knowledge_state_find(const struct svc *svc, enum knowledge_state *state_r);
/*
 * OFF: there are no documents. DOWN: the search does not answer in time. Callers during the check wait for the same
 * result.
 */
void knowledge_state_ask(struct svc *svc, const struct config *config, struct pl_task *task, knowledge_state_fn *done,
    void *arg);
/* There were no documents at the last check, a second ago. */
bool knowledge_empty(const struct svc *svc);
/* Documents were added or removed; other workers are notified. */
void knowledge_changed(struct svc *svc);
/* Records the outcome of a search. */
void knowledge_state_note(struct svc *svc, enum knowledge_outcome outcome);

#endif
