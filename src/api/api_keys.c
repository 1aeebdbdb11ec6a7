/* SPDX-License-Identifier: ISC */
/* Routes of users' own keys for providers of models. No reply contains a key. */
#include "api/http/request.h"
#include "svc/account/provider_key.h"

static void key_shape(struct provider_key_out *out, const struct provider_key *k)
{
	*out = (struct provider_key_out){ .provider = k->provider, .masked = k->masked,
		.readable = k->masked.ptr != NULL, .created_at = k->created_us, .updated_at = k->updated_us };
}

static void reply_list(void *arg, const struct provider_key_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct provider_key_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		key_shape(&items[i], &list->rows[i]);
	request_reply_list(request, &shape_provider_key_out, items, list->count);
}

static void reply_one(void *arg, const struct provider_key_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct provider_key_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	if (list->count == 0) {
		request_fail_code(request, PL_E_NOT_FOUND);
		return;
	}
	key_shape(&out, &list->rows[0]);
	request_reply(request, &shape_provider_key_out, &out);
}

void api_key_list(struct request *request)
{
	provider_key_list(request->svc, request->req->config, request->req->task, PL_STR_NONE, reply_list, request);
}

void api_key_get(struct request *request)
{
	provider_key_list(
	    request->svc, request->req->config, request->req->task, request->param[0], reply_one, request);
}

void api_key_put(struct request *request)
{
	const struct provider_key_in *in = request->in;
	struct pl_pool *pool = request->req->task->pool;
	const char *fault = provider_key_fault(in->key);
	struct pl_err err = { 0 };

	if (!provider_key_has(request->param[0]))
		pl_err_set(&err, PL_E_NOT_FOUND,
		    "The provider is unknown; it must be openai, anthropic, or openrouter.");
	else if (fault != NULL)
		pl_err_field(&err, pool, "body.key", "value_error", "%s", fault);
	if (err.code != PL_E_OK)
		request_fail(request, &err);
	else
		provider_key_put(request->svc, request->req->config, request->req->task, request->param[0], in->key,
		    reply_one, request);
}

static void reply_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply_empty(request);
}

void api_key_delete(struct request *request)
{
	provider_key_delete(request->svc, request->req->task, request->param[0], reply_deleted, request);
}
