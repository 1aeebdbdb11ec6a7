/* SPDX-License-Identifier: ISC */
/* Decides about CORS requests and builds the headers. */
#include "net/http_cors.h"

enum { NAMES_MAX = 512, ORIGIN_MAX = 300 };

/* Returns scheme and authority of a URL: "https://chat.example.org" for "https://chat.example.org/x". */
static struct pl_str origin_of(struct pl_str url)
{
	size_t n = 0;
	int slashes = 0;

	while (n < url.len && (slashes += url.ptr[n] == '/') < 3)
		n++;
	return pl_strn(url.ptr, n);
}

static bool is_own(const struct settings *s, struct pl_str origin, struct pl_str host, bool tls)
{
	struct pl_str rest;

	if (s->public_url[0] != '\0' && pl_str_ieq(origin_of(pl_str(s->public_url)), origin))
		return true;
	if (host.len == 0)
		return false;
	if (pl_str_istarts(origin, "https://"))
		rest = pl_strn(origin.ptr + 8, origin.len - 8);
	else if (!tls && pl_str_istarts(origin, "http://"))
		rest = pl_strn(origin.ptr + 7, origin.len - 7);
	else
		return false;
	return pl_str_ieq(rest, host);
}

struct http_cors http_cors_decide(const struct settings *s, struct pl_pool *pool, struct pl_str origin,
    struct pl_str host, bool tls)
{
	struct http_cors cors = { .sent = origin.ptr != NULL };
	bool any = false;

	if (!cors.sent || origin.len == 0 || origin.len > ORIGIN_MAX)
		return cors;
	for (size_t i = 0; i < origin.len; i++) {
		if (origin.ptr[i] <= ' ' || origin.ptr[i] == '"' || (unsigned char)origin.ptr[i] >= 0x7f)
			return cors;
	}
	cors.credentials = is_own(s, origin, host, tls);
	for (int i = 0; i < s->cors_origins.count && !cors.credentials; i++) {
		if (strcmp(s->cors_origins.items[i], "*") == 0)
			any = true;
		else
			cors.credentials = pl_str_ieq(pl_str(s->cors_origins.items[i]), origin);
	}
	cors.allowed = any || cors.credentials;
	if (cors.credentials)
		cors.echo = pl_str_c(pool, origin);
	else if (any)
		cors.echo = "*";
	return cors;
}

struct pl_str http_cors_exposed(void)
{
#define EXPOSED(name) ", " name
#define PLAIN(name) ""
#define HEADER(name, kind) kind(name)
	static const char names[] =
#include "net/headers.def"
	    ;
#undef HEADER

	return pl_strn(names + 2, sizeof(names) - 3);
}

void http_cors_headers(const struct http_cors *cors, const struct settings *s, struct pl_buf *out)
{
	if (!cors->sent)
		return;
	pl_buf_addstr(out, PL_STR("Vary: Origin\r\n"));
	if (cors->echo == NULL)
		return;
	pl_buf_addstr(out, PL_STR("Access-Control-Allow-Origin: "));
	pl_buf_adds(out, cors->echo);
	pl_buf_addstr(out, PL_STR("\r\n"));
	if (s->cors_credentials && cors->credentials)
		pl_buf_addstr(out, PL_STR("Access-Control-Allow-Credentials: true\r\n"));
	pl_buf_addstr(out, PL_STR("Access-Control-Expose-Headers: "));
	pl_buf_addstr(out, http_cors_exposed());
	pl_buf_addstr(out, PL_STR("\r\n"));
}

bool http_cors_names_ok(struct pl_str names)
{
	if (names.len == 0 || names.len > NAMES_MAX)
		return false;
	for (size_t i = 0; i < names.len; i++) {
		char c = names.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr("!#$%&'*+-.^_`|~, ", c) != NULL)))
			return false;
	}
	return true;
}
