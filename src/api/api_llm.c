/* SPDX-License-Identifier: ISC */
/*
 * Routes of models and their answers.
 */
#include <math.h>

#include "api/http/request.h"
#include "svc/room/role_answer.h"
#include "svc/account/provider_key.h"

/* ---- GET /api/llm/models: local and all upstreams at once ---- */

struct models;
struct models_part {
	struct models *all;
	int upstream;				/* index of the upstream; -1: local */
	bool own;				/* the request uses the user's own key */
	struct pl_str *names;
	int count;
};

struct models {
	struct request *request;
	struct models_part *parts;
	int count, left;			/* left: number of parts without a result */
	struct pl_err err;
};

static const struct upstream_settings *models_upstream(const struct models_part *part)
{
	return part->upstream >= 0 ? &part->all->request->req->config->upstreams[part->upstream] : NULL;
}

/* Returns whose key an answer of the upstream would use. */
static struct pl_str models_key(const struct models_part *part)
{
	const struct upstream_settings *u = models_upstream(part);

	if (part->own)
		return PL_STR("own");
	return u == NULL || u->key[0] != '\0' || config_provider(u) == PROVIDER_OTHER ? PL_STR("server") :
	    PL_STR("none");
}

static struct pl_str models_provider(const struct upstream_settings *u)
{
	if (u == NULL)
		return PL_STR(LLM_LOCAL);
	if (config_provider(u) == PROVIDER_OTHER)
		return pl_str(u->name);
	return pl_str(config_provider_word(config_provider(u)));
}

static void models_reply(struct models *m)
{
	const struct settings *s = &m->request->req->config->s;
	struct model_out *items;
	int count = 0, n = 0;

	for (int i = 0; i < m->count; i++)
		count += m->parts[i].count;
	items = pl_alloc(m->request->req->task->pool, ((size_t)count + 1) * sizeof(*items));
	for (int i = 0; i < m->count; i++) {
		const struct models_part *part = &m->parts[i];
		const struct upstream_settings *u = models_upstream(part);
		const char *name = u != NULL ? u->name : LLM_LOCAL;
		const char *preferred = u != NULL ? u->model : LLM_LOCAL_MODEL;

		for (int k = 0; k < part->count; k++)
			items[n++] = (struct model_out){ .id = part->names[k], .name = part->names[k],
				.provider = models_provider(u), .upstream = pl_str(name), .key = models_key(part),
				.is_default = strcmp(name, s->llm_default) == 0 &&
				(preferred[0] == '\0' || pl_str_is(part->names[k], preferred)) };
	}
	request_reply_list(m->request, &shape_model_out, items, n);
}

static void models_part_over(struct models *m)
{
	if (--m->left > 0)
		return;
	if (m->err.code != PL_E_OK)
		request_fail(m->request, &m->err);
	else
		models_reply(m);
}

static void models_on_list(void *arg, const struct pl_str *models, int count, const struct pl_err *err)
{
	struct models_part *part = arg;
	struct pl_pool *pool = part->all->request->req->task->pool;
	const struct upstream_settings *u = models_upstream(part);

	part->names = pl_alloc(pool, ((size_t)count + 1) * sizeof(*part->names));
	for (int i = 0; i < count; i++)
		part->names[i] = pl_str_dup(pool, models[i]);
	part->count = count;
	/* an upstream that is down hides only its own models, but its default model is known */
	if (err != NULL && u != NULL && u->model[0] != '\0')
		part->names[part->count++] = pl_str(u->model);
	models_part_over(part->all);
}

static void models_on_key(void *arg, struct pl_str key, const struct pl_err *err)
{
	struct models_part *part = arg;
	struct request *request = part->all->request;

	if (err != NULL) {
		part->all->err = *err;
		models_part_over(part->all);
		return;
	}
	part->own = key.ptr != NULL;
	llm_models(request->svc->llm, request->req->task, request->req->config, models_upstream(part), key,
	    models_on_list, part);
}

void api_models(struct request *request)
{
	const struct config *config = request->req->config;
	int64_t user_id = request->req->task->who.user_id;
	struct models *m = pl_alloc(request->req->task->pool, sizeof(*m));

	m->request = request;
	m->count = config->upstreams_count + 1;
	m->parts = pl_alloc(request->req->task->pool, (size_t)m->count * sizeof(*m->parts));
	m->left = m->count + 1;
	for (int i = 0; i < m->count; i++) {
		struct models_part *part = &m->parts[i];

		*part = (struct models_part){ .all = m, .upstream = i - 1 };
		if (provider_key_wanted(user_id, models_upstream(part)))
			provider_key_find(request->svc, config, request->req->task, user_id, models_upstream(part),
			    models_on_key, part);
		else
			models_on_key(part, PL_STR_NONE, NULL);
	}
	models_part_over(m);
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
	struct request *request = arg;
	struct generation_out out;
	struct shm_gen_info info;
	char *text;
	int index, n;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	out = (struct generation_out){ .id = g->id, .room_id = g->room_id, .role_id = g->role_id,
		.state = state_word(g->state), .reply_to = or_none(g->reply_to, 0),
		.answer_seq = or_none(g->answer_seq, 0), .text = g->partial, .model = g->model,
		.prompt_tokens = or_none(g->prompt_tokens, -1), .completion_tokens = or_none(g->completion_tokens, -1),
		.cost_usd = g->cost_micros >= 0 ? (double)g->cost_micros / 1e6 : (double)NAN, .citations = g->citations,
		.knowledge = g->knowledge, .error = g->error_code,
		.error_detail = g->asker_id == request->req->task->who.user_id ? g->error_detail : PL_STR_NONE,
		.estimated = g->estimated, .created_at = g->created_us,
		.ended_at = or_none(g->ended_us, 0) };
	index = shm_gen_find(request->svc->shm, g->id, &info);
	if (g->ended_us == 0 && index >= 0) {
		text = pl_alloc(request->req->task->pool, (size_t)info.length + 1);
		n = shm_gen_text(request->svc->shm, index, info.id, 0, text, info.length);
		if (n >= 0)
			out.text = pl_strn(text, (size_t)n);
	}
	request_reply(request, &shape_generation_out, &out);
}

void api_generation(struct request *request)
{
	struct pl_str id;

	if (request_uuid(request, 0, &id))
		repo_generation_get(request->svc->db, request->req->task, id,
		    request_is_admin(request) ? 0 : request->req->task->who.user_id, on_generation, request);
}

void api_generation_stop(struct request *request)
{
	struct pl_str id;

	if (request_uuid(request, 0, &id))
		role_stop(request->svc, request->req->task, id, on_generation, request);
}
