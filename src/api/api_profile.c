/* SPDX-License-Identifier: ISC */
/*
 * Routes of what a user keeps here: profile with preferences, dashboards.
 */
#include <math.h>

#include "api/http/call.h"
#include "api/user_shape.h"
#include "clock.h"
#include "db/repo/repo_dashboard.h"
#include "svc/usage/layout.h"
#include "svc/usage/memo.h"

#define PREFERENCES_MAX 16384
#define SUMS_KEY "profile of nobody"

/* ---- /api/profile ---- */

struct profiling { struct call *call; struct user_out user; struct pl_str developer; };

/* What some front ends read beside the preferences, whatever is kept there. */
static void show_preferences(struct profile_out *out, struct pl_pool *pool)
{
	struct pl_err err = { 0 };
	const struct pl_jval *all = pl_json_parse(pool, out->preferences, &err), *charts;
	struct pl_str scheme, level;

	charts = all != NULL ? pl_json_get(all, "chart_preferences") : NULL;
	scheme = all != NULL ? pl_json_str(pl_json_get(all, "color_scheme")) : PL_STR_NONE;
	level = all != NULL ? pl_json_str(pl_json_get(all, "expertise_level")) : PL_STR_NONE;
	out->chart_preferences = charts != NULL && charts->type == PL_J_OBJECT ? charts->raw : PL_STR("{}");
	out->color_scheme = scheme.ptr != NULL ? scheme : PL_STR("default");
	out->expertise_level = level.ptr != NULL ? level : PL_STR("intermediate");
}

static double or_zero(double value)
{
	return isnan(value) ? 0 : value;
}

static struct pl_str profile_json(struct pl_pool *pool, const struct user_out *user, struct pl_str developer,
    const struct profile *p)
{
	struct profile_usage usage = { .messages = p->messages, .rooms = p->rooms, .sessions = p->sessions,
		.answers = p->answers, .tokens = p->tokens, .cost_usd = (double)p->cost_micros / 1e6,
		.votes = p->votes };
	struct profile_out out = { .user = user, .preferences = p->preferences, .usage = &usage,
		.developer_id = developer, .total_sessions = p->sums.sessions, .total_tokens_used = p->sums.tokens,
		.total_cost_usd = (double)p->sums.cost_micros / 1e6, .avg_latency_ms = or_zero(p->sums.latency_ms),
		.acceptance_rate = or_zero(p->sums.acceptance), .most_used_models = p->sums.models,
		.active_repos = p->sums.repos, .sessions_by_date = p->sums.dates,
		.user_id = user != NULL ? user->id : SHAPE_NONE };

	show_preferences(&out, pool);
	return shape_json(&shape_profile_out, &out, pool);
}

static void on_profile(void *arg, const struct profile *p, const struct pl_err *err)
{
	struct profiling *f = arg;

	if (err != NULL)
		call_fail(f->call, err);
	else
		req_reply(f->call->req, 200, NULL, profile_json(f->call->req->task->pool, &f->user, f->developer, p));
}

static void on_sums(void *arg, const struct profile *p, const struct pl_err *err)
{
	struct call *call = arg;
	struct pl_str text;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	text = profile_json(call->req->task->pool, NULL, PL_STR_NONE, p);
	memo_keep(call->svc->memo, PL_STR(SUMS_KEY), text);
	req_reply(call->req, 200, NULL, text);
}

/* Without a token: what everybody did together, and nobody's data. */
static void nobodys_profile(struct call *call)
{
	struct pl_str kept = memo_find(call->svc->memo, PL_STR(SUMS_KEY));

	if (kept.ptr != NULL)
		req_reply(call->req, 200, NULL, pl_str_dup(call->req->task->pool, kept));
	else
		repo_profile(call->svc->db, call->req->task, 0, PL_STR_NONE, false, on_sums, call);
}

/* The query; PATCH has none. */
static struct pl_str asked_developer(const struct call *call)
{
	return call->route->query == &shape_profile_query ?
	    ((const struct profile_query *)call->query)->developer_id : PL_STR_NONE;
}

static void on_user(void *arg, const struct user *user, const struct pl_err *err)
{
	struct call *call = arg;
	struct profiling *f = pl_alloc(call->req->task->pool, sizeof(*f));
	bool analyst = call->req->task->who.access >= ACCESS_ANALYST;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		call_fail_code(call, PL_E_UNAUTHORIZED); /* the account is gone, the token is not */
	} else if (err != NULL) {
		call_fail(call, err);
	} else {
		f->call = call;
		user_shape(&f->user, user);
		f->developer = asked_developer(call);
		if (f->developer.ptr == NULL)
			f->developer = f->user.username;
		repo_profile(call->svc->db, call->req->task, user->id, analyst ? f->developer : PL_STR_NONE,
		    asked_developer(call).ptr != NULL, on_profile, f);
	}
}

