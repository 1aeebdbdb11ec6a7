/* SPDX-License-Identifier: ISC */
/*
 * The guard: a strict RFC 9112 reader that sees every byte of a connection before evhttp does. It keeps nothing but a
 * few words of state; it does no I/O.
 *
 * What it lets through is framed the same way by evhttp; what evhttp would frame differently is refused. Three things
 * are changed in place, because evhttp would trip over them: the `;` of a chunk extension becomes a blank, the name of
 * a trailer field becomes `!`s, so that it can never be taken for a header, and a later minor version becomes HTTP/1.1.
 * One thing is added: evhttp takes POST, PUT and PATCH with a Connection header but without a length for an error; they
 * have an empty body (RFC 9112 6.3), so the caller inserts GUARD_NO_LENGTH.
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
	GUARD_RAW,	/* an upgrade was asked for: bytes are not looked at any more */
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
	int status;			/* when refused: the HTTP status and what to say */
	enum pl_code code;
	const char *detail;
	char text[GUARD_TEXT_MAX];	/* the method, target, field name or value being read */
};

/*
 * Feeds bytes as they came; returns how many were read. It stops permanently when it refuses (phase GUARD_REFUSED;
 * status, code and detail are set), and when it sets add_length: GUARD_NO_LENGTH belongs before the last two bytes
 * read, and the rest is fed afterwards. messages counts the complete requests so far; an upgrade's header counts as
 * one.
 */
size_t guard_feed(struct guard *guard, const struct guard_limits *limits, char *bytes, size_t len) PL_MUSTCHECK;

/* Is `word` in a list of header words? Case and the blanks around commas do not matter. */
bool guard_list_has(struct pl_str list, struct pl_str word);

/* Is `host` a valid Host header (RFC 9110 7.2: name, IPv4 or [IPv6], optional port)? Empty is not. */
bool guard_host_ok(struct pl_str host);

#endif
