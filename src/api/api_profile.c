/* SPDX-License-Identifier: ISC */
/* Routes of data that users store here: the profile with preferences, and dashboards. */
#include <math.h>

#include "api/http/request.h"
#include "api/user_shape.h"
#include "clock.h"
#include "db/repo/repo_dashboard.h"
#include "lang.h"
#include "svc/usage/layout.h"
#include "svc/usage/memo.h"

#define PREFERENCES_MAX 16384
#define SUMS_KEY "profile of nobody"

/* ---- /api/profile ---- */

struct profiling { struct request *request; struct user_out user; struct pl_str developer; };

/* Adds members that some front ends read next to the preferences. */
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
		.user_id = user != NULL ? user->id : SHAPE_NONE, .locale = p->locale, .timezone = p->timezone };

	show_preferences(&out, pool);
	return shape_json(&shape_profile_out, &out, pool);
}

static void on_profile(void *arg, const struct profile *p, const struct pl_err *err)
{
	struct profiling *f = arg;

	if (err != NULL)
		request_fail(f->request, err);
	else
		req_reply(
		    f->request->req, 200, NULL, profile_json(f->request->req->task->pool, &f->user, f->developer, p));
}

static void on_sums(void *arg, const struct profile *p, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_str text;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	text = profile_json(request->req->task->pool, NULL, PL_STR_NONE, p);
	memo_keep(request->svc->memo, PL_STR(SUMS_KEY), text);
	req_reply(request->req, 200, NULL, text);
}

/* Without a token: totals over all users, without data of a single user. */
static void nobodys_profile(struct request *request)
{
	struct pl_str kept = memo_find(request->svc->memo, PL_STR(SUMS_KEY));

	if (kept.ptr != NULL)
		req_reply(request->req, 200, NULL, pl_str_dup(request->req->task->pool, kept));
	else
		repo_profile(request->svc->db, request->req->task, 0, PL_STR_NONE, false, on_sums, request);
}

/* The user of the query; PATCH has none. */
static struct pl_str asked_developer(const struct request *request)
{
	return request->route->query == &shape_profile_query ?
	    ((const struct profile_query *)request->query)->developer_id : PL_STR_NONE;
}

static void on_user(void *arg, const struct user *user, const struct pl_err *err)
{
	struct request *request = arg;
	struct profiling *f = pl_alloc(request->req->task->pool, sizeof(*f));
	bool analyst = request->req->task->who.access >= ACCESS_ANALYST;

	if (err != NULL && err->code == PL_E_NOT_FOUND) {
		request_fail_code(request, PL_E_UNAUTHORIZED); /* the account was deleted, the token is still valid */
	} else if (err != NULL) {
		request_fail(request, err);
	} else {
		f->request = request;
		user_shape(&f->user, user);
		f->developer = asked_developer(request);
		if (f->developer.ptr == NULL)
			f->developer = f->user.username;
		repo_profile(request->svc->db, request->req->task, user->id, analyst ? f->developer : PL_STR_NONE,
		    asked_developer(request).ptr != NULL, on_profile, f);
	}
}

void api_profile(struct request *request)
{
	const struct pl_caller *who = &request->req->task->who;
	struct pl_err err = { 0 };

	if (!request_anonymous(request, "profile"))
		return;
	if (asked_developer(request).ptr != NULL && who->access < ACCESS_ANALYST) {
		pl_err_set(&err, PL_E_FORBIDDEN, "Only analysts, operators, and admins may set developer_id.");
		request_fail(request, &err);
	} else if (who->user_id != 0) {
		repo_user_get(request->svc->db, request->req->task, who->user_id, on_user, request);
	} else {
		nobodys_profile(request);
	}
}

static void on_patched(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL && err->code == PL_E_NOT_FOUND)
		request_fail_code(arg, PL_E_UNAUTHORIZED);	/* the account was deleted, the token is still valid */
	else if (err != NULL)
		request_fail(arg, err);
	else
		api_profile(arg);
}

/* Checks that it is an object and not too large. */
static void check_preferences(struct pl_pool *pool, struct pl_str preferences, struct pl_err *err)
{
	struct pl_err bad = { 0 };
	const struct pl_jval *v = pl_json_parse(pool, preferences, &bad);

	if (v == NULL || v->type != PL_J_OBJECT)
		pl_err_field(err, pool, "body.preferences", "value_error", "must be an object");
	else if (preferences.len > PREFERENCES_MAX)
		pl_err_field(err, pool, "body.preferences", "value_error", "must have at most %d bytes",
		    PREFERENCES_MAX);
}

