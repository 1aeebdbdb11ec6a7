/* SPDX-License-Identifier: ISC */
/*
 * Tokens of invites, and new invites.
 */
#include "svc/account/invite.h"

#include "leaf.h"

void invite_token_make(struct invite_token *token)
{
	unsigned char random[INVITE_TOKEN_LEN / 2];

	pl_random(random, sizeof(random));
	pl_hex(random, sizeof(random), token->text);
	pl_wipe(random, sizeof(random));
	pl_sha256(token->text, INVITE_TOKEN_LEN, token->sha256);
}

struct invite_rule *invite_rule(const struct config *config, struct pl_pool *pool, struct pl_str token)
{
	struct invite_rule *rule = pl_alloc(pool, sizeof(*rule));

	*rule = (struct invite_rule){ .access = (int)config->s.invite_access,
		.open = config->s.registration == REGISTRATION_OPEN };
	pl_sha256(token.ptr, token.len, rule->sha256);
	return rule;
}

struct making {
	struct svc *svc;
	struct pl_task *task;
	struct invite_token token;
	int64_t id;
	int access;
	invite_made_fn *done;
	void *arg;
};

static void make_on_row(void *arg, const struct invite_list *list, const struct pl_err *err)
{
	struct making *m = arg;
	struct invite_made made = { .token = pl_str(m->token.text) };
	struct pl_err gone = { 0 };

	if (err == NULL && list->count == 0) {	/* its room was deleted at the same moment */
		pl_err_set(&gone, PL_E_NOT_FOUND, NULL);
		err = &gone;
	}
	if (err == NULL)
		made.invite = list->rows[0];
	m->done(m->arg, err == NULL ? &made : NULL, err);
}

static void make_read(struct making *m)
{
	struct invite_ask ask = { .creator_id = m->task->who.user_id, .id = m->id, .offset = -1, .limit = 1,
		.access = m->access };

	repo_invite_list(m->svc->db, m->task, &ask, make_on_row, m);
}

static void make_on_created(void *arg, const int64_t *id, const struct pl_err *err)
{
	struct making *m = arg;

	if (err != NULL) {
		m->done(m->arg, NULL, err);
		return;
	}
	m->id = *id;
	make_read(m);
}

static void make_on_renewed(void *arg, const bool *renewed, const struct pl_err *err)
{
	struct making *m = arg;

	if (err != NULL)
		m->done(m->arg, NULL, err);
	else
		make_read(m);
}

void invite_make(struct svc *svc, const struct config *config, struct pl_task *task, const struct invite_new *in,
    int64_t made_id, invite_made_fn *done, void *arg)
{
	struct making *m = pl_alloc(task->pool, sizeof(*m));

	*m = (struct making){ .svc = svc, .task = task, .id = made_id, .access = (int)config->s.invite_access,
		.done = done, .arg = arg };
	invite_token_make(&m->token);
	if (made_id > 0)
		repo_invite_renew(
		    svc->db, task, task->who.user_id, made_id, m->token.sha256, make_on_renewed, m);
	else
		repo_invite_create(svc->db, task, task->who.user_id, in, m->token.sha256, make_on_created, m);
}
