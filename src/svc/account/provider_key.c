/* SPDX-License-Identifier: ISC */
/* Provider keys of users: encrypting, masking, finding. */
#include "svc/account/provider_key.h"

#include "db/repo/repo_provider_key.h"
#include "log.h"

#define SHOWN 4			/* characters at each end of a masked key */
#define HIDDEN_MIN 8		/* minimum of hidden characters; otherwise, nothing is shown */

bool provider_key_has(struct pl_str provider)
{
	return pl_str_is(provider, config_provider_word(PROVIDER_OPENAI)) ||
	    pl_str_is(provider, config_provider_word(PROVIDER_ANTHROPIC)) ||
	    pl_str_is(provider, config_provider_word(PROVIDER_OPENROUTER));
}

const char *provider_key_fault(struct pl_str key)
{
	if (key.len < PROVIDER_KEY_MIN || key.len > PROVIDER_KEY_MAX)
		return "must have 8 to 512 characters";
	for (size_t i = 0; i < key.len; i++)
		if (key.ptr[i] <= ' ' || key.ptr[i] >= 0x7f)
			return "must be printable ASCII without blanks";
	return NULL;
}

/* The data that an encrypted key is bound to: it cannot be decrypted for another user or provider. */
static struct pl_str context_of(struct pl_pool *pool, int64_t user_id, struct pl_str provider)
{
	return pl_str(pl_sprintf(pool, "provider-key:%lld:%.*s", (long long)user_id, PL_FMT(provider)));
}

static struct pl_str mask(struct pl_pool *pool, struct pl_str key)
{
	if (key.len < 2 * SHOWN + HIDDEN_MIN)
		return PL_STR("...");
	return pl_str(pl_sprintf(pool, "%.*s...%.*s", SHOWN, key.ptr, SHOWN, key.ptr + key.len - SHOWN));
}

/* ---- reading and storing ---- */

struct reading {
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	int64_t user_id;
	provider_key_list_fn *done;
	void *arg;
};

static struct reading *reading_new(const struct config *config, struct pl_task *task, provider_key_list_fn *done,
    void *arg)
{
	struct reading *r = pl_alloc(task->pool, sizeof(*r));

	*r = (struct reading){ .config = config_keep(task->pool, config), .task = pl_task_hold(task),
		.user_id = task->who.user_id, .done = done, .arg = arg };
	return r;
}

static void on_rows(void *arg, const struct sealed_key_list *rows, const struct pl_err *err)
{
	struct reading *r = arg;
	struct pl_task *task = r->task;
	struct provider_key_list list = { .count = err == NULL ? rows->count : 0 };
	struct provider_key *keys = pl_alloc(task->pool, ((size_t)list.count + 1) * sizeof(*keys));

	for (int i = 0; i < list.count; i++) {
		const struct sealed_key *row = &rows->rows[i];
		struct pl_str key;

		keys[i] = (struct provider_key){ .provider = row->provider, .created_us = row->created_us,
			.updated_us = row->updated_us };
		if (pl_unseal(task->pool, &r->config->seal_ring, context_of(task->pool, r->user_id, row->provider),
		    row->sealed, &key))
			keys[i].masked = mask(task->pool, key);
	}
	list.rows = keys;
	r->done(r->arg, err == NULL ? &list : NULL, err);
	pl_task_release(&task);
}

void provider_key_put(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str provider,
    struct pl_str key, provider_key_list_fn *done, void *arg)
{
	struct pl_str sealed = pl_seal(task->pool, &config->seal_ring,
	    context_of(task->pool, task->who.user_id, provider), key);
	struct reading *r = reading_new(config, task, done, arg);

	repo_provider_key_put(svc->db, task, task->who.user_id, provider, sealed, on_rows, r);
}

void provider_key_list(struct svc *svc, const struct config *config, struct pl_task *task, struct pl_str provider,
    provider_key_list_fn *done, void *arg)
{
	repo_provider_key_list(svc->db, task, task->who.user_id, provider, on_rows,
	    reading_new(config, task, done, arg));
}

void provider_key_delete(struct svc *svc, struct pl_task *task, struct pl_str provider, db_done_fn *done, void *arg)
{
	repo_provider_key_delete(svc->db, task, task->who.user_id, provider, done, arg);
}

/* ---- using ---- */

struct finding {
	CONFIG_HELD const struct config *config;
	struct pl_task *task;
	int64_t user_id;
	provider_key_fn *done;
	void *arg;
};

static void find_on_rows(void *arg, const struct sealed_key_list *rows, const struct pl_err *err)
{
	struct finding *f = arg;
	struct pl_task *task = f->task;
	struct pl_str key = PL_STR_NONE;

	if (err == NULL && rows->count > 0 && !pl_unseal(task->pool, &f->config->seal_ring,
	    context_of(task->pool, f->user_id, rows->rows[0].provider), rows->rows[0].sealed, &key)) {
		key = PL_STR_NONE;
		pl_log(PL_LOG_WARN, task, "a user's own key cannot be opened; the upstream's is used",
		    "user=%lld provider=%.*s", (long long)f->user_id, PL_FMT(rows->rows[0].provider));
	}
	f->done(f->arg, key, err);
	pl_task_release(&task);
}

bool provider_key_wanted(int64_t user_id, const struct upstream_settings *upstream)
{
	return user_id > 0 && upstream != NULL && config_provider(upstream) != PROVIDER_OTHER;
}

void provider_key_find(struct svc *svc, const struct config *config, struct pl_task *task, int64_t user_id,
    const struct upstream_settings *upstream, provider_key_fn *done, void *arg)
{
	struct finding *f = pl_alloc(task->pool, sizeof(*f));

	*f = (struct finding){ .config = config_keep(task->pool, config), .task = pl_task_hold(task),
		.user_id = user_id, .done = done, .arg = arg };
	repo_provider_key_list(svc->db, task, user_id, pl_str(config_provider_word(config_provider(upstream))),
	    find_on_rows, f);
}
