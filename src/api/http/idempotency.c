/* SPDX-License-Identifier: ISC */
/*
 * Idempotency-Key: the first reply to a (user, route, key) is kept for 24 h. A request with the same body gets that
 * reply again; another body gets 409.
 *
 * claim -> work, recorded in the key's row by the same transaction -> reply kept -> reply
 *
 * If a claim was not completed (a worker died, PostgreSQL was not reachable), a later request takes it over. Either the
 * work was recorded, and the reply is built again from the created object; or its transaction can no longer commit, and
 * the work is done now.
 * Messages are not recorded: they get a client_id that belongs to the key.
 *
 * Source: draft-ietf-httpapi-idempotency-key-header. Without a user, the key belongs to the address.
 */
#include "api/http/request.h"
#include "seal.h"
#include "db/repo/repo_idem.h"

#define GUEST_KEY_MIN 16

struct idem {
	struct pl_once once;
	void (*go)(struct request *request);
	int status;
	struct pl_str body, location;
	struct pl_err err;
};

/* For a route whose replies contain secrets, the table has the reply as base64url of its sealed bytes. */
static struct pl_str seal_context(struct request *request)
{
	const struct pl_once *once = &request->idem->once;

	return pl_str(pl_sprintf(request->req->task->pool, "idempotency:%lld:%.*s:%.*s", (long long)once->user_id,
	    PL_FMT(once->route), PL_FMT(once->key)));
}

static struct pl_str body_sealed(struct request *request, struct pl_str body)
{
	struct pl_pool *pool = request->req->task->pool;
	struct pl_str sealed = pl_seal(pool, &request->req->config->seal_ring, seal_context(request), body);
	char *text = pl_alloc(pool, (sealed.len * 4 + 2) / 3 + 1);

	return pl_strn(text, pl_b64url_encode(sealed.ptr, sealed.len, text));
}

static bool body_open(struct request *request, struct pl_str text, struct pl_str *body_r)
{
	struct pl_pool *pool = request->req->task->pool;
	char *sealed = pl_alloc(pool, text.len + 1);
	size_t bytes;

	return pl_b64url_decode(text, sealed, text.len, &bytes) &&
	    pl_unseal(pool, &request->req->config->seal_ring, seal_context(request), pl_strn(sealed, bytes), body_r);
}

static void replay(struct request *request, const struct idem_begun *b)
{
	struct pl_str body = b->body;
	struct pl_err err = { 0 };
	bool sealed = (request->route->flags & ROUTE_SEAL) != 0;

	if (sealed && !body_open(request, b->body, &body)) {
		pl_err_set(&err, PL_E_CONFLICT,
		    "The reply under this Idempotency-Key was encrypted with a key that no longer exists.");
		request->idem = NULL;
		request_fail(request, &err);
		return;
	}
	request->idem = NULL;
	req_header_add(request->req, "Idempotent-Replayed", "true");
	if (b->location.ptr != NULL)
		req_header_add(request->req, "Location", pl_str_c(request->req->task->pool, b->location));
	req_reply(request->req, b->status, NULL, body);
}

/*
 * Makes a UUID for the object that is created with the key. `born` is a part of it, because the key may be reused after
 * 24 h.
 */
static void make_id(struct pl_once *once, int64_t born_us, struct pl_pool *pool)
{
	const char *text = pl_sprintf(pool, "%lld\n%.*s\n%.*s\n%lld", (long long)once->user_id, PL_FMT(once->route),
	    PL_FMT(once->key), (long long)born_us);
	unsigned char hash[32];

	pl_sha256(text, strlen(text), hash);
	pl_uuid_of(hash, once->id);
}

static void begun(void *arg, const struct idem_begun *b, const struct pl_err *err)
{
	struct request *request = arg;
	struct idem *idem = request->idem;

	if (err != NULL) {
		request->idem = NULL;
		request_fail(request, err);
		return;
	}
	idem->once.claim = b->claim;
	make_id(&idem->once, b->born_us, request->req->task->pool);
	if (b->status != 0) {
		replay(request, b);
		return;
	}
	request->req->task->once = &idem->once;
	if (!b->fresh) {
		request->made = b->made;
		request->made_new = b->made_new;
		req_header_add(request->req, "Idempotent-Replayed", "true");
	}
	idem->go(request);
}

