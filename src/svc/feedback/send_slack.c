/* SPDX-License-Identifier: ISC */
/*
 * Messages to a Slack incoming webhook.
 */
#include <stdio.h>

#include "clock.h"
#include "net/httpc.h"
#include "svc/feedback/mail_text.h"
#include "svc/feedback/send.h"

#define CONNECT_MS 10000
#define TOTAL_MS 30000

struct post {
	struct event_base *base;
	struct job_out *out;
	char reply[101];		/* beginning of the reply */
	size_t reply_len;
};

bool job_slack_ready(const struct config *config)
{
	return config->s.slack_webhook[0] != '\0';
}

static bool on_body(void *arg, const struct httpc_head *head, const char *data, size_t len)
{
	struct post *post = arg;

	for (size_t i = 0; i < len && post->reply_len < sizeof(post->reply) - 1; i++)
		post->reply[post->reply_len++] = data[i] >= ' ' && data[i] <= '~' ? data[i] : '?';
	return true;
}

static void on_done(void *arg, const struct httpc_result *result, const struct pl_err *err)
{
	struct post *post = arg;
	int status = result->head.status;
	struct job_end end = { .result = JOB_DONE };

	if (err != NULL)
		snprintf(end.why, sizeof(end.why), "Slack cannot be reached (%s)", pl_err_info(err->code)->code);
	else if (status != 200)
		snprintf(end.why, sizeof(end.why), "Slack answered %d %s", status, post->reply);
	if (err != NULL || status == 429 || status >= 500)
		end.result = JOB_RETRY;
	else if (status != 200)
		end.result = JOB_DEAD;
	if (err == NULL && result->head.retry_after_ms > 0)
		end.delay_us = result->head.retry_after_ms * 1000;
	job_ended(post->out, &end);
	event_base_loopbreak(post->base);
}

void job_slack_run(const struct job *job, const struct config *config, struct job_out *out)
{
	struct httpc_header type = { "Content-Type", PL_STR("application/json") };
	struct httpc_request request = { .method = "POST", .url = config->s.slack_webhook, .url_secret = true,
		.headers = &type, .headers_count = 1, .connect_ms = CONNECT_MS, .total_ms = TOTAL_MS,
		.max_body_bytes = 65536 };
	struct pl_task *task = pl_task_new(pl_now_ns() + 2 * TOTAL_MS * PL_NS_PER_MS);
	struct post post = { .base = event_base_new(), .out = out };
	struct httpc *client = httpc_new(post.base);

	job_secret(out, pl_str(config->s.slack_webhook));
	job_in_doubt(out);
	request.body = feedback_request_slack(task->pool, job, send_link(job, config, task->pool, out));
	httpc_start(client, task, &request, on_body, on_done, &post);
	event_base_dispatch(post.base);
	httpc_free(&client);
	event_base_free(post.base);
	pl_task_release(&task);
}
