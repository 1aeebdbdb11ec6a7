/* SPDX-License-Identifier: ISC */
/*
 * Lists by pages where the query names page, page_size or cursor: {items, total, total_count, page, page_size, next,
 * has_more}; sessions also as `sessions`.
 *
 * A list that its handler gives as a whole is cut here. One that goes on from an id (column list of routes.def) is
 * asked where the page begins and how long it is; then its handler runs as if that id had come in the query. Sessions
 * find their page themselves.
 */
#include "api/http/call.h"

#define SIZE_USUAL 50
#define WHOLE_MAX 10000

/* A field of the query; NULL: its shape has none of that name. */
static void *field(const struct call *call, const char *name)
{
	const struct shape *shape = call->route->query;

	for (int i = 0; call->query != NULL && i < shape->count; i++)
		if (strcmp(shape->fields[i].name, name) == 0)
			return (char *)(uintptr_t)call->query + shape->fields[i].offset;
	return NULL;
}

static int64_t number(const struct call *call, const char *name)
{
	const int64_t *at = field(call, name);

	return at != NULL ? *at : SHAPE_NONE;
}

static void set_number(const struct call *call, const char *name, int64_t value)
{
	int64_t *at = field(call, name);

	if (at != NULL)
		*at = value;
}

bool page_wanted(const struct call *call)
{
	return number(call, "page") != SHAPE_NONE || number(call, "page_size") != SHAPE_NONE;
}

static void on_place(void *arg, const struct list_place *place, const struct pl_err *err)
{
	struct call *call = arg;

	if (err != NULL) {
		call_fail(call, err);
		return;
	}
	call->page_total = place->total;
	set_number(call, "after", place->last);
	if (place->last != 0)
		set_number(call, "before", place->last == INT64_MAX ? 1 : -place->last);
	call->route->handler(call);
}

void page_run(struct call *call)
{
	const struct pl_str *role = field(call, "role"), *status = field(call, "status");
	struct list_ask ask = { .user_id = call->req->task->who.user_id, .asked = role != NULL &&
		pl_str_is(*role, "asked"), .status = status != NULL ? *status : PL_STR_NONE };

	call->page_total = -1;
	if (number(call, "page") == SHAPE_NONE && number(call, "cursor") != SHAPE_NONE)
		set_number(call, "page", number(call, "cursor"));
	if (!page_wanted(call)) {
		call->route->handler(call);
		return;
	}
	if (number(call, "page") == SHAPE_NONE)
		set_number(call, "page", 1);
	if (number(call, "page_size") == SHAPE_NONE)
		set_number(call, "page_size", SIZE_USUAL);
	ask.offset = (number(call, "page") - 1) * number(call, "page_size");
	if (call->route->list != LIST_NONE) {
		ask.list = (enum list_of)call->route->list;
		if (call->params > 0 && !call_id(call, 0, &ask.id))
			return;
		set_number(call, "limit", number(call, "page_size"));
		repo_list_place(call->svc->db, call->req->task, &ask, on_place, call);
		return;
	}
	set_number(call, "limit", WHOLE_MAX);
	call->route->handler(call);
}

const char *page_filters(const struct call *call)
{
	static const char *const not_filters[] = { "page=", "page_size=", "cursor=", "limit=", "offset=", "after=",
		"before=" };
	struct pl_buf out = PL_BUF(call->req->task->pool);
	struct pl_str rest = call->req->query, part;

	while (rest.ptr != NULL && pl_str_cut(&rest, '&', &part)) {
		bool filter = part.len > 0;

		for (size_t i = 0; i < PL_COUNT(not_filters); i++)
			filter = filter && !pl_str_starts(part, not_filters[i]);
		if (filter)
			pl_buf_addf(&out, "%.*s&", PL_FMT(part));
	}
	return pl_buf_str(&out).ptr;
}

struct pl_str page_json(const struct call *call, const struct shape *shape, const void *items, int count)
{
	struct pl_pool *pool = call->req->task->pool;
	struct pl_buf buf = PL_BUF(pool);
	struct pl_jw w = PL_JW(&buf);
	int64_t page = number(call, "page"), size = number(call, "page_size"), total = call->page_total;
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
		pl_jw_kcstr(&w, "next", pl_sprintf(pool, "%.*s?%spage=%lld&page_size=%lld", PL_FMT(call->req->path),
		    page_filters(call), (long long)(page + 1), (long long)size));
	else
		pl_jw_kraw(&w, "next", PL_STR("null"));
	pl_jw_end_object(&w);
	return pl_buf_str(&buf);
}
