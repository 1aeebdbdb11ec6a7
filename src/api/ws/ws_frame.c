/* SPDX-License-Identifier: ISC */
/* Frames of clients: from the row of frames.def to the handler; checks that may refuse them; and direct answers. */
#include "api/ws/ws_frame.h"

#define ID_BYTES 64

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

/* ---- from the table to the handler ---- */

/* A frame without a type is recognized by its first field, which must be a string. */
static bool is_row(const struct ws_frame *f, const struct ws_frame_row *row, struct pl_str type)
{
	if (row->words != f->client->dialect->words || row->on == NULL)
		return false;
	if (row->type[0] != '\0')
		return pl_str_is(type, row->type);
	return pl_json_get(f->json, "type") == NULL &&
	    pl_json_str(pl_json_get(f->json, row->shape->fields[0].name)).ptr != NULL;
}

static void find_row(struct ws_frame *f)
{
	struct pl_str type = pl_json_str(pl_json_get(f->json, "type"));

	f->row = NULL;
	for (int i = 0; i < ws_frames_count && f->row == NULL; i++)
		if (is_row(f, &ws_frames[i], type))
			f->row = &ws_frames[i];
}

/* false: the frame was refused. */
static bool take_id(struct ws_frame *f)
{
	struct pl_err err = { 0 };

	if (f->client->dialect->has_ids)
		f->id = pl_json_str(pl_json_get(f->json, "id"));
	if (f->id.len <= ID_BYTES)
		return true;
	f->id = PL_STR_NONE;
	pl_err_set(&err, PL_E_INVALID, "id must have at most %d bytes", ID_BYTES);
	ws_frame_refuse(f, &err);
	return false;
}

static bool may(const struct ws_frame *f)
{
	const struct ws_dialect *d = f->client->dialect;

	if (f->client->authed || (f->row != NULL && f->row->who == WS_ALL))
		return true;
	return (f->row == NULL || f->row->who == WS_SETTING) && d->lets_in != NULL && d->lets_in(f);
}

/* An API key may act for its user only if it has the scope. */
static bool may_act(const struct ws_frame *f, struct pl_err *err)
{
	bool acts = f->row != NULL && (f->row->who == WS_USERS || (f->row->flags & WS_ACTS) != 0);

	return !acts || request_scope(SCOPE_CHAT, f->client->who.scopes, f->task->pool, err);
}

void ws_frame_take(struct ws_frame *f)
{
	const struct ws_dialect *d = f->client->dialect;
	struct pl_err err = { 0 };

	find_row(f);
	if (!take_id(f))
		return;
	if (!may(f)) {
		pl_err_set(&err, PL_E_UNAUTHORIZED, "Send {\"type\":\"auth\",\"token\":...} first.");
		ws_frame_refuse(f, &err);
	} else if (!may_act(f, &err)) {
		ws_frame_refuse(f, &err);
	} else if (d->waits == NULL || (f->row != NULL && f->row->who == WS_ALL) || !d->waits(f)) {
		ws_frame_run(f);
	}
}

/* false: the frame was refused. */
static bool admitted(struct ws_frame *f)
{
	struct ws_client *c = f->client;
	struct pl_err err = { 0 };

	if (f->row->klass == LIMIT_NONE || (f->row->flags & WS_LATE))
		return true;
	if (!c->dialect->answers_each)
		return ws_client_counts(c, f->id);
	if ((f->row->klass != LIMIT_SEND || db_admit(c->svc->db, SHED_SEND, &err)) &&
	    limits_take(c->svc, svc_config(c->svc), f->row->klass, &c->who, PL_STR_NONE, NULL, &err))
		return true;
	ws_frame_fail(f, &err);
	return false;
}

static void unknown(struct ws_frame *f)
{
	const struct ws_dialect *d = f->client->dialect;
	bool typed = pl_json_str(pl_json_get(f->json, "type")).ptr != NULL || d->untyped == NULL;
	const char *text = typed ? d->unknown : d->untyped[0] != '\0' ? d->untyped : NULL;
	struct pl_err err = { 0 };

	pl_err_set(&err, typed ? PL_E_UNKNOWN_TYPE : PL_E_BAD_FRAME, text != NULL ? "%s" : NULL, text);
	ws_frame_refuse(f, &err);
}

/* Routes list the invalid fields; here they form one sentence: "content is required, reply_to must be ...". */
static void misshapen(struct ws_frame *f, const struct pl_err *wrong)
{
	struct pl_buf text = PL_BUF(f->task->pool);
	struct pl_err err = { 0 };

	for (const struct pl_field_err *field = wrong->fields; field != NULL; field = field->next)
		pl_buf_addf(&text, "%s%s %s", text.len > 0 ? ", " : "", strchr(field->loc, '.') + 1, field->msg);
	pl_err_set(&err, wrong->code, "%.*s", PL_FMT(pl_buf_str(&text)));
	if (f->client->dialect->answers_each)
		ws_frame_fail(f, &err);
	else
		ws_frame_refuse(f, &err);
}

void ws_frame_run(struct ws_frame *f)
{
	struct pl_err err = { 0 };

	if (f->row == NULL) {
		unknown(f);
	} else if (admitted(f)) {
		f->in = shape_read_json(f->row->shape, f->task->pool, f->json, &err);
		if (f->in != NULL)
			f->row->on(f);
		else
			misshapen(f, &err);
	}
}
