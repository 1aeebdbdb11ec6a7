/* SPDX-License-Identifier: ISC */
/*
 * Questions in words: parsed, answered from the data, and recorded.
 */
#ifndef SVC_QUERY_H
#define SVC_QUERY_H

#include "svc/svc.h"

#define QUERY_ROWS_MAX 1000

/*
 * The members from intent on are JSON texts, except summary. understood: the question in other words; partial: steps of
 * time that are only partly inside the period; error: it was not understood; truncated: there were more rows.
 */
struct query_answer {
	struct pl_str id, query, understood, intent, columns, rows, partial, summary, card, result, visualization,
	    error;
	int64_t created_us;
	bool truncated;
};
typedef void (query_fn)(void *arg, const struct query_answer *answer, const struct pl_err *err);

/* The vocabulary of questions, as JSON texts. */
struct query_vocabulary { struct pl_str metrics, dimensions, aggregates, thresholds, periods, samples; };
void query_vocabulary(struct pl_pool *pool, struct query_vocabulary *out);

/* Stages of the work. */
enum query_stage { QUERY_UNDERSTANDING, QUERY_QUERYING, QUERY_ANSWERING };
extern const char *const query_stages[];
typedef void (query_stage_fn)(void *arg, enum query_stage stage);

/* First questions, which this caller (0: no token) may ask, and which have a result without data; NULL-terminated. */
const char *const *query_beginnings(int64_t user_id);
/*
 * The reason why a question was refused, as one text; `before` precedes each sentence about the form of the question.
 */
struct pl_str query_reason(struct pl_pool *pool, const struct pl_err *err, const char *before);
/* An answer with the reason for the refusal in `error`; id, query, and created_us are already set. */
void query_compose_refusal(struct pl_pool *pool, const struct pl_err *err, int64_t user_id,
    struct query_answer *answer);

/*
 * Returns whether a model may translate questions of this caller. A token is required, because the cost is charged to a
 * user.
 */
bool query_translates(const struct svc *svc, const struct config *config, const struct pl_task *task);
/*
 * Asks the model of setting query_upstream to translate a question, for at most query_translation_timeout. `done` gets
 * its text, or no text and a reason; once, later. err: an answer is no longer needed, because the task was cancelled or
 * the process ends. Only after query_translates().
 */
typedef void (query_translate_fn)(void *arg, struct pl_str text, const char *why, const struct pl_err *err);
void query_translate(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str question,
    query_translate_fn *done, void *arg);
/*
 * Each process caches translations for a day, by upstream, model, and question: a dashboard asks the same question at
 * every load. Returns the cached text in pool; absent: not cached. It is checked like a new one.
 */
struct pl_str query_translation_kept(struct svc *svc, const struct config *config, struct pl_pool *pool,
    struct pl_str question);
void query_translation_keep(struct svc *svc, const struct config *config, struct pl_pool *pool, struct pl_str question,
    struct pl_str text);

/*
 * Answers for the caller of the task: analysts and above see all rows, others their own. Without a token (user 0; the
 * caller checks setting `anonymous`) the figures leave out private rooms, the question may not name users, rooms or
 * roles (PL_E_UNAUTHORIZED), and it is not recorded. `zone`: time zone of the question; absent: that of the caller's
 * preferences, else the setting's. `stage` (may be NULL) is called when the work enters a stage, perhaps before this
 * returns. " [digits]" at the end is ignored. A question that is not understood, or with a name that does not exist for
 * the caller, is PL_E_INVALID (body.query; the zone: header.X-Timezone). Both errors come with an answer that has id,
 * query, and created_us.
 */
void query_ask(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str text,
    struct pl_str zone,
    query_stage_fn *stage, query_fn *done, void *arg);

#endif
