/* SPDX-License-Identifier: ISC */
/*
 * The state of the knowledge base, cached for some seconds. Searches report it without cost; otherwise, one statement
 * at a time reads it for all that wait. The bus announces documents that other workers add or delete, but not those
 * that parlourctl or another host stores. So an empty base is cached for one second only.
 */
#include "svc/knowledge/knowledge.h"

#include "clock.h"
#include "svc/bus/bus.h"

#define KEEP_NS (5 * PL_NS_PER_S)
#define KEEP_EMPTY_NS PL_NS_PER_S

struct waiting {
	struct waiting *next;
	struct pl_task *task;		/* held */
	knowledge_state_fn *done;
	void *arg;
};

struct knowledge_watch {
	struct svc *svc;
	enum knowledge_state state;
	int64_t known_ns;		/* time of the reading; 0: not known */
	struct pl_task *asking;		/* NULL: no statement runs */
	bool changed;			/* documents were added or deleted meanwhile */
	struct waiting *waiting;
};

static void forget(struct knowledge_watch *k)
{
	k->known_ns = 0;
	k->changed = true;
}

static void on_ring(void *arg, int from_slot, struct pl_str data)
{
	PL_UNUSED(from_slot);
	PL_UNUSED(data);
	forget(arg);
}

struct knowledge_watch *knowledge_watch_new(struct svc *svc)
{
	struct knowledge_watch *k = pl_new(sizeof(*k));

	k->svc = svc;
	bus_register(svc->bus, RING_KNOWLEDGE, on_ring, k);
	return k;
}

void knowledge_watch_free(struct knowledge_watch **watch)
{
	if (*watch == NULL)
		return;
	PL_BUG((*watch)->asking != NULL);
	pl_free(*watch);
	*watch = NULL;
}

static void know(struct knowledge_watch *k, enum knowledge_state state)
{
	k->state = state;
	k->known_ns = pl_now_ns();
}

void knowledge_changed(struct svc *svc)
{
	forget(svc->knowledge);
	bus_post(svc, RING_KNOWLEDGE, PL_STR_NONE, PL_STR_NONE);
}

void knowledge_state_note(struct svc *svc, enum knowledge_outcome outcome)
{
	if (outcome == KNOWLEDGE_FOUND)
		know(svc->knowledge, KNOWLEDGE_UP);
	else if (outcome != KNOWLEDGE_NOTHING)
		know(svc->knowledge, KNOWLEDGE_DOWN);
	else if (svc->knowledge->state == KNOWLEDGE_DOWN)
		svc->knowledge->known_ns = 0; /* the database answers again, but the state is not known */
}

bool knowledge_state_find(const struct svc *svc, enum knowledge_state *state_r)
{
	const struct knowledge_watch *k = svc->knowledge;

	*state_r = k->state;
	return k->known_ns != 0 && pl_now_ns() - k->known_ns < KEEP_NS;
}

bool knowledge_empty(const struct svc *svc)
{
	const struct knowledge_watch *k = svc->knowledge;

	return k->known_ns != 0 && k->state == KNOWLEDGE_OFF && pl_now_ns() - k->known_ns < KEEP_EMPTY_NS;
}

static void on_any(void *arg, const bool *any, const struct pl_err *err)
{
	struct knowledge_watch *k = arg;
	struct waiting *w = k->waiting;

	know(k, err != NULL ? KNOWLEDGE_DOWN : *any || k->changed ? KNOWLEDGE_UP : KNOWLEDGE_OFF);
	if (k->changed)
		k->known_ns = 0;
	k->waiting = NULL;
	pl_task_release(&k->asking);
	while (w != NULL) {
		struct waiting *next = w->next;
		struct pl_task *task = w->task;

		w->done(w->arg, k->state);
		pl_task_release(&task); /* w is in its pool */
		w = next;
	}
}

void knowledge_state_ask(struct svc *svc, const struct config *config, struct pl_task *task, knowledge_state_fn *done,
    void *arg)
{
	struct knowledge_watch *k = svc->knowledge;
	struct waiting *w = pl_alloc(task->pool, sizeof(*w));

	*w = (struct waiting){ .next = k->waiting, .task = pl_task_hold(task), .done = done, .arg = arg };
	k->waiting = w;
	if (k->asking != NULL)
		return;
	k->changed = false;
	k->asking = pl_task_new(pl_now_ns() + config->s.knowledge_timeout * PL_NS_PER_MS);
	shm_count(svc->shm, SHM_M_knowledge_checks, 1);
	repo_knowledge_any(svc->db, k->asking, on_any, k);
}
