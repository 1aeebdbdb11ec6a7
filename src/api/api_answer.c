/* SPDX-License-Identifier: ISC */
/*
 * The page behind the link in mails and Slack messages. GET only shows it, because programs that scan mails follow
 * links; POST answers.
 */
#include "api/link_page.h"
#include "clock.h"
#include "svc/feedback/answer_link.h"
#include "svc/feedback/feedback_request.h"

static void say_error(struct request *request, const struct pl_err *err)
{
	if (err->code == PL_E_NOT_FOUND)
		link_page_say(request, 404, "No such question", "The question no longer exists.");
	else if (err->code == PL_E_CONFLICT)
		link_page_say(request, 409, "Closed", "The question was answered or withdrawn, or it has expired.");
	else if (err->code == PL_E_INVALID)
		link_page_say(request, 422, "Invalid answer", "Go back and choose one of the options.");
	else
		request_fail(request, err);
}

/* Reads the request that the link belongs to. false: a page with an error was sent. */
static bool read_link(struct request *request, struct pl_str *id_r)
{
	char *id = pl_alloc(request->req->task->pool, PL_UUID_LEN + 1);

	*id_r = pl_strn(id, PL_UUID_LEN);
	switch (answer_link_read(request->req->config, request->param[0], pl_wall_us() / PL_US_PER_S, id)) {
	case ANSWER_LINK_BAD:
		link_page_refuse(request);
		return false;
	case ANSWER_LINK_EXPIRED:
		link_page_say(request, 410, "Expired", "The time to answer this question has passed.");
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
	link_page_text(out, v->type == PL_J_STRING ? v->text : context);
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
		link_page_text(out, v->text);
		pl_buf_adds(out, "\"> ");
		link_page_text(out, v->text);
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
		link_page_say(request, 410, "Closed", "The question was answered or withdrawn, or it has expired.");
		return;
	}
	link_page_begin(&out, request, pl_str(pl_sprintf(pool, "%.*s asks", PL_FMT(r->asker))));
	pl_buf_adds(&out, "<p class=\"question\">");
	link_page_text(&out, r->question);
	pl_buf_adds(&out, "</p>\n");
	add_context(&out, pool, r->context);
	add_forms(&out, pool, r);
	link_page_send(request, 200, &out);
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
		link_page_say(arg, 200, "Thank you", "Your answer was saved. You can close this page.");
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
		link_page_say(request, 422, "Reason required", "Go back and enter the reason why you decline.");
	else if (!decline && in->answer.ptr == NULL)
		link_page_say(request, 422, "Answer required", "Go back and enter or choose an answer.");
	else
		feedback_request_answer(
		    request->svc, request->req->task, id, decline, in->answer, in->comment, on_answered, request);
}
