/* SPDX-License-Identifier: ISC */
/* Routes about the server: its identity, its health, its pages, and its descriptions. */
#include "api/describe/describe.h"
#include "api/http/request.h"
#include "api/http/www.h"
#include "svc/knowledge/knowledge.h"
#include "clock.h"
#include "db/repo/repo_usage.h"
#include "svc/feedback/send.h"
#include "svc/usage/memo.h"

#define IMPORTED_KEY "usage was imported"

#define PAGE_POLICY "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; " \
	"script-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

#define RESET_POLICY "default-src 'none'; connect-src 'self'; img-src 'self'; style-src 'self'; script-src 'self'; " \
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/* Swagger UI and Redoc write style sheets into their pages; Redoc runs its search in a web worker. */
#define DOCS_POLICY "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " \
	"script-src 'self'; worker-src blob:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; " \
	"form-action 'none'"

static void send_file_as(struct request *request, const struct www_file *file, const char *policy)
{
	if (file == NULL) {
		request_fail_code(request, PL_E_NO_ROUTE);
		return;
	}
	req_header_add(request->req, "Content-Security-Policy", policy);
	req_header_add(request->req, "Cache-Control", "no-cache");
	req_header_add(request->req, "ETag", file->etag);
	if (request_none_match(request, file->etag))
		req_reply_empty(request->req, 304);
	else
		req_reply(request->req, 200, file->type, file->body);
}

static void send_file(struct request *request, const struct www_file *file)
{
	send_file_as(request, file, PAGE_POLICY);
}

void api_root(struct request *request)
{
	static const char *const modes[] = { "open", "invite", "closed" };
	struct pl_str accept = req_header(request->req, "Accept");
	const struct settings *s = &request->req->config->s;
	const struct www_file *page = www_find(PL_STR("index.html"));
	struct info_out out = { .name = pl_str(s->server_name), .status = PL_STR("running"),
		.message = pl_str(pl_sprintf(request->req->task->pool, "%s is running", s->server_name)),
		.version = PL_STR(PARLOUR_VERSION), .registration = pl_str(modes[s->registration]),
		.docs = PL_STR("/docs"), .openapi = PL_STR("/openapi.json"), .health = PL_STR("/health"),
		.websocket = PL_STR("/ws") };

	req_header_add(request->req, "Vary", "Accept");
	if (s->console && page != NULL && accept.ptr != NULL && memmem(accept.ptr, accept.len, "text/html", 9) != NULL)
		send_file(request, page);
	else
		request_reply(request, &shape_info_out, &out);
}

void api_static(struct request *request)
{
	send_file(request, www_find(request->param[0]));
}

void api_reset_page(struct request *request)
{
	send_file_as(request, www_find(PL_STR("reset.html")), RESET_POLICY);
}

void api_join_page(struct request *request)
{
	send_file_as(request, www_find(PL_STR("join.html")), RESET_POLICY);
}

void api_verify_page(struct request *request)
{
	send_file_as(request, www_find(PL_STR("verify.html")), RESET_POLICY);
}

void api_docs(struct request *request)
{
	bool redoc = strcmp(request->route->path, "/redoc") == 0;
	const struct www_file *page = www_find(redoc ? PL_STR("redoc.html") : PL_STR("swagger.html"));

	if (page != NULL)
		send_file_as(request, page, DOCS_POLICY);
	else	/* built without npm */
		send_file(request, www_find(PL_STR("docs.html")));
}

void api_docs_sockets(struct request *request)
{
	send_file(request, www_find(PL_STR("sockets.html")));
}

/* A description and its entity tag, written again if the settings in it have changed. */
struct description {
	void (*write)(struct pl_buf *out, const char *server_name, const char *base);
	struct pl_pool *pool;
	struct pl_str text, server_name, base;
	char etag[WWW_ETAG_BYTES];
};

static void describe(struct description *d, const struct settings *s)
{
	struct pl_buf *out;

	if (d->pool != NULL && pl_str_is(d->server_name, s->server_name) && pl_str_is(d->base, s->public_url))
		return;
	pl_pool_free(&d->pool);
	d->pool = pl_pool_new(0);
	out = pl_alloc(d->pool, sizeof(*out));
	*out = PL_BUF(d->pool);
	d->server_name = pl_str_dup(d->pool, pl_str(s->server_name));
	d->base = pl_str_dup(d->pool, pl_str(s->public_url));
	d->write(out, s->server_name, s->public_url);
	d->text = pl_buf_str(out);
	www_etag(d->text, d->etag);
}

