/* SPDX-License-Identifier: ISC */
/*
 * claim -> [mail or Slack, up to CLAIM_MAX at once] -> note the outcome (until the database took it) -> claim ...
 *
 * While anything is under way nothing is claimed: so whatever the queue says this host is sending at a claim is left
 * over from a clerk that died. A mail that the server took is never sent again while this process lives, however long
 * the database is away.
 */
#include "svc/feedback/outbox.h"

#include <stdio.h>
#include <sys/queue.h>

#include "clock.h"
#include "db/repo/repo_outbox.h"
#include "leaf.h"
#include "log.h"
#include "net/mailc.h"
#include "svc/feedback/answer_link.h"
#include "svc/feedback/mail_text.h"

#define ROUND_S 1
#define CLAIM_MAX 8
#define SEND_MS 60000
#define DELAY_FIRST_S 2
#define DELAY_MAX_S 900
#define LOOK_UP_S 60		/* how often a server that is up and idle is looked at */
#define LOOK_DOWN_S 5
#define LINK_LATE_S (30 * 86400)	/* how long a link of a request that waits is good after its time-out */
#define SERVER_KEY PL_STR("mail server")	/* its name among the breakers; no [llm NAME] can be that */

struct job {
	TAILQ_ENTRY(job) link;
	struct outbox *outbox;		/* NULL: it is gone */
	struct svc *svc;
	struct pl_task *task;
	struct pl_task *claim;		/* item's texts */
	const struct outbox_item *item;
	bool waiting;			/* for the next round, to be noted again */
	bool busy;			/* an operation holds it */
	enum outbox_result result;
	int64_t delay_us;
	char why[256], reply[101];	/* reply: the beginning of Slack's */
	size_t reply_len;
};
TAILQ_HEAD(jobs, job);

struct look { struct outbox *outbox; struct svc *svc; struct pl_task *task; };

struct outbox {
	struct svc *svc;
	struct event *round;
	struct jobs jobs;
	struct look *claiming, *looking;
	int64_t look_ns;		/* when the mail server is looked at next */
	bool draining;
};

static void note(struct job *job);

static bool mail_on(const struct config *config)
{
	return config->s.smtp_url[0] != '\0';
}

enum mail_state mail_state(const struct svc *svc, const struct config *config)
{
	if (!mail_on(config))
		return MAIL_OFF;
	return shm_breaker_get(svc->shm, SERVER_KEY) == SHM_OPEN ? MAIL_DOWN : MAIL_UP;
}

/* What a contact with the mail server showed. */
static void tell_server(struct outbox *o, enum mailc_outcome outcome, const char *why)
{
	bool good = outcome != MAILC_DOWN, was = shm_breaker_get(o->svc->shm, SERVER_KEY) != SHM_OPEN;

	if (outcome == MAILC_STOPPED)
		return;
	shm_breaker_allow(o->svc->shm, SERVER_KEY, 0, pl_now_ns());	/* an open one closes by a trial only */
	shm_breaker_report(o->svc->shm, SERVER_KEY, good, 1, 0, pl_now_ns());
	o->look_ns = pl_now_ns() + (good ? LOOK_UP_S : LOOK_DOWN_S) * PL_NS_PER_S;
	if (good != was)
		pl_log(good ? PL_LOG_INFO : PL_LOG_WARN, NULL, good ? "mail server is up" : "mail server is down",
		    "why=%s", why);
}

static void outbox_arm(struct outbox *o, int seconds)
{
	struct timeval tv = { seconds, 0 };

	if (evtimer_add(o->round, &tv) != 0)
		pl_log(PL_LOG_ERROR, NULL, "timer not armed", "seconds=%d", seconds);
}

/* ---- the outcome ---- */

