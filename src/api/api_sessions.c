/* SPDX-License-Identifier: ISC */
/*
 * Routes of sessions: make, list, look, end; and the greeting.
 */
#include "api/session_shape.h"
#include "db/repo/repo_session_talk.h"
#include "svc/session/forms.h"

#define TURNS_MAX 200	/* of conversation_history */

bool session_admits(struct call *call)
{
	if (call->req->task->who.user_id != 0 || call->req->config->s.guest)
		return true;
	call_fail_code(call, PL_E_UNAUTHORIZED);
	return false;
}

bool session_guest_limit(struct call *call)
{
	return call->req->task->who.user_id != 0 || call_limits_more(call, LIMIT_GUEST, PL_STR_NONE);
}

struct session_caller session_caller_of(const struct call *call)
{
	return (struct session_caller){ .user_id = call->req->task->who.user_id, .guests = call->req->config->s.guest };
}

static void fail_field(struct call *call, const char *loc, const char *type, const char *msg)
{
	struct pl_err err = { 0 };

	pl_err_field(&err, call->req->task->pool, loc, type, "%s", msg);
	call_fail(call, &err);
}

static struct pl_str form_state(const struct session *s)
{
	if (s->form.ptr == NULL)
		return PL_STR_NONE;
	if (s->form_over.ptr != NULL)
		return s->form_over;
	return s->is_complete ? PL_STR("complete") : PL_STR("open");
}

static int64_t or_none(int64_t count)
{
	return count >= 0 ? count : SHAPE_NONE;
}

/* Without a token nobody's name is shown, and no repository's. */
static void session_hide(struct session_out *out)
{
	out->developer_id = out->repo_slug = PL_STR_NONE;
}

static void session_shape(struct session_out *out, const struct session *s, struct pl_pool *pool)
{

	*out = (struct session_out){ .id = s->id, .session_id = s->external_id.ptr != NULL ? s->external_id : s->id,
		.developer_id = s->developer, .timestamp = s->started_us, .model = s->model,
		.total_tokens = s->total_tokens, .cost_usd = (double)s->cost_micros / 1e6,
		.tokens_in = s->prompt_tokens, .tokens_out = s->completion_tokens, .latency_ms = s->extra.latency_ms,
		.status_code = or_none(s->extra.status_code), .diff_ratio = s->extra.diff_ratio,
		.accepted_lines = or_none(s->extra.accepted_lines), .repo_slug = s->extra.repo_slug,
		.accepted_flag = (signed char)s->accepted, .data_collected = session_collected(pool, s),
		.is_complete = s->is_complete, .status = s->is_complete ? PL_STR("complete") : PL_STR("active"),
		.kind = pl_str(session_kind_words[s->kind]),
		.state = pl_str(session_state_words[s->state]),
		.form = s->form, .form_state = form_state(s), .answer = s->answer, .lead_mail = s->lead_mail,
		.messages = s->last_seq, .last_at = s->last_us,
		.expires_at = s->expires_us > 0 ? s->expires_us : SHAPE_NONE };
}

/* ---- one session ---- */

static void on_made(void *arg, const struct session *session, const struct pl_err *err)
{
	struct call *call = arg;
	struct session_out out;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	session_shape(&out, session, call->req->task->pool);
	out.greeting = session_greeting(call->req->config, call->req->task->pool, session);
	call_location(call, "/api/sessions/%.*s", PL_FMT(session->id));
	call_reply(call, &shape_session_out, &out);
}

void api_session_create(struct call *call)
{
	const struct session_in *in = call->in;
	struct session_want want = { .any = in->kind.ptr == NULL && in->form.ptr == NULL, .form = in->form,
		.kind = pl_str_is(in->kind, "chat") ? SESSION_CHAT : SESSION_GUIDED };
	struct pl_str form = in->form.ptr != NULL ? in->form : pl_str(call->req->config->s.session_form);

	if (!session_admits(call))
		return;
	if (call->made.ptr != NULL)
		repo_session_get(call->svc->db, call->req->task, call->made, session_caller_of(call), on_made, call);
	else if (want.kind == SESSION_CHAT && in->form.ptr != NULL)
		fail_field(call, "body.form", "value_error", "must not be given with kind chat");
	else if (!want.any && want.kind == SESSION_GUIDED && forms_find(form) == NULL)
		fail_field(call, in->form.ptr != NULL ? "body.form" : "body.kind", "value_error",
		    "there is no such form here");
	else if (session_guest_limit(call))
		session_make(call->svc, call->req->config, call->req->task, &want, on_made, call);
}

