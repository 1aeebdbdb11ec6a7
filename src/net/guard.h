/* SPDX-License-Identifier: ISC */
/*
 * The guard: a strict reader of RFC 9112 that checks every byte of a connection before evhttp does. It keeps only a few
 * words of state and does no I/O.
 *
 * It accepts only requests that evhttp frames in the same way, and refuses others. It changes three things in place
 * that evhttp handles incorrectly: the `;` of a chunk extension becomes a blank, the name of a trailer field becomes
 * `!`s, so that it cannot be mistaken for a header, and a later minor version becomes HTTP/1.1. It adds one thing:
 * evhttp refuses POST, PUT, and PATCH with a Connection header but without a length. Their body is empty (RFC 9112
 * 6.3), so the caller inserts GUARD_NO_LENGTH.
 */
#ifndef NET_GUARD_H
#define NET_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "str.h"

#define GUARD_LINES_MAX 100	/* header fields, trailer fields */
#define GUARD_TEXT_MAX 280
#define GUARD_NO_LENGTH "Content-Length: 0\r\n"

struct guard_limits {
	uint32_t header_bytes;	/* request line and header fields with their line ends */
	int64_t body_bytes;	/* content, without chunk framing */
};

enum guard_phase {
	GUARD_START,	/* between messages */
	GUARD_HEADER,
	GUARD_BODY,
	GUARD_RAW,	/* an upgrade was requested: later bytes are not checked */
	GUARD_REFUSED
};

struct guard {
	uint8_t state, phase, field;
	bool has_body_method, http10;
	bool host_seen, length_seen, chunked, connection_seen, ask_upgrade, ask_websocket, is_get;
	bool add_length;		/* see guard_feed() */
	bool tab_first;			/* the field's value begins with a tab */
	uint16_t text_len;		/* GUARD_TEXT_MAX + 1 = longer than that */
	uint16_t lines, crlfs;
	uint32_t header_bytes, extra_bytes, messages;
	int64_t length, left, total;
	int status;			/* when refused: the HTTP status, and the error */
	enum pl_code code;
	const char *detail;
	char text[GUARD_TEXT_MAX];	/* the method, target, field name or value being read */
};

/*
 * Feeds received bytes; returns how many were read. It stops permanently when it refuses (phase GUARD_REFUSED; status,
 * code, and detail are set). It stops once when it sets add_length: insert GUARD_NO_LENGTH before the last two bytes
 * read, then feed the rest. messages counts the complete requests so far; an upgrade's header counts as one.
 */
size_t guard_feed(struct guard *guard, const struct guard_limits *limits, char *bytes, size_t len) PL_MUSTCHECK;

/* Returns whether `word` is in a list of header words, ignoring case and blanks around commas. */
bool guard_list_has(struct pl_str list, struct pl_str word);

/*
 * Returns whether `host` is a valid Host header (RFC 9110 7.2: name, IPv4, or [IPv6], optional port). Empty is invalid.
 */
bool guard_host_ok(struct pl_str host);

#endif
