/* SPDX-License-Identifier: ISC */
/*
 * Routes of notifications: the inbox of the caller.
 */
#include "api/http/request.h"
#include "svc/notify/notify.h"

#define NOTIFICATIONS_USUAL 50

static void notification_shape(struct notification_out *out, const struct notification *n)
{
	*out = (struct notification_out){ .id = n->id, .kind = n->kind, .actor_id = n->actor_id, .actor = n->actor,
		.actor_name = n->actor_name, .room_id = n->room_id > 0 ? n->room_id : SHAPE_NONE, .room = n->room,
		.seq = n->seq > 0 ? n->seq : SHAPE_NONE, .request_id = n->request_id, .text = n->text,
		.created_at = n->created_us, .read_at = n->read_us > 0 ? n->read_us : SHAPE_NONE };
}

static void on_notifications(void *arg, const struct notification_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct notification_out *items;
	struct notifications_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		notification_shape(&items[i], &list->rows[i]);
	out = (struct notifications_out){ .items = { items, list->count }, .unread = list->unread,
		.has_more = list->more };
	request_reply(request, &shape_notifications_out, &out);
}

void api_notification_list(struct request *request)
{
	const struct notifications_query *q = request->query;

	repo_notification_list(request->svc->db, request->req->task, request->req->task->who.user_id,
	    q->before_id == SHAPE_NONE ? 0 : q->before_id, pl_str_is(q->show, "unread"),
	    q->limit == SHAPE_NONE ? NOTIFICATIONS_USUAL : (int)q->limit, on_notifications, request);
}

static void on_read(void *arg, const int64_t *unread, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply(arg, &shape_unread_out, &(struct unread_out){ .unread = *unread });
}

void api_notification_read(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		notify_read(request->svc, request->req->task, id, 0, on_read, request);
}

void api_notifications_read(struct request *request)
{
	const struct notifications_read_in *in = request->in;

	notify_read(request->svc, request->req->task, 0, in->up_to == SHAPE_NONE ? INT64_MAX : in->up_to, on_read,
	    request);
}

/* ---- settings ---- */

static void on_settings(void *arg, const struct notification_settings *settings, const struct pl_err *err)
{
	const struct pl_str *d;

	if (err != NULL) {
		request_fail(arg, err);
		return;
	}
	d = settings->delivery;
	request_reply(arg, &shape_notification_settings_out, &(struct notification_settings_out){
		.mention = d[NOTIFY_MENTION], .reply = d[NOTIFY_REPLY], .added = d[NOTIFY_ADDED],
		.invite = d[NOTIFY_INVITE], .question = d[NOTIFY_QUESTION], .digest_hour = settings->hour,
		.digest_at = settings->due_us > 0 ? settings->due_us : SHAPE_NONE });
}

void api_notification_settings(struct request *request)
{
	repo_notification_settings(
	    request->svc->db, request->req->task, request->req->task->who.user_id, on_settings, request);
}

static void on_put(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		api_notification_settings(arg);
}

static void settings_put(struct request *request, bool replace)
{
	const struct notification_settings_in *in = request->in;
	struct notification_settings settings = { .delivery = { [NOTIFY_MENTION] = in->mention,
		[NOTIFY_REPLY] = in->reply, [NOTIFY_ADDED] = in->added, [NOTIFY_INVITE] = in->invite,
		[NOTIFY_QUESTION] = in->question },
		.hour = in->digest_hour == SHAPE_NONE ? -1 : (int)in->digest_hour };

	repo_notification_settings_put(request->svc->db, request->req->task, request->req->task->who.user_id,
	    &settings, replace, on_put, request);
}

void api_notification_settings_put(struct request *request)
{
	settings_put(request, true);
}

void api_notification_settings_patch(struct request *request)
{
	settings_put(request, false);
}