void api_profile_patch(struct request *request)
{
	const struct profile_in *in = request->in;
	struct profile_new wanted = { .name = in->name, .preferences = in->preferences, .locale = in->locale,
		.timezone = in->timezone };
	struct pl_pool *pool = request->req->task->pool;
	struct pl_err err = { 0 };

	if (in->preferences.ptr != NULL)
		check_preferences(pool, in->preferences, &err);
	if (in->locale.len > 0)
		wanted.locale = pl_lang_tag(pool, in->locale);
	if (in->locale.ptr != NULL && wanted.locale.ptr == NULL)
		pl_err_field(&err, pool, "body.locale", "value_error",
		    "must be a language tag of BCP 47, such as de or pt-BR");
	if (err.code != PL_E_OK)
		request_fail(request, &err);
	else if (in->name.ptr == NULL && in->preferences.ptr == NULL && in->locale.ptr == NULL &&
	    in->timezone.ptr == NULL)
		api_profile(request);
	else
		repo_profile_patch(request->svc->db, request->req->task, request->req->task->who.user_id, &wanted,
		    on_patched, request);
}

/* ---- /api/dashboard ---- */

static void dashboard_shape(struct dashboard_out *out, const struct request *request, const struct dashboard *d)
{
	*out = (struct dashboard_out){ .layout_id = d->layout_id, .layout_name = d->name,
		.user_id = request->req->task->who.user_id, .version = d->version, .grid_columns = d->columns,
		.cards = d->cards, .created_at = d->created_us, .updated_at = d->updated_us };
}

/* A layout that was never saved has a default; then every card has all members. */
static bool wants_default(const struct request *request)
{
	struct pl_str asked = request->route->query == &shape_dashboard_query ?
	    ((const struct dashboard_query *)request->query)->default_ : PL_STR_NONE;

	return asked.ptr != NULL ? pl_str_is(asked, "1") :
	    request->req->config->s.dashboard_default;
}

static void on_dashboards(void *arg, const struct dashboard_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct dashboard_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		dashboard_shape(&items[i], request, &list->rows[i]);
		if (wants_default(request))
			items[i].cards = layout_full(request->req->task->pool, items[i].cards);
	}
	request_reply_list(request, &shape_dashboard_out, items, list->count);
}

void api_dashboard_list(struct request *request)
{
	repo_dashboard_list(
	    request->svc->db, request->req->task, request->req->task->who.user_id, PL_STR_NONE, on_dashboards, request);
}

/* Reads the name in the path. false: 404 was sent, because no layout can have this name. */
static bool layout_of(struct request *request)
{
	if (layout_id_ok(request->param[0]))
		return true;
	request_fail_code(request, PL_E_NOT_FOUND);
	return false;
}

/* Suffix of the entity tag of a layout whose cards have all members: another representation of the same version. */
#define FULL_TAG ".full"

/* Returns the version of an entity tag. Other tags, including weak ones, match no version (RFC 9110 13.1.1). */
static int64_t tag_version(struct pl_str tag)
{
	static const size_t full = sizeof(FULL_TAG) - 1;
	int64_t version;

	tag = pl_str_trim(tag);
	if (tag.len < 3 || tag.ptr[0] != '"' || tag.ptr[tag.len - 1] != '"')
		return INT64_MAX;
	tag = pl_strn(tag.ptr + 1, tag.len - 2);
	if (tag.len > full && memcmp(tag.ptr + tag.len - full, FULL_TAG, full) == 0)
		tag.len -= full;
	return pl_str_i64(tag, 1, INT64_MAX, &version) ? version : INT64_MAX;
}

/*
 * Returns the version in If-Match; 0: "*"; -1: there is none. Of a list: the current version, if it is listed; the
 * write still succeeds only if that version is current then.
 */
static int64_t match_of(const struct request *request, int64_t now)
{
	struct pl_str text = req_header(request->req, "If-Match"), tag;

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
	struct request *request = arg;
	void (*go)(struct request *request, int64_t now) = request->flow;

	if (err != NULL && err->code != PL_E_NOT_FOUND)
		request_fail(request, err);
	else
		go(request, err == NULL ? list->rows[0].version : 0);
}

