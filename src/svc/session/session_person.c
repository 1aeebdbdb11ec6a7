/* SPDX-License-Identifier: ISC */
/*
 * A wish for a person, for the built-in responder: it creates a feedback request of the user over the channel in the
 * settings. A guest has no account for a request, so the answer says how to reach a person.
 */
#include "db/repo/repo_user.h"
#include "svc/account/limits.h"
#include "svc/feedback/feedback_request.h"
#include "svc/session/session_job.h"

#define ASKED LLM_LOCAL_ASKED " to take over, by %s. Their answer will be among your feedback requests."
#define FAILED LLM_LOCAL_FAILED " by %s."
#define ASKED_BEFORE LLM_LOCAL_ASKED " already, by %s. Please wait for the answer."
#define TOO_OFTEN "I cannot ask for a person again right now. Please wait for an answer, or try again later."
#define NOT_ASKED "I tried to ask a person, but that failed."
#define NOT_HERE "I cannot connect you to a person from here."

/* Returns the sentence about the contact, or another one if none is set. */
static struct pl_str how_to_reach(const struct session_job *job)
{
	const char *contact = job->config->s.person_contact;

	return contact[0] != '\0' ? pl_str(pl_sprintf(job->task->pool, NOT_HERE " To reach one: %s", contact))
				  : PL_STR_NONE;
}

static const char *channel_word(struct pl_str channel)
{
	return pl_str_is(channel, "slack") ? "Slack" : "mail";
}

/* The sentence that the request was not delivered and, if it is known, how to reach a person. */
static struct pl_str not_delivered(const struct session_job *job, const struct feedback_request *request)
{
	const char *contact = job->config->s.person_contact;

	return pl_str(pl_sprintf(job->task->pool, FAILED "%s%s", channel_word(request->channel),
	    contact[0] != '\0' ? " To reach one: " : "", contact));
}

/* In the pool of its job. */
struct wish { struct session_job *job; struct pl_str channel; /* key of the limit */ };

static void on_asked(void *arg, bool changed, const struct feedback_request *request, const struct pl_err *err)
{
	struct wish *wish = arg;
	struct session_job *job = wish->job;
	const char *contact = job->config->s.person_contact;

	(void)request;
	if (err == NULL || changed) {
		job->answer->ask.person = pl_str(pl_sprintf(
		    job->task->pool, ASKED, job->config->s.person_channel == PERSON_SLACK ? "Slack" : "mail"));
	} else {
		limits_give(job->sessions->svc, job->config, LIMIT_PERSON, &job->task->who, PL_STR_NONE);
		limits_give(job->sessions->svc, job->config, LIMIT_CHANNEL, &job->task->who, wish->channel);
		job->answer->ask.person = pl_str(pl_sprintf(job->task->pool, NOT_ASKED "%s%s",
		    contact[0] != '\0' ? " To reach one: " : " Please try again later.", contact));
	}
	answer_ready(job->answer);
}

/* Limits how many requests the sessions of one user, or of many users, send to the people who answer. */
static bool may_ask(struct session_job *job, struct pl_str channel)
{
	struct svc *svc = job->sessions->svc;
	struct limit_result result;

	return limits_take(svc, job->config, LIMIT_PERSON, &job->task->who, PL_STR_NONE, &result, NULL) &&
	    limits_take_more(svc, job->config, LIMIT_CHANNEL, &job->task->who,
		channel, LIMIT_PERSON, &result, NULL);
}

static void ask_person(struct session_job *job)
{
	const struct settings *s = &job->config->s;
	struct feedback_request *request = pl_alloc(job->task->pool, sizeof(*request));
	struct wish *wish = pl_alloc(job->task->pool, sizeof(*wish));
	enum access access = job->task->who.access;
	struct pl_err err = {0};
	bool good;
	size_t len = pl_utf8_cut(job->masked.ptr, job->masked.len, 500);

	*request =
	    (struct feedback_request){.channel = s->person_channel == PERSON_SLACK ? PL_STR("slack") : PL_STR("mail"),
		.destination = s->person_channel == PERSON_SLACK ? PL_STR("webhook") : pl_str(s->person_mail),
		.question = pl_str(
		    pl_sprintf(job->task->pool, "Somebody in the chat session %.8s wants to talk to a person: %.*s",
			job->id, (int)len, job->masked.ptr)),
		.run_id = pl_str(job->id),
		.on_timeout = PL_STR("wait")};
	job->task->who.user_id = job->user_id;
	job->task->who.access = ACCESS_OPERATOR; /* the operator chose the address */
	good = feedback_request_check(job->config, job->task, request, &err);
	job->task->who.access = access;
	*wish = (struct wish){ .job = job };
	if (good)
		wish->channel = feedback_request_limit_key(job->task->pool, request);
	if (good && !may_ask(job, wish->channel)) {
		job->answer->ask.person = PL_STR(TOO_OFTEN);
		answer_ready(job->answer);
	} else if (good) {
		feedback_request_create(
		    job->sessions->svc, job->task, request, s->feedback_timeout * 1000, on_asked, wish);
	} else {
		job->answer->ask.person = how_to_reach(job);
		answer_ready(job->answer);
	}
}

static bool is_open(const struct feedback_request *request)
{
	return pl_str_is(request->status, "created") || pl_str_is(request->status, "sent");
}

/* One request per session is enough, unless it was not delivered. */
static void on_before(void *arg, const struct feedback_request_list *list, const struct pl_err *err)
{
	struct session_job *job = arg;

	for (int i = 0; err == NULL && i < list->count; i++) {
		if (!is_open(&list->rows[i]) || list->rows[i].delivery_error.len > 0)
			continue;
		job->answer->ask.person =
		    pl_str(pl_sprintf(job->task->pool, ASKED_BEFORE, channel_word(list->rows[i].channel)));
		answer_ready(job->answer);
		return;
	}
	if (err == NULL && list->count > 0 && is_open(&list->rows[0]))
		job->answer->ask.person_failed = not_delivered(job, &list->rows[0]);
	ask_person(job);
}

/* Rows come newest first. */
static void on_checked(void *arg, const struct feedback_request_list *list, const struct pl_err *err)
{
	struct session_job *job = arg;

	if (err == NULL && list->count > 0 && is_open(&list->rows[0]) && list->rows[0].delivery_error.len > 0)
		job->answer->ask.person_failed = not_delivered(job, &list->rows[0]);
	answer_ready(job->answer);
}

void session_person_check(struct session_job *job)
{
	repo_feedback_request_of_run(
	    job->sessions->svc->db, job->task, pl_str(job->id), job->user_id, 1, on_checked, job);
}

void session_person(struct session_job *job)
{
	if (job->user_id == 0 || job->config->s.person_channel == PERSON_NONE) {
		job->answer->ask.person = how_to_reach(job);
		answer_ready(job->answer);
	} else {
		repo_feedback_request_of_run(
		    job->sessions->svc->db, job->task, pl_str(job->id), job->user_id, 20, on_before, job);
	}
}
