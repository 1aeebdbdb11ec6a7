/* SPDX-License-Identifier: ISC */
/* Adds and deletes documents of the knowledge base: checks who may do that, and announces changes. */
#include "db/repo/repo_user.h"
#include "leaf.h"
#include "svc/account/audit.h"
#include "svc/knowledge/chunk.h"
#include "svc/knowledge/knowledge.h"

struct adding { struct svc *svc; struct pl_task *task; repo_knowledge_fn *done; void *arg; };
struct removing { struct svc *svc; struct pl_task *task; int64_t id; db_done_fn *done; void *arg; };

bool knowledge_may_change(const struct pl_caller *who, struct pl_err *err)
{
	return who->access >= ACCESS_OPERATOR || pl_err_set(err, PL_E_FORBIDDEN, NULL);
}

bool knowledge_language(const struct config *config, struct pl_pool *pool, struct pl_str *language, struct pl_err *err)
{
	if (language->ptr == NULL)
		*language = pl_str(settings_languages[config->s.knowledge_language]);
	for (int i = 0; settings_languages[i] != NULL; i++)
		if (pl_str_eq(*language, pl_str(settings_languages[i])))
			return true;
	return pl_err_field(err, pool, "body.language", "value_error",
	    "is not a known language (ISO 639-1, such as en, or und)");
}

static void adding_on_put(void *arg, const struct knowledge *document, const struct pl_err *err)
{
	struct adding *a = arg;

	if (err == NULL) {
		knowledge_changed(a->svc);
		audit_note(a->svc, a->task, "document added", "knowledge:%lld", (long long)document->id);
	}
	a->done(a->arg, document, err);
}

void knowledge_add(struct svc *svc, struct pl_task *task, const struct knowledge *in, repo_knowledge_fn *done,
    void *arg)
{
	struct knowledge document = *in;
	struct adding *a = pl_alloc(task->pool, sizeof(*a));
	unsigned char digest[32];
	char hex[65];

	*a = (struct adding){ .svc = svc, .task = task, .done = done, .arg = arg };
	pl_sha256(in->text.ptr, in->text.len, digest);
	pl_hex(digest, sizeof(digest), hex);
	document.sha256 = pl_strn(hex, 64);
	repo_knowledge_put(svc->db, task, task->who.user_id, &document, chunk_json(task->pool, in->text),
	    adding_on_put, a);
}

static void removing_on_deleted(void *arg, const bool *done, const struct pl_err *err)
{
	struct removing *r = arg;

	if (err == NULL) {
		knowledge_changed(r->svc);
		audit_note(r->svc, r->task, "document deleted", "knowledge:%lld", (long long)r->id);
	}
	r->done(r->arg, done, err);
}

void knowledge_remove(struct svc *svc, struct pl_task *task, int64_t id, db_done_fn *done, void *arg)
{
	struct removing *r = pl_alloc(task->pool, sizeof(*r));

	*r = (struct removing){ .svc = svc, .task = task, .id = id, .done = done, .arg = arg };
	repo_knowledge_delete(svc->db, task, id, removing_on_deleted, r);
}
