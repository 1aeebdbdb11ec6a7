/* SPDX-License-Identifier: ISC */
/* check -> repo_*() -> read back -> announce -> done. */
#include "db/repo/repo_user.h"
#include "json.h"
#include "leaf.h"
#include "svc/feedback/feedback_request_int.h"
#include "text.h"

#define JSON_MAX 16384
#define OPTIONS_MAX 10
#define OPTION_CHARS 64

/* ---- checking ---- */

struct feedback_request_checking {
	CONFIG_BORROWED const struct settings *s;
	struct pl_task *task;
	struct pl_err *err;
};

static bool feedback_request_refuse(const struct feedback_request_checking *c, const char *loc, const char *msg)
{
	return pl_err_field(c->err, c->task->pool, loc, "value_error", "%s", msg);
}

/* Matches the address itself, its domain, or *. */
static bool mail_allowed(const struct feedback_request_checking *c, struct pl_str address)
{
	const struct pl_list *list = &c->s->feedback_mail_to;
	const char *at = memrchr(address.ptr, '@', address.len);
	struct pl_str domain = pl_strn(at + 1, (size_t)(address.ptr + address.len - at - 1));

	if (c->task->who.access >= ACCESS_OPERATOR)
		return true;
	for (int i = 0; i < list->count; i++) {
		struct pl_str item = pl_str(list->items[i]);

		if (pl_str_is(item, "*") || pl_str_ieq(item, address) || pl_str_ieq(item, domain))
			return true;
	}
	return false;
}

static bool check_channel(const struct feedback_request_checking *c, struct feedback_request *r)
{
	bool mail = pl_str_is(r->channel, "mail"), slack = pl_str_is(r->channel, "slack");
	struct pl_str to = r->destination;

	if (mail && c->s->smtp_url[0] == '\0')
		return feedback_request_refuse(c, "body.channel.kind", "mail is not configured on this server");
	if (slack && c->s->slack_webhook[0] == '\0')
		return feedback_request_refuse(c, "body.channel.kind", "slack is not configured on this server");
	if ((mail || slack) && c->s->public_url[0] == '\0')
		return feedback_request_refuse(c, "body.channel.kind",
		    "this server cannot send links: public_url is not set");
	if (slack) {
		r->destination = PL_STR("webhook");
		return to.ptr == NULL || pl_str_is(to, "webhook") ||
		    feedback_request_refuse(
			c, "body.channel.destination", "must be absent or webhook: the webhook determines the channel");
	}
	if (to.ptr == NULL)
		return feedback_request_refuse(c, "body.channel.destination",
		    mail ? "an e-mail address is required" : "a user name is required");
	if (mail && !pl_email_ok(to))
		return feedback_request_refuse(c, "body.channel.destination", "must be an e-mail address");
	if (mail && !mail_allowed(c, to))
		return feedback_request_refuse(c, "body.channel.destination",
		    "is not an address to which this server may send questions");
	return true;
}

static bool check_options(const struct feedback_request_checking *c, struct pl_str options)
{
	struct pl_err err = { 0 };
	const struct pl_jval *list, *other;

	if (options.ptr == NULL)
		return true;
	list = pl_json_parse(c->task->pool, options, &err);
	if (list == NULL || list->type != PL_J_ARRAY || list->count < 1 || list->count > OPTIONS_MAX)
		return feedback_request_refuse(c, "body.options", "must be a list of 1 to 10 texts");
	for (const struct pl_jval *v = list->first; v != NULL; v = v->next) {
		struct pl_str text = pl_json_str(v);

		if (text.ptr == NULL || text.len < 1 || pl_utf8_count(text.ptr, text.len) > OPTION_CHARS)
			return feedback_request_refuse(c, "body.options", "must be texts of 1 to 64 characters");
		if (pl_text_label_fault(c->task->pool, text) != NULL)
			return feedback_request_refuse(c, "body.options", pl_text_label_fault(c->task->pool, text));
		for (other = list->first; other != v; other = other->next)
			if (pl_str_eq(other->text, text))
				return feedback_request_refuse(c, "body.options", "must be different texts");
	}
	return true;
}

bool feedback_request_check(const struct config *config, struct pl_task *task, struct feedback_request *request,
    struct pl_err *err)
{
	struct feedback_request_checking c = { &config->s, task, err };

