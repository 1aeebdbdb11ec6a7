/* SPDX-License-Identifier: ISC */
/*
 * The page behind the link in mails and Slack messages. GET only shows it, because programs that scan mails follow
 * links; POST answers.
 */
#include "api/http/request.h"
#include "clock.h"
#include "svc/feedback/answer_link.h"
#include "svc/feedback/feedback_request.h"

#define PAGE_POLICY "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

static void add_text(struct pl_buf *out, struct pl_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		switch (text.ptr[i]) {
		case '&':
			pl_buf_adds(out, "&amp;");
			break;
		case '<':
			pl_buf_adds(out, "&lt;");
			break;
		case '>':
			pl_buf_adds(out, "&gt;");
			break;
		case '"':
			pl_buf_adds(out, "&quot;");
			break;
		default:
			pl_buf_addc(out, text.ptr[i]);
		}
	}
}

static void page_begin(struct pl_buf *out, const struct request *request, struct pl_str title)
{
	pl_buf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\"><title>");
	add_text(out, pl_str(request->req->config->s.server_name));
	pl_buf_adds(out, "</title><link rel=\"stylesheet\" href=\"/static/answer.css\"></head><body><main><h1>");
	add_text(out, title);
	pl_buf_adds(out, "</h1>\n");
}

static void page_send(struct request *request, int status, struct pl_buf *out)
{
	pl_buf_adds(out, "</main></body></html>\n");
	req_header_add(request->req, "Content-Security-Policy", PAGE_POLICY);
	req_header_add(request->req, "Cache-Control", "no-store");
	req_header_add(request->req, "Referrer-Policy", "same-origin");
	req_reply(request->req, status, "text/html; charset=utf-8", pl_buf_str(out));
}

static void say(struct request *request, int status, const char *title, const char *text)
{
	struct pl_buf out = PL_BUF(request->req->task->pool);

	page_begin(&out, request, pl_str(title));
	pl_buf_addf(&out, "<p>%s</p>\n", text);
	page_send(request, status, &out);
}

static void say_error(struct request *request, const struct pl_err *err)
{
	if (err->code == PL_E_NOT_FOUND)
		say(request, 404, "No such question", "The question no longer exists.");
	else if (err->code == PL_E_CONFLICT)
		say(request, 409, "Closed", "The question was answered or withdrawn, or it has expired.");
	else if (err->code == PL_E_INVALID)
		say(request, 422, "Invalid answer", "Go back and choose one of the options.");
	else
		request_fail(request, err);
}

/* Browsers get a page, other programs the usual error. */
static void refuse_link(struct request *request)
{
	struct pl_str accept = req_header(request->req, "Accept");

	if (accept.ptr != NULL && memmem(accept.ptr, accept.len, "text/html", 9) != NULL)
		say(request, 404, "Invalid link", "The mail program may have cut the link. Copy the whole link.");
	else
		request_fail_code(request, PL_E_NOT_FOUND);
}

/* Reads the request that the link belongs to. false: a page with an error was sent. */
static bool read_link(struct request *request, struct pl_str *id_r)
{
	char *id = pl_alloc(request->req->task->pool, PL_UUID_LEN + 1);

	*id_r = pl_strn(id, PL_UUID_LEN);
	switch (answer_link_read(request->req->config, request->param[0], pl_wall_us() / PL_US_PER_S, id)) {
	case ANSWER_LINK_BAD:
		refuse_link(request);
		return false;
	case ANSWER_LINK_EXPIRED:
		say(request, 410, "Expired", "The time to answer this question has passed.");
		return false;
	case ANSWER_LINK_GOOD:
		break;
	}
	return true;
}

/* ---- the page ---- */

static void add_context(struct pl_buf *out, struct pl_pool *pool, struct pl_str context)
{
	struct pl_err err = { 0 };
	const struct pl_jval *v = context.ptr != NULL ? pl_json_parse(pool, context, &err) : NULL;

	if (v == NULL)
		return;
	pl_buf_adds(out, "<pre>");
	add_text(out, v->type == PL_J_STRING ? v->text : context);
	pl_buf_adds(out, "</pre>\n");
}

static void add_choice(struct pl_buf *out, struct pl_pool *pool, struct pl_str options)
{
	struct pl_err err = { 0 };
	const struct pl_jval *list = options.ptr != NULL ? pl_json_parse(pool, options, &err) : NULL;

	if (list == NULL) {
		pl_buf_adds(out,
		    "<p><label>Answer<br><textarea name=\"answer\" rows=\"5\" maxlength=\"4000\" "
		    "required></textarea></label></p>\n");
		return;
	}
	for (const struct pl_jval *v = list->first; v != NULL; v = v->next) {
		pl_buf_adds(out, "<p><label><input type=\"radio\" name=\"answer\" required value=\"");
		add_text(out, v->text);
		pl_buf_adds(out, "\"> ");
		add_text(out, v->text);
		pl_buf_adds(out, "</label></p>\n");
	}
}

static void add_forms(struct pl_buf *out, struct pl_pool *pool, const struct feedback_request *r)
{
	pl_buf_adds(out, "<form method=\"post\">\n");
	add_choice(out, pool, r->options);
	pl_buf_adds(out, "<p><label>Comment<br><input name=\"comment\" maxlength=\"2000\"></label></p>\n"
	    "<p><button>Answer</button></p></form>\n<form method=\"post\"><input type=\"hidden\" name=\"decline\" "
	    "value=\"true\">"
	    "<p><label>Or decline, with the reason<br><input name=\"comment\" maxlength=\"2000\" required></label></p>"
	    "<p><button>Decline</button></p></form>\n");
}

static void on_shown(void *arg, const struct feedback_request *r, const struct pl_err *err)
{
	struct request *request = arg;
	struct pl_pool *pool = request->req->task->pool;
	struct pl_buf out = PL_BUF(pool);

	if (err != NULL) {
		say_error(request, err);
		return;
	}
	if (!pl_str_is(r->status, "created") && !pl_str_is(r->status, "sent")) {
		say(request, 410, "Closed", "The question was answered or withdrawn, or it has expired.");
		return;
	}
	page_begin(&out, request, pl_str(pl_sprintf(pool, "%.*s asks", PL_FMT(r->asker))));
	pl_buf_adds(&out, "<p class=\"question\">");
	add_text(&out, r->question);
	pl_buf_adds(&out, "</p>\n");
	add_context(&out, pool, r->context);
	add_forms(&out, pool, r);
	page_send(request, 200, &out);
}

void api_answer_page(struct request *request)
{
	struct pl_str id;

	if (read_link(request, &id))
		repo_feedback_request_get(request->svc->db, request->req->task, id, 0, on_shown, request);
}

static void on_answered(void *arg, bool answered, const struct feedback_request *r, const struct pl_err *err)
{
	if (answered)
		say(arg, 200, "Thank you", "Your answer was saved. You can close this page.");
	else
		say_error(arg, err);
}

void api_answer_post(struct request *request)
{
	const struct answer_in *in = request->in;
	bool decline = in->decline == 1;
	struct pl_str id;

	if (!read_link(request, &id))
		return;
	if (decline && in->comment.len == 0)
		say(request, 422, "Reason required", "Go back and enter the reason why you decline.");
	else if (!decline && in->answer.ptr == NULL)
		say(request, 422, "Answer required", "Go back and enter or choose an answer.");
	else
		feedback_request_answer(
		    request->svc, request->req->task, id, decline, in->answer, in->comment, on_answered, request);
}
