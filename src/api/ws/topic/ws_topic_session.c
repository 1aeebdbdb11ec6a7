/* SPDX-License-Identifier: ISC */
/*
 * Topics session:UUID on native sockets: messages of a session and values of its form, for its users.
 * Frames: parlour-ws(7).
 *
 *   session_open -> on_session -> subscribed -> on_log* -> state -> idle
 *   notice of a change, or possible end of its life -> on_session -> on_log* -> state -> idle
 *
 * All frames come from what was read, so a socket sees the same whichever worker answered, and nothing twice.
 */
#include <event2/event.h>

#include "api/ws/ws_topic.h"
#include "clock.h"
#include "db/repo/repo_session_talk.h"
#include "svc/session/session.h"
#include "svc/session/session_live.h"

#define LOG_LIMIT 4		/* messages per query */
#define WAITING_BYTES (64 << 10)	/* maximum that may wait for the socket */
#define RETRY_S 1

struct ws_watch {
	struct ws_topic topic;
	struct session_watcher watcher;
	struct reading *reading;	/* NULL: idle */
	struct event *timer;		/* the end of the session's life, or the next attempt */
	struct pl_buf collected;	/* data_collected as last sent */
	int64_t position;		/* seq of the newest message that was sent */
	bool complete, again;		/* again: it changed while it was read */
	bool stalled;			/* the client was informed that reading fails */
};

/* Reads what is new; allocated in the pool of its task. */
struct reading {
	struct ws_watch *watch;		/* NULL: unsubscribed */
	struct ws_client *client;	/* held */
	struct pl_task *task;
	struct ws_frame *frame;		/* the subscription to answer; NULL: it was answered */
	int64_t since;
	int state;
	int64_t user_id, expires_us;
	struct pl_str user_name, collected;
	bool complete;
	struct session_page log;	/* the newest result */
	int next;			/* the next row of it to send */
	bool waiting;			/* until the socket has room */
};

static void watch_read(struct ws_watch *watch, struct ws_frame *frame, int64_t since);
static void reading_end(struct reading *r);

/* ---- frames ---- */

static struct pl_jw topic_begin(struct pl_buf *buf, const char *type, const struct ws_watch *watch)
{
	struct pl_jw w = ws_frame_begin(buf, type, PL_STR_NONE);

	pl_jw_kcstr(&w, "topic", watch->topic.name);
	return w;
}

/* false: the socket has no room; session_resume() will be called. */
static bool topic_offer(const struct ws_watch *watch, struct pl_jw *w)
{
	struct ws_buf *buf;
	bool taken;

	pl_jw_end_object(w);
	if (watch->topic.client->conn == NULL)
		return true;
	buf = ws_buf_new(PL_WS_TEXT, pl_buf_str(w->buf));
	taken = ws_offer(watch->topic.client->conn, buf, WAITING_BYTES);
	ws_buf_release(&buf);
	return taken;
}

static void topic_send(const struct ws_watch *watch, struct pl_jw *w)
{
	pl_jw_end_object(w);
	ws_client_send(watch->topic.client, w->buf);
}

static void write_author(struct pl_jw *w, const struct reading *r, int author)
{
	pl_jw_key(w, "author");
	pl_jw_object(w);
	pl_jw_kcstr(w, "kind", author == SESSION_ASSISTANT ? "assistant" : r->user_id > 0 ? "user" : "guest");
	if (author == SESSION_USER && r->user_id > 0) {
		pl_jw_ki64(w, "id", r->user_id);
		pl_jw_kstr(w, "name", r->user_name);
	}
	pl_jw_end_object(w);
}

static bool send_entry(const struct reading *r, const struct session_entry *entry)
{
	struct pl_buf buf = PL_BUF(r->task->pool);
	struct pl_jw w = topic_begin(&buf, entry->author == SESSION_ASSISTANT ? "answer" : "message", r->watch);

	pl_jw_ki64(&w, "seq", entry->seq);
	pl_jw_key(&w, "message");
	pl_jw_object(&w);
	pl_jw_kcstr(&w, "session_id", r->watch->watcher.id);
	pl_jw_ki64(&w, "seq", entry->seq);
	write_author(&w, r, entry->author);
	pl_jw_kstr(&w, "content", entry->content);
	pl_jw_ktime(&w, "created_at", entry->created_us);
	if (entry->author == SESSION_ASSISTANT) {
		pl_jw_kcstr(&w, "state", session_outcome_words[entry->state]);
		pl_jw_kstr(&w, "model", entry->model);
		if (entry->citations.ptr != NULL)
			pl_jw_kraw(&w, "citations", entry->citations);
		if (entry->reasoning.ptr != NULL)
			pl_jw_kstr(&w, "reasoning", entry->reasoning);
	}
	pl_jw_end_object(&w);
	return topic_offer(r->watch, &w);
}