	if (request->context.len > JSON_MAX)
		return feedback_request_refuse(&c, "body.context", "must have at most 16384 bytes");
	if (request->state.len > JSON_MAX)
		return feedback_request_refuse(&c, "body.state", "must have at most 16384 bytes");
	return check_channel(&c, request) && check_options(&c, request->options);
}

struct pl_str feedback_request_limit_key(struct pl_pool *pool, const struct feedback_request *request)
{
	char *key = pl_sprintf(pool, "%.*s:%.*s", PL_FMT(request->channel), PL_FMT(request->destination));

	for (char *p = key; *p != '\0'; p++)	/* names and addresses are compared without regard to case */
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	return pl_str(key);
}

/* ---- changing ---- */

struct feedback_request_changing {
	struct svc *svc;
	struct pl_task *task;
	struct pl_str id;
	bool created;
	feedback_request_fn *done;
	void *arg;
};

static struct feedback_request_changing *feedback_request_changing(
    struct svc *svc, struct pl_task *task, struct pl_str id, feedback_request_fn *done, void *arg)
{
	struct feedback_request_changing *c = pl_alloc(task->pool, sizeof(*c));

	*c = (struct feedback_request_changing){ .svc = svc, .task = task, .id = id, .done = done, .arg = arg };
	return c;
}

static void feedback_request_on_read(void *arg, const struct feedback_request *request, const struct pl_err *err)
{
	struct feedback_request_changing *c = arg;

	if (err == NULL)
		feedback_request_tell(
		    c->svc, c->created ? "created" : pl_str_c(c->task->pool, request->status), request);
	c->done(c->arg, true, request, err);
}

static void feedback_request_on_changed(void *arg, const bool *done, const struct pl_err *err)
{
	struct feedback_request_changing *c = arg;

	if (err != NULL)
		c->done(c->arg, false, NULL, err);
	else
		repo_feedback_request_get(
		    c->svc->db, c->task, c->id, c->task->who.user_id, feedback_request_on_read, c);
}

void feedback_request_create(struct svc *svc, struct pl_task *task, struct feedback_request *request,
    int64_t timeout_us, feedback_request_fn *done, void *arg)
{
	char *id = pl_alloc(task->pool, PL_UUID_LEN + 1);
	struct feedback_request_changing *c = feedback_request_changing(svc, task, pl_strn(id, PL_UUID_LEN), done, arg);

	pl_uuid_make(id);
	request->id = c->id;
	c->created = true;
	repo_feedback_request_create(
	    svc->db, task, task->who.user_id, request, timeout_us, feedback_request_on_changed, c);
}

void feedback_request_created(
    struct svc *svc, struct pl_task *task, struct pl_str id, feedback_request_fn *done, void *arg)
{
	struct feedback_request_changing *c = feedback_request_changing(svc, task, id, done, arg);

	c->created = true;
	repo_feedback_request_get(svc->db, task, id, task->who.user_id, feedback_request_on_read, c);
}

void feedback_request_answer(struct svc *svc, struct pl_task *task, struct pl_str id, bool decline,
    struct pl_str answer, struct pl_str comment, feedback_request_fn *done, void *arg)
{
	repo_feedback_request_answer(svc->db, task, id, task->who.user_id, decline, answer, comment,
	    feedback_request_on_changed, feedback_request_changing(svc, task, id, done, arg));
}

void feedback_request_cancel(
    struct svc *svc, struct pl_task *task, struct pl_str id, feedback_request_fn *done, void *arg)
{
	repo_feedback_request_cancel(svc->db, task, id, task->who.user_id, feedback_request_on_changed,
	    feedback_request_changing(svc, task, id, done, arg));
}

/* ---- timeouts ---- */

struct feedback_request_timing { struct svc *svc; repo_feedback_request_list_fn *done; void *arg; };

static void feedback_request_on_timed_out(void *arg, const struct feedback_request_list *list, const struct pl_err *err)
{
	struct feedback_request_timing *t = arg;

	for (int i = 0; err == NULL && i < list->count; i++)
		feedback_request_tell(t->svc, "timed_out", &list->rows[i]);
	t->done(t->arg, list, err);
}

void feedback_request_time_out(
    struct svc *svc, struct pl_task *task, int limit, repo_feedback_request_list_fn *done, void *arg)
{
	struct feedback_request_timing *t = pl_alloc(task->pool, sizeof(*t));

	*t = (struct feedback_request_timing){ svc, done, arg };
	repo_feedback_requests_due(svc->db, task, limit, feedback_request_on_timed_out, t);
}
