/* SPDX-License-Identifier: ISC */
/* Routes of chat sessions: create, list, show, and end; and the greeting. */
#include "api/room_shape.h"
#include "api/session_shape.h"
#include "db/repo/repo_session_talk.h"
#include "svc/session/forms.h"

#define TURNS_MAX 200	/* maximum of conversation_history */

bool session_admits(struct request *request)
{
	if (request->req->task->who.user_id != 0 || request->req->config->s.guest)
		return true;
	request_fail_code(request, PL_E_UNAUTHORIZED);
	return false;
}

bool session_guest_limit(struct request *request)
{
	return request->req->task->who.user_id != 0 || request_limits_more(request, LIMIT_GUEST, PL_STR_NONE);
}

struct session_caller session_caller_of(const struct request *request)
{
	return (struct session_caller){
	    .user_id = request->req->task->who.user_id, .guests = request->req->config->s.guest};
}

static void fail_field(struct request *request, const char *loc, const char *type, const char *msg)
{
	struct pl_err err = { 0 };

	pl_err_field(&err, request->req->task->pool, loc, type, "%s", msg);
	request_fail(request, &err);
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

/* Without a token, names of users and repositories are hidden. */
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
	struct request *request = arg;
	struct session_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	session_shape(&out, session, request->req->task->pool);
	out.greeting = session_greeting(request->req->config, request->req->task->pool, session);
	request_location(request, "/api/sessions/%.*s", PL_FMT(session->id));
	request_reply(request, &shape_session_out, &out);
}

void api_session_create(struct request *request)
{
	const struct session_in *in = request->in;
	struct session_want want = { .any = in->kind.ptr == NULL && in->form.ptr == NULL, .form = in->form,
		.kind = pl_str_is(in->kind, "chat") ? SESSION_CHAT : SESSION_GUIDED };
	struct pl_str form = in->form.ptr != NULL ? in->form : pl_str(request->req->config->s.session_form);

	if (!session_admits(request))
		return;
	if (request->made.ptr != NULL)
		repo_session_get(
		    request->svc->db, request->req->task, request->made, session_caller_of(request), on_made, request);
	else if (want.kind == SESSION_CHAT && in->form.ptr != NULL)
		fail_field(request, "body.form", "value_error", "must not be given with kind chat");
	else if (!want.any && want.kind == SESSION_GUIDED && forms_find(form) == NULL)
		fail_field(request, in->form.ptr != NULL ? "body.form" : "body.kind", "value_error",
		    "is not a form of this server");
	else if (session_guest_limit(request))
		session_make(request->svc, request->req->config, request->req->task, &want, on_made, request);
}

static bool is_anonymous(const struct request *request)
{
	return request->req->task->who.user_id == 0;
}

static const char *const authors[] = { "user", "assistant" };

/* Adds a summary of its newest messages. */
static void on_turns(void *arg, const struct session_page *page, const struct pl_err *err)
{
	struct request *request = arg;
	struct session_out *out = request->flow;
	struct session_turn_out *turns;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	turns = pl_alloc(request->req->task->pool, ((size_t)page->count + 1) * sizeof(*turns));
	for (int i = 0; i < page->count; i++)
		turns[i] = (struct session_turn_out){ .role = pl_str(authors[page->rows[i].author]),
			.content = page->rows[i].content, .timestamp = page->rows[i].created_us };
	out->conversation_history =
	    shape_json_list(&shape_session_turn_out, turns, page->count, request->req->task->pool);
	request_reply(request, &shape_session_out, out);
}

static void on_session(void *arg, const struct session *session, const struct pl_err *err)
{
	static const struct session_page nothing = { .count = 0 };
	struct request *request = arg;
	struct session_out *out = pl_alloc(request->req->task->pool, sizeof(*out));

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	session_shape(out, session, request->req->task->pool);
	if (is_anonymous(request))
		session_hide(out);
	out->data = session_data(request->req->task->pool, session);
	request->flow = out;
	if (session->last_seq == 0)
		on_turns(request, &nothing, NULL);
	else
		repo_session_messages(request->svc->db, request->req->task, session->id, -1, 0, TURNS_MAX,
		    DB_PAGE_BYTES, on_turns, request);
}

/* Without a token: a guest's own session by its UUID, and what the list shows. */
void api_session_get(struct request *request)
{
	struct session_caller who = session_caller_of(request);

	who.open = is_anonymous(request) && svc_anonymous(request->req->config, "sessions");
	if (who.open || session_admits(request))
		repo_session_get(request->svc->db, request->req->task, request->param[0], who, on_session, request);
}

/* ---- messages of a session ---- */

static void on_messages(void *arg, const struct session_page *page, const struct pl_err *err)
{
	struct request *request = arg;
	struct session_message_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)page->count + 1) * sizeof(*items));
	for (int i = 0; i < page->count; i++) {
		const struct session_entry *m = &page->rows[i];

		items[i] = (struct session_message_out){ .seq = m->seq, .author = pl_str(authors[m->author]),
			.content = m->content, .state = pl_str(session_outcome_words[m->state]),
			.reply_to = m->reply_to > 0 ? m->reply_to : SHAPE_NONE, .model = m->model,
			.citations = m->citations, .reasoning = m->reasoning, .created_at = m->created_us };
	}
	if (page->more)
		messages_link_next(request, items[0].seq, items[page->count - 1].seq);
	request_reply_list(request, &shape_session_message_out, items, page->count);
}

