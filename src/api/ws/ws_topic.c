/* SPDX-License-Identifier: ISC */
/* Topics of native sockets of all kinds: finding, opening, and closing them. */
#include <ctype.h>

#include "api/ws/ws_native.h"
#include "api/ws/ws_topic.h"

static const struct { const struct topic_ops *ops; const char *called; } kinds[] = {
#define TOPIC(name, called, text) { &topic_##name, called },
#include "api/ws/topics.def"
#undef TOPIC
};

/* ---- names ---- */

bool ws_topic_number(struct pl_str rest, struct topic_name *name)
{
	if (!pl_str_i64(rest, 1, INT64_MAX, &name->number))
		return false;
	snprintf(name->text, sizeof(name->text), "%s%lld", name->ops->name, (long long)name->number);
	return true;
}

bool ws_topic_uuid(struct pl_str rest, struct topic_name *name)
{
	if (!pl_uuid_ok(rest))
		return false;
	snprintf(name->text, sizeof(name->text), "%s%.*s", name->ops->name, PL_FMT(rest));
	for (char *p = name->text; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return true;
}

static struct pl_str text_of(const struct ws_frame *f)
{
	return pl_json_str(pl_json_get(f->json, "topic"));
}

/* name->ops NULL: there is no such kind. text "": the kind exists, but the name is impossible. */
static void read_name(struct pl_str text, struct topic_name *name)
{
	*name = (struct topic_name){ .ops = NULL };
	for (size_t i = 0; text.ptr != NULL && i < PL_COUNT(kinds) && name->ops == NULL; i++) {
		const struct topic_ops *ops = kinds[i].ops;
		size_t len = strlen(ops->name);

		if (ops->parse != NULL && pl_str_starts(text, ops->name)) {
			name->ops = ops;
			if (!ops->parse(pl_strn(text.ptr + len, text.len - len), name))
				name->text[0] = '\0';
		} else if (ops->parse == NULL && pl_str_is(text, ops->name)) {
			name->ops = ops;
			memcpy(name->text, ops->name, len + 1);
		}
	}
}

/* Refuses a topic that does not exist. */
static void fail_name(struct ws_frame *f, const struct topic_name *name, const char *rule)
{
	if (name->ops != NULL && name->text[0] == '\0')
		ws_frame_fail(f, &(struct pl_err){ .code = PL_E_NOT_FOUND });
	else
		ws_frame_fail_field(f, "topic", rule);
}

bool ws_topic_is(struct ws_frame *f, const struct topic_ops *ops, const char *rule, struct topic_name *name_r)
{
	read_name(text_of(f), name_r);
	if (name_r->ops == ops && name_r->text[0] != '\0')
		return true;
	fail_name(f, name_r, rule);
	return false;
}

/* "must be room:NUMBER, user:me or metrics" */
static const char *any_kind(struct pl_pool *pool)
{
	struct pl_buf buf = PL_BUF(pool);

	for (size_t i = 0; i < PL_COUNT(kinds); i++)
		pl_buf_addf(&buf, "%s%s", i == 0 ? "must be " : i + 1 < PL_COUNT(kinds) ? ", " : " or ",
		    kinds[i].called);
	return pl_buf_str(&buf).ptr;
}

static bool any_topic(struct ws_frame *f, struct topic_name *name)
{
	read_name(text_of(f), name);
	if (name->text[0] != '\0')
		return true;
	fail_name(f, name, any_kind(f->task->pool));
	return false;
}

/* ---- open topics ---- */

static struct ws_topics *topics_of(const struct ws_client *client)
{
	return client->state;
}

static struct ws_topic *find(const struct ws_client *client, const struct topic_name *name)
{
	struct ws_topic *t = topics_of(client)->first;

	while (t != NULL && strcmp(t->name, name->text) != 0)
		t = t->next;
	return t;
}

struct ws_topic *ws_topic_of(const struct ws_frame *f, const struct topic_ops *ops)
{
	struct topic_name name;

	read_name(text_of(f), &name);
	return name.ops == ops ? find(f->client, &name) : NULL;
}

static int count(const struct ws_client *client, const struct topic_ops *ops)
{
	int n = 0;

	for (const struct ws_topic *t = topics_of(client)->first; t != NULL; t = t->next)
		n += t->ops == ops;
	return n;
}

static struct ws_topic *topic_new(struct ws_client *client, const struct topic_name *name)
{
	struct ws_topic *t = pl_new(name->ops->bytes);

	*t = (struct ws_topic){ .ops = name->ops, .client = client, .next = topics_of(client)->first,
		.number = name->number };
	memcpy(t->name, name->text, sizeof(t->name));
	topics_of(client)->first = t;
	if (t->ops->counted)
		shm_count(client->svc->shm, SHM_M_subscriptions, 1);
	return t;
}

void ws_topic_drop(struct ws_topic *topic)
{
	struct ws_topic **at = &topics_of(topic->client)->first;

	while (*at != topic)
		at = &(*at)->next;
	*at = topic->next;
	if (topic->ops->counted)
		shm_count(topic->client->svc->shm, SHM_M_subscriptions, -1);
	if (topic->ops->close != NULL)
		topic->ops->close(topic);
	pl_free(topic);
}

/* A client that needed no token for its topics needs one now. */
static void none_left(struct ws_client *client)
{
	if (!client->authed && topics_of(client)->first == NULL)
		ws_client_wait_auth(client);
}

/* ---- frames to the client ---- */

static void send_plain(struct ws_client *client, struct pl_jw *w)
{
	pl_jw_end_object(w);
	ws_client_send(client, w->buf);
}

struct pl_jw ws_topic_subscribed(struct ws_topic *topic, struct pl_str id, struct pl_buf *buf,
    const struct hub_subscribed *head)
{
	struct pl_jw w = ws_frame_begin(buf, "subscribed", id);

	pl_jw_kcstr(&w, "topic", topic->name);
	pl_jw_ki64(&w, "epoch", head->epoch);
	pl_jw_ki64(&w, "seq", head->seq);
	pl_jw_kbool(&w, "was_recovering", head->was_recovering);
	pl_jw_kbool(&w, "recovered", head->recovered);
	return w;
}

void ws_topic_opened(struct ws_topic *topic, struct ws_frame *f)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct pl_jw w = ws_topic_subscribed(topic, f->id, &buf, &(struct hub_subscribed){ .seq = 0 });

	ws_frame_finish(f, &w);
}