/* Only a list of tags requires a query for the current version. */
static void match(struct request *request, void (*go)(struct request *request, int64_t now))
{
	struct pl_str text = req_header(request->req, "If-Match");

	request->flow = go;
	if (text.ptr != NULL && memchr(text.ptr, ',', text.len) != NULL)
		repo_dashboard_list(request->svc->db, request->req->task, request->req->task->who.user_id,
		    request->param[0], with_version, request);
	else
		go(request, 0);
}

static void reply_default(struct request *request)
{
	int64_t now = pl_wall_us();
	struct dashboard d = { .layout_id = request->param[0], .name = request->param[0], .columns = LAYOUT_COLUMNS,
		.cards = layout_default(request->req->task->pool), .created_us = now, .updated_us = now };
	struct dashboard_out out;

	dashboard_shape(&out, request, &d);
	request_reply_status(request, 200, &shape_dashboard_out, &out);
}

static void on_dashboard(void *arg, const struct dashboard_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct dashboard_out out;
	const char *etag;

	if (err != NULL && err->code == PL_E_NOT_FOUND && wants_default(request)) {
		reply_default(request);
		return;
	}
	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	dashboard_shape(&out, request, &list->rows[0]);
	if (wants_default(request))
		out.cards = layout_full(request->req->task->pool, out.cards);
	etag = pl_sprintf(request->req->task->pool, "\"%lld%s\"", (long long)out.version,
	    wants_default(request) ? FULL_TAG : "");
	req_header_addf(request->req, "ETag", "%s", etag);
	if (request->req->method == REQ_GET && request_none_match(request, etag))
		req_reply_empty(request->req, 304);
	else
		request_reply_status(request, 200, &shape_dashboard_out, &out);
}

void api_dashboard_get(struct request *request)
{
	if (layout_of(request))
		repo_dashboard_list(request->svc->db, request->req->task, request->req->task->who.user_id,
		    request->param[0], on_dashboard, request);
}

static void on_saved(void *arg, const int64_t *version, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		api_dashboard_get(arg);
}

/* The owner must be the caller: as number, as digits, or as name. */
static bool owner_ok(struct request *request, struct pl_err *err)
{
	const struct pl_caller *who = &request->req->task->who;
	struct pl_str given = ((const struct dashboard_in *)request->in)->user_id;
	const struct pl_jval *v = given.ptr != NULL ? pl_json_parse(request->req->task->pool, given, err) : NULL;
	int64_t id;

	if (v == NULL)
		return given.ptr == NULL;
	if (v->type != PL_J_NUMBER && v->type != PL_J_STRING)
		return pl_err_field(err, request->req->task->pool, "body.user_id", "value_error",
		    "must be a number or a string");
	if (pl_str_ieq(v->text, pl_str(who->name)) || (pl_str_i64(v->text, 1, INT64_MAX, &id) && id == who->user_id))
		return true;
	pl_err_set(err, PL_E_FORBIDDEN, "user_id is another user. Only the owner can save a dashboard.");
	return false;
}

static void save(struct request *request, int64_t now)
{
	const struct dashboard_in *in = request->in;
	struct dashboard d = { .layout_id = request->param[0], .name = in->layout_name,
		.columns = in->grid_columns == SHAPE_NONE ? LAYOUT_COLUMNS : (int)in->grid_columns };
	struct pl_err err = { 0 };

	if (!owner_ok(request, &err) || !layout_read(request->req->task->pool, in->cards, d.columns, &d.cards, &err))
		request_fail(request, &err);
	else
		repo_dashboard_save(request->svc->db, request->req->task, request->req->task->who.user_id, &d,
		    match_of(request, now), in->version == SHAPE_NONE ? -1 : in->version, on_saved, request);
}

void api_dashboard_save(struct request *request)
{
	if (layout_of(request))
		match(request, save);
}

static void on_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

static void delete(struct request *request, int64_t now)
{
	repo_dashboard_delete(request->svc->db, request->req->task, request->req->task->who.user_id, request->param[0],
	    match_of(request, now), on_deleted, request);
}

void api_dashboard_delete(struct request *request)
{
	if (layout_of(request))
		match(request, delete);
}
