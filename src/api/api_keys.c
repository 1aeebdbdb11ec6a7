/* SPDX-License-Identifier: ISC */
/*
 * Routes of a user's own keys for providers of models. A key goes in and never comes out again.
 */
#include "api/http/call.h"
#include "svc/account/provider_key.h"

static void key_shape(struct provider_key_out *out, const struct provider_key *k)
{
	*out = (struct provider_key_out){ .provider = k->provider, .masked = k->masked,
		.readable = k->masked.ptr != NULL, .created_at = k->created_us, .updated_at = k->updated_us };
}

static void reply_list(void *arg, const struct provider_key_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct provider_key_out *items;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	items = pl_alloc(call->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		key_shape(&items[i], &list->rows[i]);
	call_reply_list(call, &shape_provider_key_out, items, list->count);
}

static void reply_one(void *arg, const struct provider_key_list *list, const struct pl_err *err)
{
	struct call *call = arg;
	struct provider_key_out out;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	if (list->count == 0) {
		call_fail_code(call, PL_E_NOT_FOUND);
		return;
	}
	key_shape(&out, &list->rows[0]);
	call_reply(call, &shape_provider_key_out, &out);
}

void api_key_list(struct call *call)
{
	provider_key_list(call->svc, call->req->config, call->req->task, PL_STR_NONE, reply_list, call);
}

void api_key_get(struct call *call)
{
	provider_key_list(call->svc, call->req->config, call->req->task, call->param[0], reply_one, call);
}

void api_key_put(struct call *call)
{
	const struct provider_key_in *in = call->in;
	struct pl_pool *pool = call->req->task->pool;
	const char *fault = provider_key_fault(in->key);
	struct pl_err err = { 0 };

	if (!provider_key_has(call->param[0]))
		pl_err_set(&err, PL_E_NOT_FOUND, "There is no such provider: openai, anthropic or openrouter.");
	else if (fault != NULL)
		pl_err_field(&err, pool, "body.key", "value_error", "%s", fault);
	if (err.code != PL_E_OK)
		call_fail(call, &err);
	else
		provider_key_put(call->svc, call->req->config, call->req->task, call->param[0], in->key, reply_one,
		    call);
}

static void reply_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL)
		call_fail(call, err);
	else
		call_reply_empty(call);
}

void api_key_delete(struct call *call)
{
	provider_key_delete(call->svc, call->req->task, call->param[0], reply_deleted, call);
}