static bool is_anonymous(const struct call *call)
{
	return call->req->task->who.user_id == 0;
}

static const char *const authors[] = { "user", "assistant" };

/* Its newest messages, in short. */
static void on_turns(void *arg, const struct session_page *page, const struct pl_err *err)
{
	struct call *call = arg;
	struct session_out *out = call->flow;
	struct session_turn_out *turns;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	turns = pl_alloc(call->req->task->pool, ((size_t)page->count + 1) * sizeof(*turns));
	for (int i = 0; i < page->count; i++)
		turns[i] = (struct session_turn_out){ .role = pl_str(authors[page->rows[i].author]),
			.content = page->rows[i].content, .timestamp = page->rows[i].created_us };
	out->conversation_history = shape_json_list(&shape_session_turn_out, turns, page->count, call->req->task->pool);
	call_reply(call, &shape_session_out, out);
}

static void on_session(void *arg, const struct session *session, const struct pl_err *err)
{
	static const struct session_page nothing = { .count = 0 };
	struct call *call = arg;
	struct session_out *out = pl_alloc(call->req->task->pool, sizeof(*out));

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	session_shape(out, session, call->req->task->pool);
	if (is_anonymous(call))
		session_hide(out);
	out->data = session_data(call->req->task->pool, session);
	call->flow = out;
	if (session->last_seq == 0)
		on_turns(call, &nothing, NULL);
	else
		repo_session_messages(call->svc->db, call->req->task, session->id, -1, 0, TURNS_MAX, on_turns, call);
}

/* Without a token: the guest's whose UUID it is, and what the list shows. */
void api_session_get(struct call *call)
{
	struct session_caller who = session_caller_of(call);

	who.open = is_anonymous(call) && svc_anonymous(call->req->config, "sessions");
	if (who.open || session_admits(call))
		repo_session_get(call->svc->db, call->req->task, call->param[0], who, on_session, call);
}

/* ---- what was said in it ---- */

static void on_messages(void *arg, const struct session_page *page, const struct pl_err *err)
{
	struct call *call = arg;
	const struct messages_query *q = call->query;
	struct session_message_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)page->count + 1) * sizeof(*items));
	for (int i = 0; i < page->count; i++) {
		const struct session_entry *m = &page->rows[i];

		items[i] = (struct session_message_out){ .seq = m->seq, .author = pl_str(authors[m->author]),
			.content = m->content, .state = pl_str(session_outcome_words[m->state]),
			.reply_to = m->reply_to > 0 ? m->reply_to : SHAPE_NONE, .model = m->model,
			.citations = m->citations, .reasoning = m->reasoning, .created_at = m->created_us };
	}
	if (page->more && q->after != SHAPE_NONE)
		call_link_next(call, "after=%lld&limit=%d", (long long)items[page->count - 1].seq, page->count);
	else if (page->more)
		call_link_next(call, "before=%lld&limit=%d", (long long)items[0].seq, page->count);
	call_reply_list(call, &shape_session_message_out, items, page->count);
}

static void on_messages_session(void *arg, const struct session *session, const struct pl_err *err)
{
	struct call *call = arg;
	const struct messages_query *q = call->query;

	if (err != NULL)
		call_fail(call, err);
	else
		repo_session_messages(call->svc->db, call->req->task, session->id,
		    q->after == SHAPE_NONE ? -1 : q->after, q->before == SHAPE_NONE ? 0 : q->before,
		    q->limit == SHAPE_NONE ? 50 : (int)q->limit, on_messages, call);
}

void api_session_messages(struct call *call)
{
	const struct messages_query *q = call->query;

	if (!session_admits(call))
		return;
	if (q->after != SHAPE_NONE && q->before != SHAPE_NONE)
		fail_field(call, "query.before", "value_error", "must not be given together with after");
	else
		repo_session_get(call->svc->db, call->req->task, call->param[0], session_caller_of(call),
		    on_messages_session, call);
}

