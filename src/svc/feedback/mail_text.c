/* SPDX-License-Identifier: ISC */
/* A mail is plain text in base64, so that no line is too long for a server, and none begins with a dot or "From ". */
#include "svc/feedback/mail_text.h"

#include "clock.h"
#include "json.h"
#include "leaf.h"

#define WORD_BYTES 45		/* bytes of text in one encoded word of 75 characters (RFC 2047 section 2) */
#define LINE_BYTES 57		/* bytes of text in one base64 line of 76 characters (RFC 2045 section 6.8) */
#define PLAIN_MAX 60

static bool is_plain(struct pl_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < ' ' || (unsigned char)s.ptr[i] > '~')
			return false;
	return s.len <= PLAIN_MAX && memmem(s.ptr, s.len, "=?", 2) == NULL;
}

static void add_subject(struct pl_buf *out, struct pl_pool *pool, struct pl_str subject)
{
	char *text = pl_strndup(pool, subject.ptr, subject.len), word[WORD_BYTES * 2];
	struct pl_str rest = pl_strn(text, subject.len);
	size_t n;

	for (size_t i = 0; i < subject.len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = ' ';
	pl_buf_adds(out, "Subject: ");
	if (is_plain(rest)) {
		pl_buf_addstr(out, rest);
	} else {
		while (rest.len > 0) {
			n = pl_utf8_cut(rest.ptr, rest.len, WORD_BYTES);
			pl_b64_encode(rest.ptr, n, word);
			pl_buf_addf(out, "%s=?UTF-8?B?%s?=", rest.ptr != text ? "\r\n " : "", word);
			rest = pl_strn(rest.ptr + n, rest.len - n);
		}
	}
	pl_buf_adds(out, "\r\n");
}

static void add_body(struct pl_buf *out, struct pl_pool *pool, struct pl_str body)
{
	struct pl_buf text = PL_BUF(pool);
	char line[LINE_BYTES * 2];

	for (size_t i = 0; i < body.len; i++) {
		if (body.ptr[i] == '\n' && (i == 0 || body.ptr[i - 1] != '\r'))
			pl_buf_addc(&text, '\r');
		pl_buf_addc(&text, body.ptr[i]);
	}
	for (size_t at = 0; at < text.len; at += LINE_BYTES) {
		pl_b64_encode(text.ptr + at, text.len - at < LINE_BYTES ? text.len - at : LINE_BYTES, line);
		pl_buf_addf(out, "%s\r\n", line);
	}
}

struct pl_str mail_text(struct pl_pool *pool, const struct mail_text *mail)
{
	struct pl_buf out = PL_BUF(pool);
	const char *at = memrchr(mail->from.ptr, '@', mail->from.len);
	char date[30];

	PL_BUG(at == NULL);
	pl_time_http(mail->wall_us, date);
	pl_buf_addf(&out, "From: <%.*s>\r\nTo: <%.*s>\r\n", PL_FMT(mail->from), PL_FMT(mail->to));
	add_subject(&out, pool, mail->subject);
	pl_buf_addf(&out, "Date: %.25s +0000\r\nMessage-ID: <%.*s%.*s>\r\n", date, PL_FMT(mail->id),
	    (int)(mail->from.ptr + mail->from.len - at), at);
	if (mail->unsubscribe.ptr != NULL)
		pl_buf_addf(&out, "List-Unsubscribe: <%.*s>\r\n%s", PL_FMT(mail->unsubscribe),
		    pl_str_istarts(mail->unsubscribe, "https://") ?
		    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" : "");
	pl_buf_adds(&out,
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
	    "charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
	add_body(&out, pool, mail->body);
	return pl_buf_str(&out);
}

/* ---- accounts ---- */

/* first: with the account's name and the server's; last: what to do who did not want it. */
struct account_words { struct account_mail mail; const char *subject, *first, *link, *last; };

static const struct account_words account_words[] = {
	{ { "reset", "reset-password" }, "reset your password",
	    "Somebody requested a new password for the account %.*s at %s.", "Set a new password here: ",
	    "The link is valid once, for one hour. Do not pass it on.\n"
	    "If you did not request it, ignore this mail: your password has not changed." },
	{ { "verify", "verify-email" }, "verify your e-mail address",
	    "Somebody created the account %.*s at %s with this e-mail address.", "Verify the address here: ",
	    "The link is valid once, for one day. Do not pass it on.\n"
	    "If this is not your account, do not open the link: the address then stays unverified." },
	{ { "change", "verify-email" }, "verify your new e-mail address",
	    "The account %.*s at %s is to get this e-mail address.", "Change to this address here: ",
	    "The link is valid once, for one day. Do not pass it on.\n"
	    "If this is not your account, do not open the link: the address then does not change." },
	{ { "moving", "" }, "your e-mail address is to be changed",
	    "Somebody requested another e-mail address for the account %.*s at %s.\n"
	    "It counts when the link is opened that was mailed to the new address.", NULL,
	    "If it was not you, change your password now: this ends the change, and all other login sessions." },
	{ { "moved", "" }, "your e-mail address was changed",
	    "The account %.*s at %s has another e-mail address now.", NULL,
	    "If it was not you, tell the operator of the server." },
};

const struct account_mail *account_mail_find(struct pl_str what)
{
	for (size_t i = 0; i < PL_COUNT(account_words); i++)
		if (pl_str_is(what, account_words[i].mail.what))
			return &account_words[i].mail;
	return NULL;
}

struct pl_str account_mail_subject(struct pl_pool *pool, const struct account_mail *mail, const char *server_name)
{
	const struct account_words *words = (const struct account_words *)(const void *)mail;

	return pl_str(pl_sprintf(pool, "%s: %s", server_name, words->subject));
}

struct pl_str account_mail_body(struct pl_pool *pool, const struct account_mail *mail, const char *server_name,
    struct pl_str username, struct pl_str link)
{
	const struct account_words *words = (const struct account_words *)(const void *)mail;
	struct pl_buf out = PL_BUF(pool);

	pl_buf_addf(&out, words->first, PL_FMT(username), server_name);
	if (words->link != NULL)
		pl_buf_addf(&out, "\n\n%s%.*s", words->link, PL_FMT(link));
	pl_buf_addf(&out, "\n\n%s\n", words->last);
	return pl_buf_str(&out);
}

/* ---- feedback requests ---- */

struct pl_str feedback_request_subject(struct pl_pool *pool, const struct job *item)
{
	struct pl_str rest = item->question, line = rest;
	size_t cut;

	pl_str_cut(&rest, '\n', &line);
	cut = pl_utf8_cut(line.ptr, line.len, 120);
	return pl_str(pl_sprintf(pool, "%.*s asks: %.*s%s", PL_FMT(item->asker), (int)cut, line.ptr,
	    cut < line.len ? "..." : ""));
}

/* Shows JSON to people: strings without quotes, everything else unchanged. */
static struct pl_str readable(struct pl_pool *pool, struct pl_str json)
{
	struct pl_err err = { 0 };
	const struct pl_jval *v = json.ptr != NULL ? pl_json_parse(pool, json, &err) : NULL;
	struct pl_str text = pl_json_str(v);

	return text.ptr != NULL ? text : json;
}

static void add_options(struct pl_buf *out, struct pl_pool *pool, const struct job *item)
{
	struct pl_err err = { 0 };
	const struct pl_jval *list = item->options.ptr != NULL ? pl_json_parse(pool, item->options, &err) : NULL;

	if (list == NULL)
		return;
	for (const struct pl_jval *v = list->first; v != NULL; v = v->next)
		pl_buf_addf(out, "- %.*s\n", PL_FMT(pl_json_str(v)));
	pl_buf_addc(out, '\n');
}

static void add_due(struct pl_buf *out, const struct job *item)
{
	char when[PL_TIME_LEN];

	pl_time_format(item->due_us, when);
	when[10] = ' ';
	if (pl_str_is(item->on_timeout, "wait"))
		pl_buf_addf(out, "Please answer by %.16s UTC. A later answer is accepted, too.\n", when);
	else
		pl_buf_addf(out, "If there is no answer by %.16s UTC, the request counts as %s.\n", when,
		    pl_str_is(item->on_timeout, "approve") ? "approved" : "denied");
}

struct pl_str feedback_request_body(struct pl_pool *pool, const struct job *item, struct pl_str link)
{
	struct pl_buf out = PL_BUF(pool);
	struct pl_str context = readable(pool, item->context);

	pl_buf_addf(&out, "%.*s asks:\n\n%.*s\n\n", PL_FMT(item->asker), PL_FMT(item->question));
	if (context.ptr != NULL)
		pl_buf_addf(&out, "%.*s\n\n", PL_FMT(context));
	add_options(&out, pool, item);
	pl_buf_addf(&out, "Answer here: %.*s\n\n", PL_FMT(link));
	add_due(&out, item);
	pl_buf_adds(&out, "The link is valid for one answer. Anyone who has the link can answer: do not pass it on.\n");
	return pl_buf_str(&out);
}

/* Slack's three control characters. */
static struct pl_str escaped(struct pl_pool *pool, struct pl_str text, size_t max)
{
	struct pl_buf out = PL_BUF(pool);
	size_t cut = pl_utf8_cut(text.ptr, text.len, max);

	for (size_t i = 0; i < cut; i++) {
		char c = text.ptr[i];

		if (c == '&')
			pl_buf_adds(&out, "&amp;");
		else if (c == '<')
			pl_buf_adds(&out, "&lt;");
		else if (c == '>')
			pl_buf_adds(&out, "&gt;");
		else
			pl_buf_addc(&out, c);
	}
	if (cut < text.len)
		pl_buf_adds(&out, "...");
	return pl_buf_str(&out);
}

static void add_section(struct pl_jw *w, struct pl_str text)
{
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", "section");
	pl_jw_key(w, "text");
	pl_jw_object(w);
	pl_jw_kcstr(w, "type", "mrkdwn");
	pl_jw_kstr(w, "text", text);
	pl_jw_end_object(w);
	pl_jw_end_object(w);
}

struct pl_str feedback_request_slack(struct pl_pool *pool, const struct job *item, struct pl_str link)
{
	struct pl_buf out = PL_BUF(pool), last = PL_BUF(pool), options = PL_BUF(pool);
	struct pl_jw w = PL_JW(&out);
	struct pl_str context = readable(pool, item->context);

	/* a section holds 3,000 characters; escaping makes at most five of each */
	pl_jw_object(&w);
	pl_jw_kstr(&w, "text", escaped(pool, feedback_request_subject(pool, item), 400));
	pl_jw_key(&w, "blocks");
	pl_jw_array(&w);
	add_section(&w, pl_str(pl_sprintf(pool, "*%.*s asks:*", PL_FMT(escaped(pool, item->asker, 64)))));
	for (struct pl_str rest = item->question; rest.len > 0;) {
		size_t cut = pl_utf8_cut(rest.ptr, rest.len, 590);

		add_section(&w, escaped(pool, pl_strn(rest.ptr, cut), cut));
		rest = pl_strn(rest.ptr + cut, rest.len - cut);
	}
	if (context.len > 0)
		add_section(&w, escaped(pool, context, 590));
	add_options(&options, pool, item);
	if (options.len > 0)
		add_section(&w, escaped(pool, pl_buf_str(&options), 590));
	pl_buf_addf(&last, "<%.*s|Answer>\n", PL_FMT(link));
	add_due(&last, item);
	add_section(&w, pl_buf_str(&last));
	pl_jw_end_array(&w);
	pl_jw_end_object(&w);
	return pl_buf_str(&out);
}
