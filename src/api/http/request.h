/* SPDX-License-Identifier: ISC */
/*
 * One request to a route: the input of a handler, and the functions to reply.
 *
 * By the time a handler runs, the dispatcher has matched the row of routes.def, checked token and limits, and read
 * query and body by their shapes. A handler starts one operation and answers in one place.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "api/http/route.h"
#include "net/req.h"
#include "svc/account/auth.h"
#include "svc/account/limits.h"
#include "svc/svc.h"

struct request {
	struct req *req;
	struct svc *svc;
	const struct route *route;	/* NULL for sockets */
	const struct ws_route *ws;
	const void *query, *in;		/* structs of the route's shapes; NULL for shape none */
	struct pl_str param[REQUEST_PARAMS]; /* {..} of the path, in order */
	int params;
	struct auth_who who;		/* token, if one was given and valid */
	struct idem *idem;		/* the reply is kept under an Idempotency-Key */
	/* id of the object that an earlier request with the key created: reply with it, do nothing else */
	struct pl_str made;
	bool made_new;			/* the object did not exist before */
	void *flow;			/* for the handler */
	struct limit_result limits;	/* of the classes checked so far */
	int64_t page_total;		/* of a list by pages that continues from an id; -1: not such a list */
	int64_t id;			/* first path parameter as an id, see request_id() */
};

/* Reads a path parameter as a positive id. Otherwise, sends 404 and returns false. */
bool request_id(struct request *request, int index, int64_t *id_r) PL_MUSTCHECK;
bool request_uuid(struct request *request, int index, struct pl_str *id_r) PL_MUSTCHECK;
bool request_is_admin(const struct request *request);
/* Whether an earlier request with this Idempotency-Key created an object, and its id. */
bool request_made_id(const struct request *request, int64_t *id_r) PL_MUSTCHECK;
/* For rows with OPT: a token was given, or setting `anonymous` names the word; otherwise 401 was sent and false. */
bool request_anonymous(struct request *request, const char *word) PL_MUSTCHECK;

/* Returns whether the scopes of an API key (0: not a key) include one of those. PL_E_SCOPE, PL_E_KEY_REFUSED. */
bool request_scope(unsigned wanted, unsigned scopes, struct pl_pool *pool, struct pl_err *err) PL_MUSTCHECK;

/* Replies. All replies use these functions, so that Idempotency-Key, Location, and limits are handled in one place. */
void request_reply(struct request *request, const struct shape *shape, const void *values);
void request_reply_status(struct request *request, int status, const struct shape *shape, const void *values);
void request_reply_list(struct request *request, const struct shape *shape, const void *items, int count);
void request_reply_empty(struct request *request);
void request_fail(struct request *request, const struct pl_err *err);
void request_fail_code(struct request *request, enum pl_code code);
/* Location of the object that a POST created. */
void request_location(struct request *request, const char *fmt, ...) PL_PRINTF(2, 3);
/* Link: <path?query>; rel="next" */
void request_link_next(struct request *request, const char *fmt, ...) PL_PRINTF(2, 3);

/* Returns whether the header If-None-Match names this entity tag. Weak comparison (RFC 9110 13.1.2). */
bool request_none_match(const struct request *request, const char *etag);

/*
 * Counts the request in a rate class and adds its headers to the reply; false: the refusal was sent. For rows with
 * LATE.
 */
bool request_limits(struct request *request, enum limit_class klass, struct pl_str extra) PL_MUSTCHECK;
/*
 * The same for another class besides the one of the row, which was already counted; the reply shows the tightest limit.
 */
bool request_limits_more(struct request *request, enum limit_class klass, struct pl_str extra) PL_MUSTCHECK;

/* The dispatcher: net's hooks call these. */
void dispatch_request(void *svc, struct req *req);
bool dispatch_admit(void *svc, struct req *req);
bool dispatch_overloaded(void *svc);
bool dispatch_refuse_early(void *svc, struct req *req);

/* access_log.c: hook of net for a request whose reply was sent. */
void access_log_finished(void *svc, struct req *req);

/* page.c */
/* Finds the start of the requested page, then runs the handler. */
void page_run(struct request *request);
/* Copies parameters that have another name (alias.c). PL_E_INVALID: both names were given. */
bool alias_apply(const struct shape *shape, void *values, struct pl_pool *pool, struct pl_err *err) PL_MUSTCHECK;
bool page_wanted(const struct request *request);
/* The query without the parameters for start and length of a list: "name=value&" for each filter, as received. */
const char *page_filters(const struct request *request);
/* The reply for a page: count items of the page, or of the whole list. */
struct pl_str page_json(const struct request *request, const struct shape *shape, const void *items, int count);

/* idempotency.c */
/*
 * Claims the key, then runs the handler by `go`, or replies. The writes of the handler send the key. If the work was
 * done by a request whose reply was lost, the handler gets request->made.
 */
void idem_begin(struct request *request, struct pl_str key, void (*go)(struct request *request));
void idem_reply(struct request *request, int status, struct pl_str body, struct pl_str location);
/* Releases the key, then sends the error. */
void idem_fail(struct request *request, const struct pl_err *err);

#endif
