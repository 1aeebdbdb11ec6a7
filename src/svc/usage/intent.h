/* SPDX-License-Identifier: ISC */
/*
 * A question in words as an intent from a closed vocabulary; by rules, offline. Pure: no database, no clock.
 */
#ifndef SVC_INTENT_H
#define SVC_INTENT_H

#include "err.h"
#include "str.h"

#define INTENT_TEXT_MAX 500	/* characters of a question */
#define INTENT_DIMS_MAX 2

enum intent_metric { METRIC_NONE, METRIC_MESSAGES, METRIC_SESSIONS, METRIC_TOKENS, METRIC_COST, METRIC_FEEDBACK,
	METRIC_USERS, METRIC_ROOMS, METRIC_COUNT };
enum intent_dim { DIM_NONE, DIM_DAY, DIM_WEEK, DIM_MONTH, DIM_USER, DIM_ROOM, DIM_MODEL, DIM_ROLE, DIM_COUNT };
enum intent_order { ORDER_NONE, ORDER_MOST, ORDER_LEAST, ORDER_COUNT };

/* Days, weeks (from Monday) and months are UTC's. The window is [from, to). */
struct intent {
	enum intent_metric metric;
	enum intent_dim dims[INTENT_DIMS_MAX];	/* in the order they were named; at most one of them a step of time */
	int dim_count;
	enum intent_order order;	/* none: by time where there is a step of it, else the most first */
	int top;			/* only so many ("top 5"); 0: all */
	int each;			/* so many for each value of dims[each - 1]; 0: in all */
	bool mine;			/* "my", "I": the asker's own rows only */
	struct pl_str user, room, model;	/* filters; absent: none */
	char period[32];		/* in words; "last 30 days" where the question names none */
	int64_t from_us, to_us;
};

extern const char *const intent_metrics[METRIC_COUNT], *const intent_dims[DIM_COUNT], *const intent_units[METRIC_COUNT],
    *const intent_orders[ORDER_COUNT];

static inline bool intent_is_time(enum intent_dim dim)
{
	return dim == DIM_DAY || dim == DIM_WEEK || dim == DIM_MONTH;
}

/* Why nobody may ask it without being known: it is about the asker, or names users, rooms, or roles. NULL: all may. */
const char *intent_private(const struct intent *intent);
/* PL_E_INVALID (body.query) with a sentence that says which word was not understood and what can be asked. */
bool intent_read(struct pl_pool *pool, struct pl_str question, int64_t now_us, struct intent *out, struct pl_err *err)
    PL_MUSTCHECK;

#endif
