/* SPDX-License-Identifier: ISC */
/*
 *   query_ask -> intent_read -> query_run -> compose -> note -> done
 *                            \ refused -> note -> done
 *
 * Questions of callers without a token are not noted.
 */
#include <event2/event.h>

#include "svc/usage/query.h"

#include "clock.h"
#include "db/repo/repo_query.h"
#include "db/repo/repo_user.h"
#include "leaf.h"
#include "svc/usage/query_answer.h"

struct asking {
	struct svc *svc;
	struct pl_task *task;
	struct intent intent;
	struct query_answer answer;
	struct pl_err refused;		/* why it was not understood, or needs a token */
	int64_t keep_us;
	char id[PL_UUID_LEN + 1];
	query_stage_fn *stage;
	query_fn *done;
	void *arg;
};

const char *const query_stages[] = { "understanding", "querying", "answering" };

static void enter(struct asking *a, enum query_stage stage)
{
	if (a->stage != NULL)
		a->stage(a->arg, stage);
}

static void finish(struct asking *a, const struct pl_err *err)
{
	shm_count(a->svc->shm, err == NULL ? SHM_M_queries_answered :
	    err == &a->refused ? SHM_M_queries_not_understood : SHM_M_queries_failed, 1);
	a->done(a->arg, err == NULL || err == &a->refused ? &a->answer : NULL, err);
}

static void on_noted(void *arg, const bool *done, const struct pl_err *err)
{
	finish(arg, err);
}

/* What was not understood stays so, whether it could be noted or not. */
static void on_refusal_noted(void *arg, const bool *done, const struct pl_err *err)
{
	struct asking *a = arg;

	finish(a, &a->refused);
}

static void note(struct asking *a, int rows, db_done_fn *done)
{
	struct query_past past = { .id = a->answer.id, .query = a->answer.query, .intent = a->answer.intent,
		.rows = rows, .expires_us = a->answer.created_us + a->keep_us };

	repo_query_note(a->svc->db, a->task, a->task->who.user_id, &past, done, a);
}

/* Nothing had to be asked of the database. */
static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct asking *a = arg;
	struct pl_task *task = a->task;

	finish(a, &a->refused);
	pl_task_release(&task);
}

static void refuse(struct asking *a)
{
	static const struct timeval now = { 0 };

	if (a->task->who.user_id != 0) {
		note(a, 0, on_refusal_noted);
		return;
	}
	pl_task_hold(a->task);
	PL_BUG(event_base_once(a->svc->worker->base, -1, EV_TIMEOUT, on_turn, a, &now) != 0);
}

static void on_rows(void *arg, const struct query_rows *rows, const struct pl_err *err)
{
	static const struct query_row nothing = { .value = 0 };
	struct query_rows sum = { .rows = &nothing, .count = 1 };
	struct asking *a = arg;

	if (err != NULL) {
		finish(a, err);
		return;
	}
	enter(a, QUERY_ANSWERING);
	if (a->intent.dim_count == 0 && rows->count == 0)
		rows = &sum;
	query_compose(a->task->pool, &a->intent, rows, pl_wall_us() - a->answer.created_us, &a->answer);
	if (a->task->who.user_id != 0)
		note(a, rows->count, on_noted);
	else
		finish(a, NULL);
}

static void run(struct asking *a)
{
	const struct intent *in = &a->intent;
	const struct pl_caller *who = &a->task->who;
	struct query_ask ask = { .metric = intent_metrics[in->metric], .dim_count = in->dim_count,
		.order = intent_orders[in->order], .top = in->top, .each = in->each, .from_us = in->from_us,
		.to_us = in->to_us, .scope = in->mine || who->access < ACCESS_ANALYST ? who->user_id : QUERY_EVERYBODY,
		.user = in->user, .room = in->room, .model = in->model };

	_Static_assert(QUERY_KEYS == INTENT_DIMS_MAX, "a key for each dimension");
	for (int i = 0; i < in->dim_count; i++)
		ask.dims[i] = pl_str(intent_dims[in->dims[i]]);
	repo_query_run(a->svc->db, a->task, &ask, QUERY_ROWS_MAX, on_rows, a);
}

/* Without the number that some front ends add to tell the same question asked twice apart. */
static struct pl_str without_number(struct pl_str text)
{
	size_t end = text.len, at;

	if (end < 3 || text.ptr[end - 1] != ']')
		return text;
	for (at = end - 1; at > 0 && text.ptr[at - 1] >= '0' && text.ptr[at - 1] <= '9';)
		at--;
	if (at == end - 1 || at < 2 || text.ptr[at - 1] != '[' || text.ptr[at - 2] != ' ')
		return text;
	return pl_str_trim(pl_strn(text.ptr, at - 2));
}

void query_ask(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str text,
    query_stage_fn *stage, query_fn *done, void *arg)
{
	struct asking *a = pl_alloc(task->pool, sizeof(*a));

	*a = (struct asking){ .svc = svc, .task = task, .keep_us = config->s.query_history * 1000, .stage = stage,
		.done = done, .arg = arg };
	if (task->once != NULL)
		memcpy(a->id, task->once->id, sizeof(a->id));	/* asked again, it is the same row of the history */
	else
		pl_uuid_make(a->id);
	a->answer.id = pl_strn(a->id, PL_UUID_LEN);
	text = without_number(text);
	a->answer.query = text;
	a->answer.created_us = pl_wall_us();
	enter(a, QUERY_UNDERSTANDING);
	if (!intent_read(task->pool, text, a->answer.created_us, &a->intent, &a->refused)) {
		refuse(a);
		return;
	}
	if (task->who.user_id == 0 && intent_private(&a->intent) != NULL) {
		pl_err_set(&a->refused, PL_E_UNAUTHORIZED, "%s", intent_private(&a->intent));
		refuse(a);
		return;
	}
	a->answer.intent = query_intent_json(task->pool, &a->intent);
	enter(a, QUERY_QUERYING);
	run(a);
}
