/* SPDX-License-Identifier: ISC */
/*
 * A mail as one of httpc's calls: other options, and another meaning of libcurl's verdict.
 *
 * libcurl says QUIT and waits for the answer inside one call, which would stop the loop when a server falls silent
 * after its last word. So that wait is cut to a second as soon as that word came.
 */
#include "net/mailc.h"

#include <stdio.h>

#include "leaf.h"
#include "log.h"
#include "net/httpc_curl.h"

#define RESPONSE_S 30L
#define QUIT_S 1L

struct mail {
	const char *ca_file, *user, *password, *from, *to;
	bool tls, whole;		/* whole: the text went out */
	struct pl_str text;
	size_t at;
	struct curl_slist *rcpt;
	char refusal[160];		/* the server's last 4xx or 5xx line */
	struct mailc_result result;
	mailc_done_fn *done;
	void *arg;
};

static size_t on_read(char *out, size_t size, size_t count, void *arg)
{
	struct httpc_call *call = arg;
	struct mail *m = call->kind_arg;
	size_t n = size * count;

	if (n > m->text.len - m->at)
		n = m->text.len - m->at;
	memcpy(out, m->text.ptr + m->at, n);
	m->at += n;
	m->whole = m->at == m->text.len;
	return n;
}

static void keep_refusal(struct mail *m, const char *line, size_t len)
{
	size_t n = 0;

	for (; n < len && n < sizeof(m->refusal) - 1 && line[n] != '\r' && line[n] != '\n'; n++)
		m->refusal[n] = line[n] >= ' ' && line[n] <= '~' ? line[n] : '?';
	m->refusal[n] = '\0';
}

static size_t on_reply(char *data, size_t size, size_t count, void *arg)
{
	struct httpc_call *call = arg;
	struct mail *m = call->kind_arg;
	size_t len = size * count;
	bool last = len >= 4 && data[3] == ' ' && (data[0] == '4' || data[0] == '5' ||
	    ((m->whole || m->to == NULL) && data[0] == '2'));

	call->got_bytes = true;
	if (len > 0 && (data[0] == '4' || data[0] == '5'))
		keep_refusal(m, data, len);
	if (last)
		curl_easy_setopt(call->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, QUIT_S);
	else
		curl_easy_setopt(call->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, RESPONSE_S);
	return len;
}

static void mail_setup(struct httpc_call *call)
{
	struct mail *m = call->kind_arg;
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(m->tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, RESPONSE_S);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_reply);
	if (m->ca_file != NULL && m->ca_file[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_CAINFO, m->ca_file);
	if (m->user != NULL && m->user[0] != '\0') {
		curl_easy_setopt(easy, CURLOPT_USERNAME, m->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, m->password != NULL ? m->password : "");
	}
	if (m->to == NULL) {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "NOOP");
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	m->rcpt = curl_slist_append(NULL, m->to);
	PL_BUG(m->rcpt == NULL);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, m->from);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, m->rcpt);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, call);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)m->text.len);
}

/* What MAIL, RCPT and DATA are refused with; before those it is the server's trouble with us, not with this mail. */
static bool about_the_mail(const struct mail *m, CURLcode code)
{
	return m->to != NULL && (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
	    code == CURLE_WEIRD_SERVER_REPLY);
}

static void mail_verdict(struct httpc_call *call, CURLcode code)
{
	struct mail *m = call->kind_arg;
	long reply = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &reply);
	m->result.code = (int)reply;
	if (code == CURLE_OK) {
		m->result.outcome = MAILC_SENT;
		return;
	}
	if (about_the_mail(m, code) && reply >= 500 && reply <= 599)
		m->result.outcome = MAILC_REFUSED;
	else if (about_the_mail(m, code) && reply >= 400 && reply <= 499 && reply != 421)
		m->result.outcome = MAILC_LATER;
	else
		m->result.outcome = MAILC_DOWN;
	if (reply >= 400 && m->refusal[0] != '\0')
		snprintf(m->result.why, sizeof(m->result.why), "The mail server said: %s", m->refusal);
	else
		snprintf(m->result.why, sizeof(m->result.why), "%.199s",
		    call->curl_error[0] != '\0' ? call->curl_error : curl_easy_strerror(code));
	pl_log(PL_LOG_INFO, call->task, "mail server", "url=%s reply=%ld curl=%d why=%s", call->url, reply, (int)code,
	    m->result.why);
	httpc_fail(call, PL_E_UPSTREAM, "The mail server did not take it.");
}

static const struct httpc_kind mail_kind = { .setup = mail_setup, .verdict = mail_verdict };

static bool on_body(void *arg, const struct httpc_head *head, const char *data, size_t len)
{
	return true;	/* NOOP's reply */
}

static void on_done(void *arg, const struct httpc_result *result, const struct pl_err *err)
{
	struct mail *m = arg;

	curl_slist_free_all(m->rcpt);
	m->rcpt = NULL;
	if (err != NULL && m->result.why[0] == '\0') {
		m->result.outcome = err->code == PL_E_STOPPING ||
		    err->code == PL_E_CANCELLED ? MAILC_STOPPED : MAILC_DOWN;
		snprintf(m->result.why, sizeof(m->result.why), "%s", err->code == PL_E_UPSTREAM_SLOW ||
		    err->code == PL_E_DEADLINE ? "The mail server took too long." : pl_err_text(err));
	}
	m->done(m->arg, &m->result);
}

static const char *copy(struct pl_pool *pool, const char *text)
{
	return text != NULL ? pl_strdup(pool, text) : NULL;
}

static void wipe_password(void *arg)
{
	pl_wipe(arg, strlen(arg));
}

void mailc_start(struct httpc *client, struct pl_task *task, const struct mailc_mail *mail, mailc_done_fn *done,
    void *arg)
{
	struct httpc_request request = { .method = "GET", .url = mail->url, .connect_ms = 15000,
		.total_ms = mail->total_ms };
	struct mail *m = pl_alloc(task->pool, sizeof(*m));
	struct httpc_call *call;

	*m = (struct mail){ .tls = mail->tls, .ca_file = copy(task->pool, mail->ca_file),
		.user = copy(task->pool, mail->user), .password = copy(task->pool, mail->password),
		.from = copy(task->pool, mail->from), .to = copy(task->pool, mail->to),
		.text = mail->text.ptr != NULL ? pl_str_dup(task->pool, mail->text) : PL_STR(""), .done = done,
		.arg = arg };
	if (m->password != NULL)
		pl_pool_cleanup(task->pool, wipe_password, (char *)m->password);
	call = httpc_start(client, task, &request, on_body, on_done, m);
	call->kind = &mail_kind;	/* in time: libcurl hears of it in the next turn */
	call->kind_arg = m;
}