static void send_collected(const struct reading *r, const char *type)
{
	struct pl_buf buf = PL_BUF(r->task->pool);
	struct pl_jw w = topic_begin(&buf, type, r->watch);

	pl_jw_kraw(&w, "data_collected", r->collected);
	pl_jw_kbool(&w, "is_complete", r->complete);
	topic_send(r->watch, &w);
}

static const char *state_word(int state)
{
	return state == SESSION_OPEN ? "open" : state == SESSION_ENDED ? "ended" : "expired";
}

static void send_end(const struct reading *r)
{
	struct pl_buf buf = PL_BUF(r->task->pool);
	struct pl_jw w = topic_begin(&buf, "end", r->watch);

	pl_jw_kcstr(&w, "state", state_word(r->state));
	topic_send(r->watch, &w);
}

static void send_subscribed(const struct reading *r, const struct session *session, bool recovered)
{
	struct hub_subscribed head = { .seq = session->last_seq, .was_recovering = r->since >= 0,
		.recovered = recovered };
	struct pl_buf buf = PL_BUF(r->task->pool);
	struct pl_jw w = ws_topic_subscribed(&r->watch->topic, r->frame->id, &buf, &head);

	pl_jw_kcstr(&w, "state", state_word(r->state));
	pl_jw_kraw(&w, "data_collected", r->collected);
	pl_jw_kbool(&w, "is_complete", r->complete);
	ws_frame_finish(r->frame, &w);
}

/* ---- creation and end ---- */

static void session_close(struct ws_topic *topic)
{
	struct ws_watch *watch = (struct ws_watch *)(void *)topic;
	struct reading *r = watch->reading;

	if (r != NULL) {
		if (r->frame != NULL)
			ws_frame_fail(r->frame, &(struct pl_err){ .code = PL_E_CANCELLED });
		r->frame = NULL;
		r->watch = NULL;
		if (r->waiting)
			reading_end(r); /* no query will complete it */
	}
	session_live_remove(topic->client->svc->session_live, &watch->watcher);
	event_free(watch->timer);
	pl_buf_fini(&watch->collected);
}

static void watch_on_timer(evutil_socket_t fd, short what, void *arg)
{
	watch_read(arg, NULL, -1);
}

static void on_changed(struct session_watcher *watcher)
{
	watch_read((struct ws_watch *)(void *)((char *)watcher - offsetof(struct ws_watch, watcher)), NULL, -1);
}

static void watch_arm(struct ws_watch *watch, int64_t wait_us)
{
	struct timeval tv = { wait_us / PL_US_PER_S, wait_us % PL_US_PER_S };

	PL_BUG(evtimer_add(watch->timer, &tv) != 0);
}

/* ---- reading ---- */

static void reading_end(struct reading *r)
{
	struct ws_client *client = r->client;
	struct pl_task *task = r->task;
	struct ws_watch *watch = r->watch;

	if (watch != NULL) {
		watch->reading = NULL;
		if (watch->again)
			watch_read(watch, NULL, -1);
	}
	ws_client_release(&client);
	pl_task_release(&task);
}

static void reading_failed(struct reading *r, const struct pl_err *err)
{
	struct ws_watch *watch = r->watch;
	struct ws_frame *frame = r->frame;

	if (watch != NULL && frame == NULL && pl_err_info(err->code)->temporary) {
		watch->again = false;
		watch_arm(watch, RETRY_S * PL_US_PER_S);
		if (!watch->stalled)
			ws_topic_stalled(&watch->topic, err);
		watch->stalled = true;
	} else if (watch != NULL && frame != NULL) {
		r->frame = NULL;
		ws_topic_drop(&watch->topic);
		ws_frame_fail(frame, err);
	} else if (watch != NULL) {
		ws_topic_end(&watch->topic, err->code);
	}
	reading_end(r);
}

/* Messages are sent; sends other changes. */
static void reading_state(struct reading *r)
{
	struct ws_watch *watch = r->watch;
	int64_t left_us = r->expires_us - pl_wall_us();

	if (!pl_str_eq(pl_buf_str(&watch->collected), r->collected))
		send_collected(r, "data_collected");
	pl_buf_reset(&watch->collected);
	pl_buf_addstr(&watch->collected, r->collected);
	if (r->complete && !watch->complete)
		send_collected(r, "completion");
	watch->complete = r->complete;
	if (r->state != SESSION_OPEN) {
		send_end(r);
		ws_topic_drop(&watch->topic);
	} else if (r->expires_us > 0) {
		watch_arm(watch, left_us > 0 ? left_us + PL_US_PER_S / 10 : PL_US_PER_S / 10);
	}
	reading_end(r);
}