static void send_description(struct request *request, struct description *d)
{
	describe(d, &request->req->config->s);
	req_header_add(request->req, "Cache-Control", "no-cache");
	req_header_add(request->req, "ETag", d->etag);
	if (request_none_match(request, d->etag))
		req_reply_empty(request->req, 304);
	else	/* a copy, because the text may be written again while a slow client reads it */
		req_reply(request->req, 200, "application/json", pl_str_dup(request->req->task->pool, d->text));
}

void api_openapi(struct request *request)
{
	static struct description openapi = { .write = openapi_write };

	send_description(request, &openapi);
}

void api_asyncapi(struct request *request)
{
	static struct description asyncapi = { .write = asyncapi_write };

	send_description(request, &asyncapi);
}

void api_metrics_text(struct request *request)
{
	struct pl_buf buf = PL_BUF(request->req->task->pool);

	metrics_write(&buf, request->svc->shm, request->req->config);
	req_reply(request->req, 200, "text/plain; version=0.0.4; charset=utf-8", pl_buf_str(&buf));
}

struct looking { struct request *request; enum knowledge_state knowledge; };

static void health_reply(struct request *request, enum knowledge_state knowledge, bool imported)
{
	static const char *const words[] = { [KNOWLEDGE_OFF] = "off", [KNOWLEDGE_UP] = "up",
		[KNOWLEDGE_DOWN] = "down" };
	const struct settings *s = &request->req->config->s;
	bool db = db_answers(request->svc->db);
	const struct upstream_settings *upstream = config_upstream(request->req->config, pl_str(s->llm_default));
	bool llm = upstream == NULL ||
	    shm_breaker_get(request->svc->shm,
		llm_breaker_name(request->req->task->pool, upstream, pl_str(upstream->model))) != SHM_OPEN;
	enum mail_state mail = mail_state(request->svc, request->req->config);
	struct services_out services = { .database = db ? PL_STR("up") : PL_STR("down"),
		.llm = llm ? PL_STR("up") : PL_STR("down"), .knowledge = pl_str(words[knowledge]),
		.mail = mail == MAIL_OFF ? PL_STR("off") : mail == MAIL_UP ? PL_STR("up") : PL_STR("down") };
	bool good = db && llm && mail != MAIL_DOWN && knowledge != KNOWLEDGE_DOWN;
	struct health_out out = { .services = &services, .status = good ? PL_STR("healthy") : PL_STR("degraded"),
		.version = PL_STR(PARLOUR_VERSION), .timestamp = pl_wall_us(), .database_connected = db,
		.prodlens_cache_exists = imported, .rag_ready = knowledge == KNOWLEDGE_UP, .storage_ready = db,
		.email_ready = mail == MAIL_UP };

	request_reply_status(request, db ? 200 : 503, &shape_health_out, &out);
}

static void on_imported(void *arg, const bool *imported, const struct pl_err *err)
{
	struct looking *looking = arg;

	if (err == NULL)
		memo_keep(looking->request->svc->memo, PL_STR(IMPORTED_KEY), *imported ? PL_STR("1") : PL_STR("0"));
	health_reply(looking->request, looking->knowledge, err == NULL && *imported);
}

static void on_knowledge(void *arg, enum knowledge_state knowledge)
{
	struct request *request = arg;
	struct pl_str kept = memo_find(request->svc->memo, PL_STR(IMPORTED_KEY));
	struct looking *looking;

	if (kept.ptr != NULL || !db_answers(request->svc->db)) {
		health_reply(request, knowledge, pl_str_is(kept, "1"));
		return;
	}
	looking = pl_alloc(request->req->task->pool, sizeof(*looking));
	*looking = (struct looking){ .request = request, .knowledge = knowledge };
	repo_usage_imported(request->svc->db, request->req->task, on_imported, looking);
}

void api_health(struct request *request)
{
	enum knowledge_state state;

	if (!db_answers(request->svc->db))
		on_knowledge(request, KNOWLEDGE_DOWN);
	else if (knowledge_state_find(request->svc, &state))
		on_knowledge(request, state);
	else
		knowledge_state_ask(request->svc, request->req->config, request->req->task, on_knowledge, request);
}

void api_livez(struct request *request)
{
	struct ready_out out = { .status = PL_STR("ready") };

	request_reply(request, &shape_ready_out, &out);
}

void api_readyz(struct request *request)
{
	struct ready_out out = { .status = PL_STR("ready") };
	bool ready = false;

	if (request->svc->worker->draining)
		out.reason = PL_STR("the server is stopping");
	else if (!db_answers(request->svc->db))
		out.reason = PL_STR("the database does not answer");
	else
		ready = true;
	if (!ready) {
		out.status = PL_STR("not_ready");
		req_header_add(request->req, "Retry-After", "2");
	}
	request_reply_status(request, ready ? 200 : 503, &shape_ready_out, &out);
}
