/* SPDX-License-Identifier: ISC */
/*
 * Routes of votes.
 */
#include "api/http/request.h"
#include "db/repo/repo_feedback.h"

static void feedback_shape(struct feedback_out *out, const struct feedback *f, struct pl_pool *pool)
{
	struct feedback_target *target = pl_alloc(pool, sizeof(*target));

	*target = (struct feedback_target){ .kind = f->target_kind, .id = f->target_id };
	*out = (struct feedback_out){ .id = f->id, .target = target, .score = f->score, .comment = f->comment,
		.created_at = f->created_us, .updated_at = f->updated_us, .rating = (double)NAN };
	if (pl_str_is(f->target_kind, "query")) {
		out->query_id = f->target_id;
		out->rating = f->score;
		out->feedback_text = f->comment;
	}
}

static void on_given(void *arg, const struct feedback *feedback, const struct pl_err *err)
{
	struct request *request = arg;
	struct feedback_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	feedback_shape(&out, feedback, request->req->task->pool);
	request_location(request, "/api/feedback?after=%lld&limit=1", (long long)feedback->id - 1);
	request_reply_status(request, feedback->fresh ? 201 : 200, &shape_feedback_out, &out);
}

/* Replies with the vote that an earlier request with the same Idempotency-Key created, in its current state. */
static void on_given_before(void *arg, const struct feedback_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct feedback feedback;
	struct pl_err gone = { 0 };

	if (err != NULL || list->count == 0 || list->rows[0].id != request->id) {
		pl_err_set(&gone, PL_E_NOT_FOUND, NULL);
		request_fail(request, err != NULL ? err : &gone);
		return;
	}
	feedback = list->rows[0];
	feedback.fresh = request->made_new;
	on_given(request, &feedback, NULL);
}

/* Checks the fields of a vote together: each kind of object has its own scale. */
static bool read_vote(const struct feedback_in *in, struct feedback *out, struct pl_pool *pool, struct pl_err *err)
{
	bool by_id = in->query_id.ptr != NULL, query;

	if (!by_id && in->target == NULL)
		pl_err_field(err, pool, "body.target", "missing", "is required");
	query = by_id || (in->target != NULL && pl_str_is(in->target->kind, "query"));
	if (isnan(query ? in->rating : in->score))
		pl_err_field(err, pool, query ? "body.rating" : "body.score", "missing", "is required");
	if (err->code != PL_E_OK)
		return false;
	*out = (struct feedback){ .target_kind = query ? PL_STR("query") : in->target->kind,
		.target_id = by_id ? in->query_id : in->target->id, .score = query ? in->rating : in->score,
		.comment = in->comment.ptr != NULL ? in->comment : in->feedback_text };
	return true;
}

void api_feedback_give(struct request *request)
{
	const struct pl_caller *who = &request->req->task->who;
	struct feedback feedback;
	struct pl_err err = { 0 };

	if (!read_vote(request->in, &feedback, request->req->task->pool, &err))
		request_fail(request, &err);
	else if (request_made_id(request, &request->id))
		repo_feedback_list(
		    request->svc->db, request->req->task, who->user_id, request->id - 1, 1, on_given_before, request);
	else
		repo_feedback_give(request->svc->db, request->req->task, who->user_id, who->access, &feedback, on_given,
		    request);
}

static void on_list(void *arg, const struct feedback_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct feedback_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		feedback_shape(&items[i], &list->rows[i], request->req->task->pool);
	if (list->more)
		request_link_next(
		    request, "after=%lld&limit=%d", (long long)list->rows[list->count - 1].id, list->count);
	request_reply_list(request, &shape_feedback_out, items, list->count);
}

void api_feedback_list(struct request *request)
{
	const struct list_query *q = request->query;

	repo_feedback_list(request->svc->db, request->req->task, request->req->task->who.user_id,
	    q->after == SHAPE_NONE ? 0 : q->after, q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_list, request);
}

static void on_withdrawn(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

void api_feedback_withdraw(struct request *request)
{
	if (request_id(request, 0, &request->id))
		repo_feedback_withdraw(request->svc->db, request->req->task, request->req->task->who.user_id,
		    request->id, on_withdrawn, request);
}
