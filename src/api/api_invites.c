/* SPDX-License-Identifier: ISC */
/* Routes of invites: create, list, and revoke; for people with a token: look at it, and join the room. */
#include "api/http/request.h"
#include "api/room_shape.h"
#include "svc/account/invite.h"
#include "svc/room/room.h"

#define INVITES_USUAL 50
#define LIFE_USUAL_S (7 * 86400)

static void invite_shape(struct invite_out *out, const struct invite *i)
{
	*out = (struct invite_out){ .id = i->id, .creator_id = i->creator_id > 0 ? i->creator_id : SHAPE_NONE,
		.creator = i->creator, .room_id = i->room_id > 0 ? i->room_id : SHAPE_NONE,
		.level = level_word(i->level), .note = i->note, .uses = i->uses, .used = i->used, .state = i->state,
		.created_at = i->created_us, .expires_at = i->expires_us };
}

/* ---- create ---- */

static void reply_made(void *arg, const struct invite_made *made, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_pool *pool = request->req->task->pool;
	struct invite_out out;
	struct pl_str base;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	base = pl_str(request->req->config->s.public_url);
	if (base.len > 0 && base.ptr[base.len - 1] == '/')
		base.len--;
	invite_shape(&out, &made->invite);
	out.token = made->token;
	out.url = pl_str(pl_sprintf(pool, "%.*s/join/%.*s", PL_FMT(base), PL_FMT(made->token)));
	request_location(request, "/api/invites/%lld", (long long)made->invite.id);
	request_reply(request, &shape_invite_out, &out);
}

void api_invite_create(struct request *request)
{
	const struct invite_in *in = request->in;
	const struct settings *s = &request->req->config->s;
	struct pl_err err = { 0 };
	int64_t made = 0;
	struct invite_new new = { .room_id = in->room_id == SHAPE_NONE ? 0 : in->room_id,
		.uses = in->uses == SHAPE_NONE ? 1 : (int)in->uses,
		.life_s = in->expires_in == SHAPE_NONE ? LIFE_USUAL_S : in->expires_in, .note = in->note,
		.access = (int)s->invite_access, .most = s->invites_per_user };

	if (new.room_id != 0)
		new.level = pl_str_is(in->level, "owner") ? LEVEL_OWNER :
		    pl_str_is(in->level, "moderator") ? LEVEL_MODERATOR : LEVEL_MEMBER;
	if (in->level.ptr != NULL && new.room_id == 0) {
		pl_err_field(&err, request->req->task->pool, "body.level", "value_error",
		    "must not be given without room_id");
		request_fail(request, &err);
		return;
	}
	(void)!request_made_id(request, &made);
	invite_make(request->svc, request->req->config, request->req->task, &new, made, reply_made, request);
}

/* ---- list ---- */

static void on_invites(void *arg, const struct invite_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct invite_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		invite_shape(&items[i], &list->rows[i]);
	if (page_wanted(request))
		request->page_total = list->total;
	else if (list->more)
		request_link_next(
		    request, "before=%lld&limit=%d", (long long)items[list->count - 1].id, list->count);
	request_reply_list(request, &shape_invite_out, items, list->count);
}

/* Admins see the invites of all users. */
static struct invite_ask ask_of(const struct request *request)
{
	return (struct invite_ask){ .creator_id = request_is_admin(request) ? 0 : request->req->task->who.user_id,
		.offset = -1, .limit = INVITES_USUAL, .access = (int)request->req->config->s.invite_access };
}

void api_invite_list(struct request *request)
{
	const struct invites_query *q = request->query;
	struct invite_ask ask = ask_of(request);

	ask.before = q->before == SHAPE_NONE ? 0 : q->before;
	if (q->limit != SHAPE_NONE)
		ask.limit = (int)q->limit;
	if (page_wanted(request)) {
		ask.before = 0;
		ask.offset = (q->page - 1) * q->page_size;
		ask.limit = (int)q->page_size;
	}
	repo_invite_list(request->svc->db, request->req->task, &ask, on_invites, request);
}

static void on_invite(void *arg, const struct invite_list *list, const struct pl_err *err)
{
	struct invite_out out;

	if (err != NULL) {
		request_fail(arg, err);
	} else if (list->count == 0) {
		request_fail_code(arg, PL_E_NOT_FOUND);
	} else {
		invite_shape(&out, &list->rows[0]);
		request_reply(arg, &shape_invite_out, &out);
	}
}

void api_invite_get(struct request *request)
{
	struct invite_ask ask = ask_of(request);

	if (request_id(request, 0, &ask.id))
		repo_invite_list(request->svc->db, request->req->task, &ask, on_invite, request);
}

static void on_revoked(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

void api_invite_revoke(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		repo_invite_revoke(request->svc->db, request->req->task, request->req->task->who.user_id, id,
		    on_revoked, request);
}

/* ---- for people with a token ---- */

static struct invite_rule *rule_of(struct request *request)
{
	const struct invite_token_in *in = request->in;

	return invite_rule(request->req->config, request->req->task->pool, in->token);
}

static void on_look(void *arg, const struct invite_look *look, const struct pl_err *err)
{
	struct request *request = arg;
	struct invite_look_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	out = (struct invite_look_out){ .creator = look->creator, .creator_name = look->creator_name,
		.room = look->room, .level = level_word(look->level), .expires_at = look->expires_us,
		.registers = look->registers && request->req->config->s.registration != REGISTRATION_CLOSED };
	request_reply(request, &shape_invite_look_out, &out);
}

void api_invite_look(struct request *request)
{
	repo_invite_look(request->svc->db, request->req->task, rule_of(request), on_look, request);
}

static void on_accepted(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_err field = { 0 };
	struct room_out out;

	if (err == NULL) {
		room_shape(&out, &result->room, request->req->task->pool);
		request_reply(request, &shape_room_out, &out);
		return;
	}
	if (err->code == PL_E_INVALID) {
		pl_err_field(
		    &field, request->req->task->pool, "body.token", "value_error", "%s", pl_err_text(err));
		err = &field;
	}
	request_fail(request, err);
}

void api_invite_accept(struct request *request)
{
	room_invite_accept(request->svc, request->req->task, rule_of(request), on_accepted, request);
}
