/* SPDX-License-Identifier: ISC */
/*
 * An answer to a question: intent, columns, rows, sentence and card, from an intent and the rows found. Pure.
 */
#ifndef SVC_QUERY_ANSWER_H
#define SVC_QUERY_ANSWER_H

#include "db/repo/repo_query.h"
#include "svc/usage/intent.h"
#include "svc/usage/query.h"

/* {metric, dimensions, filters, period, sort, limit, limit_per, metric_type, time_period, ...} */
struct pl_str query_intent_json(struct pl_pool *pool, const struct intent *intent);
/*
 * Fills columns, rows, summary, card, result, visualization and truncated; answer->query is already set. Without
 * dimensions, rows has one row. took_us: time since the question arrived.
 */
void query_compose(struct pl_pool *pool, const struct intent *intent, const struct query_rows *rows, int64_t took_us,
    struct query_answer *answer);

#endif