void api_profile(struct call *call)
{
	const struct pl_caller *who = &call->req->task->who;
	struct pl_err err = { 0 };

	if (!call_anonymous(call, "profile"))
		return;
	if (asked_developer(call).ptr != NULL && who->access < ACCESS_ANALYST) {
		pl_err_set(&err, PL_E_FORBIDDEN, "Only analysts, operators, and admins may name a developer.");
		call_fail(call, &err);
	} else if (who->user_id != 0) {
		repo_user_get(call->svc->db, call->req->task, who->user_id, on_user, call);
	} else {
		nobodys_profile(call);
	}
}

static void on_preferences(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		call_fail(arg, err);
	else
		api_profile(arg);
}

void api_profile_patch(struct call *call)
{
	struct pl_str preferences = ((const struct profile_in *)call->in)->preferences;
	struct pl_pool *pool = call->req->task->pool;
	struct pl_err err = { 0 };
	const struct pl_jval *v;

	if (preferences.ptr == NULL) {
		api_profile(call);
		return;
	}
	v = pl_json_parse(pool, preferences, &err);
	if (v != NULL && v->type != PL_J_OBJECT)
		pl_err_field(&err, pool, "body.preferences", "value_error", "must be an object");
	else if (v != NULL && preferences.len > PREFERENCES_MAX)
		pl_err_field(&err, pool, "body.preferences", "value_error", "must have at most %d bytes",
		    PREFERENCES_MAX);
	if (err.code != PL_E_OK)
		call_fail(call, &err);
	else
		repo_preferences_put(call->svc->db, call->req->task, call->req->task->who.user_id, preferences,
		    on_preferences, call);
}

/* ---- /api/dashboard ---- */

static void dashboard_shape(struct dashboard_out *out, const struct call *call, const struct dashboard *d)
{
	*out = (struct dashboard_out){ .layout_id = d->layout_id, .layout_name = d->name,
		.user_id = call->req->task->who.user_id, .version = d->version, .grid_columns = d->columns,
		.cards = d->cards, .created_at = d->created_us, .updated_at = d->updated_us };
}

/* A layout that was never saved has one all the same, and every card says all there is to say about it. */
static bool wants_default(const struct call *call)
{
	struct pl_str asked = call->route->query == &shape_dashboard_query ?
	    ((const struct dashboard_query *)call->query)->default_ : PL_STR_NONE;

	return asked.ptr != NULL ? pl_str_is(asked, "1") :
	    call->req->config->s.dashboard_default;
}

static void on_dashboards(void *arg, const struct dashboard_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct dashboard_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		dashboard_shape(&items[i], call, &list->rows[i]);
		if (wants_default(call))
			items[i].cards = layout_full(call->req->task->pool, items[i].cards);
	}
	call_reply_list(call, &shape_dashboard_out, items, list->count);
}

void api_dashboard_list(struct call *call)
{
	repo_dashboard_list(call->svc->db, call->req->task, call->req->task->who.user_id, PL_STR_NONE, on_dashboards,
	    call);
}

/* The name in the path; 404 was sent and false when nothing can have it. */
static bool layout_of(struct call *call)
{
	if (layout_id_ok(call->param[0]))
		return true;
	call_fail_code(call, PL_E_NOT_FOUND);
	return false;
}

/* The version of one entity tag; what no version looks like, weak ones too, matches nothing (RFC 9110 13.1.1). */
static int64_t tag_version(struct pl_str tag)
{
	int64_t version;

	tag = pl_str_trim(tag);
	if (tag.len > 2 && tag.ptr[0] == '"' && tag.ptr[tag.len - 1] == '"' &&
	    pl_str_i64(pl_strn(tag.ptr + 1, tag.len - 2), 1, INT64_MAX, &version))
		return version;
	return INT64_MAX;
}

/*
 * Version in If-Match; 0: "*"; -1: there is none. Of a list that which is there now, if it is listed; the write still
 * happens only if it is there then.
 */
static int64_t match_of(const struct call *call, int64_t now)
{
	struct pl_str text = req_header(call->req, "If-Match"), tag;

	if (text.ptr == NULL)
		return -1;
	if (pl_str_is(text, "*"))
		return 0;
	if (memchr(text.ptr, ',', text.len) == NULL)
		return tag_version(text);
	while (text.ptr != NULL && pl_str_cut(&text, ',', &tag))
		if (tag_version(tag) == now)
			return now;
	return INT64_MAX;
}

