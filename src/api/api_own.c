/* SPDX-License-Identifier: ISC */
/* Routes of what members set for themselves in a room: favorite, mute, draft. */
#include "api/http/request.h"
#include "clock.h"
#include "svc/room/own.h"
#include "svc/room/revise.h"

/* ---- favorite, mute ---- */

static void on_settings(void *arg, const struct member_settings *s, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply(request, &shape_room_settings_out, &(struct room_settings_out){ .room_id = request->id,
			.favorite = s->favorite, .muted = s->muted,
			.muted_until = s->muted && s->muted_until_us != 0 ? s->muted_until_us : SHAPE_NONE,
			.muted_mentions = s->muted ? s->muted_mentions : -1 });
}

static void settings_put(struct request *request, enum member_set set, const struct member_settings *in)
{
	if (request_id(request, 0, &request->id))
		own_settings_put(request->svc, request->req->task, request->id, set, in, on_settings, request);
}

void api_favorite_put(struct request *request)
{
	settings_put(request, MEMBER_FAVORITE, &(struct member_settings){ .favorite = true });
}

void api_favorite_delete(struct request *request)
{
	settings_put(request, MEMBER_FAVORITE, &(struct member_settings){ .favorite = false });
}

void api_mute_put(struct request *request)
{
	const struct mute_in *in = request->in;
	struct member_settings mute = { .muted_mentions = in->mentions == 1,
		.muted_until_us = in->until == SHAPE_NONE ? 0 : in->until };
	struct pl_err field = { 0 };

	if (in->until != SHAPE_NONE && in->until <= pl_wall_us()) {
		pl_err_field(&field, request->req->task->pool, "body.until", "value_error", "must be in the future");
		request_fail(request, &field);
		return;
	}
	settings_put(request, MEMBER_MUTE, &mute);
}

void api_mute_delete(struct request *request)
{
	settings_put(request, MEMBER_UNMUTE, &(struct member_settings){ .muted = false });
}

/* ---- drafts ---- */

static void on_draft(void *arg, const struct draft *draft, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else if (request->route->status == 204)
		request_reply_empty(request);
	else
		request_reply(request, &shape_draft_out, &(struct draft_out){ .room_id = request->id,
			.content = draft->content, .updated_at = draft->updated_us });
}

void api_draft_get(struct request *request)
{
	if (request_id(request, 0, &request->id))
		repo_draft_get(request->svc->db, request->req->task, request->id, request->req->task->who.user_id,
		    on_draft, request);
}

void api_draft_put(struct request *request)
{
	const struct draft_in *in = request->in;
	struct pl_err err = { 0 };

	if (!request_id(request, 0, &request->id))
		return;
	if (content_fits(request->req->config, in->content, request->req->task->pool, &err))
		own_draft_put(request->svc, request->req->task, request->id, in->content, on_draft, request);
	else
		request_fail(request, &err);
}

void api_draft_delete(struct request *request)
{
	if (request_id(request, 0, &request->id))
		own_draft_put(request->svc, request->req->task, request->id, PL_STR_NONE, on_draft, request);
}
