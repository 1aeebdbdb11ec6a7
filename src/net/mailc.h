/* SPDX-License-Identifier: ISC */
/*
 * Outgoing mail over SMTP in the process's loop, over libcurl: a connection per mail, STARTTLS or TLS, AUTH.
 */
#ifndef NET_MAILC_H
#define NET_MAILC_H

#include "net/httpc.h"

/* Borrowed until mailc_start() returned. */
struct mailc_mail {
	const char *url;		/* smtp:// or smtps:// */
	bool tls;			/* smtp://: insist on STARTTLS */
	const char *ca_file;		/* NULL or "": the system's authorities */
	const char *user, *password;	/* user NULL or "": no login */
	const char *from, *to;		/* bare addresses; to NULL: only a look whether the server takes us (NOOP) */
	struct pl_str text;		/* the whole message, lines ended by CRLF */
	int64_t total_ms;
};

enum mailc_outcome {
	MAILC_SENT,		/* the server said 250 to the whole message */
	MAILC_REFUSED,		/* this mail, for good (5xx) */
	MAILC_LATER,		/* this mail, for now (4xx) */
	MAILC_DOWN,		/* no connection, TLS or login, or it broke off: says nothing about this mail */
	MAILC_STOPPED		/* the process stops, or the task was cancelled */
};
struct mailc_result {
	enum mailc_outcome outcome;
	int code;			/* the server's last reply, 0: none */
	char why[200];			/* a sentence; "" when sent */
};
typedef void (mailc_done_fn)(void *arg, const struct mailc_result *result);

/*
 * Sends; holds `task` until `done` ran: once, never before return, also after cancel and when the client is freed.
 * After MAILC_DOWN the server may have taken the mail all the same, if it died before its last word: repeat with the
 * same Message-ID.
 *   source:  RFC 5321, RFC 3207, RFC 4954; curl_easy_setopt(3)
 */
void mailc_start(struct httpc *client, struct pl_task *task, const struct mailc_mail *mail, mailc_done_fn *done,
    void *arg);

#endif
