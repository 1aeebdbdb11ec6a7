/* SPDX-License-Identifier: ISC */
/* POST /api/sessions/import: checks every record; the valid ones go to the database in one statement. */
#include "api/http/request.h"
#include "svc/usage/usage.h"
#include "svc/usage/usage_read.h"

struct import { struct request *request; struct usage_batch batch; };

static void reply(struct import *import, int64_t imported)
{
	const struct usage_batch *b = &import->batch;
	struct import_refusal_out *refused =
	    pl_alloc(import->request->req->task->pool, ((size_t)b->refusals_count + 1) * sizeof(*refused));
	struct import_out out = { .imported = imported, .duplicates = b->good - imported,
		.refused = { refused, b->refusals_count } };

	for (int i = 0; i < b->refusals_count; i++)
		refused[i] = (struct import_refusal_out){ .line = b->refusals[i].line,
			.error = pl_str(b->refusals[i].error) };
	request_reply(import->request, &shape_import_out, &out);
}

static void on_stored(void *arg, const int64_t *imported, const struct pl_err *err)
{
	struct import *import = arg;

	if (err != NULL)
		request_fail(import->request, err);
	else
		reply(import, *imported);
}

void api_usage_import(struct request *request)
{
	const struct import_query *q = request->query;
	struct pl_task *task = request->req->task;
	struct import *import = pl_alloc(task->pool, sizeof(*import));
	struct pl_err err = { 0 };
	struct usage_text text;

	import->request = request;
	if (!usage_may_import(&task->who, &err)) {
		request_fail(request, &err);
		return;
	}
	usage_batch_init(&import->batch, task->pool);
	usage_text_init(&text, request->req->body, USAGE_SESSIONS);
	while (usage_batch_next(&import->batch, &text, USAGE_SESSIONS,
	    q->source.ptr != NULL ? q->source : PL_STR(USAGE_SOURCE)))
		;
	if (import->batch.good + import->batch.refused == 0) {
		pl_err_field(&err, task->pool, "body", "missing",
		    "send usage sessions as JSON lines, a JSON array, or CSV");
		request_fail(request, &err);
	} else if (import->batch.good > 0) {
		usage_import(request->svc, task, &import->batch, on_stored, import);
	} else {
		reply(import, 0);
	}
}
