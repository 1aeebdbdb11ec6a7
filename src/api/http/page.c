/* SPDX-License-Identifier: ISC */
/*
 * Replies with pages of a list if the query contains page, page_size, or cursor: {items, total, total_count, page,
 * page_size, next, has_more}; sessions also as `sessions`.
 *
 * If the handler returns the whole list, it is cut here. For a list that continues from an id (column `list` of
 * routes.def), a query finds where the page begins and how long the list is; then the handler runs as if the request
 * had contained that id. Sessions find their page themselves.
 */
#include "api/http/request.h"

#define SIZE_USUAL 50
#define WHOLE_MAX 10000

/* A field of the query; NULL: its shape has no such field. */
static void *field(const struct request *request, const char *name)
{
	const struct shape *shape = request->route->query;

	for (int i = 0; request->query != NULL && i < shape->count; i++)
		if (strcmp(shape->fields[i].name, name) == 0)
			return (char *)(uintptr_t)request->query + shape->fields[i].offset;
	return NULL;
}

static int64_t number(const struct request *request, const char *name)
{
	const int64_t *at = field(request, name);

	return at != NULL ? *at : SHAPE_NONE;
}

static void set_number(const struct request *request, const char *name, int64_t value)
{
	int64_t *at = field(request, name);

	if (at != NULL)
		*at = value;
}

bool page_wanted(const struct request *request)
{
	return number(request, "page") != SHAPE_NONE || number(request, "page_size") != SHAPE_NONE;
}

static void on_place(void *arg, const struct list_place *place, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	request->page_total = place->total;
	set_number(request, "after", place->last);
	if (place->last != 0)
		set_number(request, "before", place->last == INT64_MAX ? 1 : -place->last);
	request->route->handler(request);
}

void page_run(struct request *request)
{
	const struct pl_str *role = field(request, "role"), *status = field(request, "status");
	struct list_ask ask = { .user_id = request->req->task->who.user_id, .asked = role != NULL &&
		pl_str_is(*role, "asked"), .status = status != NULL ? *status : PL_STR_NONE };

	request->page_total = -1;
	if (number(request, "page") == SHAPE_NONE && number(request, "cursor") != SHAPE_NONE)
		set_number(request, "page", number(request, "cursor"));
	if (!page_wanted(request)) {
		request->route->handler(request);
		return;
	}
	if (number(request, "page") == SHAPE_NONE)
		set_number(request, "page", 1);
	if (number(request, "page_size") == SHAPE_NONE)
		set_number(request, "page_size", SIZE_USUAL);
	ask.offset = (number(request, "page") - 1) * number(request, "page_size");
	if (request->route->list != LIST_NONE) {
		ask.list = (enum list_of)request->route->list;
		if (request->params > 0 && !request_id(request, 0, &ask.id))
			return;
		set_number(request, "limit", number(request, "page_size"));
		repo_list_place(request->svc->db, request->req->task, &ask, on_place, request);
		return;
	}
	set_number(request, "limit", WHOLE_MAX);
	request->route->handler(request);
}

const char *page_filters(const struct request *request)
{
	static const char *const not_filters[] = { "page=", "page_size=", "cursor=", "limit=", "offset=", "after=",
		"before=" };
	struct pl_buf out = PL_BUF(request->req->task->pool);
	struct pl_str rest = request->req->query, part;

	while (rest.ptr != NULL && pl_str_cut(&rest, '&', &part)) {
		bool filter = part.len > 0;

		for (size_t i = 0; i < PL_COUNT(not_filters); i++)
			filter = filter && !pl_str_starts(part, not_filters[i]);
		if (filter)
			pl_buf_addf(&out, "%.*s&", PL_FMT(part));
	}
	return pl_buf_str(&out).ptr;
}

struct pl_str page_json(const struct request *request, const struct shape *shape, const void *items, int count)
{
	struct pl_pool *pool = request->req->task->pool;
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);
	int64_t page = number(request, "page"), size = number(request, "page_size"), total = request->page_total;
	int64_t skip = 0, rows = count;
	struct pl_str list;

	if (total < 0) {	/* the whole list */
		total = count;
		skip = (page - 1) * size < total ? (page - 1) * size : total;
		rows = total - skip < size ? total - skip : size;
	}
	list = shape_json_list(shape, (const char *)items + (size_t)skip * shape->bytes, (int)rows, pool);
	pl_jw_object(&w);
	pl_jw_kraw(&w, "items", list);
	if (shape == &shape_session_out)
		pl_jw_kraw(&w, "sessions", list);
	pl_jw_ki64(&w, "total", total);
	pl_jw_ki64(&w, "total_count", total);
	pl_jw_kbool(&w, "has_more", page * size < total);
	pl_jw_ki64(&w, "page", page);
	pl_jw_ki64(&w, "page_size", size);
	if (page * size < total)
		pl_jw_kcstr(&w, "next", pl_sprintf(pool, "%.*s?%spage=%lld&page_size=%lld", PL_FMT(request->req->path),
		    page_filters(request), (long long)(page + 1), (long long)size));
	else
		pl_jw_kraw(&w, "next", PL_STR("null"));
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}
