/* SPDX-License-Identifier: ISC */
/* Passes events of rooms to a socket. */
#include "api/ws/ws_client.h"

#define BEHIND_BYTES (64 << 10)

/*
 * Compatible dialects have no frames about running answers, but the user who asked must learn that no answer will come.
 */
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
 * How much may wait for the socket. From the log little, because a thousand clients may read it at the same time. From
 * live events half of the total, so that answers to the client's own frames have room.
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

	/* users do not receive their own typing events */
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
		(void)ws_send(client->conn, buf); /* it is sent once and is not in the log */
		return true;
	}
	return ws_offer(client->conn, buf, waiting_max(client, sub));
}
