/* SPDX-License-Identifier: ISC */
/*
 * Counted tasks and their cancel hooks. A task lives in its own pool: the last release frees both.
 */
#include "task.h"

#include <pthread.h>

#include "clock.h"
#include "leaf.h"

enum { TASK_POOL_BYTES = 4096 };

/*
 * Request ids: a keyed hash of a counter, the key drawn once per process (again after a fork). Asking the kernel for
 * every id cost 4 % of a small request.
 */
static struct { struct pl_sipkey key; uint64_t counter; bool drawn, watched; } ids;

static void forget_key(void)
{
	ids.drawn = false;
}

static void make_id(char out[PL_REQUEST_ID_LEN + 1])
{
	uint64_t id[2];

	if (!ids.drawn) {
		if (!ids.watched)
			ids.watched = pthread_atfork(NULL, NULL, forget_key) == 0;
		pl_random(&ids.key, sizeof(ids.key));
		ids.drawn = ids.watched;
	}
	ids.counter++;
	pl_siphash128(&ids.key, &ids.counter, sizeof(ids.counter), id);
	pl_hex(id, sizeof(id), out);
}

struct pl_task *pl_task_new(int64_t deadline_ns)
{
	struct pl_pool *pool = pl_pool_new(TASK_POOL_BYTES);
	struct pl_task *task = pl_alloc(pool, sizeof(*task));

	make_id(task->request_id);
	task->pool = pool;
	task->deadline_ns = deadline_ns;
	task->started_ns = pl_now_ns();
	task->holds = 1;
	return task;
}

struct pl_task *pl_task_hold(struct pl_task *task)
{
	PL_BUG(task->holds <= 0);
	task->holds++;
	return task;
}

void pl_task_release(struct pl_task **taskp)
{
	struct pl_task *task = *taskp;
	struct pl_pool *pool;

	*taskp = NULL;
	PL_BUG(task->holds <= 0);
	if (--task->holds > 0)
		return;
	pool = task->pool;
	pl_pool_free(&pool);
}

void pl_task_cancel(struct pl_task *task)
{
	struct pl_cancel *hook;

	if (task->cancelled)
		return;
	task->cancelled = true;
	pl_task_hold(task);	/* a hook may release what its operation held */
	while ((hook = task->cancels) != NULL) {
		task->cancels = hook->next;
		hook->next = NULL;
		hook->fn(hook->arg);
	}
	pl_task_release(&task);
}

/*
 * On a task that is cancelled already the hook never runs: code that starts an operation checks task->cancelled itself,
 * because a completion inside the starting call would break the promise of every asynchronous call.
 */
void pl_task_on_cancel(struct pl_task *task, struct pl_cancel *hook, void (*fn)(void *arg), void *arg)
{
	*hook = (struct pl_cancel){ .fn = fn, .arg = arg, .next = task->cancels };
	task->cancels = hook;
}

void pl_task_unhook(struct pl_task *task, struct pl_cancel *hook)
{
	for (struct pl_cancel **at = &task->cancels; *at != NULL; at = &(*at)->next) {
		if (*at == hook) {
			*at = hook->next;
			hook->next = NULL;
			return;
		}
	}
}

bool pl_task_late(const struct pl_task *task)
{
	return pl_now_ns() >= task->deadline_ns;
}
