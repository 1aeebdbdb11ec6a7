/* SPDX-License-Identifier: ISC */
/*
 * chat_send -> append -> done -> publish -> roles
 *                    -> forbidden -> join -> append again
 *
 * A user's messages to a room are stored in the order in which they came, also if the user is not a member yet.
 * Messages that the user sends during the join wait. A join begins after the earlier sends have completed, because one
 * of them could otherwise be stored before another that was refused. For members, this costs one link in a list.
 *
 *   room_join -> no sends left -> repo_room_join -> append all that wait, in order -> publish -> report the join
 */
#include <event2/event.h>
#include <sys/queue.h>

#include "clock.h"
#include "svc/notify/mention.h"
#include "svc/notify/notify.h"
#include "svc/notify/read_mark.h"
#include "svc/room/chat.h"
#include "svc/room/hub.h"
#include "svc/room/revise.h"
#include "svc/room/room.h"

#define WAITING_MAX 256		/* sends that wait for one join */
#define AGAIN_S 300		/* clients that lost their worker reconnect within this time */
#define JOIN_TIME_NS (10 * PL_NS_PER_S)

struct send {
	TAILQ_ENTRY(send) link;		/* in a list of running sends, or of a join */
	struct svc *svc;
	CONFIG_HELD const struct config *config;	/* for roles that answer; a reload may come before the commit */
	struct pl_task *task;
	struct message_new in;
	int64_t role_id;
	role_asked_fn *asked;
	struct joining *joining;	/* waits until this send completes */
	bool joined;
	const struct pl_err *refusal;	/* of a send in chat->refused */
	chat_sent_fn *done;
	void *arg;
};
TAILQ_HEAD(send_list, send);

struct asker { struct asker *next; struct pl_task *task; repo_room_result_fn *done; void *arg; };

/* One user joins one room. */
struct joining {
	TAILQ_ENTRY(joining) link;
	struct svc *svc;
	struct pl_task *task;
	int64_t room_id;
	int under_way, waiting_count;
	bool running;
	struct send_list refused, waiting;	/* in order; refused sends are older than waiting ones */
	struct asker *askers;
};

struct chat {
	struct svc *svc;
	struct send_list under_way;		/* appended, not completed yet */
	TAILQ_HEAD(, joining) joins;
	struct send_list refused;		/* refused at once; the timer completes them */
	struct event *timer;
};

static void send_on_appended(void *arg, const struct appended *result, const struct pl_err *err);

static void append(struct send *s)
{
	TAILQ_INSERT_TAIL(&s->svc->chat->under_way, s, link);
	repo_message_append(s->svc->db, s->task, &s->in, send_on_appended, s);
}

static void send_fail(struct send *s, const struct pl_err *err)
{
	struct pl_err hidden = { 0 };

	/* users who may not write must not learn that the room exists */
	if (err->code == PL_E_FORBIDDEN) {
		pl_err_set(&hidden, PL_E_NOT_FOUND, NULL);
		err = &hidden;
	}
	s->done(s->arg, NULL, err);
}

/* ---- joining ---- */

static struct joining *joining_find(struct chat *chat, int64_t room_id, int64_t user_id)
{
	struct joining *j;

	TAILQ_FOREACH(j, &chat->joins, link) {
		if (j->room_id == room_id && j->task->who.user_id == user_id)
			return j;
	}
	return NULL;
}

/* It begins when joining_run() is called and all earlier sends have completed. */
static struct joining *joining_need(struct chat *chat, const struct pl_caller *who, int64_t room_id)
{
	struct joining *j = joining_find(chat, room_id, who->user_id);
	struct send *s;

	if (j != NULL)
		return j;
	j = pl_new(sizeof(*j));
	j->svc = chat->svc;
	j->task = pl_task_new(pl_now_ns() + JOIN_TIME_NS);
	j->task->who = *who;
	j->room_id = room_id;
	TAILQ_INIT(&j->refused);
	TAILQ_INIT(&j->waiting);
	TAILQ_INSERT_TAIL(&chat->joins, j, link);
	TAILQ_FOREACH(s, &chat->under_way, link) {
		if (s->in.room_id == room_id && s->in.author_id == who->user_id) {
			s->joining = j;
			j->under_way++;
		}
	}
	return j;
}

