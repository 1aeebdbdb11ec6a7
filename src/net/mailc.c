/* SPDX-License-Identifier: ISC */
/*
 * Sends one mail. libcurl does the first part, and this file the rest:
 *
 *   connect, EHLO, STARTTLS, AUTH (libcurl) -> MAIL -> RCPT -> DATA -> text -> "." -> outcome -> QUIT
 */
#include "net/mailc.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "clock.h"
#include "leaf.h"

#define CONNECT_MS 15000L
#define HELLO_S 60L			/* for replies before MAIL */
#define MAIL_MS 300000			/* for replies to MAIL and RCPT: RFC 5321 section 4.5.3.2 */
#define DATA_MS 120000
#define TEXT_MS 180000			/* without progress while the text is sent */
#define LAST_MS 600000			/* for the reply to the final dot */
#define QUIT_MS 1000
#define REPLY_MAX 1600			/* bytes of a reply that are kept */
#define CUT "..."
#define REPLY_BYTES_MAX 65536		/* longer replies are invalid */

struct talk {
	const struct mailc_mail *mail;
	CURL *easy;
	curl_socket_t fd;
	char in[4096];
	size_t in_at, in_len;
	struct pl_buf reply;		/* the newest reply; lines are separated by \n */
	bool cut;			/* the rest of the reply is left out */
	int code;			/* code of the reply; 0 while it is incomplete */
	size_t reply_bytes;
	bool utf8, eight_bit;		/* extensions in the newest 250 reply; before MAIL that is the one to EHLO */
	bool open;
	struct mailc_result result;
};

/* ---- replies ---- */

static void note_extension(struct talk *t, struct pl_str line)
{
	struct pl_str word;

	if (line.len < 4 || strncmp(line.ptr, "250", 3) != 0)
		return;
	line = pl_strn(line.ptr + 4, line.len - 4);
	pl_str_cut(&line, ' ', &word);
	t->utf8 = t->utf8 || pl_str_ieq(word, PL_STR("SMTPUTF8"));
	t->eight_bit = t->eight_bit || pl_str_ieq(word, PL_STR("8BITMIME"));
}

static bool reply_line_ok(struct pl_str line)
{
	return line.len >= 3 && line.ptr[0] >= '2' && line.ptr[0] <= '5' && line.ptr[1] >= '0' && line.ptr[1] <= '9' &&
	    line.ptr[2] >= '0' && line.ptr[2] <= '9' && (line.len == 3 || line.ptr[3] == ' ' || line.ptr[3] == '-');
}

/* Lines that do not fit are cut. */
static void keep_line(struct talk *t, struct pl_str line)
{
	size_t room;

	if (t->cut)
		return;
	if (t->reply.len > 0)
		pl_buf_addc(&t->reply, '\n');
	room = t->reply.len < REPLY_MAX ? REPLY_MAX - t->reply.len : 0;
	t->cut = line.len > room;
	pl_buf_addstr(&t->reply, t->cut ? pl_strn(line.ptr, pl_utf8_cut(line.ptr, line.len, room)) : line);
	if (t->cut)
		pl_buf_adds(&t->reply, CUT);
}

/* Takes a line without its end. false: it cannot be part of a reply. */
static bool take_line(struct talk *t, struct pl_str line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (!reply_line_ok(line))
		return false;
	if (t->code != 0 || t->reply.len == 0) {
		t->code = 0;
		t->cut = false;
		t->reply.len = t->reply_bytes = 0;
		if (pl_str_starts(line, "250"))
			t->utf8 = t->eight_bit = false;
	}
	t->reply_bytes += line.len;
	keep_line(t, line);
	note_extension(t, line);
	if (line.len == 3 || line.ptr[3] == ' ')
		t->code = (line.ptr[0] - '0') * 100 + (line.ptr[1] - '0') * 10 + line.ptr[2] - '0';
	return t->reply_bytes <= REPLY_BYTES_MAX;
}

/* Keeps only text that is safe in a log and a table. */
static void set_why(struct talk *t, const char *prefix, struct pl_str text)
{
	char *why = t->result.why;
	size_t room = sizeof(t->result.why) - strlen(prefix) - 1;
	size_t n = pl_utf8_cut(text.ptr, text.len, room);
	bool utf8 = pl_utf8_ok(text.ptr, n);
	size_t at = (size_t)snprintf(why, sizeof(t->result.why), "%s", prefix);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == 0xc2 && i + 1 < n && (unsigned char)text.ptr[i + 1] < 0xa0) {	/* a control character of C1 */
			why[at++] = '?';
			i++;
		} else {
			why[at++] = c == '\n' || (c >= ' ' && c < 0x7f) || (c >= 0x80 && utf8) ? (char)c : '?';
		}
	}
	why[at] = '\0';
}

