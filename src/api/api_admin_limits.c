/* SPDX-License-Identifier: ISC */
/*
 * Lock-outs and rate limits for operators and admins.
 */
#include "api/http/request.h"
#include "clock.h"
#include "core/addr.h"
#include "db/repo/repo_admin_limit.h"
#include "db/repo/repo_admin_user.h"
#include "svc/account/apikey.h"

#define LIMITS_MAX 200

/* What one reply lists. */
struct listing { struct request *request; struct admin_limit_out *items; int count, room; };

static struct pl_caller caller_of(int64_t user_id, int64_t key_id, struct pl_str address)
{
	struct pl_caller who = { .user_id = user_id, .login_id = key_id };

	if (address.ptr != NULL)
		snprintf(who.addr, sizeof(who.addr), "%.*s", PL_FMT(address));
	return who;
}

static bool listed(const struct listing *l, enum limit_class klass, const struct admin_limit *of)
{
	for (int i = 0; i < l->count; i++) {
		const struct admin_limit_out *item = &l->items[i];

		if (pl_str_is(item->class, limit_name(klass)) && (of->user_id > 0 ? item->user_id == of->user_id :
		    pl_str_eq(item->address, of->address)) &&
		    (of->key_id == 0 || item->key_id == of->key_id))
			return true;
	}
	return false;
}

/* Lists a rate if something of it is used. */
static void list_rate(struct listing *l, enum limit_class klass, const struct admin_limit *of)
{
	struct pl_pool *pool = l->request->req->task->pool;
	struct pl_caller who = caller_of(of->user_id, of->key_id, of->address);
	struct limit_state state;
	char *text;

	if (of->key_rate.ptr != NULL && !apikey_rate(of->key_rate, &who.key_rate))
		who.key_rate = (struct pl_rate){ 0 };
	if (klass == LIMIT_NONE || l->count == l->room || listed(l, klass, of) ||
	    !limits_look(l->request->svc->shm, l->request->req->config, klass, &who, &state))
		return;
	text = pl_alloc(pool, 48);
	pl_rate_text(&state.rate, text);
	l->items[l->count++] = (struct admin_limit_out){ .kind = PL_STR("rate"), .class = pl_str(limit_name(klass)),
		.user_id = of->user_id > 0 ? of->user_id : SHAPE_NONE, .username = of->username,
		.key_id = of->key_id > 0 ? of->key_id : SHAPE_NONE, .address = of->address, .limit = pl_str(text),
		.remaining = state.remaining, .refused = of->refused,
		.until = pl_wall_us() + state.idle_ns / 1000 };
}

static void list_row(struct listing *l, const struct admin_limit *row)
{
	if (!row->lockout)
		list_rate(l, limit_class_of(row->klass), row);
	else if (l->count < l->room)
		l->items[l->count++] = (struct admin_limit_out){ .kind = PL_STR("lockout"), .user_id = row->user_id,
			.username = row->username, .key_id = SHAPE_NONE, .address = row->address,
			.remaining = SHAPE_NONE, .refused = row->refused, .until = row->until_us };
}

static void reply_limits(struct listing *l, const struct admin_limit_list *list, const struct admin_limit *asked)
{
	int count;
	const enum limit_class *classes = limits_of(asked->user_id == 0, &count);

	l->room = list->count + count;
	l->items = pl_alloc(l->request->req->task->pool, ((size_t)l->room + 1) * sizeof(*l->items));
	for (int i = 0; i < list->count; i++)
		list_row(l, &list->rows[i]);
	for (int i = 0; i < count && (asked->user_id > 0 || asked->address.ptr != NULL); i++)
		list_rate(l, classes[i], asked);
	request_reply_list(l->request, &shape_admin_limit_out, l->items, l->count);
}

struct asking { struct request *request; struct admin_limit asked; const struct admin_limit_list *list; };

