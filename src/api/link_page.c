/* SPDX-License-Identifier: ISC */
/* Pages behind links in mails. */
#include "api/link_page.h"

#define PAGE_POLICY "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

void link_page_text(struct pl_buf *out, struct pl_str text)
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

void link_page_begin(struct pl_buf *out, const struct request *request, struct pl_str title)
{
	pl_buf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\"><title>");
	link_page_text(out, pl_str(request->req->config->s.server_name));
	pl_buf_adds(out, "</title><link rel=\"stylesheet\" href=\"/static/answer.css\"></head><body><main><h1>");
	link_page_text(out, title);
	pl_buf_adds(out, "</h1>\n");
}

void link_page_send(struct request *request, int status, struct pl_buf *out)
{
	pl_buf_adds(out, "</main></body></html>\n");
	req_header_add(request->req, "Content-Security-Policy", PAGE_POLICY);
	req_header_add(request->req, "Cache-Control", "no-store");
	req_header_add(request->req, "Referrer-Policy", "same-origin");
	req_reply(request->req, status, "text/html; charset=utf-8", pl_buf_str(out));
}

void link_page_say(struct request *request, int status, const char *title, const char *text)
{
	struct pl_buf out = PL_BUF(request->req->task->pool);

	link_page_begin(&out, request, pl_str(title));
	pl_buf_addf(&out, "<p>%s</p>\n", text);
	link_page_send(request, status, &out);
}

void link_page_refuse(struct request *request)
{
	struct pl_str accept = req_header(request->req, "Accept");

	if (accept.ptr != NULL && memmem(accept.ptr, accept.len, "text/html", 9) != NULL)
		link_page_say(request, 404, "Invalid link",
		    "The mail program may have cut the link. Copy the whole link.");
	else
		request_fail_code(request, PL_E_NOT_FOUND);
}
