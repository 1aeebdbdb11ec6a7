/* SPDX-License-Identifier: ISC */
/*
 * Routes of models and their answers.
 */
#include <math.h>

#include "api/http/call.h"
#include "svc/room/role_answer.h"
#include "svc/account/provider_key.h"

/* ---- GET /api/llm/models: local, then each upstream in turn ---- */

struct models {
	struct call *call;
	struct model_out *items;
	int count, cap, next;			/* next: upstream to ask; -1 is local */
	bool own;				/* it is asked with the caller's own key */
	struct pl_err error;
};

static void models_next(struct models *m);

/* Whose key an answer from there would use. */
static struct pl_str models_key(const struct models *m)
{
	const struct upstream_settings *u = m->next >= 0 ? &m->call->req->config->upstreams[m->next] : NULL;

	if (m->own)
		return PL_STR("own");
	return u == NULL || u->key[0] != '\0' || config_provider(u) == PROVIDER_OTHER ? PL_STR("server") :
	    PL_STR("none");
}

static void models_add(struct models *m, struct pl_str id, const char *upstream, const char *preferred)
{
	const struct settings *s = &m->call->req->config->s;

	if (m->count == m->cap) {
		struct model_out *old = m->items;

		m->cap = m->cap * 2 + 16;
		m->items = pl_alloc(m->call->req->task->pool, (size_t)m->cap * sizeof(*m->items));
		if (m->count > 0)
			memcpy(m->items, old, (size_t)m->count * sizeof(*m->items));
	}
	m->items[m->count++] = (struct model_out){ .id = pl_str_dup(m->call->req->task->pool, id),
		.upstream = pl_str(upstream), .key = models_key(m),
		.is_default = strcmp(upstream, s->llm_default) == 0 &&
		(preferred[0] == '\0' || pl_str_is(id, preferred)) };
}

static void models_on_list(void *arg, const struct pl_str *models, int count, const struct pl_err *err)
{
	struct models *m = arg;
	const struct config *config = m->call->req->config;
	const struct upstream_settings *u = m->next >= 0 ? &config->upstreams[m->next] : NULL;

	/* an upstream that is down hides only its own models, but the one it would use by default is known */
	if (err != NULL && u != NULL && u->model[0] != '\0')
		models_add(m, pl_str(u->model), u->name, u->model);
	for (int i = 0; i < count; i++)
		models_add(m, models[i], u != NULL ? u->name : LLM_LOCAL, u != NULL ? u->model : LLM_LOCAL_MODEL);
	m->next++;
	models_next(m);
}

static void models_on_key(void *arg, struct pl_str key, const struct pl_err *err)
{
	struct models *m = arg;
	const struct config *config = m->call->req->config;

	if (err != NULL) {
		call_fail(m->call, err);
		return;
	}
	m->own = key.ptr != NULL;
	llm_models(m->call->svc->llm, m->call->req->task, config, m->next < 0 ? NULL : &config->upstreams[m->next], key,
	    models_on_list, m);
}

static void models_next(struct models *m)
{
	const struct config *config = m->call->req->config;
	const struct upstream_settings *u = m->next >= 0 && m->next < config->upstreams_count ?
	    &config->upstreams[m->next] : NULL;
	int64_t user_id = m->call->req->task->who.user_id;

	if (m->next >= config->upstreams_count)
		call_reply_list(m->call, &shape_model_out, m->items, m->count);
	else if (provider_key_wanted(user_id, u))
		provider_key_find(m->call->svc, config, m->call->req->task, user_id, u, models_on_key, m);
	else
		models_on_key(m, PL_STR_NONE, NULL);
}

void api_models(struct call *call)
{
	struct models *m = pl_alloc(call->req->task->pool, sizeof(*m));

	m->call = call;
	m->next = -1;
	models_next(m);
}

/* ---- generations ---- */

static struct pl_str state_word(int state)
{
	return pl_str(gen_state_words[state >= 0 && state <= GEN_INTERRUPTED ? state : GEN_FAILED]);
}

static int64_t or_none(int64_t value, int64_t none)
{
	return value == none ? SHAPE_NONE : value;
}

static void on_generation(void *arg, const struct generation *g, const struct pl_err *err)
{
	struct call *call = arg;
	struct generation_out out;
	struct shm_gen_info info;
	char *text;
	int index, n;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	out = (struct generation_out){ .id = g->id, .room_id = g->room_id, .role_id = g->role_id,
		.state = state_word(g->state), .reply_to = or_none(g->reply_to, 0),
		.answer_seq = or_none(g->answer_seq, 0), .text = g->partial, .model = g->model,
		.prompt_tokens = or_none(g->prompt_tokens, -1), .completion_tokens = or_none(g->completion_tokens, -1),
		.cost_usd = g->cost_micros >= 0 ? (double)g->cost_micros / 1e6 : (double)NAN, .citations = g->citations,
		.knowledge = g->knowledge, .error = g->error_code, .created_at = g->created_us,
		.ended_at = or_none(g->ended_us, 0) };
	index = shm_gen_find(call->svc->shm, g->id, &info);
	if (g->ended_us == 0 && index >= 0) {
		text = pl_alloc(call->req->task->pool, SHM_GEN_TEXT);
		n = shm_gen_text(call->svc->shm, index, info.id, 0, text);
		if (n >= 0)
			out.text = pl_strn(text, (size_t)n);
	}
	call_reply(call, &shape_generation_out, &out);
}

void api_generation(struct call *call)
{
	struct pl_str id;

	if (call_uuid(call, 0, &id))
		repo_generation_get(call->svc->db, call->req->task, id,
		    call_is_admin(call) ? 0 : call->req->task->who.user_id, on_generation, call);
}

void api_generation_stop(struct call *call)
{
	struct pl_str id;

	if (call_uuid(call, 0, &id))
		role_stop(call->svc, call->req->task, id, on_generation, call);
}
