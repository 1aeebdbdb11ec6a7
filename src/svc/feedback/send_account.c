/* SPDX-License-Identifier: ISC */
/*
 * Mails to a user about the user's account. The token of the link comes with the claim (account_mail_make() in SQL) and
 * is not stored. It is in the fragment of the URL, which browsers do not send to servers.
 */
#include "json.h"
#include "svc/feedback/send.h"

bool job_account_mail_ready(const struct config *config)
{
	return job_mail_ready(config) && config->s.public_url[0] != '\0';
}

void job_account_mail_run(const struct job *job, const struct config *config, struct job_out *out)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_err err = { 0 };
	const struct pl_jval *payload = pl_json_parse(pool, job->payload, &err);
	struct pl_str token = pl_json_str(pl_json_get(payload, "token"));
	const struct account_mail *mail = account_mail_find(pl_json_str(pl_json_get(payload, "what")));
	struct mail_text text = { .to = pl_json_str(pl_json_get(payload, "to")) };
	const struct job_end unknown = { .result = JOB_DEAD, .why = "There is no such mail." };

	if (token.ptr != NULL)
		job_secret(out, token);
	if (mail == NULL) {
		job_ended(out, &unknown);
	} else {
		text.subject = account_mail_subject(pool, mail, config->s.server_name);
		text.body = account_mail_body(pool, mail, config->s.server_name,
		    pl_json_str(pl_json_get(payload, "username")),
		    pl_str(pl_sprintf(pool, "%.*s/%s#%.*s", PL_FMT(send_base(config)), mail->page, PL_FMT(token))));
		send_mail(job, config, pool, text, out);
	}
	pl_pool_free(&pool);
}
