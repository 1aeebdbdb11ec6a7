/* SPDX-License-Identifier: ISC */
/*
 * Cross-origin rules (the Fetch standard's CORS protocol): which Origin may read replies, and the headers for this.
 * Pure functions.
 */
#ifndef NET_HTTP_CORS_H
#define NET_HTTP_CORS_H

#include "core/settings.h"
#include "str.h"

struct http_cors {
	bool sent, allowed;
	bool credentials;	/* the origin is listed by name, or is ours: cookies and Authorization are allowed */
	const char *echo;	/* value of Access-Control-Allow-Origin, in `pool`; NULL when not allowed */
};

/*
 * Decides about an Origin. Our own is always allowed: that of public_url, or http(s)://HOST as the client named it.
 * `null` is treated like other origins: allowed only if it is listed, and never by "*" with credentials.
 */
struct http_cors http_cors_decide(const struct settings *s, struct pl_pool *pool, struct pl_str origin,
    struct pl_str host, bool tls);
/* The headers of ours that scripts of other origins may read, with commas between (headers.def). */
struct pl_str http_cors_exposed(void);
/* Appends the headers that every reply carries. */
void http_cors_headers(const struct http_cors *cors, const struct settings *s, struct pl_buf *out);
/*
 * Returns whether the value of Access-Control-Request-Headers is valid (names, commas, and blanks) and can be sent
 * back.
 */
bool http_cors_names_ok(struct pl_str names);

#endif