static void on_user(void *arg, const struct admin_user *user, const struct pl_err *err)
{
	struct asking *a = arg;
	struct listing l = { .request = a->request };

	if (err != NULL && err->code != PL_E_NOT_FOUND) {
		request_fail(a->request, err);
		return;
	}
	if (err == NULL) {
		a->asked.user_id = user->user.id;
		a->asked.username = user->user.username;
	}
	reply_limits(&l, a->list, &a->asked);
}

static void on_limits(void *arg, const struct admin_limit_list *list, const struct pl_err *err)
{
	struct asking *a = arg;
	const struct admin_limits_query *q = a->request->query;
	struct listing l = { .request = a->request };
	struct admin_limit_list *kept;
	int64_t id = 0;

	if (err != NULL) {
		request_fail(a->request, err);
		return;
	}
	if (q->user.ptr == NULL) {
		a->asked.address = q->address;
		reply_limits(&l, list, &a->asked);
		return;
	}
	kept = pl_alloc(a->request->req->task->pool, sizeof(*kept));
	*kept = *list;
	a->list = kept;
	(void)!pl_str_i64(q->user, 1, INT64_MAX, &id);
	repo_admin_user_get(a->request->svc->db, a->request->req->task, id, id > 0 ? PL_STR_NONE : q->user, on_user, a);
}

void api_admin_limits(struct request *request)
{
	const struct admin_limits_query *q = request->query;
	struct asking *a = pl_alloc(request->req->task->pool, sizeof(*a));
	const char *why = NULL;
	struct pl_err err = { 0 };

	if (q->user.ptr != NULL && q->address.ptr != NULL)
		why = "must not be given together with user";
	else if (q->address.ptr != NULL && !addr_is_host(q->address) && !addr_is_network(q->address))
		why = "must be an IPv4 or IPv6 address, a network, or unix";
	if (why != NULL) {
		pl_err_field(&err, request->req->task->pool, "query.address", "value_error", "%s",
		    why);
		request_fail(request, &err);
		return;
	}
	*a = (struct asking){ .request = request };
	repo_admin_limits(request->svc->db, request->req->task, q->user, q->address, LIMITS_MAX, on_limits, a);
}

/* ---- reset ---- */

static bool reset_ok(struct request *request)
{
	const struct admin_limits_reset_in *in = request->in;
	struct pl_pool *pool = request->req->task->pool;
	struct pl_err err = { 0 };

	if (in->user.ptr == NULL && in->address.ptr == NULL)
		pl_err_field(&err, pool, "body.user", "missing", "is required, unless address is given");
	else if (in->user.ptr != NULL && in->address.ptr != NULL)
		pl_err_field(&err, pool, "body.address", "value_error", "must not be given together with user");
	else if (in->address.ptr != NULL && !addr_is_host(in->address))
		pl_err_field(&err, pool, "body.address", "value_error", "must be an IPv4 or IPv6 address, or unix");
	else
		return true;
	request_fail(request, &err);
	return false;
}

static void on_reset(void *arg, const struct admin_limits_reset *reset, const struct pl_err *err)
{
	struct request *request = arg;
	const struct admin_limits_reset_in *in = request->in;
	struct shm *shm = request->svc->shm;
	struct admin_limits_reset_out out = { 0 };
	const enum limit_class *classes;
	struct pl_caller who;
	int count;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	out.lockouts = reset->lockouts;
	classes = limits_of(reset->user_id == 0, &count);
	who = caller_of(reset->user_id, 0, in->address);
	for (int i = 0; i < count; i++)
		out.rates += limits_clear(shm, classes[i], &who);
	for (int i = 0; i < reset->keys_count; i++) {
		struct pl_caller key = caller_of(reset->user_id, reset->keys[i], PL_STR_NONE);

		out.rates += limits_clear(shm, LIMIT_KEY, &key);
	}
	request_reply(request, &shape_admin_limits_reset_out, &out);
}

void api_admin_limits_reset(struct request *request)
{
	const struct admin_limits_reset_in *in = request->in;

	if (reset_ok(request))
		repo_admin_limits_reset(
		    request->svc->db, request->req->task, in->user, in->address, on_reset, request);
}
