/* SPDX-License-Identifier: ISC */
/*
 * The kinds of topics: which one a frame names, and who answers for it.
 */
#include <ctype.h>

#include "api/ws/ws_native.h"
#include "leaf.h"

#define SUBS_MAX 1000
#define KINDS "room:NUMBER, user:me, session:UUID, call:NUMBER, metrics or sessions"

static const char me[] = "user:me";

enum topic_kind { TOPIC_UNKNOWN, TOPIC_NOWHERE, TOPIC_ROOM, TOPIC_ME, TOPIC_SESSION, TOPIC_CALL, TOPIC_FEED };

struct topic { enum topic_kind kind; int64_t number; struct pl_str session; enum ws_feed_kind feed; };

static bool number_after(struct pl_str text, const char *prefix, int64_t *out)
{
	size_t len = strlen(prefix);

	return pl_str_i64(pl_strn(text.ptr + len, text.len - len), 1, INT64_MAX, out);
}

/* UUIDs in lower case, as PostgreSQL writes them. */
static struct pl_str session_after(struct pl_pool *pool, struct pl_str text, const char *prefix)
{
	struct pl_str id = pl_strn(text.ptr + strlen(prefix), text.len - strlen(prefix));
	char *lower;

	if (!pl_uuid_ok(id))
		return PL_STR_NONE;
	lower = pl_alloc(pool, id.len + 1);
	for (size_t i = 0; i < id.len; i++)
		lower[i] = (char)tolower((unsigned char)id.ptr[i]);
	return pl_strn(lower, id.len);
}

/* TOPIC_NOWHERE: of a known kind, but nothing can have that name. */
static struct topic topic_of(const struct ws_frame *f)
{
	struct pl_str text = pl_json_str(pl_json_get(f->json, "topic"));
	struct topic t = { .kind = TOPIC_UNKNOWN };

	if (text.ptr == NULL)
		return t;
	if (pl_str_is(text, me)) {
		t.kind = TOPIC_ME;
	} else if (pl_str_is(text, "metrics") || pl_str_is(text, "sessions")) {
		t.kind = TOPIC_FEED;
		t.feed = text.ptr[0] == 'm' ? WS_FEED_METRICS : WS_FEED_SESSIONS;
	} else if (pl_str_starts(text, "room:")) {
		t.kind = number_after(text, "room:", &t.number) ? TOPIC_ROOM : TOPIC_NOWHERE;
	} else if (pl_str_starts(text, "call:")) {
		t.kind = number_after(text, "call:", &t.number) ? TOPIC_CALL : TOPIC_NOWHERE;
	} else if (pl_str_starts(text, "session:")) {
		t.session = session_after(f->task->pool, text, "session:");
		t.kind = t.session.ptr != NULL ? TOPIC_SESSION : TOPIC_NOWHERE;
	}
	return t;
}

/* What is left when nobody answers for the topic. */
static void fail_topic(struct ws_frame *f, enum topic_kind kind, const char *rule)
{
	if (kind == TOPIC_NOWHERE)
		ws_frame_fail(f, &(struct pl_err){ .code = PL_E_NOT_FOUND });
	else
		ws_frame_fail_field(f, "topic", rule);
}

bool ws_frame_room(struct ws_frame *f)
{
	struct topic t = topic_of(f);

	f->room_id = t.number;
	if (t.kind == TOPIC_ROOM)
		return true;
	fail_topic(f, t.kind, "is required and must be a room's, such as \"room:7\"");
	return false;
}

bool ws_frame_is_open(const struct ws_frame *f)
{
	struct topic t = topic_of(f);

	if (t.kind == TOPIC_FEED)
		return ws_feed_may(f->client, t.feed);
	return pl_json_get(f->json, "topic") == NULL && (f->client->feeds[0] != NULL || f->client->feeds[1] != NULL);
}

struct pl_jw ws_frame_subscribed(struct ws_frame *f, struct pl_buf *buf, const char *topic,
    const struct hub_subscribed *head)
{
	struct pl_jw w = ws_frame_begin(buf, "subscribed", f->id);

	pl_jw_kcstr(&w, "topic", topic);
	pl_jw_ki64(&w, "epoch", head->epoch);
	pl_jw_ki64(&w, "seq", head->seq);
	pl_jw_kbool(&w, "was_recovering", head->was_recovering);
	pl_jw_kbool(&w, "recovered", head->recovered);
	return w;
}

