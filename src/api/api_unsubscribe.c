/* SPDX-License-Identifier: ISC */
/*
 * The link in the daily mails with notifications that ends these mails. GET only shows a page, because programs that
 * scan mails follow links; POST ends them (RFC 8058). Neither reveals anything about the account.
 */
#include "api/link_page.h"
#include "db/repo/repo_notification.h"
#include "svc/notify/notify_link.h"

static bool read_link(struct request *request, int64_t *user_id_r)
{
	if (notify_link_read(request->req->config, request->param[0], user_id_r))
		return true;
	link_page_refuse(request);
	return false;
}

void api_unsubscribe_page(struct request *request)
{
	struct pl_buf out = PL_BUF(request->req->task->pool);
	int64_t user_id;

	if (!read_link(request, &user_id))
		return;
	link_page_begin(&out, request, PL_STR("Stop these mails?"));
	pl_buf_adds(&out, "<p>You will not receive the daily mail with notifications any more. The notifications "
	    "remain in your inbox.</p>\n<form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" "
	    "value=\"One-Click\"><p><button>Unsubscribe</button></p></form>\n");
	link_page_send(request, 200, &out);
}

static void on_off(void *arg, const bool *done, const struct pl_err *err)
{
	PL_UNUSED(done);
	if (err != NULL)
		request_fail(arg, err);
	else
		link_page_say(arg, 200, "Unsubscribed", "You will not receive the daily mail any more. To receive it "
		    "again, change the notification settings of your account.");
}

void api_unsubscribe(struct request *request)
{
	int64_t user_id;

	if (read_link(request, &user_id))
		repo_notification_mails_off(request->svc->db, request->req->task, user_id, on_off, request);
}
