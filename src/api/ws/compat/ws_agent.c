/* SPDX-License-Identifier: ISC */
/*
 * ws_agent_tell -> on_session -> on_messages -> on_requests -> the frame
 *
 * Each frame is read from the database as a whole, and the next one is read after it was sent, so no frame is older
 * than the previous one. If reading fails, or the socket has no room, the frame is read again later.
 */
#include "api/ws/compat/ws_agent.h"

#include "db/repo/repo_feedback.h"
#include "db/repo/repo_session_talk.h"
#include "svc/session/session.h"

#define MESSAGES 100		/* the newest messages of a frame */
#define MESSAGES_BYTES (256 << 10)
#define REQUESTS 50		/* the newest requests of a frame */
#define REQUESTS_BYTES (256 << 10)
#define METADATA_BYTES 4096
#define AGAIN_S 1

struct tell {
	struct ws_client *client;	/* held */
	struct ws_agent *agent;
	struct pl_task *task;
	const char *id;
	const char *type;
	ws_agent_fn *done;
	void *arg;
	struct session session;
	struct session_page page;
	bool crowded;			/* the socket has no room: try again when it has drained */
};

static void tell(struct ws_agent *agent, const char *type, ws_agent_fn *done, void *arg);

static void tell_again(struct ws_agent *agent)
{
	if (agent->again && !agent->telling && agent->client->conn != NULL)
		tell(agent, "session_update", NULL, NULL);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	tell_again(arg);
}

void ws_agent_start(struct ws_agent *agent, struct ws_client *client, const char *id, const struct pl_jval *payload)
{
	struct pl_str channel = pl_json_str(pl_json_get(payload, "preferredChannel"));
	const struct pl_jval *metadata = pl_json_get(payload, "metadata");

	agent->on = true;
	agent->client = client;
	agent->id = id;
	if (agent->late == NULL)
		agent->late = evtimer_new(client->svc->worker->base, on_late, agent);
	PL_BUG(agent->late == NULL);
	if (channel.len > 0 && channel.len < sizeof(agent->channel)) {
		memcpy(agent->channel, channel.ptr, channel.len);
		agent->channel[channel.len] = '\0';
	}
	if (metadata == NULL || metadata->type != PL_J_OBJECT || metadata->raw.len > METADATA_BYTES)
		return;
	pl_free(agent->metadata);
	agent->metadata = pl_new(metadata->raw.len + 1);
	memcpy(agent->metadata, metadata->raw.ptr, metadata->raw.len);
}

void ws_agent_fini(struct ws_agent *agent)
{
	pl_free(agent->metadata);
	agent->metadata = NULL;
	if (agent->late != NULL)
		event_free(agent->late);
	agent->late = NULL;
}

/* ---- frames ---- */

void ws_agent_status(struct ws_client *client, const char *id, const char *status)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = ws_frame_begin(&buf, "agent_status", PL_STR_NONE);

	pl_jw_key(&w, "payload");
	pl_jw_object(&w);
	pl_jw_kcstr(&w, "status", status);
	pl_jw_kcstr(&w, "sessionId", id);
	pl_jw_end_object(&w);
	pl_jw_end_object(&w);
	ws_client_send(client, &buf);
	pl_pool_free(&pool);
}

static void write_message(struct pl_jw *w, const struct tell *t, const struct session_entry *m)
{
	bool agent = m->author == SESSION_ASSISTANT, whole = !agent || m->state == SESSION_DONE;

	pl_jw_object(w);
	pl_jw_kcstr(w, "id", pl_sprintf(t->task->pool, "%s.%lld", t->id, (long long)m->seq));
	pl_jw_kcstr(w, "sessionId", t->id);
	pl_jw_kstr(w, "content", m->content);
	pl_jw_kcstr(w, "type", agent ? "agent" : "user");
	pl_jw_ktime(w, "timestamp", m->created_us);
	pl_jw_kcstr(w, "status", whole ? "sent" : session_outcome_words[m->state]);
	pl_jw_kcstr(w, "channel", "web");
	pl_jw_end_object(w);
}

