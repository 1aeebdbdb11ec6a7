/* SPDX-License-Identifier: ISC */
/*
 * Mails and Slack messages as jobs (send_mail.c, send_account.c, send_slack.c; svc/job/kinds.def names their
 * functions).
 */
#ifndef SVC_SEND_H
#define SVC_SEND_H

#include "svc/feedback/mail_text.h"
#include "svc/job/job.h"
#include "svc/svc.h"

enum mail_state { MAIL_OFF, MAIL_UP, MAIL_DOWN };
/* State of the last contact of the courier with the mail server; for all processes. */
enum mail_state mail_state(const struct svc *svc, const struct config *config);

/* The link to answer a feedback request. It is a secret, which `out` hides. */
struct pl_str send_link(const struct job *job, const struct config *config, struct pl_pool *pool, struct job_out *out);
/* public_url without trailing slashes. Borrowed. */
struct pl_str send_base(const struct config *config);
/* Sends `subject` and `body` to `to`, and ends the job. The other members of `text` are filled in. */
void send_mail(const struct job *job, const struct config *config, struct pl_pool *pool, struct mail_text text,
    struct job_out *out);

#endif