/* Sends the rows as fast as the socket accepts them, then reads the next ones. */
static void reading_send(struct reading *r)
{
	r->waiting = false;
	for (; r->next < r->log.count; r->next++) {
		const struct session_entry *entry = &r->log.rows[r->next];

		if (!send_entry(r, entry)) {
			r->waiting = true;
			return;
		}
		r->watch->position = entry->seq;
	}
	if (!r->log.more) {
		reading_state(r);
	} else {
		r->watch->again = true; /* in a new task, so that the memory of the sent rows is freed */
		reading_end(r);
	}
}

static void on_log(void *arg, const struct session_page *log, const struct pl_err *err)
{
	struct reading *r = arg;

	if (err != NULL) {
		reading_failed(r, err);
	} else if (r->watch == NULL) {
		reading_end(r);
	} else {
		r->watch->stalled = false;
		r->log = *log;
		r->next = 0;
		reading_send(r);
	}
}

static void session_resume(struct ws_topic *topic)
{
	struct ws_watch *watch = (struct ws_watch *)(void *)topic;

	if (watch->reading != NULL && watch->reading->waiting)
		reading_send(watch->reading);
}

/* Determines where the subscription begins. */
static void watch_answer(struct reading *r, const struct session *session)
{
	int64_t behind = session->last_seq - r->since;
	bool recovered = r->since >= 0 && behind >= 0 && behind <= svc_config(r->client->svc)->s.recover_limit;

	r->watch->position = recovered ? r->since : session->last_seq;
	r->watch->complete = r->complete;
	pl_buf_addstr(&r->watch->collected, r->collected);
	send_subscribed(r, session, recovered);
	r->frame = NULL;
}

static void on_session(void *arg, const struct session *session, const struct pl_err *err)
{
	struct reading *r = arg;
	struct pl_err hidden = { 0 };

	if (r->watch == NULL) {
		reading_end(r);
		return;
	}
	if (err == NULL && session->kind == SESSION_USAGE) {
		pl_err_set(&hidden, PL_E_NOT_FOUND, NULL);	/* the session has no user */
		err = &hidden;
	}
	if (err != NULL) {
		reading_failed(r, err);
		return;
	}
	r->state = session->state;
	r->user_id = session->user_id;
	r->user_name = session->developer;
	r->expires_us = session->expires_us;
	r->complete = session->is_complete;
	r->collected = session_collected(r->task->pool, session);
	r->watch->stalled = false;
	if (r->frame != NULL)
		watch_answer(r, session);
	if (r->watch->position < session->last_seq)
		repo_session_messages(r->client->svc->db, r->task, pl_str(r->watch->watcher.id), r->watch->position, 0,
		    LOG_LIMIT, DB_PAGE_BYTES, on_log, r);
	else
		reading_state(r);
}

static void watch_read(struct ws_watch *watch, struct ws_frame *frame, int64_t since)
{
	struct session_caller who = { .user_id = watch->topic.client->who.user_id,
		.guests = svc_config(watch->topic.client->svc)->s.guest };
	struct pl_task *task;
	struct reading *r;

	watch->again = watch->reading != NULL;
	if (watch->again)
		return;
	task = frame != NULL ? pl_task_hold(frame->task) : ws_client_task(watch->topic.client);
	r = pl_alloc(task->pool, sizeof(*r));
	*r = (struct reading){ .watch = watch, .client = ws_client_hold(watch->topic.client), .task = task,
		.frame = frame, .since = since };
	watch->reading = r;
	repo_session_get(watch->topic.client->svc->db, task, pl_str(watch->watcher.id), who, on_session, r);
}

/* ---- the topic ---- */

static void session_open(struct ws_topic *topic, struct ws_frame *f)
{
	struct ws_watch *watch = (struct ws_watch *)(void *)topic;
	const struct in_native_subscribe *in = f->in;

	watch->watcher.changed = on_changed;
	memcpy(watch->watcher.id, topic->name + strlen(topic->ops->name), PL_UUID_LEN);
	watch->timer = evtimer_new(topic->client->svc->worker->base, watch_on_timer, watch);
	PL_BUG(watch->timer == NULL);
	/* before it is read, so that later changes are noticed */
	session_live_add(topic->client->svc->session_live, &watch->watcher);
	watch_read(watch, f, in->since != SHAPE_NONE ? in->since : -1);
}

const struct topic_ops topic_session = { .name = "session:", .bytes = sizeof(struct ws_watch), .max = 100,
	.too_many = "is refused: a socket can subscribe to at most 100 "
	    "sessions", .counted = true, .parse = ws_topic_uuid,
	.open = session_open, .close = session_close, .resume = session_resume };