static void set_why_reply(struct talk *t)
{
	set_why(t, "The mail server said: ", pl_buf_str(&t->reply));
}

/* ---- bytes ---- */

static bool wait_for(struct talk *t, short events, int64_t until_ns)
{
	struct pollfd one = { .fd = t->fd, .events = events };
	int64_t left_ms = (until_ns - pl_now_ns()) / PL_NS_PER_MS;
	int got;

	if (left_ms < 0)
		return false;
	got = poll(&one, 1, left_ms < 60000 ? (int)left_ms + 1 : 60000);
	return got >= 0 || errno == EINTR;
}

static bool say(struct talk *t, const char *data, size_t len, int64_t ms)
{
	int64_t until_ns = pl_now_ns() + ms * PL_NS_PER_MS;

	while (len > 0) {
		size_t done = 0;
		CURLcode code = curl_easy_send(t->easy, data, len, &done);

		if (code == CURLE_OK && done > 0) {
			data += done;
			len -= done;
			until_ns = pl_now_ns() + ms * PL_NS_PER_MS;
		} else if ((code != CURLE_AGAIN && code != CURLE_OK) || !wait_for(t, POLLOUT, until_ns)) {
			set_why(t, "The connection to the mail server was lost.", PL_STR(""));
			return false;
		}
	}
	return true;
}

/* Reads more bytes into t->in. false: none came. */
static bool receive(struct talk *t, int64_t until_ns)
{
	for (;;) {
		size_t got = 0;
		CURLcode code = curl_easy_recv(t->easy, t->in, sizeof(t->in), &got);

		t->in_at = 0;
		t->in_len = got;
		if (code == CURLE_OK && got > 0)
			return true;
		if (code != CURLE_AGAIN) {
			set_why(t, "The mail server closed the connection.", PL_STR(""));
			return false;
		}
		if (!wait_for(t, POLLIN, until_ns) || pl_now_ns() >= until_ns) {
			set_why(t, "The mail server took too long.", PL_STR(""));
			return false;
		}
	}
}

/* Returns the code of the next reply. 0: none came, and `why` is set. */
static int hear(struct talk *t, int64_t ms)
{
	int64_t until_ns = pl_now_ns() + ms * PL_NS_PER_MS;
	struct pl_buf line = PL_BUF(NULL);
	bool good = true;

	t->code = 0;
	t->reply.len = 0;
	while (good && t->code == 0) {
		if (t->in_at == t->in_len && !receive(t, until_ns))
			break;
		while (good && t->code == 0 && t->in_at < t->in_len) {
			char c = t->in[t->in_at++];

			if (c != '\n') {
				pl_buf_addc(&line, c);
				good = line.len <= REPLY_BYTES_MAX;
				continue;
			}
			good = take_line(t, pl_buf_str(&line));
			line.len = 0;
		}
	}
	if (!good)
		set_why(t, "The mail server sent something that is not an SMTP reply.", PL_STR(""));
	pl_buf_fini(&line);
	t->result.code = good ? t->code : 0;
	return t->result.code;
}

/* ---- up to EHLO and AUTH ---- */

static size_t on_line(char *data, size_t size, size_t count, void *arg)
{
	size_t len = size * count;
	struct pl_str lines = pl_strn(data, len), line;
	struct talk *t = arg;

	while (pl_str_cut(&lines, '\n', &line) && line.len > 0)
		take_line(t, line);
	if (t->code >= 400)	/* libcurl sends QUIT now and waits for the reply */
		curl_easy_setopt(t->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, 1L);
	return len;
}

static void set_options(struct talk *t, char error[CURL_ERROR_SIZE])
{
	const struct mailc_mail *m = t->mail;
	CURL *easy = t->easy;

	curl_easy_setopt(easy, CURLOPT_URL, m->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");	/* ignores the proxy of the environment */
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(m->tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)m->connect_ms);
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, HELLO_S);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
	if (m->ca_file != NULL && m->ca_file[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_CAINFO, m->ca_file);
	if (m->user != NULL && m->user[0] != '\0') {
		curl_easy_setopt(easy, CURLOPT_USERNAME, m->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, m->password != NULL ? m->password : "");
	}
}

static bool open_talk(struct talk *t)
{
	char error[CURL_ERROR_SIZE] = "";
	CURLcode code;

	set_options(t, error);
	code = curl_easy_perform(t->easy);
	t->result.code = t->code;
	if (code == CURLE_OK && curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &t->fd) == CURLE_OK) {
		t->open = true;
		return true;
	}
	t->result.outcome = MAILC_DOWN;
	if (t->code >= 400)
		set_why_reply(t);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		set_why(t, "The mail server took too long.", PL_STR(""));
	else
		set_why(t, "", pl_str(error[0] != '\0' ? error : curl_easy_strerror(code)));
	return false;
}