void ws_topic_stalled(struct ws_topic *topic, const struct pl_err *err)
{
	ws_native_error(topic->client, PL_STR_NONE, topic->name, err);
}

void ws_topic_end(struct ws_topic *topic, enum pl_code code)
{
	struct ws_client *client = topic->client;
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = ws_frame_begin(&buf, "unsubscribed", PL_STR_NONE);

	pl_jw_kcstr(&w, "topic", topic->name);
	pl_jw_kcstr(&w, "code", pl_err_info(code)->code);
	ws_topic_drop(topic);
	send_plain(client, &w);
	none_left(client);
	pl_pool_free(&pool);
}

/* ---- frames of the client ---- */

void ws_on_subscribe(struct ws_frame *f)
{
	struct topic_name name;
	struct ws_topic *old;

	if (!any_topic(f, &name))
		return;
	old = find(f->client, &name);
	if (old != NULL && old->ops->again != NULL) {
		old->ops->again(old, f);
		return;
	}
	if (old == NULL && count(f->client, name.ops) >= name.ops->max) {
		ws_frame_fail_field(f, "topic", name.ops->too_many);
		return;
	}
	if (old != NULL)
		ws_topic_drop(old);
	f->topic = topic_new(f->client, &name);
	name.ops->open(f->topic, f);
}

void ws_on_unsubscribe(struct ws_frame *f)
{
	struct pl_buf buf = PL_BUF(f->task->pool);
	struct topic_name name;
	struct ws_topic *topic;
	struct pl_jw w;

	if (!any_topic(f, &name))
		return;
	topic = find(f->client, &name);
	if (topic != NULL)
		ws_topic_drop(topic);
	none_left(f->client);
	w = ws_frame_begin(&buf, "unsubscribed", f->id);
	pl_jw_kstr(&w, "topic", text_of(f));
	ws_frame_finish(f, &w);
}

bool ws_topics_are_open(const struct ws_frame *f)
{
	struct topic_name name;

	if (pl_json_get(f->json, "topic") == NULL)
		return topics_of(f->client)->first != NULL;
	read_name(text_of(f), &name);
	return name.ops != NULL && name.ops->is_open != NULL && name.ops->is_open(f->client);
}

/* ---- events for all topics ---- */

void ws_topics_drained(struct ws_client *client)
{
	for (struct ws_topic *t = topics_of(client)->first, *next; t != NULL; t = next) {
		next = t->next; /* sending may end the topic */
		if (t->ops->resume != NULL)
			t->ops->resume(t);
	}
}

void ws_topics_left(struct ws_client *client, int64_t room_id)
{
	for (struct ws_topic *t = topics_of(client)->first, *next; t != NULL; t = next) {
		next = t->next;
		if (t->ops->left != NULL)
			t->ops->left(t, room_id);
	}
}

void ws_topics_about_user(struct ws_client *client, const char *session, struct pl_str frame)
{
	for (struct ws_topic *t = topics_of(client)->first; t != NULL; t = t->next)
		if (t->ops->about_user != NULL)
			t->ops->about_user(t, frame);
}

void ws_topics_revisit(struct ws_client *client)
{
	for (struct ws_topic *t = topics_of(client)->first; t != NULL; t = t->next)
		if (t->ops->revisit != NULL)
			t->ops->revisit(t);
}

void ws_topics_closed(struct ws_client *client)
{
	while (topics_of(client)->first != NULL)
		ws_topic_drop(topics_of(client)->first);
}