/*
 * Guests behind one address share its keys, and their replies contain credentials. So their keys must be hard to guess.
 */
static bool key_ok(struct request *request, struct pl_str key)
{
	struct pl_err err = { 0 };
	bool guest = request->req->task->who.user_id == 0;

	if (key.len <= 200 && pl_utf8_ok(key.ptr, key.len) && key.len >= (guest ? GUEST_KEY_MIN : 1))
		return true;
	if (guest && key.len < GUEST_KEY_MIN)
		pl_err_field(&err, request->req->task->pool, "header.Idempotency-Key", "string_too_short",
		    "must have at least 16 characters when no token is sent, and be random");
	else
		pl_err_field(&err, request->req->task->pool, "header.Idempotency-Key", "string_too_long",
		    "must have 1 to 200 characters");
	request_fail(request, &err);
	return false;
}

/* Hashes the request: the parameters of the path and the body. */
static void hash_of(const struct request *request, unsigned char hash[32])
{
	struct pl_buf text = PL_BUF(request->req->task->pool);

	for (int i = 0; i < request->params; i++)
		pl_buf_addf(&text, "%.*s\n", PL_FMT(request->param[i]));
	pl_buf_addstr(&text, request->req->body);
	if (request->route->flags & ROUTE_SEAL)
		pl_seal_mac(&request->req->config->seal_ring, pl_buf_str(&text), hash); /* a plain hash would reveal
											 * guesses */
	else
		pl_sha256(text.ptr, text.len, hash);
}

void idem_begin(struct request *request, struct pl_str key, void (*go)(struct request *request))
{
	struct pl_pool *pool = request->req->task->pool;
	struct idem *idem = pl_alloc(pool, sizeof(*idem));
	struct pl_once *once = &idem->once;
	unsigned char hash[32];

	if (!key_ok(request, key))
		return;
	idem->go = go;
	once->user_id = request->req->task->who.user_id;
	once->route = pl_str(pl_sprintf(pool, "POST %s", request->route->path));
	once->key = once->user_id != 0 ? key : pl_str(pl_sprintf(pool, "%s|%.*s", request->req->task->who.addr,
	    PL_FMT(key)));
	hash_of(request, hash);
	request->idem = idem;
	req_defer(request->req);
	repo_idem_begin(request->svc->db, request->req->task, once, hash, begun, request);
}

static void kept(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;
	struct idem *idem = request->idem;

	/* the work is done, and stays valid if the reply cannot be kept: the next request builds the reply again */
	if (err != NULL)
		repo_idem_release(request->svc->db, request->req->task, &idem->once, NULL, NULL);
	req_reply(request->req, idem->status, NULL, idem->body);
}

/* Also after an error: then a repeated request is refused for a minute, as if this one were still running. */
static void released(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	req_reply(request->req, request->idem->status, NULL, request->idem->body);
}

void idem_reply(struct request *request, int status, struct pl_str body, struct pl_str location)
{
	struct idem *idem = request->idem;

	request->req->task->once = NULL;
	idem->status = status;
	idem->body = body;
	idem->location = location;
	if (request->route->flags & ROUTE_REBUILD) {
		repo_idem_release(request->svc->db, request->req->task, &idem->once, released, request);
		return;
	}
	for (const struct req_header *h = request->req->reply_headers; h != NULL; h = h->next)
		if (strcmp(h->name, "Location") == 0)
			idem->location = pl_str(h->value);
	if (request->route->flags & ROUTE_SEAL)
		body = body_sealed(request, body);
	repo_idem_finish(
	    request->svc->db, request->req->task, &idem->once, status, body, idem->location, kept, request);
}

static void given_up(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	req_fail(request->req, &request->idem->err);
}

void idem_fail(struct request *request, const struct pl_err *err)
{
	struct idem *idem = request->idem;
	struct db *db = request->svc->db;
	struct pl_task *task = request->req->task;

	task->once = NULL;
	idem->err = *err;
	if (!pl_err_info(err->code)->temporary) {
		repo_idem_forget(db, task, &idem->once, given_up, request);
		return;
	}
	/* whether the work was done is unknown here; the row says so */
	repo_idem_release(db, task, &idem->once, NULL, NULL);
	req_fail(request->req, err);
}
