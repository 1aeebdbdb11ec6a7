/* SPDX-License-Identifier: ISC */
/*
 * Idempotency-Key: the first reply of a (user, route, key) is kept for 24 h; the same body gets it again, another is 409.
 *
 * Source: draft-ietf-httpapi-idempotency-key-header. Without a user the address stands in.
 */
#include "api/call.h"
#include "seal.h"
#include "db/repo_idem.h"

struct idem {
	struct idem_key key;
	void (*go)(struct call *call);
	int status;
	struct pl_str body, location;
};

/* Of a route whose replies hold secrets the table has the reply as base64url of its sealed bytes. */
static struct pl_str seal_context(struct call *call)
{
	struct idem_key *key = &call->idem->key;

	return pl_str(pl_sprintf(call->req->task->pool, "idempotency:%lld:%.*s:%.*s", (long long)key->user_id,
	    PL_FMT(key->route), PL_FMT(key->key)));
}

static struct pl_str body_sealed(struct call *call, struct pl_str body)
{
	struct pl_pool *pool = call->req->task->pool;
	struct pl_str sealed = pl_seal(pool, &call->req->config->seal_ring, seal_context(call), body);
	char *text = pl_alloc(pool, (sealed.len * 4 + 2) / 3 + 1);

	return pl_strn(text, pl_b64url_encode(sealed.ptr, sealed.len, text));
}

static bool body_open(struct call *call, struct pl_str text, struct pl_str *body_r)
{
	struct pl_pool *pool = call->req->task->pool;
	char *sealed = pl_alloc(pool, text.len + 1);
	size_t bytes;

	return pl_b64url_decode(text, sealed, text.len, &bytes) &&
	    pl_unseal(pool, &call->req->config->seal_ring, seal_context(call), pl_strn(sealed, bytes), body_r);
}

static void replay(struct call *call, const struct idem_begun *b)
{
	struct pl_str body = b->body;
	struct pl_err err = { 0 };
	bool sealed = (call->route->flags & ROUTE_SEAL) != 0;

	if (sealed && !body_open(call, b->body, &body)) {
		pl_err_set(&err, PL_E_CONFLICT, "The reply under this Idempotency-Key was sealed by a key that is no longer there.");
		call->idem = NULL;
		call_fail(call, &err);
		return;
	}
	call->idem = NULL;
	req_header_add(call->req, "Idempotent-Replayed", "true");
	if (b->location.ptr != NULL)
		req_header_add(call->req, "Location", pl_str_c(call->req->task->pool, b->location));
	req_reply(call->req, b->status, NULL, body);
}

static void begun(void *arg, const struct idem_begun *b, const struct pl_err *err)
{
	struct call *call = arg;
	struct idem *idem = call->idem;

	if (err != NULL) {
		call->idem = NULL;
		call_fail(call, err);
	} else if (!b->fresh) {
		replay(call, b);
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
		if (call->route->flags & ROUTE_SEAL)
			pl_seal_mac(&call->req->config->seal_ring, pl_buf_str(&text), hash); /* a hash tells guesses apart */
		else
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
	if (call->route->flags & ROUTE_SEAL)
		body = body_sealed(call, body);
	repo_idem_finish(call->svc->db, call->req->task, &idem->key, status, body, idem->location, kept, call);
}

void idem_forget(struct call *call)
{
	repo_idem_forget(call->svc->db, call->req->task, &call->idem->key, NULL, NULL);
	call->idem = NULL;
}