static void job_free(struct job *job)
{
	struct pl_task *task = job->task, *claim = job->claim;

	if (job->outbox != NULL) {
		TAILQ_REMOVE(&job->outbox->jobs, job, link);
		if (TAILQ_EMPTY(&job->outbox->jobs) && !job->outbox->draining)
			outbox_arm(job->outbox, 0);
	}
	pl_task_release(&claim);
	pl_task_release(&task);
}

struct noting { struct job *job; struct pl_task *task; };

static void on_noted(void *arg, const bool *done, const struct pl_err *err)
{
	struct noting *n = arg;
	struct pl_task *task = n->task;
	struct job *job = n->job;

	job->busy = false;
	if (err != NULL && job->outbox != NULL) {
		pl_log(PL_LOG_WARN, job->task, "outcome of a send not stored yet", "id=%.*s error=%s",
		    PL_FMT(job->item->id), pl_err_info(err->code)->code);
		job->waiting = true;
	} else {
		job_free(job);
	}
	pl_task_release(&task);
}

static void note(struct job *job)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 5 * PL_NS_PER_S);
	struct noting *n = pl_alloc(task->pool, sizeof(*n));

	*n = (struct noting){ .job = job, .task = task };
	job->waiting = false;
	job->busy = true;
	repo_outbox_done(job->svc->db, task, job->item->id, job->result,
	    job->why[0] != '\0' ? pl_str(job->why) : PL_STR_NONE, job->delay_us, on_noted, n);
}

static int64_t delay_us(int tries)
{
	int64_t s = DELAY_MAX_S;

	if (tries < 10)
		s = (int64_t)DELAY_FIRST_S << (tries > 0 ? tries - 1 : 0);
	if (s > DELAY_MAX_S)
		s = DELAY_MAX_S;
	return s * PL_US_PER_S + (int64_t)pl_jitter((uint32_t)(s * 100)) * 1000;
}

static void count(const struct job *job, enum outbox_result result)
{
	bool mail = pl_str_is(job->item->kind, "mail");
	enum shm_metric all = SHM_M_outbox_failed, mails = SHM_M_mails_failed;

	if (result != OUTBOX_FAILED) {
		all = result == OUTBOX_SENT ? SHM_M_outbox_sent : SHM_M_outbox_retried;
		mails = result == OUTBOX_SENT ? SHM_M_mails_sent : SHM_M_mails_retried;
	}
	shm_count(job->svc->shm, all, 1);
	if (mail)
		shm_count(job->svc->shm, mails, 1);
}

static void job_ended(struct job *job, enum outbox_result result, const char *why)
{
	job->busy = false;
	job->result = result;
	snprintf(job->why, sizeof(job->why), "%.*s", (int)pl_utf8_cut(why, strlen(why), sizeof(job->why) - 1), why);
	if (!pl_utf8_ok(job->why, strlen(job->why)))
		snprintf(job->why, sizeof(job->why), "its answer was no UTF-8 text");
	if (result == OUTBOX_RETRY && job->delay_us == 0)
		job->delay_us = delay_us(job->item->tries);
	count(job, result);
	if (result == OUTBOX_FAILED)
		pl_log(PL_LOG_WARN, job->task, "not sent, for good", "id=%.*s kind=%.*s why=%s", PL_FMT(job->item->id),
		    PL_FMT(job->item->kind), job->why);
	note(job);
}

/* ---- mail ---- */

static void on_mail(void *arg, const struct mailc_result *result)
{
	struct job *job = arg;

	if (job->outbox == NULL || result->outcome == MAILC_STOPPED) {
		job_free(job);	/* the next clerk finds it */
		return;
	}
	tell_server(job->outbox, result->outcome, result->why);
	job_ended(job, result->outcome == MAILC_SENT ? OUTBOX_SENT : result->outcome == MAILC_REFUSED ? OUTBOX_FAILED :
	    OUTBOX_RETRY, result->why);
}

static struct mailc_mail mail_server(const struct config *config)
{
	const struct settings *s = &config->s;

