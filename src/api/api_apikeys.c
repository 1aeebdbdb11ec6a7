/* SPDX-License-Identifier: ISC */
/*
 * Routes of a user's API keys.
 */
#include "api/http/request.h"
#include "clock.h"
#include "svc/account/apikey.h"

#define SCOPES_RULE "must be a list of one or more of read, write, chat, v1, admin"

static struct pl_str scopes_json(struct pl_pool *pool, unsigned scopes)
{
	struct pl_str rest = apikey_scope_words(pool, scopes), word;
	struct pl_buf out = PL_BUF(pool);
	struct pl_jw w = PL_JW(&out);

	pl_jw_array(&w);
	while (rest.len > 0 && pl_str_cut(&rest, ' ', &word))
		pl_jw_str(&w, word);
	pl_jw_end_array(&w);
	return pl_buf_str(&out);
}

static int64_t time_or_none(int64_t us)
{
	return us > 0 ? us : SHAPE_NONE;
}

static void key_shape(struct apikey_out *out, const struct apikey *key, struct pl_pool *pool)
{
	*out = (struct apikey_out){ .id = key->id, .name = key->name, .prefix = key->prefix,
		.scopes = scopes_json(pool, key->scopes), .rate = key->rate, .created_at = key->created_us,
		.last_used_at = time_or_none(key->last_used_us), .expires_at = time_or_none(key->expires_us) };
}

/* ---- bodies ---- */

static bool read_scopes(struct pl_str json, struct pl_pool *pool, unsigned *scopes_r, struct pl_err *err)
{
	struct pl_err bad = { 0 };
	const struct pl_jval *list = pl_json_parse(pool, json, &bad);
	bool good = list != NULL && list->type == PL_J_ARRAY && list->count > 0;

	*scopes_r = 0;
	for (const struct pl_jval *v = good ? list->first : NULL; v != NULL; v = v->next) {
		unsigned scope = v->type == PL_J_STRING ? apikey_scope(v->text) : 0;

		good = good && scope != 0;
		*scopes_r |= scope;
	}
	if (!good)
		pl_err_field(err, pool, "body.scopes", "value_error", SCOPES_RULE);
	return good;
}

static bool check_rate(struct pl_str rate, struct pl_pool *pool, struct pl_err *err)
{
	struct pl_rate parsed;

	if (rate.len == 0 || apikey_rate(rate, &parsed))
		return true;
	pl_err_field(err, pool, "body.rate", "value_error", "must be a rate such as 5/s or 100/hour burst 200");
	return false;
}

/* `absent`: the value for a missing field. */
static bool read_life(const struct config *config, int64_t expires_in, int64_t absent, struct pl_pool *pool,
    int64_t *life_us_r, struct pl_err *err)
{
	int64_t most_s = config->s.api_key_max_life / 1000;

	*life_us_r = expires_in == SHAPE_NONE ? absent : expires_in * PL_US_PER_S;
	if (expires_in == SHAPE_NONE || most_s == 0 || expires_in <= most_s)
		return true;
	pl_err_field(err, pool, "body.expires_in", "less_than_equal", "must be at most %lld (setting api_key_max_life)",
	    (long long)most_s);
	return false;
}

/* ---- routes ---- */

static void reply_keys(void *arg, const struct apikey_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_pool *pool = request->req->task->pool;
	struct apikey_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		key_shape(&items[i], &list->rows[i], pool);
	request_reply_list(request, &shape_apikey_out, items, list->count);
}

void api_apikey_list(struct request *request)
{
	repo_apikey_list(request->svc->db, request->req->task, 0, reply_keys, request);
}

static void reply_key(void *arg, const struct apikey *key, const struct pl_err *err)
{
	struct request *request = arg;
	struct apikey_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	key_shape(&out, key, request->req->task->pool);
	request_reply(request, &shape_apikey_out, &out);
}

static void reply_first(void *arg, const struct apikey_list *list, const struct pl_err *err)
{
	struct request *request = arg;

	if (err == NULL && list->count == 0)
		request_fail_code(request, PL_E_NOT_FOUND);
	else
		reply_key(request, err == NULL ? &list->rows[0] : NULL, err);
}

void api_apikey_get(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		repo_apikey_list(request->svc->db, request->req->task, id, reply_first, request);
}

static void reply_made(void *arg, const struct apikey *key, struct pl_str text, const struct pl_err *err)
{
	struct request *request = arg;
	struct apikey_made_out out;
	struct apikey_out same;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	key_shape(&same, key, request->req->task->pool);
	out = (struct apikey_made_out){ .key = text, .id = same.id, .name = same.name, .prefix = same.prefix,
		.scopes = same.scopes, .rate = same.rate, .created_at = same.created_at,
		.last_used_at = same.last_used_at, .expires_at = same.expires_at };
	request_location(request, "/api/keys/%lld", (long long)key->id);
	request_reply(request, &shape_apikey_made_out, &out);
}

void api_apikey_create(struct request *request)
{
	const struct apikey_in *in = request->in;
	const struct config *config = request->req->config;
	struct pl_pool *pool = request->req->task->pool;
	struct apikey_new wanted = { .name = in->name, .rate = in->rate };
	struct pl_err err = { 0 };

	if (!request_made_id(request, &wanted.made))
		wanted.made = 0;
	if (!read_scopes(in->scopes, pool, &wanted.scopes, &err) || !check_rate(in->rate, pool, &err) ||
	    !read_life(config, in->expires_in, config->s.api_key_max_life * 1000, pool, &wanted.life_us, &err))
		request_fail(request, &err);
	else
		apikey_create(request->svc, config, request->req->task, &wanted, reply_made, request);
}

void api_apikey_patch(struct request *request)
{
	const struct apikey_patch_in *in = request->in;
	struct pl_pool *pool = request->req->task->pool;
	struct apikey_change change = { .name = in->name, .rate = in->rate };
	struct pl_err err = { 0 };
	int64_t id;

	if (!request_id(request, 0, &id))
		return;
	if ((in->scopes.ptr != NULL && !read_scopes(in->scopes, pool, &change.scopes, &err)) ||
	    !check_rate(in->rate, pool, &err) ||
	    !read_life(request->req->config, in->expires_in, -1, pool, &change.life_us, &err))
		request_fail(request, &err);
	else
		apikey_patch(request->svc, request->req->task, id, &change, reply_key, request);
}

static void reply_revoked(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply_empty(request);
}

void api_apikey_revoke(struct request *request)
{
	int64_t id;

	if (request_id(request, 0, &id))
		apikey_revoke(request->svc, request->req->task, id, reply_revoked, request);
}
