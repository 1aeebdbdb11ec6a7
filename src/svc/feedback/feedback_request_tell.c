/* SPDX-License-Identifier: ISC */
/* The worker where something happens writes one frame; the other workers send it unchanged. */
#include "svc/feedback/feedback_request_int.h"

#include "json.h"
#include "leaf.h"
#include "svc/bus/bus.h"

struct concerned {
	int64_t asker_id, asked_id;	/* asked_id 0: not a user of this server */
	char session[PL_UUID_LEN + 1];	/* run_id of the request, if it can be the id of a session; else "" */
};

static void hand_on(struct svc *svc, const struct concerned *who, struct pl_str frame)
{
	if (svc->on_user == NULL)
		return; /* the clerk has no sockets */
	svc->on_user(who->asker_id, who->session, frame);
	if (who->asked_id != 0 && who->asked_id != who->asker_id)
		svc->on_user(who->asked_id, who->session, frame);
}

static void write_text(struct pl_jw *w, const char *key, struct pl_str text)
{
	if (text.ptr != NULL)
		pl_jw_kstr(w, key, text);
}

static struct pl_str write_frame(struct pl_pool *pool, const char *event, const struct feedback_request *r)
{
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", "feedback_request");
	pl_jw_kcstr(&w, "topic", "user:me");
	pl_jw_kcstr(&w, "event", event);
	pl_jw_key(&w, "request");
	pl_jw_object(&w);
	pl_jw_kstr(&w, "id", r->id);
	pl_jw_kstr(&w, "status", r->status);
	write_text(&w, "outcome", r->outcome);
	pl_jw_kstr(&w, "question", r->question);
	pl_jw_kstr(&w, "asker", r->asker);
	write_text(&w, "answer", r->answer);
	write_text(&w, "comment", r->comment);
	write_text(&w, "answered_by", r->answered_by);
	pl_jw_ktime(&w, "due_at", r->due_us);
	pl_jw_end_object(&w);
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}

void feedback_request_tell(struct svc *svc, const char *event, const struct feedback_request *request)
{
	struct concerned who = { .asker_id = request->asker_id, .asked_id = request->asked_id };
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_str frame = write_frame(pool, event, request);
	struct feedback_request shorter = *request;

	if (pl_uuid_ok(request->run_id))
		memcpy(who.session, request->run_id.ptr, PL_UUID_LEN);
	if (frame.len > SHM_EVENT_MAX - sizeof(who)) {
		shorter.answer = shorter.comment = PL_STR_NONE; /* clients read them with GET */
		frame = write_frame(pool, event, &shorter);
	}
	bus_post(svc, RING_REQUEST, pl_strn((const char *)&who, sizeof(who)), frame);
	bus_kick(svc);
	hand_on(svc, &who, frame);
	pl_pool_free(&pool);
}

static void feedback_request_on_ring(void *svc, int from_slot, struct pl_str data)
{
	struct concerned who;

	memcpy(&who, data.ptr, sizeof(who));
	hand_on(svc, &who, pl_strn(data.ptr + sizeof(who), data.len - sizeof(who)));
}

void feedback_request_listen(struct svc *svc)
{
	bus_register(svc->bus, RING_REQUEST, feedback_request_on_ring, svc);
}