static void joining_settle(struct send_list *list, const struct pl_err *err)
{
	struct send *s;

	while ((s = TAILQ_FIRST(list)) != NULL) {
		struct pl_task *task = s->task;

		TAILQ_REMOVE(list, s, link);
		if (err != NULL)
			send_fail(s, err);
		else
			append(s);
		pl_task_release(&task);
	}
}

/* Later sends go after those that are appended here. */
static void joining_end(struct joining *j, const struct room_result *result, const struct pl_err *err)
{
	struct asker *a = j->askers, *next;

	TAILQ_REMOVE(&j->svc->chat->joins, j, link);
	joining_settle(&j->refused, err);
	joining_settle(&j->waiting, err);
	if (result != NULL)
		hub_publish_change(j->svc->hub, &result->change);
	for (; a != NULL; a = next) {
		struct pl_task *task = a->task;

		next = a->next;
		a->done(a->arg, result, err);
		pl_task_release(&task);
	}
	pl_task_release(&j->task);
	pl_free(j);
}

static void joining_on_done(void *arg, const struct room_result *result, const struct pl_err *err)
{
	joining_end(arg, result, err);
}

static void joining_run(struct joining *j)
{
	if (j->under_way > 0 || j->running)
		return;
	j->running = true;
	repo_room_join(j->svc->db, j->task, j->room_id, j->task->who.user_id, joining_on_done, j);
}

static void joining_came_back(struct joining *j)
{
	struct pl_err stopping = { 0 };

	j->under_way--;
	if (j->svc->db != NULL) {
		joining_run(j);
	} else if (j->under_way == 0) { /* db_free() completes it */
		pl_err_set(&stopping, PL_E_STOPPING, NULL);
		joining_end(j, NULL, &stopping);
	}
}

static void joining_add(struct joining *j, struct send_list *list, struct send *s)
{
	pl_task_hold(s->task);
	TAILQ_INSERT_TAIL(list, s, link);
	j->waiting_count++;
}

void room_join(struct svc *svc, struct pl_task *task, int64_t room_id, repo_room_result_fn *done, void *arg)
{
	struct joining *j = joining_need(svc->chat, &task->who, room_id);
	struct asker *a = pl_alloc(task->pool, sizeof(*a)), **at = &j->askers;

	while (*at != NULL)
		at = &(*at)->next;
	*a = (struct asker){ .task = pl_task_hold(task), .done = done, .arg = arg };
	*at = a;
	joining_run(j);
}

/* ---- sending ---- */

/* j: the join that waits for it, if there is one. */
static void send_on_refused(struct send *s, struct joining *j)
{
	bool first = j == NULL;

	if (first)
		j = joining_need(s->svc->chat, &s->task->who, s->in.room_id);
	s->joined = true;
	joining_add(j, &j->refused, s);
	if (first)
		joining_run(j);
}

static void send_on_stored(struct send *s, const struct appended *result)
{
	struct chat_sent sent = { .duplicate = result->duplicate,
		.message = { .room_id = s->in.room_id, .seq = result->seq, .author_kind = AUTHOR_USER,
		.author_id = s->task->who.user_id, .author_name = pl_str(s->task->who.name),
		.author_display = result->display, .client_id = result->client_id, .content = s->in.content,
		.reply_to = result->reply_to, .created_us = result->created_us } };
	struct room_event event = { .is_message = true, .message = sent.message };

	s->done(s->arg, &sent, NULL);
	/* a duplicate was published by the worker that stored it; otherwise, the comparison of positions finds it */
	if (!sent.duplicate) {
		hub_publish(s->svc->hub, &event);
		read_mark(s->svc, s->task->who.user_id, s->in.room_id, result->seq);
	}
	if (!sent.duplicate && (result->reply_to != 0 || mention_possible(s->in.content)))
		notify_message(s->svc, s->in.room_id, result->seq, s->in.content);
	/* most messages in rooms that let roles join mention none, so they must not cost a search of all roles */
	if (!result->has_roles && s->role_id == 0 && !(result->takes_roles && mention_possible(s->in.content)))
		return;
	if (!sent.duplicate)
		role_consider(s->svc, s->config, s->task, &sent.message, s->role_id, s->asked, s->arg);
	else if (pl_wall_us() - result->created_us < AGAIN_S * PL_US_PER_S)	/* the first worker may have died */
		role_consider_again(s->svc, s->config, s->task, &sent.message, s->role_id);
}

