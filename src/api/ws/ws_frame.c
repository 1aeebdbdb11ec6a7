/* SPDX-License-Identifier: ISC */
/*
 * Frames of clients: what holds them, and their direct answers.
 */
#include "api/ws/ws_frame.h"

struct pl_jw ws_frame_begin(struct pl_buf *buf, const char *type, struct pl_str id)
{
	struct pl_jw w = PL_JW(buf);

	pl_jw_object(&w);
	pl_jw_kcstr(&w, "type", type);
	if (id.ptr != NULL)
		pl_jw_kstr(&w, "id", id);
	return w;
}

void ws_frame_finish(struct ws_frame *f, struct pl_jw *w)
{
	pl_jw_end_object(w);
	ws_client_send(f->client, w->buf);
}

void ws_frame_hold(struct ws_frame *f)
{
	ws_client_hold(f->client);
	pl_task_hold(f->task);
}

void ws_frame_end(struct ws_frame *f)
{
	struct ws_client *client = f->client;
	struct pl_task *task = f->task;

	ws_client_release(&client);
	pl_task_release(&task);
}

void ws_frame_fail(struct ws_frame *f, const struct pl_err *err)
{
	ws_client_error(f->client, f->id, err);
}

void ws_frame_fail_field(struct ws_frame *f, const char *field, const char *rule)
{
	struct pl_err err = { 0 };

	pl_err_set(&err, PL_E_INVALID, "%s %s", field, rule);
	ws_frame_fail(f, &err);
}

void ws_frame_refuse(struct ws_frame *f, const struct pl_err *err)
{
	ws_client_refuse(f->client, f->id, err);
}