static void on_messages_session(void *arg, const struct session *session, const struct pl_err *err)
{
	struct request *request = arg;
	const struct messages_query *q = request->query;

	if (err != NULL)
		request_fail(request, err);
	else
		repo_session_messages(request->svc->db, request->req->task, session->id,
		    q->after == SHAPE_NONE ? -1 : q->after, q->before == SHAPE_NONE ? 0 : q->before,
		    messages_limit(q), DB_PAGE_BYTES, on_messages, request);
}

void api_session_messages(struct request *request)
{
	const struct messages_query *q = request->query;

	if (!session_admits(request))
		return;
	if (q->after != SHAPE_NONE && q->before != SHAPE_NONE)
		fail_field(request, "query.before", "value_error", "must not be given together with after");
	else
		repo_session_get(request->svc->db, request->req->task, request->param[0], session_caller_of(request),
		    on_messages_session, request);
}

static void on_ended(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply_empty(request);
}

void api_session_end(struct request *request)
{
	if (session_admits(request))
		session_end(
		    request->svc, request->req->task, request->param[0], session_caller_of(request), on_ended, request);
}

/* Without a running answer there is no error, because it may have ended meanwhile. */
static void on_stoppable(void *arg, const struct session *session, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	session_stop(request->svc, session->id);
	request_reply_empty(request);
}

void api_session_stop(struct request *request)
{
	if (session_admits(request))
		repo_session_get(request->svc->db, request->req->task, request->param[0], session_caller_of(request),
		    on_stoppable, request);
}

/* ---- the list ---- */

static int64_t or_else(int64_t value, int64_t otherwise)
{
	return value != SHAPE_NONE ? value : otherwise;
}

static void on_first(void *arg, const struct session_list *list, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	request->page_total = list->count > 0 ? list->total : 0;
	request_reply_list(request, &shape_session_out, NULL, 0);
}

static void on_list(void *arg, const struct session_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	const struct sessions_query *q = request->query;
	struct pl_pool *pool = request->req->task->pool;
	bool paged = page_wanted(request);
	struct session_filter *filter = request->flow;
	struct session_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	/* after the end: only the first row contains the length of the list */
	if (paged && list->count == 0 && filter->offset > 0) {
		filter->offset = 0;
		filter->limit = 1;
		repo_session_list(request->svc->db, request->req->task, filter, on_first, request);
		return;
	}
	items = pl_alloc(pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		session_shape(&items[i], &list->rows[i], pool);
		if (list->rows[i].guest) {
			/* the id of a guest's session is a credential */
			items[i].session_id = pl_strn(items[i].id.ptr, 8);
			items[i].id = pl_str(pl_sprintf(pool, "%.8s-0000-0000-0000-000000000000", items[i].id.ptr));
		}
		if (is_anonymous(request))
			session_hide(&items[i]);
	}
	if (paged)
		request->page_total = list->total;
	else if (list->more)
		request_link_next(request, "%soffset=%lld&limit=%d", page_filters(request),
		    (long long)(or_else(q->offset, 0) + list->count), list->count);
	request_reply_list(request, &shape_session_out, items, list->count);
}

void api_session_list(struct request *request)
{
	const struct sessions_query *q = request->query;
	bool paged = page_wanted(request);
	int64_t size = paged ? or_else(q->page_size, 50) : or_else(q->limit, 50);
	const struct pl_caller *who = &request->req->task->who;
	struct session_filter *filter = pl_alloc(request->req->task->pool, sizeof(*filter));

	*filter = (struct session_filter){ .user_id = who->user_id,
		.scope = who->access >= ACCESS_ANALYST ? SESSIONS_ALL :
		    is_anonymous(request) ? SESSIONS_IMPORTED : SESSIONS_OWN,
		.developer = q->developer_id, .model = q->model,
		.sort = pl_str_is(q->sort, "cost_usd") ? PL_STR("cost") :
		    pl_str_is(q->sort, "total_tokens") ? PL_STR("tokens") : q->sort, .start_us = or_else(q->start, 0),
		.end_us = or_else(q->end, 0), .descending = !pl_str_is(q->order, "asc"), .limit = (int)size,
		.offset = paged ? (or_else(q->page, 1) - 1) * size : or_else(q->offset, 0) };

	if (!request_anonymous(request, "sessions"))
		return;
	if (is_anonymous(request))
		filter->developer = PL_STR_NONE;
	request->flow = filter;
	repo_session_list(request->svc->db, request->req->task, filter, on_list, request);
}

/* ---- the greeting ---- */

void api_greeting(struct request *request)
{
	struct pl_str text = session_greeting(request->req->config, request->req->task->pool, NULL);
	struct greeting_out out = { .message = text, .greeting = text };

	if (session_admits(request))
		request_reply(request, &shape_greeting_out, &out);
}