	return (struct mailc_mail){ .url = s->smtp_url, .tls = s->smtp_tls, .ca_file = s->smtp_ca_file,
	    .user = s->smtp_user,
		.password = s->smtp_password, .from = s->mail_from, .total_ms = SEND_MS };
}

static struct pl_str link_of(const struct job *job, const struct config *config)
{
	const struct outbox_item *item = job->item;
	int64_t until_s = item->due_us / PL_US_PER_S + (pl_str_is(item->on_timeout, "wait") ? LINK_LATE_S : 1);
	struct pl_str token = answer_link_make(config, job->task->pool, item->request_id, until_s);
	size_t len = strlen(config->s.public_url);

	while (len > 0 && config->s.public_url[len - 1] == '/')
		len--;
	return pl_str(pl_sprintf(job->task->pool, "%.*s/r/%.*s", (int)len, config->s.public_url, PL_FMT(token)));
}

static void send_mail(struct job *job, const struct config *config)
{
	const struct outbox_item *item = job->item;
	struct pl_pool *pool = job->task->pool;
	struct mailc_mail mail = mail_server(config);
	struct mail_text text = { .from = pl_str(config->s.mail_from), .to = item->destination, .id = item->id,
		.subject = item->subject, .body = item->body, .wall_us = pl_wall_us() };

	if (item->body.ptr == NULL) {
		text.subject = request_subject(pool, item);
		text.body = request_body(pool, item, link_of(job, config));
	}
	mail.to = pl_str_c(pool, item->destination);
	mail.text = mail_text(pool, &text);
	mailc_start(job->svc->httpc, job->task, &mail, on_mail, job);
}

/* ---- Slack ---- */

static bool on_slack_body(void *arg, const struct httpc_head *head, const char *data, size_t len)
{
	struct job *job = arg;

	for (size_t i = 0; i < len && job->reply_len < sizeof(job->reply) - 1; i++)
		job->reply[job->reply_len++] = data[i] >= ' ' && data[i] <= '~' ? data[i] : '?';
	return true;
}

static void on_slack(void *arg, const struct httpc_result *result, const struct pl_err *err)
{
	struct job *job = arg;
	char why[256] = "";
	int status = result->head.status;

	if (job->outbox == NULL || (err != NULL && (err->code == PL_E_STOPPING || err->code == PL_E_CANCELLED))) {
		job_free(job);
		return;
	}
	if (err == NULL && status == 200) {
		job_ended(job, OUTBOX_SENT, "");
		return;
	}
	if (err != NULL)
		snprintf(why, sizeof(why), "Slack cannot be reached (%s)", pl_err_info(err->code)->code);
	else
		snprintf(why, sizeof(why), "Slack answered %d %s", status, job->reply);
	if (err == NULL && result->head.retry_after_ms > 0)
		job->delay_us = result->head.retry_after_ms * 1000;
	job_ended(job, err != NULL || status == 429 || status >= 500 ? OUTBOX_RETRY : OUTBOX_FAILED, why);
}

static void send_slack(struct job *job, const struct config *config)
{
	struct httpc_header type = { "Content-Type", PL_STR("application/json") };
	struct httpc_request request = { .method = "POST", .url = config->s.slack_webhook, .url_secret = true,
		.headers = &type, .headers_count = 1, .connect_ms = 10000, .total_ms = 20000, .max_body_bytes = 65536 };

	request.body = request_slack(job->task->pool, job->item, link_of(job, config));
	httpc_start(job->svc->httpc, job->task, &request, on_slack_body, on_slack, job);
}

/* ---- rounds ---- */

static void send_item(struct outbox *o, struct pl_task *claim, const struct outbox_item *item,
    const struct config *config)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 2 * SEND_MS * PL_NS_PER_MS);
	struct job *job = pl_alloc(task->pool, sizeof(*job));

	*job = (struct job){ .outbox = o, .svc = o->svc, .task = task, .claim = pl_task_hold(claim), .item = item,
		.busy = true };
	TAILQ_INSERT_TAIL(&o->jobs, job, link);
	if (pl_str_is(item->kind, "mail"))
		send_mail(job, config);
	else
		send_slack(job, config);
}

