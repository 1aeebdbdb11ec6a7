/* SPDX-License-Identifier: ISC */
/*
 * Idempotency-Key: the first reply of a (user, route, key) is kept for 24 h; the same body gets it again, another is 409.
 *
 * Source: draft-ietf-httpapi-idempotency-key-header. Without a user the address stands in.
 */
#include "api/call.h"
#include "db/repo_idem.h"

struct idem {
	struct idem_key key;
	void (*go)(struct call *call);
	int status;
	struct pl_str body, location;
};

static void begun(void *arg, const struct idem_begun *b, const struct pl_err *err)
{
	struct call *call = arg;
	struct idem *idem = call->idem;

	if (err != NULL || !b->fresh)
		call->idem = NULL;
	if (err != NULL) {
		call_fail(call, err);
	} else if (!b->fresh) {
		req_header_add(call->req, "Idempotent-Replayed", "true");
		if (b->location.ptr != NULL)
			req_header_add(call->req, "Location", pl_str_c(call->req->task->pool, b->location));
		req_reply(call->req, b->status, NULL, b->body);
	} else {
		idem->go(call);
	}
}

void idem_begin(struct call *call, struct pl_str key, void (*go)(struct call *call))
{
	struct pl_pool *pool = call->req->task->pool;
	struct idem *idem = pl_alloc(pool, sizeof(*idem));
	unsigned char hash[32];
	struct pl_err err = { 0 };

	if (key.len < 1 || key.len > 200 || !pl_utf8_ok(key.ptr, key.len)) {
		pl_err_field(&err, pool, "header.Idempotency-Key", "string_too_long", "must have 1 to 200 characters");
		call_fail(call, &err);
		return;
	}
	idem->go = go;
	idem->key.user_id = call->req->task->who.user_id;
	idem->key.route = pl_str(pl_sprintf(pool, "%s %s", "POST", call->route->path));
	/* the path's parameters belong to what was asked, so they go into the hash with the body */
	idem->key.key = idem->key.user_id != 0 ? key :
	    pl_str(pl_sprintf(pool, "%s|%.*s", call->req->task->who.addr, PL_FMT(key)));
	{
		struct pl_buf text = PL_BUF(pool);

		pl_buf_addstr(&text, call->req->path);
		pl_buf_addc(&text, '\n');
		pl_buf_addstr(&text, call->req->body);
		pl_sha256(text.ptr, text.len, hash);
	}
	call->idem = idem;
	req_defer(call->req);
	repo_idem_begin(call->svc->db, call->req->task, &idem->key, hash, begun, call);
}

static void kept(void *arg, const bool *done, const struct pl_err *err)
{
	struct call *call = arg;
	struct idem *idem = call->idem;

	/* the work is done; not being able to keep its reply does not undo it */
	req_reply(call->req, idem->status, NULL, idem->body);
}

void idem_reply(struct call *call, int status, struct pl_str body, struct pl_str location)
{
	struct idem *idem = call->idem;

	idem->status = status;
	idem->body = body;
	idem->location = location;
	for (const struct req_header *h = call->req->reply_headers; h != NULL; h = h->next)
		if (strcmp(h->name, "Location") == 0)
			idem->location = pl_str(h->value);
	repo_idem_finish(call->svc->db, call->req->task, &idem->key, status, body, idem->location, kept, call);
}

void idem_forget(struct call *call)
{
	repo_idem_forget(call->svc->db, call->req->task, &call->idem->key, NULL, NULL);
	call->idem = NULL;
}
