/* SPDX-License-Identifier: ISC */
/* Users as parameters of requests. */
#include "api/user_ref.h"

#include "db/repo/name.h"
#include "db/repo/repo_people.h"

struct finding { struct request *request; user_ref_fn *done; };

bool user_ref_body_ok(struct request *request, int64_t user_id, struct pl_str username)
{
	struct pl_pool *pool = request->req->task->pool;
	struct pl_err err = { 0 };

	if (user_id == SHAPE_NONE && username.ptr == NULL)
		pl_err_field(&err, pool, "body.user_id", "missing", "is required, unless username is given");
	else if (user_id != SHAPE_NONE && username.ptr != NULL)
		pl_err_field(&err, pool, "body.username", "value_error", "must not be given together with user_id");
	else
		return true;
	request_fail(request, &err);
	return false;
}

static void on_named(void *arg, const int64_t *user_id, const struct pl_err *err)
{
	struct finding *f = arg;

	if (err != NULL)
		request_fail(f->request, err);
	else
		f->done(f->request, *user_id > 0 ? *user_id : USER_REF_NOBODY);
}

void user_ref_find(struct request *request, int64_t user_id, struct pl_str username, user_ref_fn *done)
{
	struct finding *f;

	if (username.ptr == NULL) {
		done(request, user_id);
		return;
	}
	f = pl_alloc(request->req->task->pool, sizeof(*f));
	*f = (struct finding){ request, done };
	repo_person_named(request->svc->db, request->req->task, username, on_named, f);
}

bool user_ref_param(struct request *request, int index, int64_t *user_id_r, struct pl_str *name_r)
{
	*user_id_r = 0;
	*name_r = PL_STR_NONE;
	if (pl_str_i64(request->param[index], 1, INT64_MAX, user_id_r))
		return true;
	if (name_fault(request->param[index]) == NULL) {
		*name_r = request->param[index];
		return true;
	}
	request_fail_code(request, PL_E_NOT_FOUND);
	return false;
}
