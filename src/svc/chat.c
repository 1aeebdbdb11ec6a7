/* SPDX-License-Identifier: ISC */
/*
 * chat_send -> append -> [forbidden: join a public room -> append again] -> done -> publish -> agents
 */
#include "db/repo_room.h"
#include "svc/agent.h"
#include "svc/chat.h"
#include "svc/hub.h"

struct send {
	struct svc *svc;
	const struct config *config;
	struct pl_task *task;
	struct message_new in;
	bool joined;
	chat_sent_fn *done;
	void *arg;
};

static void send_on_appended(void *arg, const struct appended *result, const struct pl_err *err);

static void send_fail(struct send *s, const struct pl_err *err)
{
	struct pl_err hidden = { 0 };

	/* whoever may not write does not learn that the room exists */
	if (err->code == PL_E_FORBIDDEN) {
		pl_err_set(&hidden, PL_E_NOT_FOUND, NULL);
		err = &hidden;
	}
	s->done(s->arg, NULL, err);
}

static void send_on_joined(void *arg, const struct room_result *result, const struct pl_err *err)
{
	struct send *s = arg;

	if (err != NULL) {
		send_fail(s, err);
		return;
	}
	hub_publish_change(s->svc->hub, &result->change);
	repo_message_append(s->svc->db, s->task, &s->in, send_on_appended, s);
}

static void send_on_appended(void *arg, const struct appended *result, const struct pl_err *err)
{
	struct send *s = arg;
	struct chat_sent sent;
	struct room_event event;

	if (err != NULL) {
		if (err->code == PL_E_FORBIDDEN && !s->joined) {
			s->joined = true;
			repo_room_join(s->svc->db, s->task, s->in.room_id, s->task->who.user_id, send_on_joined, s);
		} else {
			send_fail(s, err);
		}
		return;
	}
	sent = (struct chat_sent){ .duplicate = result->duplicate, .message = { .room_id = s->in.room_id, .seq = result->seq,
		.author_kind = AUTHOR_USER, .author_id = s->task->who.user_id, .author_name = pl_str(s->task->who.name),
		.client_id = result->client_id, .content = s->in.content, .reply_to = result->reply_to,
		.created_us = result->created_us } };
	s->done(s->arg, &sent, NULL);
	if (sent.duplicate)
		return; /* whoever wrote it first has told it, or the position check will */
	event = (struct room_event){ .is_message = true, .message = sent.message };
	hub_publish(s->svc->hub, &event);
	if (result->has_roles)
		agent_consider(s->svc, s->config, s->task, &sent.message);
}

void chat_send(struct svc *svc, const struct config *config, struct pl_task *task, const struct chat_send *in,
    chat_sent_fn *done, void *arg)
{
	struct send *s = pl_alloc(task->pool, sizeof(*s));

	*s = (struct send){ .svc = svc, .config = config, .task = task, .done = done, .arg = arg, .in = { .room_id = in->room_id,
		.author_kind = AUTHOR_USER, .author_id = task->who.user_id, .reply_to = in->reply_to,
		.client_id = in->client_id, .content = in->content } };
	repo_message_append(svc->db, task, &s->in, send_on_appended, s);
}