/* ---- the mail ---- */

/* A reply that ends the attempt. in_doubt: the whole message was sent. */
static bool failed(struct talk *t, bool in_doubt)
{
	int code = t->result.code;

	if (code == 0) {	/* `why` is set */
		t->result.outcome = in_doubt ? MAILC_UNKNOWN : MAILC_DOWN;
		return false;
	}
	set_why_reply(t);
	if (code == 421 || code == 530 || code == 535 || code == 538)	/* a problem of the server, or of our account
									 * there */
		t->result.outcome = MAILC_DOWN;
	else
		t->result.outcome = code >= 500 ? MAILC_REFUSED : MAILC_LATER;
	return false;
}

/* The server may have replied already to a command that could not be sent completely, such as 552 within a text. */
static bool broken(struct talk *t)
{
	char why[sizeof(t->result.why)];

	memcpy(why, t->result.why, sizeof(why));
	if (hear(t, QUIT_MS) >= 400)
		return failed(t, false);
	memcpy(t->result.why, why, sizeof(why));
	t->result.code = 0;
	return failed(t, false);
}

static bool command(struct talk *t, struct pl_pool *pool, int64_t ms, int good, const char *verb, const char *address,
    const char *rest)
{
	const char *line = address != NULL ? pl_sprintf(pool, "%s:<%s>%s\r\n", verb, address, rest) :
	    pl_sprintf(pool, "%s\r\n", verb);

	if (!say(t, line, strlen(line), ms))
		return broken(t);
	if (hear(t, ms) / 100 != good)
		return failed(t, false);
	return true;
}

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* Doubles leading dots (RFC 5321 section 4.5.2). */
static struct pl_str stuffed(struct pl_pool *pool, struct pl_str text)
{
	struct pl_buf out = PL_BUF(pool);

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '.' && (i == 0 || text.ptr[i - 1] == '\n'))
			pl_buf_addc(&out, '.');
		pl_buf_addc(&out, text.ptr[i]);
	}
	if (text.len < 2 || text.ptr[text.len - 1] != '\n')
		pl_buf_adds(&out, "\r\n");
	return pl_buf_str(&out);
}

static bool send_mail(struct talk *t, struct pl_pool *pool, const struct mailc_ops *ops, void *arg)
{
	const struct mailc_mail *m = t->mail;
	bool needs = !is_ascii(m->from) || !is_ascii(m->to), eight_bit = t->eight_bit;
	struct pl_str text = stuffed(pool, m->text);

	if (needs && !t->utf8) {
		t->result.outcome = MAILC_REFUSED;
		snprintf(t->result.why, sizeof(t->result.why),
		    "The mail server does not support SMTPUTF8, which the address %s needs.",
		    is_ascii(m->to) ? m->from : m->to);
		return false;
	}
	if (!command(t, pool, MAIL_MS, 2, "MAIL FROM", m->from, !needs ? "" :
	    eight_bit ? " BODY=8BITMIME SMTPUTF8" : " SMTPUTF8") ||
	    !command(t, pool, MAIL_MS, 2, "RCPT TO", m->to, "") || !command(t, pool, DATA_MS, 3, "DATA", NULL, ""))
		return false;
	if (!say(t, text.ptr, text.len, TEXT_MS))
		return broken(t);
	ops->unknown(arg);
	if (!say(t, ".\r\n", 3, TEXT_MS))
		return failed(t, true);
	if (hear(t, LAST_MS) / 100 != 2)
		return failed(t, true);
	t->result.outcome = MAILC_SENT;
	t->result.why[0] = '\0';
	return true;
}

void mailc_send(const struct mailc_mail *mail, const struct mailc_ops *ops, void *arg)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct talk *t = pl_alloc(pool, sizeof(*t));

	PL_BUG(curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK);
	t->mail = mail;
	t->reply = PL_BUF(pool);
	t->easy = curl_easy_init();
	PL_BUG(t->easy == NULL);
	if (open_talk(t)) {
		t->result.outcome = MAILC_SENT;
		if (mail->to != NULL)
			send_mail(t, pool, ops, arg);
	}
	ops->ended(arg, &t->result);
	if (t->open && say(t, "QUIT\r\n", 6, QUIT_MS))
		hear(t, QUIT_MS);
	if (t->open)
		shutdown(t->fd, SHUT_RDWR);	/* otherwise libcurl sends QUIT again and waits */
	curl_easy_cleanup(t->easy);
	curl_global_cleanup();
	pl_pool_free(&pool);
}