static void send_on_appended(void *arg, const struct appended *result, const struct pl_err *err)
{
	struct send *s = arg;
	struct joining *j = s->joining;

	TAILQ_REMOVE(&s->svc->chat->under_way, s, link);
	s->joining = NULL;
	if (err == NULL)
		send_on_stored(s, result);
	else if (err->code == PL_E_FORBIDDEN && !s->joined)
		send_on_refused(s, j);
	else
		send_fail(s, err);
	if (j != NULL)
		joining_came_back(j);
}

/* ---- refusing; completes in a later turn, like everything else ---- */

static void chat_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct chat *chat = arg;
	struct send *s;

	while ((s = TAILQ_FIRST(&chat->refused)) != NULL) {
		struct pl_task *task = s->task;

		TAILQ_REMOVE(&chat->refused, s, link);
		send_fail(s, s->refusal);
		pl_task_release(&task);
	}
}

static void send_refuse(struct send *s, const struct pl_err *err)
{
	static const struct timeval now = { 0, 0 };
	struct pl_err *refusal = pl_alloc(s->task->pool, sizeof(*refusal));

	*refusal = *err;
	s->refusal = refusal;
	pl_task_hold(s->task);
	TAILQ_INSERT_TAIL(&s->svc->chat->refused, s, link);
	evtimer_add(s->svc->chat->timer, &now);
}

void chat_send(struct svc *svc, const struct config *config, struct pl_task *task, const struct chat_send *in,
    chat_sent_fn *done, void *arg)
{
	struct joining *j = joining_find(svc->chat, in->room_id, task->who.user_id);
	struct send *s = pl_alloc(task->pool, sizeof(*s));
	struct pl_err err = { 0 };

	*s = (struct send){ .svc = svc, .config = config_keep(task->pool, config), .task = task, .done = done,
		.arg = arg, .in = { .room_id = in->room_id, .author_kind = AUTHOR_USER, .author_id = task->who.user_id,
		.reply_to = in->reply_to, .client_id = in->client_id, .content = in->content }, .role_id = in->role_id,
		.asked = in->asked };
	if (!content_fits(config, in->content, task->pool, &err)) {
		send_refuse(s, &err);
	} else if (j == NULL) {
		append(s);
	} else if (j->waiting_count < WAITING_MAX) {
		joining_add(j, &j->waiting, s);
	} else {
		pl_err_set(&err, PL_E_BUSY, NULL);
		send_refuse(s, &err);
	}
}

/* ---- creation and end ---- */

struct chat *chat_new(struct svc *svc)
{
	struct chat *chat = pl_new(sizeof(*chat));

	chat->svc = svc;
	TAILQ_INIT(&chat->under_way);
	TAILQ_INIT(&chat->joins);
	TAILQ_INIT(&chat->refused);
	chat->timer = evtimer_new(svc->worker->base, chat_on_timer, chat);
	PL_BUG(chat->timer == NULL);
	return chat;
}

void chat_free(struct chat **chat_at)
{
	struct chat *chat = *chat_at;

	*chat_at = NULL;
	if (chat == NULL)
		return;
	PL_BUG(!TAILQ_EMPTY(&chat->under_way) || !TAILQ_EMPTY(&chat->joins));
	chat_on_timer(-1, 0, chat);
	event_free(chat->timer);
	pl_free(chat);
}
