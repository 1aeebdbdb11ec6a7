/* SPDX-License-Identifier: ISC */
/*
 * Texts of mails (RFC 5322, 2045, 2047) and of Slack messages (JSON of incoming webhooks). Pure functions.
 */
#ifndef SVC_MAIL_TEXT_H
#define SVC_MAIL_TEXT_H

#include "db/repo/repo_job.h"
#include "str.h"

struct mail_text {
	struct pl_str from, to;		/* addresses without names */
	struct pl_str subject, body;	/* UTF-8; line ends in the body are LF */
	struct pl_str id;		/* left part of the Message-ID; its domain is that of `from` */
	int64_t wall_us;
	struct pl_str unsubscribe;	/* address for List-Unsubscribe (RFC 2369, and 8058 if https); absent: none */
};
/* The whole message with CRLF line ends, in pool. Control characters in the subject become blanks. */
struct pl_str mail_text(struct pl_pool *pool, const struct mail_text *mail);

/*
 * Mails about an account, by `what` of their job: reset, verify, change, moving, moved. page: what the link to it is
 * called, "" when the mail has no link. NULL: there is no such mail.
 */
struct account_mail { const char *what, *page; };
const struct account_mail *account_mail_find(struct pl_str what);
struct pl_str account_mail_subject(struct pl_pool *pool, const struct account_mail *mail, const char *server_name);
struct pl_str account_mail_body(struct pl_pool *pool, const struct account_mail *mail, const char *server_name,
    struct pl_str username, struct pl_str link);

/* Subject and body of a feedback request; `link` leads to the form for the answer. */
struct pl_str feedback_request_subject(struct pl_pool *pool, const struct job *item);
struct pl_str feedback_request_body(struct pl_pool *pool, const struct job *item, struct pl_str link);
/*
 * The same as JSON for a Slack incoming webhook: text and blocks (docs.slack.dev, "Sending messages using incoming
 * webhooks").
 */
struct pl_str feedback_request_slack(struct pl_pool *pool, const struct job *item, struct pl_str link);

#endif
