/* SPDX-License-Identifier: ISC */
/*
 * Sends one mail over SMTP, in a process that may block: a separate connection with STARTTLS or TLS and AUTH (libcurl),
 * then the dialog of RFC 5321 in mailc.c, which always knows whether the server may have accepted the mail.
 */
#ifndef NET_MAILC_H
#define NET_MAILC_H

#include "pool.h"
#include "str.h"

struct mailc_mail {
	const char *url;		/* smtp:// or smtps:// */
	bool tls;			/* smtp://: require STARTTLS */
	const char *ca_file;		/* NULL or "": the system's authorities */
	const char *user, *password;	/* user NULL or "": no login */
	const char *from, *to;		/* addresses without names; to NULL: only check the connection and the login */
	struct pl_str text;		/* the whole message, lines ended by CRLF */
	int64_t connect_ms;		/* until the server is ready for MAIL: name, TCP, TLS, EHLO, AUTH */
};

enum mailc_outcome {
	MAILC_SENT,		/* the server replied 250 to the whole message */
	MAILC_REFUSED,		/* this mail, permanently (5xx, or the server lacks what its addresses need) */
	MAILC_LATER,		/* this mail, for now (4xx) */
	MAILC_DOWN,		/* no connection, TLS, or login, or it was lost: the server has not accepted the mail */
	MAILC_UNKNOWN		/* the whole message was sent, and no reply arrived: the server may have accepted it */
};
struct mailc_result {
	enum mailc_outcome outcome;
	int code;			/* the server's last reply, 0: none */
	char why[2000];			/* a sentence, with all lines of the server's reply; "" when sent */
};

struct mailc_ops {
	/* The end of the message is sent now: until `ended`, it is unknown whether the server accepted it. */
	void (*unknown)(void *arg);
	/* The outcome, before the connection is closed completely, which may take a second. */
	void (*ended)(void *arg, const struct mailc_result *result);
};

/*
 * Blocks. Replies may take as long as RFC 5321 section 4.5.3.2 allows: 10 minutes for the last one.
 *   source:  RFC 5321, RFC 3207, RFC 4954, RFC 6531; CURLOPT_CONNECT_ONLY(3)
 */
void mailc_send(const struct mailc_mail *mail, const struct mailc_ops *ops, void *arg);

#endif
