/* SPDX-License-Identifier: ISC */
/* Routes of the directory: the users that a user can find (setting user_directory). */
#include "api/user_ref.h"
#include "db/repo/repo_people.h"

#define PEOPLE_USUAL 50

/* Admins manage accounts that share no room with them. */
static const char *whom(const struct request *request)
{
	static const char *const words[] = { "all", "shared_rooms", "off" };

	return words[request_is_admin(request) ? DIRECTORY_ALL : request->req->config->s.user_directory];
}

static void person_shape(struct person_out *out, const struct person *person)
{
	*out = (struct person_out){ .id = person->id, .username = person->username, .name = person->name,
		.created_at = person->created_us };
}

static void on_people(void *arg, const struct person_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct person_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++)
		person_shape(&items[i], &list->rows[i]);
	if (page_wanted(request))
		request->page_total = list->total;
	else if (list->more)
		request_link_next(request, "%safter=%lld&limit=%d", page_filters(request),
		    (long long)items[list->count - 1].id, list->count);
	request_reply_list(request, &shape_person_out, items, list->count);
}

void api_people(struct request *request)
{
	const struct people_query *q = request->query;
	struct people_ask ask = { .user_id = request->req->task->who.user_id, .whom = whom(request), .query = q->query,
		.after = q->after == SHAPE_NONE ? 0 : q->after, .offset = -1,
		.limit = q->limit == SHAPE_NONE ? PEOPLE_USUAL : (int)q->limit };

	if (page_wanted(request)) {
		ask.after = 0;
		ask.offset = (q->page - 1) * q->page_size;
		ask.limit = (int)q->page_size;
	}
	repo_people_find(request->svc->db, request->req->task, &ask, on_people, request);
}

static void on_person(void *arg, const struct person *person, const struct pl_err *err)
{
	struct person_out out;

	if (err != NULL) {
		request_fail(arg, err);
		return;
	}
	person_shape(&out, person);
	request_reply(arg, &shape_person_out, &out);
}

void api_person(struct request *request)
{
	struct pl_str name;
	int64_t id;

	if (user_ref_param(request, 0, &id, &name))
		repo_person_get(request->svc->db, request->req->task, request->req->task->who.user_id, whom(request),
		    id, name, on_person, request);
}
