/* SPDX-License-Identifier: ISC */
/*
 * What a client listens to, and events on their way to its socket.
 */
#include "api/ws/ws_client.h"

#define BEHIND_BYTES (64 << 10)

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

/*
 * What may wait for the socket: what is read from the log little, since a thousand clients may read at once; what comes
 * live half of what may wait in all, so that answers to the client's own frames find room.
 */
static int64_t waiting_max(const struct ws_client *client, const struct hub_sub *sub)
{
	return sub->state == HUB_SUB_LIVE ? svc_config(client->svc)->s.ws_queue / 2 : BEHIND_BYTES;
}

static bool on_event(struct hub_sub *sub, struct hub_event *event)
{
	struct ws_client *client = sub->owner;
	struct ws_buf *buf;

	/* the user who types does not need to be told */
	if (client->conn == NULL || (event->kind == HUB_TYPING && event->user_id == client->who.user_id))
		return true;
	buf = ws_render(event, client->dialect->render);
	if (buf == NULL) {
		if (event->kind == HUB_GENERATION && event->gen.state == HUB_GEN_FAILED &&
		    event->gen.asker_id == client->who.user_id)
			tell_failure(client, event->gen.error);
		return true;
	}
	if (event->kind == HUB_GENERATION && event->gen.state > HUB_GEN_DELTA) {
		(void)ws_send(client->conn, buf); /* said once, in no log */
		return true;
	}
	return ws_offer(client->conn, buf, waiting_max(client, sub));
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

static void on_stalled(struct hub_sub *sub, const struct pl_err *err)
{
	struct ws_client *client = sub->owner;

	if (client->dialect->stalled != NULL)
		client->dialect->stalled(client, hub_sub_room(sub), err);
}

const struct hub_sub_ops ws_sub_ops = { .event = on_event, .ended = on_ended, .reset = on_reset,
	.stalled = on_stalled };

void ws_subs_resume(struct ws_client *client)
{
	for (struct hub_sub *sub = client->subs; sub != NULL; sub = sub->owner_next)
		hub_resume(client->svc->hub, sub);
}
