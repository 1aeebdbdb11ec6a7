/* SPDX-License-Identifier: ISC */
/*
 * Routes of identity providers. Browsers call start and callback, so their errors are redirects to the page, which
 * shows them.
 */
#include "api/auth_shape.h"
#include "api/confirm_shape.h"
#include "svc/oidc/oidc.h"

/* NULL: 404 was sent. */
static const struct oidc_settings *provider_of(struct request *request, struct pl_str name)
{
	const struct oidc_settings *provider = config_oidc(request->req->config, name);

	if (provider == NULL)
		request_fail_code(request, PL_E_NOT_FOUND);
	return provider;
}

static struct pl_str cookie_of(const struct request *request)
{
	struct pl_str rest = req_header(request->req, "Cookie"), part, name;

	while (pl_str_cut(&rest, ';', &part))
		if (pl_str_cut(&part, '=', &name) && pl_str_is(pl_str_trim(name), OIDC_COOKIE) && part.ptr != NULL)
			return pl_str_trim(part);
	return PL_STR_NONE;
}

/* Replies depend on the cookie, and their addresses contain codes. */
static void redirect(struct request *request, struct pl_str url)
{
	req_header_set(request->req, "Cache-Control", "no-store");
	req_header_set(request->req, "Referrer-Policy", "no-referrer");
	req_header_add(request->req, "Location", pl_str_c(request->req->task->pool, url));
	request_reply_empty(request);
}

void api_oidc_list(struct request *request)
{
	const struct config *config = request->req->config;
	struct pl_pool *pool = request->req->task->pool;
	struct oidc_provider_out *items = pl_alloc(pool, ((size_t)config->oidc_count + 1) * sizeof(*items));

	for (int i = 0; i < config->oidc_count; i++) {
		const struct oidc_settings *p = &config->oidc[i];

		items[i] = (struct oidc_provider_out){ .name = pl_str(p->name),
			.label = pl_str(p->label[0] != '\0' ? p->label : p->name),
			.start_path = pl_str(pl_sprintf(pool, "/api/auth/oidc/%s/start", p->name)) };
	}
	request_reply_list(request, &shape_oidc_provider_out, items, config->oidc_count);
}

/* ---- start ---- */

static void start_on_begun(void *arg, const struct oidc_begun *begun, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_pool *pool = request->req->task->pool;
	const struct pl_str *page = request->flow;

	if (err != NULL) {
		redirect(request,
		    oidc_page_error(pool, *page, err->code == PL_E_UPSTREAM ? "provider_error" : "unavailable"));
		return;
	}
	req_header_add(request->req, "Set-Cookie", pl_str_c(pool, begun->set_cookie));
	redirect(request, begun->url);
}

void api_oidc_start(struct request *request)
{
	const struct oidc_start_query *q = request->query;
	struct pl_pool *pool = request->req->task->pool;
	struct pl_str *page = pl_alloc(pool, sizeof(*page));
	struct oidc_begin begin = { .provider = provider_of(request, request->param[0]),
		.challenge = q->challenge, .cookie = cookie_of(request) };
	struct pl_err err = { 0 };

	if (begin.provider == NULL)
		return;
	if (!oidc_page(request->req->config, pool, "query.return_to", q->return_to, page, &err) ||
	    !oidc_challenge_ok(pool, "query.challenge", q->challenge, &err)) {
		request_fail(request, &err);
		return;
	}
	request->flow = page;
	begin.return_to = *page;
	req_defer(request->req);
	oidc_begin(request->svc, request->req->config, request->req->task, &begin, start_on_begun, request);
}

/* ---- callback ---- */

static void callback_on_page(void *arg, struct pl_str url)
{
	redirect(arg, url);
}

void api_oidc_callback(struct request *request)
{
	const struct oidc_callback_query *q = request->query;
	struct oidc_return back = { .provider = provider_of(request, request->param[0]), .code = q->code,
		.state = q->state, .error = q->error, .iss = q->iss, .cookie = cookie_of(request) };

	if (back.provider == NULL)
		return;
	req_defer(request->req);
	oidc_return(request->svc, request->req->config, request->req->task, &back, callback_on_page, request);
}

void api_oidc_token(struct request *request)
{
	const struct oidc_token_in *in = request->in;

	req_defer(request->req);
	oidc_login(request->svc, request->req->config, request->req->task, in->code, in->verifier,
	    auth_client_of(request), auth_reply_tokens, request);
}

/* ---- links of the caller ---- */

static void reply_identities(void *arg, const struct identity_list *list, const struct pl_err *err)
{
	struct request *request = arg;
	struct identity_out *items;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	items = pl_alloc(request->req->task->pool, ((size_t)list->count + 1) * sizeof(*items));
	for (int i = 0; i < list->count; i++) {
		const struct identity *row = &list->rows[i];

		items[i] = (struct identity_out){ .id = row->id, .provider = row->provider, .issuer = row->issuer,
			.subject = row->subject, .email = row->email, .created_at = row->created_us,
			.last_used_at = row->used_us > 0 ? row->used_us : SHAPE_NONE };
	}
	request_reply_list(request, &shape_identity_out, items, list->count);
}

void api_identity_list(struct request *request)
{
	repo_identities(request->svc->db, request->req->task, reply_identities, request);
}

static void link_on_begun(void *arg, const struct oidc_begun *begun, const struct pl_err *err)
{
	struct request *request = arg;
	struct identity_begun_out out;

	if (err != NULL) {
		request_fail(request, err);
		return;
	}
	out = (struct identity_begun_out){ .url = begun->url };
	req_header_add(request->req, "Set-Cookie", pl_str_c(request->req->task->pool, begun->set_cookie));
	req_header_set(request->req, "Cache-Control", "no-store");
	request_reply(request, &shape_identity_begun_out, &out);
}

void api_identity_link(struct request *request)
{
	const struct identity_in *in = request->in;
	struct pl_pool *pool = request->req->task->pool;
	struct oidc_begin begin = { .provider = config_oidc(request->req->config, in->provider),
		.cookie = cookie_of(request) };
	struct confirm_given given;
	struct pl_err err = { 0 };

	if (begin.provider == NULL)
		pl_err_field(&err, pool, "body.provider", "value_error", "is not a configured identity provider");
	else
		(void)!oidc_page(request->req->config, pool, "body.return_to", in->return_to, &begin.return_to, &err);
	if (err.code != PL_E_OK) {
		request_fail(request, &err);
		return;
	}
	if (!confirm_of(request, "body.password", in->password, in->code, in->recovery_code, &given))
		return;
	req_defer(request->req);
	oidc_link(request->svc, request->req->config, request->req->task, &begin, &given, link_on_begun, request);
}

static void reply_unlinked(void *arg, const bool *done, const struct pl_err *err)
{
	struct request *request = arg;

	if (err != NULL)
		request_fail(request, err);
	else
		request_reply_empty(request);
}

void api_identity_unlink(struct request *request)
{
	struct confirm_given given;
	int64_t id;

	if (!request_id(request, 0, &id) || !confirm_of_headers(request, &given))
		return;
	req_defer(request->req);
	oidc_unlink(request->svc, request->req->config, request->req->task, id, &given, reply_unlinked, request);
}
