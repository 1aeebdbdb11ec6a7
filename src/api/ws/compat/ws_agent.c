/* SPDX-License-Identifier: ISC */
/*
 * ws_agent_tell -> on_session -> on_messages -> on_requests -> the frame
 *
 * Each frame is read as a whole, and the next is read when it was sent: no frame is older than the one before it.
 */
#include "api/ws/compat/ws_agent.h"

#include "db/repo/repo_feedback.h"
#include "db/repo/repo_session_talk.h"
#include "svc/session/session.h"

#define MESSAGES 100		/* the newest ones */
#define MESSAGES_BYTES (256 << 10)
#define REQUESTS 50		/* the newest ones */
#define REQUESTS_BYTES (256 << 10)
#define METADATA_BYTES 4096

struct tell {
	struct ws_client *client;
	struct ws_agent *agent;
	struct pl_task *task;
	char id[PL_UUID_LEN + 1];
	const char *type;
	ws_agent_fn *done;
	void *arg;
	struct session session;
	struct session_page page;
};

static void tell(struct ws_client *client, struct ws_agent *agent, const char *id, const char *type, ws_agent_fn *done,
    void *arg);

void ws_agent_start(struct ws_agent *agent, const struct pl_jval *payload)
{
	struct pl_str channel = pl_json_str(pl_json_get(payload, "preferredChannel"));
	const struct pl_jval *metadata = pl_json_get(payload, "metadata");

	agent->on = true;
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

/* The newest ones, oldest first, as many as fit into a frame. */
static void write_messages(struct pl_jw *w, const struct tell *t)
{
	int first = t->page.count;
	size_t bytes = 0;

	while (first > 0 && (bytes += t->page.rows[first - 1].content.len) <= MESSAGES_BYTES)
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

/* How many of the newest ones fit into a frame. */
static int requests_that_fit(const struct feedback_request_list *list)
{
	size_t bytes = 0;
	int count = 0;

	for (; count < list->count; count++) {
		const struct feedback_request *r = &list->rows[count];

		bytes += r->question.len + r->options.len + r->context.len + r->answer.len;
		if (bytes > REQUESTS_BYTES)
			break;
	}
	return count;
}

static void send_session(const struct tell *t, const struct feedback_request_list *requests)
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
	for (int i = requests_that_fit(requests) - 1; i >= 0; i--)
		write_request(&w, t, &requests->rows[i]);
	pl_jw_end_array(&w);
	pl_jw_kraw(&w, "metadata", pl_str(t->agent->metadata != NULL ? t->agent->metadata : "{}"));
	pl_jw_end_object(&w);
	pl_jw_end_object(&w);
	ws_client_send(t->client, &buf);
}

/* ---- reading ---- */

static void tell_over(struct tell *t, const struct pl_err *err)
{
	struct ws_client *client = t->client;
	struct ws_agent *agent = t->agent;
	struct pl_task *task = t->task;

	if (err != NULL)
		ws_client_error(client, PL_STR_NONE, err);
	agent->telling = false;
	if (t->done != NULL)
		t->done(t->arg);
	if (!agent->telling && agent->type != NULL) {
		const char *type = agent->type;

		agent->type = NULL;
		tell(client, agent, t->id, type, agent->done, agent->arg);
	} else if (!agent->telling && agent->again && client->conn != NULL) {
		tell(client, agent, t->id, "session_update", NULL, NULL);
	}
	ws_client_release(&client);
	pl_task_release(&task);
}

static void on_requests(void *arg, const struct feedback_request_list *list, const struct pl_err *err)
{
	struct tell *t = arg;

	if (err == NULL && t->client->conn != NULL)
		send_session(t, list);
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
	repo_session_messages(t->client->svc->db, t->task, pl_str(t->id), -1, 0, MESSAGES, on_messages, t);
}

static void tell(struct ws_client *client, struct ws_agent *agent, const char *id, const char *type, ws_agent_fn *done,
    void *arg)
{
	struct pl_task *task = ws_client_task(client);
	struct tell *t = pl_alloc(task->pool, sizeof(*t));
	struct session_caller who = { .user_id = client->who.user_id, .guests = svc_config(client->svc)->s.guest };

	*t = (struct tell){ .client = ws_client_hold(client), .agent = agent, .task = task, .type = type, .done = done,
		.arg = arg };
	memcpy(t->id, id, PL_UUID_LEN);
	agent->telling = true;
	agent->again = false;
	repo_session_get(client->svc->db, task, pl_str(t->id), who, on_session, t);
}

void ws_agent_tell(struct ws_client *client, struct ws_agent *agent, const char *id, const char *type,
    ws_agent_fn *done, void *arg)
{
	if (!agent->telling) {
		tell(client, agent, id, type, done, arg);
	} else if (done == NULL) {
		agent->again = true;
	} else {
		PL_BUG(agent->type != NULL);
		agent->type = type;
		agent->done = done;
		agent->arg = arg;
	}
}