static const char *room_topic(struct pl_pool *pool, int64_t room_id)
{
	return pl_sprintf(pool, "room:%lld", (long long)room_id);
}

/* Topics without a log: what they tell can be read elsewhere. */
static void subscribed_plain(struct ws_frame *f, const char *topic)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = ws_frame_subscribed(f, &buf, topic, &(struct hub_subscribed){ .seq = 0 });

	ws_frame_finish(f, &w);
}

/* ---- rooms ---- */

static void on_subscribed(void *arg, struct hub_sub *sub, const struct hub_subscribed *result, const struct pl_err *err)
{
	struct ws_frame *f = arg;
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w;

	if (err != NULL) {
		ws_subs_remove(f->client, sub);
		ws_frame_fail(f, err);
		return;
	}
	w = ws_frame_subscribed(f, &buf, room_topic(f->task->pool, f->room_id), result);
	ws_frame_finish(f, &w);
}

/* Whoever asked for it and has no answer yet gets one. */
static void drop(struct ws_frame *f, struct hub_sub *sub)
{
	hub_subscribe_fail(sub, PL_E_CANCELLED);
	ws_subs_drop(f->client, sub);
}

static void subscribe_room(struct ws_frame *f, int64_t room_id)
{
	int64_t since, epoch;
	struct hub_sub *old;

	f->room_id = room_id;
	if (!ws_frame_i64(f, "since", 0, -1, &since) || !ws_frame_i64(f, "epoch", 0, 0, &epoch))
		return;
	old = ws_subs_find(f->client, room_id);
	if (old == NULL && f->client->subs_count >= SUBS_MAX) {
		ws_frame_fail_field(f, "topic", "is one too many: a socket may listen to 1000 topics");
		return;
	}
	if (old != NULL)
		drop(f, old);
	/*
	 * the frame is held through its task by the subscription until it answered; a closed socket drops the sub first
	 */
	ws_subs_add(f->client, hub_subscribe(f->client->svc->hub, f->task, room_id, since, epoch, &ws_sub_ops,
	    f->client, on_subscribed, f));
}

/* ---- all kinds ---- */

void ws_on_subscribe(struct ws_frame *f)
{
	struct topic t = topic_of(f);

	switch (t.kind) {
	case TOPIC_ROOM:
		subscribe_room(f, t.number);
		break;
	case TOPIC_ME:
		f->client->listens_me = true;
		subscribed_plain(f, me);
		break;
	case TOPIC_SESSION:
		ws_watch_open(f, t.session);
		break;
	case TOPIC_CALL:
		ws_call_open(f, t.number);
		break;
	case TOPIC_FEED:
		subscribed_plain(f, ws_feed_word(t.feed));
		ws_feed_open(f->client, t.feed);
		break;
	default:
		fail_topic(f, t.kind, "must be " KINDS);
	}
}

void ws_on_unsubscribe(struct ws_frame *f)
{
	struct topic t = topic_of(f);
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct hub_sub *sub;
	struct pl_jw w;

	switch (t.kind) {
	case TOPIC_ROOM:
		sub = ws_subs_find(f->client, t.number);
		if (sub != NULL)
			drop(f, sub);
		break;
	case TOPIC_ME:
		f->client->listens_me = false;
		break;
	case TOPIC_SESSION:
		ws_watch_close(f->client, t.session);
		break;
	case TOPIC_CALL:
		ws_call_close(f->client, t.number);
		break;
	case TOPIC_FEED:
		ws_feed_close(f->client, t.feed);
		if (!f->client->authed && f->client->feeds[0] == NULL && f->client->feeds[1] == NULL)
			ws_client_wait_auth(f->client);
		break;
	default:
		fail_topic(f, t.kind, "must be " KINDS);
		return;
	}
	w = ws_frame_begin(&buf, "unsubscribed", f->id);
	pl_jw_kstr(&w, "topic", pl_json_str(pl_json_get(f->json, "topic")));
	ws_frame_finish(f, &w);
}
