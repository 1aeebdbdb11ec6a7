/* SPDX-License-Identifier: ISC */
/*
 * The route table of routes.def as data, and the tree that finds a row by the parts of a path.
 */
#include "api/http/request.h"
#include "core/shm_stats.h"
#include "db/repo/name.h"

#define NONE_0 0u
#define IDEM ROUTE_IDEM
#define FORM ROUTE_FORM
#define OUT_LIST ROUTE_OUT_LIST
#define HIDE ROUTE_HIDE
#define DOWN ROUTE_DOWN
#define RAW ROUTE_RAW
#define LATE ROUTE_LATE
#define SEAL ROUTE_SEAL
#define OPERATOR ROUTE_OPERATOR
#define EVENTS ROUTE_EVENTS
#define STRICT ROUTE_STRICT
#define ENROL ROUTE_ENROL
#define REBUILD ROUTE_REBUILD

const struct route routes[] = {
#define ROUTE(method_, path_, handler_, who_, scope_, class_, body_, ms_, query_, in_, out_, status_, \
    flags_, group_, list_, summary_) \
	{ .method = REQ_##method_, .path = path_, .handler = handler_, .who = WHO_##who_, .scope = SCOPE_##scope_, \
	    .klass = LIMIT_##class_, .body_bytes = body_, .deadline_ms = ms_, .query = &shape_##query_, \
	    .in = &shape_##in_, .out = &shape_##out_, \
	    .status = status_, .flags = flags_, .group = GROUP_##group_, .list = LIST_##list_, .summary = summary_, \
	    .name = #handler_ },
#define WSROUTE(...)
#include "api/http/routes.def"
#undef ROUTE
#undef WSROUTE
};
const int routes_count = PL_COUNT(routes);

const struct ws_route ws_routes[] = {
#define ROUTE(...)
#define WSROUTE(path_, open_, who_, scope_, summary_) \
	{ .path = path_, .open = open_, .who = WHO_##who_, .scope = SCOPE_##scope_, .summary = summary_ },
#include "api/http/routes.def"
#undef ROUTE
#undef WSROUTE
};
const int ws_routes_count = PL_COUNT(ws_routes);
_Static_assert(1 + PL_COUNT(routes) + PL_COUNT(ws_routes) <= SHM_ENDPOINTS, "each has a place in /metrics");

int route_endpoint(const struct route *route)
{
	return 1 + (int)(route - routes);
}

int ws_route_endpoint(const struct ws_route *route)
{
	return 1 + routes_count + (int)(route - ws_routes);
}

/* One part of a path. A fixed word takes precedence over {name}: "echo" in /ws/echo is not the id of a session. */
struct node {
	struct pl_str word;
	struct node *first, *next, *any;	/* first: children with words; any: the child for {name} */
	const struct route *by_method[8];	/* index: bit number of the method */
	const struct ws_route *ws;
	unsigned methods;
};

static struct node root;

static int method_bit(enum req_method method)
{
	return __builtin_ctz(method);
}

static struct node *child_need(struct node *at, struct pl_str part)
{
	struct node *n;

	if (part.len > 0 && part.ptr[0] == '{') {
		if (at->any == NULL)
			at->any = pl_new(sizeof(*n));
		return at->any;
	}
	for (n = at->first; n != NULL; n = n->next)
		if (pl_str_eq(n->word, part))
			return n;
	n = pl_new(sizeof(*n));
	n->word = part;
	n->next = at->first;
	at->first = n;
	return n;
}

static struct node *path_need(const char *path)
{
	struct pl_str rest = pl_str(path + 1), part;
	struct node *at = &root;

	while (rest.len > 0 && pl_str_cut(&rest, '/', &part))
		at = child_need(at, part);
	return at;
}

/*
 * In /ws/WORD, the id of a session or the name of a user can be in the place of the word. So names must not be such
 * words.
 */
static void check_reserved(const char *path)
{
	struct pl_str rest = pl_str(path + 1), part;

	if (pl_str_cut(&rest, '/', &part) && rest.len > 0 && pl_str_cut(&rest, '/', &part))
		PL_BUG(part.ptr[0] != '{' && name_fault(part) == NULL);
}

void route_init(void)
{
	if (root.first != NULL)
		return;
	for (int i = 0; i < routes_count; i++) {
		struct node *n = path_need(routes[i].path);
		int bit = method_bit(routes[i].method);

		PL_BUG(n->by_method[bit] != NULL); /* two rows have the same method and path */
		n->by_method[bit] = &routes[i];
		n->methods |= routes[i].method;
	}
	for (int i = 0; i < ws_routes_count; i++) {
		struct node *n = path_need(ws_routes[i].path);

		PL_BUG(n->ws != NULL);
		check_reserved(ws_routes[i].path);
		n->ws = &ws_routes[i];
	}
}

static const struct node *walk(
    const struct node *at, const struct req *req, int i, struct pl_str params[REQUEST_PARAMS], int *n)
{
	const struct node *found;

	if (i == req->segments)
		return at->methods != 0 || at->ws != NULL ? at : NULL;
	for (const struct node *c = at->first; c != NULL; c = c->next)
		if (pl_str_eq(c->word, req->segment[i]) && (found = walk(c, req, i + 1, params, n)) != NULL)
			return found;
	if (at->any == NULL || req->segment[i].len == 0 || *n >= REQUEST_PARAMS)
		return NULL;
	params[(*n)++] = req->segment[i];
	found = walk(at->any, req, i + 1, params, n);
	if (found == NULL)
		(*n)--;
	return found;
}

static const struct node *find(const struct req *req, struct pl_str params[REQUEST_PARAMS], int *params_r)
{
	*params_r = 0;
	return req->segments < 0 ? NULL : walk(&root, req, 0, params, params_r);
}

const struct route *route_find(const struct req *req, struct pl_str params[REQUEST_PARAMS], int *params_r,
    unsigned *methods_r)
{
	const struct node *n = find(req, params, params_r);
	const struct route *row;

	*methods_r = n != NULL ? n->methods : 0;
	if (n == NULL)
		return NULL;
	row = n->by_method[method_bit(req->method)];
	if (row == NULL && req->method == REQ_HEAD)
		row = n->by_method[method_bit(REQ_GET)];
	return row;
}

const struct ws_route *ws_route_find(const struct req *req, struct pl_str params[REQUEST_PARAMS], int *params_r)
{
	const struct node *n = find(req, params, params_r);

	return n != NULL ? n->ws : NULL;
}
