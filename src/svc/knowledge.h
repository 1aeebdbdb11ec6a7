/* SPDX-License-Identifier: ISC */
/*
 * Passages of the knowledge base for an answer. Help, not a condition: what is late or fails is left out.
 */
#ifndef SVC_KNOWLEDGE_H
#define SVC_KNOWLEDGE_H

#include "db/repo_knowledge.h"
#include "svc/svc.h"

#define KNOWLEDGE_FLOOR 0.15	/* one stem out of four, alone in its passage, is just enough */

/* Both absent when nothing was found. prompt: to be appended to the system prompt; citations: [{document, title, from, to}]. */
struct knowledge_found { struct pl_str prompt, citations; };
typedef void (knowledge_fn)(void *arg, const struct knowledge_found *found);
/* What fits the question, within the setting knowledge_timeout. The texts live in the task's pool. */
void knowledge_find(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str question,
    knowledge_fn *done, void *arg);

enum knowledge_state { KNOWLEDGE_OFF, KNOWLEDGE_UP, KNOWLEDGE_DOWN };
typedef void (knowledge_state_fn)(void *arg, enum knowledge_state state);
/* OFF: there are no documents. DOWN: the search does not answer in time. */
void knowledge_check(struct svc *svc, const struct config *config, struct pl_task *task, knowledge_state_fn *done, void *arg);

#endif