static void on_claimed(void *arg, const struct outbox_list *list, const struct pl_err *err)
{
	struct look *claim = arg;
	struct outbox *o = claim->outbox;
	struct pl_task *task = claim->task;
	struct config *config;

	if (o != NULL) {
		o->claiming = NULL;
		config = config_hold(svc_config(o->svc));
		for (int i = 0; err == NULL && i < list->count; i++)
			send_item(o, task, &list->rows[i], config);
		config_release(&config);
	}
	pl_task_release(&task);
}

static struct look *look_new(struct outbox *o, int64_t ms)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + ms * PL_NS_PER_MS);
	struct look *look = pl_alloc(task->pool, sizeof(*look));

	*look = (struct look){ .outbox = o, .svc = o->svc, .task = task };
	return look;
}

static void on_looked(void *arg, const struct mailc_result *result)
{
	struct look *look = arg;
	struct pl_task *task = look->task;

	if (look->outbox != NULL) {
		look->outbox->looking = NULL;
		tell_server(look->outbox, result->outcome, result->why);
	}
	pl_task_release(&task);
}

static void look_at_server(struct outbox *o, const struct config *config)
{
	struct mailc_mail mail = mail_server(config);

	o->looking = look_new(o, SEND_MS);
	mail.total_ms = 10000;
	mailc_start(o->svc->httpc, o->looking->task, &mail, on_looked, o->looking);
}

static void note_again(struct outbox *o)
{
	struct job *job;

	TAILQ_FOREACH(job, &o->jobs, link)
		if (job->waiting)
			note(job);
}

static void on_round(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *o = arg;
	const struct config *config = svc_config(o->svc);
	bool mail = mail_on(config), slack = config->s.slack_webhook[0] != '\0';

	outbox_arm(o, ROUND_S);
	note_again(o);
	if (o->draining || (!mail && !slack))
		return;
	if (mail && o->looking == NULL && pl_now_ns() >= o->look_ns)
		look_at_server(o, config);
	if (o->claiming != NULL || !TAILQ_EMPTY(&o->jobs))
		return;
	o->claiming = look_new(o, 5000);
	repo_outbox_claim(o->svc->db, o->claiming->task, mail, slack, CLAIM_MAX, on_claimed, o->claiming);
}

struct outbox *outbox_new(struct svc *svc)
{
	struct outbox *o = pl_new(sizeof(*o));

	o->svc = svc;
	TAILQ_INIT(&o->jobs);
	o->round = evtimer_new(svc->worker->base, on_round, o);
	PL_BUG(o->round == NULL);
	outbox_arm(o, 0);
	return o;
}

void outbox_drain(struct outbox *o)
{
	o->draining = true;
	if (o->looking != NULL)
		pl_task_cancel(o->looking->task);
}

bool outbox_idle(const struct outbox *o)
{
	return TAILQ_EMPTY(&o->jobs) && o->claiming == NULL && o->looking == NULL;
}

static void orphan(struct look *look)
{
	if (look == NULL)
		return;
	look->outbox = NULL;
	pl_task_cancel(look->task);
}

void outbox_free(struct outbox **outbox)
{
	struct outbox *o = *outbox;
	struct job *job;

	*outbox = NULL;
	if (o == NULL)
		return;
	orphan(o->claiming);
	orphan(o->looking);
	while ((job = TAILQ_FIRST(&o->jobs)) != NULL) {
		TAILQ_REMOVE(&o->jobs, job, link);
		job->outbox = NULL;
		if (job->busy)
			pl_task_cancel(job->task);
		else
			job_free(job);
	}
	event_free(o->round);
	pl_free(o);
}
