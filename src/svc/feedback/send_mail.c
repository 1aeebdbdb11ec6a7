/* SPDX-License-Identifier: ISC */
/* Mails. The id of the job is the Message-ID of each attempt, so that mail programs recognize a second copy. */
#include "svc/feedback/send.h"

#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "log.h"
#include "net/mailc.h"
#include "svc/feedback/answer_link.h"
#include "svc/feedback/mail_text.h"

#define LINK_LATE_S (30 * 86400)	/* after the timeout of its request, a link is valid for this time */
#define CONNECT_MS 180000
#define LOOK_MS 10000

bool job_mail_ready(const struct config *config)
{
	return config->s.smtp_url[0] != '\0';
}

enum mail_state mail_state(const struct svc *svc, const struct config *config)
{
	if (!job_mail_ready(config))
		return MAIL_OFF;
	return shm_breaker_get(svc->shm, PL_STR("mail server")) == SHM_OPEN ? MAIL_DOWN : MAIL_UP;
}

struct pl_str send_base(const struct config *config)
{
	struct pl_str base = pl_str(config->s.public_url);

	while (base.len > 0 && base.ptr[base.len - 1] == '/')
		base.len--;
	return base;
}

struct pl_str send_link(const struct job *job, const struct config *config, struct pl_pool *pool, struct job_out *out)
{
	int64_t until_s = job->due_us / PL_US_PER_S + (pl_str_is(job->on_timeout, "wait") ? LINK_LATE_S : 1);
	struct pl_str token = answer_link_make(config, pool, job->request_id, until_s);

	job_secret(out, token);
	return pl_str(pl_sprintf(pool, "%.*s/r/%.*s", PL_FMT(send_base(config)), PL_FMT(token)));
}

/* ---- outcomes ---- */

static void on_unknown(void *arg)
{
	job_in_doubt(arg);
}

static void on_ended(void *arg, const struct mailc_result *result)
{
	static const struct { enum job_result result; enum job_peer peer; } meanings[] = {
		[MAILC_SENT] = { JOB_DONE, JOB_PEER_UP }, [MAILC_REFUSED] = { JOB_DEAD, JOB_PEER_UP },
		[MAILC_LATER] = { JOB_RETRY, JOB_PEER_UP }, [MAILC_DOWN] = { JOB_RETRY, JOB_PEER_DOWN },
		[MAILC_UNKNOWN] = { JOB_RETRY, JOB_PEER_UNSEEN },
	};
	struct job_end end = { .result = meanings[result->outcome].result, .peer = meanings[result->outcome].peer };

	snprintf(end.why, sizeof(end.why), "%.1960s%s", result->why,
	    result->outcome == MAILC_UNKNOWN ? " It may have accepted the mail." : "");
	job_ended(arg, &end);
}

static const struct mailc_ops ops = { .unknown = on_unknown, .ended = on_ended };

/* If a server quotes its input, the password must not get into a table. */
static void hide_login(const struct config *config, struct pl_pool *pool, struct job_out *out)
{
	struct pl_str user = pl_str(config->s.smtp_user), password = pl_str(config->s.smtp_password);
	char *encoded = pl_alloc(pool, 2 * (user.len + password.len) + 16);
	char *plain = pl_alloc(pool, user.len + password.len + 3);

	if (password.len == 0)
		return;
	job_secret(out, password);
	pl_b64_encode(password.ptr, password.len, encoded);
	job_secret(out, pl_str(pl_strdup(pool, encoded)));
	memcpy(plain + 1, user.ptr, user.len);
	memcpy(plain + user.len + 2, password.ptr, password.len);
	pl_b64_encode(plain, user.len + password.len + 2, encoded);
	job_secret(out, pl_str(encoded));
}

static struct mailc_mail mail_server(const struct config *config, struct pl_pool *pool, struct job_out *out)
{
	const struct settings *s = &config->s;

	hide_login(config, pool, out);
	return (struct mailc_mail){ .url = s->smtp_url, .tls = s->smtp_tls, .ca_file = s->smtp_ca_file,
		.user = s->smtp_user, .password = s->smtp_password, .from = s->mail_from };
}

void job_mail_look(const struct config *config, struct job_out *out)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct mailc_mail mail = mail_server(config, pool, out);

	mail.connect_ms = LOOK_MS;
	mailc_send(&mail, &ops, out);
	pl_pool_free(&pool);
}

/* Refuses characters that could end the address in its command or its header. */
static bool address_ok(struct pl_str to)
{
	for (size_t i = 0; i < to.len; i++)
		if ((unsigned char)to.ptr[i] <= ' ' || to.ptr[i] == 0x7f || to.ptr[i] == '<' || to.ptr[i] == '>')
			return false;
	return to.len > 0;
}

void send_mail(const struct job *job, const struct config *config, struct pl_pool *pool, struct mail_text text,
    struct job_out *out)
{
	struct mailc_mail mail = mail_server(config, pool, out);
	struct job_end bad = { .result = JOB_DEAD, .why = "The destination is not a mail address." };

	if (!address_ok(text.to) || text.body.ptr == NULL || text.subject.ptr == NULL) {
		job_ended(out, &bad);
		return;
	}
	text.from = pl_str(mail.from);
	text.id = job->id;
	text.wall_us = pl_wall_us();
	mail.to = pl_str_c(pool, text.to);
	mail.text = mail_text(pool, &text);
	mail.connect_ms = CONNECT_MS;
	mailc_send(&mail, &ops, out);
}

void job_mail_run(const struct job *job, const struct config *config, struct job_out *out)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_err err = { 0 };
	const struct pl_jval *payload = pl_json_parse(pool, job->payload, &err);
	struct mail_text text = { .to = pl_json_str(pl_json_get(payload, "to")),
		.subject = pl_json_str(pl_json_get(payload, "subject")),
		.body = pl_json_str(pl_json_get(payload, "body")) };

	if (text.body.ptr == NULL && job->request_id.ptr != NULL) {
		text.subject = feedback_request_subject(pool, job);
		text.body = feedback_request_body(pool, job, send_link(job, config, pool, out));
	}
	send_mail(job, config, pool, text, out);
	pl_pool_free(&pool);
}
