/* SPDX-License-Identifier: ISC */
/*
 * The job of a daily mail with unread notifications. The clerk queues it (notify_watch.c); what it says comes with the
 * claim (digest_make() in SQL), so that the job stores no content, and notifications that were read meanwhile are left
 * out.
 */
#include "json.h"
#include "svc/feedback/send.h"
#include "svc/notify/digest_text.h"
#include "svc/notify/notify_link.h"

bool job_digest_ready(const struct config *config)
{
	return job_mail_ready(config);
}

void job_digest_run(const struct job *job, const struct config *config, struct job_out *out)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_err err = { 0 };
	const struct pl_jval *content = pl_json_parse(pool, job->payload, &err);
	struct pl_str base = send_base(config), page = PL_STR_NONE, token;
	struct mail_text text = { .to = pl_json_str(pl_json_get(content, "to")), .unsubscribe = PL_STR_NONE };
	int64_t user_id;

	if (base.len > 0 && pl_json_i64(pl_json_get(content, "user"), 1, INT64_MAX, &user_id)) {
		token = notify_link_make(config, pool, user_id);
		job_secret(out, token);
		page = pl_str(pl_sprintf(pool, "%.*s/", PL_FMT(base)));
		text.unsubscribe = pl_str(pl_sprintf(pool, "%.*s/unsubscribe/%.*s", PL_FMT(base), PL_FMT(token)));
	}
	text.subject = digest_subject(pool, content, config->s.server_name);
	text.body = digest_body(pool, content, config->s.server_name, page, text.unsubscribe);
	send_mail(job, config, pool, text, out);
	pl_pool_free(&pool);
}