/* A frame has two lists. Half of ws_queue is reserved for other frames. */
static size_t list_max(const struct tell *t, size_t most)
{
	size_t max = (size_t)svc_config(t->client->svc)->s.ws_queue / 4;

	return max < most ? max : most;
}

/* Writes the newest messages, oldest first: as many as fit into a frame, and at least the newest one. */
static void write_messages(struct pl_jw *w, const struct tell *t)
{
	size_t bytes = 0, max = list_max(t, MESSAGES_BYTES);
	int first = t->page.count;

	while (first > 0 && ((bytes += t->page.rows[first - 1].content.len) <= max || first == t->page.count))
		first--;
	pl_jw_key(w, "messages");
	pl_jw_array(w);
	for (int i = first; i < t->page.count; i++)
		write_message(w, t, &t->page.rows[i]);
	pl_jw_end_array(w);
}

static void write_request(struct pl_jw *w, const struct tell *t, const struct feedback_request *r)
{
	bool open = pl_str_is(r->status, "created") || pl_str_is(r->status, "sent");

	pl_jw_object(w);
	pl_jw_kstr(w, "id", r->id);
	pl_jw_kcstr(w, "sessionId", t->id);
	pl_jw_kstr(w, "question", r->question);
	if (r->options.ptr != NULL)
		pl_jw_kraw(w, "options", r->options);
	if (r->context.ptr != NULL)
		pl_jw_kraw(w, "context", r->context);
	pl_jw_kstr(w, "channel", r->channel);
	pl_jw_kstr(w, "status", open ? PL_STR("pending") : r->status);
	if (r->answer.ptr != NULL)
		pl_jw_kstr(w, "response", r->answer);
	pl_jw_ktime(w, "createdAt", r->created_us);
	pl_jw_ktime(w, "expiresAt", r->due_us);
	if (r->ended_us > 0)
		pl_jw_ktime(w, "respondedAt", r->ended_us);
	pl_jw_end_object(w);
}

/* Returns how many of the newest requests fit into a frame. */
static int requests_that_fit(const struct tell *t, const struct feedback_request_list *list)
{
	size_t bytes = 0, max = list_max(t, REQUESTS_BYTES);
	int count = 0;

	for (; count < list->count; count++) {
		const struct feedback_request *r = &list->rows[count];

		bytes += r->question.len + r->options.len + r->context.len + r->answer.len;
		if (bytes > max)
			break;
	}
	return count;
}

/* false: an update that the client did not request, and the socket has no room for it. */
static bool send_frame(const struct tell *t, const struct pl_buf *text)
{
	struct ws_buf *buf = ws_buf_new(PL_WS_TEXT, pl_buf_str(text));
	bool taken = true;

	if (t->done != NULL)
		(void)ws_send(t->client->conn, buf);
	else
		taken = ws_offer(t->client->conn, buf, svc_config(t->client->svc)->s.ws_queue / 2);
	ws_buf_release(&buf);
	return taken;
}

static bool send_session(const struct tell *t, const struct feedback_request_list *requests)
{
	const struct session *s = &t->session;
	struct pl_buf buf = PL_BUF(t->task->pool);
	struct pl_jw w = ws_frame_begin(&buf, t->type, PL_STR_NONE);

	pl_jw_key(&w, "payload");
	pl_jw_object(&w);
	pl_jw_kcstr(&w, "id", t->id);
	pl_jw_key(&w, "userId");
	if (s->user_id > 0)
		pl_jw_cstr(&w, pl_sprintf(t->task->pool, "%lld", (long long)s->user_id));
	else
		pl_jw_null(&w);
	pl_jw_kcstr(&w, "status", s->state == SESSION_OPEN ? "active" : session_state_words[s->state]);
	pl_jw_ktime(&w, "createdAt", s->started_us);
	pl_jw_ktime(&w, "updatedAt", s->last_us);
	pl_jw_kcstr(&w, "preferredChannel", t->agent->channel[0] != '\0' ? t->agent->channel : "web");
	write_messages(&w, t);
	pl_jw_key(&w, "feedbackRequests");
	pl_jw_array(&w);
	for (int i = requests_that_fit(t, requests) - 1; i >= 0; i--)
		write_request(&w, t, &requests->rows[i]);
	pl_jw_end_array(&w);
	pl_jw_kraw(&w, "metadata", pl_str(t->agent->metadata != NULL ? t->agent->metadata : "{}"));
	pl_jw_end_object(&w);
	pl_jw_end_object(&w);
	return send_frame(t, &buf);
}