static void with_version(void *arg, const struct dashboard_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	void (*go)(struct call *call, int64_t now) = call->flow;

	if (err != NULL && err->code != PL_E_NOT_FOUND)
		call_fail(call, err);
	else
		go(call, err == NULL ? list->rows[0].version : 0);
}

/* Only a list of tags needs to know the version that is there before. */
static void match(struct call *call, void (*go)(struct call *call, int64_t now))
{
	struct pl_str text = req_header(call->req, "If-Match");

	call->flow = go;
	if (text.ptr != NULL && memchr(text.ptr, ',', text.len) != NULL)
		repo_dashboard_list(call->svc->db, call->req->task, call->req->task->who.user_id, call->param[0],
		    with_version, call);
	else
		go(call, 0);
}

static void reply_default(struct call *call)
{
	int64_t now = pl_wall_us();
	struct dashboard d = { .layout_id = call->param[0], .name = call->param[0], .columns = LAYOUT_COLUMNS,
		.cards = layout_default(call->req->task->pool), .created_us = now, .updated_us = now };
	struct dashboard_out out;

	dashboard_shape(&out, call, &d);
	call_reply_status(call, 200, &shape_dashboard_out, &out);
}

static void on_dashboard(void *arg, const struct dashboard_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct dashboard_out out;
	const char *etag;

	if (err != NULL && err->code == PL_E_NOT_FOUND && wants_default(call)) {
		reply_default(call);
		return;
	}
	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	dashboard_shape(&out, call, &list->rows[0]);
	if (wants_default(call))
		out.cards = layout_full(call->req->task->pool, out.cards);
	etag = pl_sprintf(call->req->task->pool, "\"%lld\"", (long long)out.version);
	req_header_addf(call->req, "ETag", "%s", etag);
	if (call->req->method == REQ_GET && call_none_match(call, etag))
		req_reply_empty(call->req, 304);
	else
		call_reply_status(call, 200, &shape_dashboard_out, &out);
}

void api_dashboard_get(struct call *call)
{
	if (layout_of(call))
		repo_dashboard_list(call->svc->db, call->req->task, call->req->task->who.user_id, call->param[0],
		    on_dashboard, call);
}

static void on_saved(void *arg, const int64_t *version, const struct pl_err *err)
{
	if (err != NULL)
		call_fail(arg, err);
	else
		api_dashboard_get(arg);
}

/* Whoever names an owner means themselves: by number, by its digits, or by name. */
static bool owner_ok(struct call *call, struct pl_err *err)
{
	const struct pl_caller *who = &call->req->task->who;
	struct pl_str given = ((const struct dashboard_in *)call->in)->user_id;
	const struct pl_jval *v = given.ptr != NULL ? pl_json_parse(call->req->task->pool, given, err) : NULL;
	int64_t id;

	if (v == NULL)
		return given.ptr == NULL;
	if (v->type != PL_J_NUMBER && v->type != PL_J_STRING)
		return pl_err_field(err, call->req->task->pool, "body.user_id", "value_error",
		    "must be a number or a string");
	if (pl_str_ieq(v->text, pl_str(who->name)) || (pl_str_i64(v->text, 1, INT64_MAX, &id) && id == who->user_id))
		return true;
	pl_err_set(err, PL_E_FORBIDDEN, "user_id names another user. Dashboards are saved by their owners.");
	return false;
}

static void save(struct call *call, int64_t now)
{
	const struct dashboard_in *in = call->in;
	struct dashboard d = { .layout_id = call->param[0], .name = in->layout_name,
		.columns = in->grid_columns == SHAPE_NONE ? LAYOUT_COLUMNS : (int)in->grid_columns };
	struct pl_err err = { 0 };

	if (!owner_ok(call, &err) || !layout_read(call->req->task->pool, in->cards, d.columns, &d.cards, &err))
		call_fail(call, &err);
	else
		repo_dashboard_save(call->svc->db, call->req->task, call->req->task->who.user_id, &d,
		    match_of(call, now), in->version == SHAPE_NONE ? -1 : in->version, on_saved, call);
}

void api_dashboard_save(struct call *call)
{
	if (layout_of(call))
		match(call, save);
}

static void on_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		call_fail(arg, err);
	else
		call_reply_empty(arg);
}

static void delete(struct call *call, int64_t now)
{
	repo_dashboard_delete(call->svc->db, call->req->task, call->req->task->who.user_id, call->param[0],
	    match_of(call, now), on_deleted, call);
}

void api_dashboard_delete(struct call *call)
{
	if (layout_of(call))
		match(call, delete);
}
