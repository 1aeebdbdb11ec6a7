/* SPDX-License-Identifier: ISC */
/*
 * Events of rooms on their way to a socket.
 */
#include "api/ws/ws_client.h"

#define BEHIND_BYTES (64 << 10)

/* Compatible dialects have no frames of answers in the making, but who asked must learn that none will come. */
static void tell_failure(struct ws_client *client, const struct hub_generation *gen)
{
	struct pl_err err = { 0 };

	if (gen->detail.len > 0)
		pl_err_set(&err, gen->error, "%.*s", PL_FMT(gen->detail));
	else
		pl_err_set(&err, gen->error, NULL);
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

bool ws_client_event(struct ws_client *client, const struct hub_sub *sub, struct hub_event *event)
{
	bool asker = event->kind == HUB_GENERATION && event->gen.asker_id == client->who.user_id;
	enum hub_dialect dialect = client->dialect->render;
	struct ws_buf *buf;

	/* the user who types does not need to be told */
	if (client->conn == NULL || (event->kind == HUB_TYPING && event->user_id == client->who.user_id))
		return true;
	if (dialect == HUB_NATIVE && asker && event->gen.detail.len > 0)
		dialect = HUB_NATIVE_ASKER;
	buf = ws_render(event, dialect);
	if (buf == NULL) {
		if (asker && event->gen.state == HUB_GEN_FAILED)
			tell_failure(client, &event->gen);
		return true;
	}
	if (event->kind == HUB_GENERATION && event->gen.state > HUB_GEN_DELTA) {
		(void)ws_send(client->conn, buf); /* said once, in no log */
		return true;
	}
	return ws_offer(client->conn, buf, waiting_max(client, sub));
}
