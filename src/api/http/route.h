/* SPDX-License-Identifier: ISC */
/*
 * The table of routes (routes.def) as data, and the search for the row of a path.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "api/http/route_group.h"
#include "api/http/shape.h"
#include "db/repo/apikey_text.h"
#include "db/repo/repo_list.h"
#include "net/req.h"
#include "svc/account/limits.h"

#define REQUEST_PARAMS 3

struct request;

enum route_who { WHO_ANY, WHO_OPT, WHO_USER, WHO_OPERATOR, WHO_ADMIN };
enum route_flags { ROUTE_IDEM = 1, ROUTE_FORM = 2, ROUTE_OUT_LIST = 4, ROUTE_HIDE = 8, ROUTE_DOWN = 16,
	ROUTE_RAW = 32, ROUTE_LATE = 64, ROUTE_SEAL = 128, ROUTE_OPERATOR = 256, ROUTE_EVENTS = 512,
	ROUTE_STRICT = 1024, ROUTE_ENROL = 2048,
	ROUTE_REBUILD = 4096 };
#define LIST_NONE (-1)			/* beside enum list_of */

typedef void (route_fn)(struct request *request);

struct route {
	enum req_method method;
	const char *path;
	route_fn *handler;
	enum route_who who;
	enum apikey_scope scope;	/* an API key needs one of the bits */
	enum limit_class klass;
	size_t body_bytes;
	int64_t deadline_ms;
	const struct shape *query, *in, *out;
	int status;
	unsigned flags;
	enum route_group_id group;
	int list;			/* enum list_of or LIST_NONE */
	const char *summary;
	const char *name;		/* of the handler: operationId */
};
extern const struct route routes[];
extern const int routes_count;

struct ws_route {
	const char *path;
	void (*open)(struct request *request);
	enum route_who who;
	enum apikey_scope scope;
	const char *summary;
};
extern const struct ws_route ws_routes[];
extern const int ws_routes_count;

/* The number of a row in struct shm_stats, for req->endpoint; 0 is a request without a route. */
int route_endpoint(const struct route *route);
int ws_route_endpoint(const struct ws_route *route);

/* route.c: the tree, built once before fork. Ambiguous rows are PL_BUG. */
void route_init(void);
/* NULL and the methods that exist there (bit set of enum req_method; 0: no such path) when there is no such row. */
const struct route *route_find(const struct req *req, struct pl_str params[REQUEST_PARAMS], int *params_r,
    unsigned *methods_r);
const struct ws_route *ws_route_find(const struct req *req, struct pl_str params[REQUEST_PARAMS], int *params_r);

#define ROUTE(method, path, handler, ...) route_fn handler;
#define WSROUTE(path, open, ...) void open(struct request *request);
#include "api/http/routes.def"
#undef ROUTE
#undef WSROUTE

#endif