/* ---- reading ---- */

static void tell_over(struct tell *t, const struct pl_err *err)
{
	struct ws_client *client = t->client;
	struct ws_agent *agent = t->agent;
	struct pl_task *task = t->task;
	struct timeval pause = { AGAIN_S, 0 };
	bool failed = err != NULL && pl_err_temporary(err);

	if (err != NULL && (t->done != NULL || !failed))
		ws_client_error(client, PL_STR_NONE, err);
	agent->telling = false;
	agent->again = agent->again || failed;
	if (t->done != NULL)
		t->done(t->arg);
	if (!agent->telling && agent->type != NULL) {
		const char *type = agent->type;

		agent->type = NULL;
		tell(agent, type, agent->done, agent->arg);
	} else if (failed && client->conn != NULL) {
		evtimer_add(agent->late, &pause);
	} else if (!t->crowded) {
		tell_again(agent);
	}
	ws_client_release(&client);
	pl_task_release(&task);
}

static void on_requests(void *arg, const struct feedback_request_list *list, const struct pl_err *err)
{
	struct tell *t = arg;

	if (err == NULL && t->client->conn != NULL)
		t->crowded = !send_session(t, list);
	t->agent->again = t->agent->again || t->crowded;
	tell_over(t, err);
}

static void on_messages(void *arg, const struct session_page *page, const struct pl_err *err)
{
	struct tell *t = arg;

	if (err != NULL) {
		tell_over(t, err);
		return;
	}
	t->page = *page;
	repo_feedback_request_of_run(t->client->svc->db, t->task, pl_str(t->id), t->session.user_id, REQUESTS,
	    on_requests, t);
}

static void on_session(void *arg, const struct session *session, const struct pl_err *err)
{
	struct tell *t = arg;

	if (err != NULL) {
		tell_over(t, err);
		return;
	}
	t->session = *session;
	repo_session_messages(
	    t->client->svc->db, t->task, pl_str(t->id), -1, 0, MESSAGES, DB_PAGE_BYTES, on_messages, t);
}

static void tell(struct ws_agent *agent, const char *type, ws_agent_fn *done, void *arg)
{
	struct ws_client *client = agent->client;
	struct pl_task *task = ws_client_task(client);
	struct tell *t = pl_alloc(task->pool, sizeof(*t));
	struct session_caller who = { .user_id = client->who.user_id, .guests = svc_config(client->svc)->s.guest };

	*t = (struct tell){ .client = ws_client_hold(client), .agent = agent, .task = task, .id = agent->id,
		.type = type, .done = done, .arg = arg };
	agent->telling = true;
	agent->again = false;
	repo_session_get(client->svc->db, task, pl_str(t->id), who, on_session, t);
}

void ws_agent_drained(struct ws_agent *agent)
{
	if (agent->on)
		tell_again(agent);
}

void ws_agent_tell(struct ws_agent *agent, const char *type, ws_agent_fn *done, void *arg)
{
	if (!agent->telling) {
		tell(agent, type, done, arg);
	} else if (done == NULL) {
		agent->again = true;
	} else {
		PL_BUG(agent->type != NULL);
		agent->type = type;
		agent->done = done;
		agent->arg = arg;
	}
}
