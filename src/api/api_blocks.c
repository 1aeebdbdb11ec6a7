/* SPDX-License-Identifier: ISC */
/* Routes of blocked users. Blocked users cannot see any of it. */
#include "api/user_ref.h"
#include "db/repo/repo_block.h"

static void on_changed(void *arg, const bool *done, const struct pl_err *err)
{
	if (err != NULL)
		request_fail(arg, err);
	else
		request_reply_empty(arg);
}

void api_block_add(struct request *request)
{
	static const char *const whom[] = { "all", "shared_rooms", "off" };
	const struct settings *s = &request->req->config->s;
	struct pl_str name;
	int64_t id;

	if (user_ref_param(request, 0, &id, &name))
		repo_block_add(request->svc->db, request->req->task, request->req->task->who.user_id,
		    whom[request_is_admin(request) ? DIRECTORY_ALL : s->user_directory], id, name, s->blocks_per_user,
		    on_changed, request);
}

void api_block_remove(struct request *request)
{
	struct pl_str name;
	int64_t id;

	if (user_ref_param(request, 0, &id, &name))
		repo_block_remove(request->svc->db, request->req->task, request->req->task->who.user_id, id, name,
		    on_changed, request);
}

static void on_blocks(void *arg, const struct block_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct block_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		items[i] = (struct block_out){ .user_id = list->rows[i].user_id, .username = list->rows[i].username,
			.name = list->rows[i].name, .created_at = list->rows[i].created_us };
	request_reply_list(request, &shape_block_out, items, list->count);
}

void api_block_list(struct request *request)
{
	repo_block_list(request->svc->db, request->req->task, request->req->task->who.user_id, on_blocks, request);
}
