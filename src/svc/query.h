/* SPDX-License-Identifier: ISC */
/*
 * Questions in words, answered from the data: understood, computed, noted in the asker's history.
 */
#ifndef SVC_QUERY_H
#define SVC_QUERY_H

#include "svc/svc.h"

#define QUERY_ROWS_MAX 1000

/* intent, columns, rows and card are JSON texts. */
struct query_answer { struct pl_str id, query, intent, columns, rows, summary, card; int64_t created_us; };
typedef void (query_fn)(void *arg, const struct query_answer *answer, const struct pl_err *err);

/*
 * As the task's caller: analysts and above see everybody's rows, others their own. A question
 * that is not understood is PL_E_INVALID at once, before this returns; everything else comes later.
 */
void query_ask(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str text, query_fn *done, void *arg);

#endif
