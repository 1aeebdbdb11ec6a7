/* SPDX-License-Identifier: ISC */
/*
 * What a client listens to, and events on their way to its socket.
 */
#include "api/ws_client.h"

struct hub_sub *ws_subs_find(struct ws_client *client, int64_t room_id)
{
	struct hub_sub *s = client->subs;

	while (s != NULL && hub_sub_room(s) != room_id)
		s = s->owner_next;
	return s;
}

void ws_subs_add(struct ws_client *client, struct hub_sub *sub)
{
	sub->owner_next = client->subs;
	client->subs = sub;
	client->subs_count++;
	shm_count(client->svc->shm, SHM_M_subscriptions, 1);
}

void ws_subs_remove(struct ws_client *client, struct hub_sub *sub)
{
	for (struct hub_sub **at = &client->subs; *at != NULL; at = &(*at)->owner_next)
		if (*at == sub) {
			*at = sub->owner_next;
			client->subs_count--;
			shm_count(client->svc->shm, SHM_M_subscriptions, -1);
			return;
		}
}

void ws_subs_drop(struct ws_client *client, struct hub_sub *sub)
{
	ws_subs_remove(client, sub);
	hub_unsubscribe(client->svc->hub, &sub);
}

void ws_subs_drop_all(struct ws_client *client)
{
	while (client->subs != NULL)
		ws_subs_drop(client, client->subs);
}

/* Compatible dialects have no frames of answers in the making, but who asked must learn that none will come. */
static void tell_failure(struct ws_client *client, enum pl_code code)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, code, NULL);
	client->dialect->error(client, PL_STR_NONE, &err);
}

static void on_event(struct hub_sub *sub, struct hub_event *event)
{
	struct ws_client *client = sub->owner;
	struct ws_buf *buf;

	/* whoever types knows it */
	if (client->conn == NULL || (event->kind == HUB_TYPING && event->user_id == client->who.user_id))
		return;
	buf = ws_render(event, client->dialect->render);
	if (buf != NULL)
		(void)ws_send(client->conn, buf);
	else if (event->kind == HUB_GENERATION && event->gen.state == HUB_GEN_FAILED &&
	    event->gen.asker_id == client->who.user_id)
		tell_failure(client, event->gen.error);
}

static void on_ended(struct hub_sub *sub)
{
	struct ws_client *client = sub->owner;
	int64_t room_id = hub_sub_room(sub);

	ws_subs_drop(client, sub);
	client->dialect->ended(client, room_id);
}

static void on_reset(struct hub_sub *sub, int64_t epoch, int64_t seq)
{
	struct ws_client *client = sub->owner;

	if (client->dialect->reset != NULL)
		client->dialect->reset(client, hub_sub_room(sub), epoch, seq);
	else
		/* it has no frame for this; coming back it loads the room again */
		ws_client_close(client, PL_E_RESTARTING);
}

const struct hub_sub_ops ws_sub_ops = { .event = on_event, .ended = on_ended, .reset = on_reset };
