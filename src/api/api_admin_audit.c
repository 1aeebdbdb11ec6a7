/* SPDX-License-Identifier: ISC */
/*
 * The audit trail for operators and admins, as JSON and as CSV.
 */
#include <string.h>

#include "api/http/request.h"
#include "clock.h"
#include "csv.h"
#include "db/repo/repo_audit.h"

#define AUDIT_USUAL 100

static struct pl_str audit_csv(struct pl_pool *pool, const struct audit_list *list)
{
	struct pl_buf out = PL_BUF(pool);

	pl_buf_adds(&out, "id,created_at,actor,act,subject,subject_user,address,request_id,before,after\r\n");
	for (int i = 0; i < list->count; i++) {
		const struct audit_row *r = &list->rows[i];
		const struct pl_str cells[] = { r->actor, r->act, r->subject, r->subject_user, r->address,
			r->request_id, r->before, r->after };
		char at[PL_TIME_LEN];

		pl_time_format(r->at_us, at);
		pl_buf_addf(&out, "%lld,%.*s", (long long)r->id, PL_TIME_LEN, at);
		for (size_t k = 0; k < PL_COUNT(cells); k++) {
			pl_buf_addc(&out, ',');
			pl_csv_cell(&out, cells[k]);
		}
		pl_buf_adds(&out, "\r\n");
	}
	return pl_strn(out.ptr, out.len);
}

/* The query decides; without it, a header Accept that names CSV and not JSON. */
static bool wants_csv(const struct request *request)
{
	const struct audit_query *q = request->query;
	struct pl_str accept = req_header(request->req, "Accept");

	if (q->format.ptr != NULL)
		return pl_str_is(q->format, "csv");
	return accept.ptr != NULL && memmem(accept.ptr, accept.len, "text/csv", 8) != NULL &&
	    memmem(accept.ptr, accept.len, "json", 4) == NULL;
}

static void on_audit(void *arg, const struct audit_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct audit_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	if (list->more)
		request_link_next(request, "%sbefore=%lld&limit=%d", page_filters(request),
		    (long long)list->rows[list->count - 1].id, list->count);
	req_header_add(request->req, "Vary", "Accept");
	if (wants_csv(request)) {
		req_header_add(request->req, "Content-Disposition", "attachment; filename=\"audit.csv\"");
		req_reply(request->req, 200, "text/csv; charset=utf-8", audit_csv(request->req->task->pool, list));
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		const struct audit_row *r = &list->rows[i];

		items[i] = (struct audit_out){ .id = r->id, .created_at = r->at_us, .actor_id = r->actor_id,
			.actor = r->actor, .act = r->act, .subject = r->subject, .subject_user = r->subject_user,
			.address = r->address, .request_id = r->request_id, .before = r->before, .after = r->after };
	}
	request_reply_list(request, &shape_audit_out, items, list->count);
}

void api_admin_audit(struct request *request)
{
	const struct audit_query *q = request->query;
	struct audit_ask ask = { .actor = q->actor, .act = q->act, .subject = q->subject,
		.since_us = q->since == SHAPE_NONE ? 0 : q->since, .until_us = q->until == SHAPE_NONE ? 0 : q->until,
		.before = q->before == SHAPE_NONE ? 0 : q->before,
		.limit = q->limit == SHAPE_NONE ? AUDIT_USUAL : (int)q->limit };

	repo_audit_list(request->svc->db, request->req->task, &ask, on_audit, request);
}