static void on_ended(void *arg, const bool *done, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL)
		call_fail(call, err);
	else
		call_reply_empty(call);
}

void api_session_end(struct call *call)
{
	if (session_admits(call))
		session_end(call->svc, call->req->task, call->param[0], session_caller_of(call), on_ended, call);
}

/* Nothing to stop is no error: the answer may have ended meanwhile. */
static void on_stoppable(void *arg, const struct session *session, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	session_stop(call->svc, session->id);
	call_reply_empty(call);
}

void api_session_stop(struct call *call)
{
	if (session_admits(call))
		repo_session_get(call->svc->db, call->req->task, call->param[0], session_caller_of(call), on_stoppable,
		    call);
}

/* ---- the list ---- */

static int64_t or_else(int64_t value, int64_t otherwise)
{
	return value != SHAPE_NONE ? value : otherwise;
}

static void on_first(void *arg, const struct session_list *list, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	call->page_total = list->count > 0 ? list->total : 0;
	call_reply_list(call, &shape_session_out, NULL, 0);
}

static void on_list(void *arg, const struct session_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	const struct sessions_query *q = call->query;
	struct pl_pool *pool = call->req->task->pool;
	bool paged = page_wanted(call);
	struct session_filter *filter = call->flow;
	struct session_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	/* behind the end: how long it is stands in its first row */
	if (paged && list->count == 0 && filter->offset > 0) {
		filter->offset = 0;
		filter->limit = 1;
		repo_session_list(call->svc->db, call->req->task, filter, on_first, call);
		return;
	}
	items = pl_alloc(pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		session_shape(&items[i], &list->rows[i], pool);
		if (list->rows[i].guest) {
			/* whoever has a guest's number has the session */
			items[i].session_id = pl_strn(items[i].id.ptr, 8);
			items[i].id = pl_str(pl_sprintf(pool, "%.8s-0000-0000-0000-000000000000", items[i].id.ptr));
		}
		if (is_anonymous(call))
			session_hide(&items[i]);
	}
	if (paged)
		call->page_total = list->total;
	else if (list->more)
		call_link_next(call, "%soffset=%lld&limit=%d", page_filters(call),
		    (long long)(or_else(q->offset, 0) + list->count), list->count);
	call_reply_list(call, &shape_session_out, items, list->count);
}

void api_session_list(struct call *call)
{
	const struct sessions_query *q = call->query;
	bool paged = page_wanted(call);
	int64_t size = paged ? or_else(q->page_size, 50) : or_else(q->limit, 50);
	const struct pl_caller *who = &call->req->task->who;
	struct session_filter *filter = pl_alloc(call->req->task->pool, sizeof(*filter));

	*filter = (struct session_filter){ .user_id = who->user_id,
		.scope = who->access >= ACCESS_ANALYST ? SESSIONS_ALL :
		    is_anonymous(call) ? SESSIONS_IMPORTED : SESSIONS_OWN,
		.developer = q->developer_id, .model = q->model,
		.sort = pl_str_is(q->sort, "cost_usd") ? PL_STR("cost") :
		    pl_str_is(q->sort, "total_tokens") ? PL_STR("tokens") : q->sort, .start_us = or_else(q->start, 0),
		.end_us = or_else(q->end, 0), .descending = !pl_str_is(q->order, "asc"), .limit = (int)size,
		.offset = paged ? (or_else(q->page, 1) - 1) * size : or_else(q->offset, 0) };

	if (!call_anonymous(call, "sessions"))
		return;
	if (is_anonymous(call))
		filter->developer = PL_STR_NONE;
	call->flow = filter;
	repo_session_list(call->svc->db, call->req->task, filter, on_list, call);
}

/* ---- the greeting ---- */

void api_greeting(struct call *call)
{
	struct pl_str text = session_greeting(call->req->config, call->req->task->pool, NULL);
	struct greeting_out out = { .message = text, .greeting = text };

	if (session_admits(call))
		call_reply(call, &shape_greeting_out, &out);
}
