/* SPDX-License-Identifier: ISC */
/*
 * Reads the target and the form of a request: decoded path segments, query and form parameters. The values are valid
 * UTF-8 without NUL.
 */
#include "net/req.h"

#include "net/http_int.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Decodes escapes (RFC 3986 2.1), and '+' as a blank in forms. Absent if an escape is invalid or the result is not
 * text.
 */
static struct pl_str decode(struct pl_pool *pool, struct pl_str in, bool is_form)
{
	bool plain = true;
	char *out;
	size_t n = 0;

	for (size_t i = 0; i < in.len && plain; i++)
		plain = in.ptr[i] != '%' && !(is_form && in.ptr[i] == '+');
	if (plain)
		return pl_utf8_ok(in.ptr, in.len) ? in : PL_STR_NONE;
	out = pl_alloc(pool, in.len + 1);
	for (size_t i = 0; i < in.len; i++) {
		char c = in.ptr[i];

		if (c == '%') {
			int high = i + 2 < in.len ? hex_value(in.ptr[i + 1]) : -1;
			int low = i + 2 < in.len ? hex_value(in.ptr[i + 2]) : -1;

			if (high < 0 || low < 0)
				return PL_STR_NONE;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && is_form) {
			c = ' ';
		}
		out[n++] = c;
	}
	return pl_utf8_ok(out, n) ? pl_strn(out, n) : PL_STR_NONE;
}

/* Refuses segments that no route has, so that handlers need not check for them. */
static bool segment_ok(struct pl_str segment)
{
	if (segment.ptr == NULL || pl_str_is(segment, ".") || pl_str_is(segment, ".."))
		return false;
	for (size_t i = 0; i < segment.len; i++) {
		if (segment.ptr[i] == '/' || segment.ptr[i] == '\\' || (unsigned char)segment.ptr[i] < 0x20 ||
		    segment.ptr[i] == 0x7f)
			return false;
	}
	return true;
}

void req_path_split(struct req *req)
{
	struct pl_str rest = req->path, part;
	int used = 0;

	req->segments = 0;
	if (rest.len == 0 || rest.ptr[0] != '/') {
		req->segments = -1;
		return;
	}
	rest = pl_strn(rest.ptr + 1, rest.len - 1);
	for (int i = 0; pl_str_cut(&rest, '/', &part); i++) {
		part = decode(req->task->pool, part, false);
		if (!segment_ok(part) || (part.len > 0 && i >= REQ_SEGMENTS_MAX)) {
			req->segments = -1;
			return;
		}
		if (i < REQ_SEGMENTS_MAX)
			req->segment[i] = part;
		if (part.len > 0)
			used = i + 1;
	}
	req->segments = used;
}

static struct pl_str find(struct pl_pool *pool, struct pl_str text, const char *name, bool *bad_r)
{
	struct pl_str want = pl_str(name), pair, key, value;

	while (text.ptr != NULL && pl_str_cut(&text, '&', &pair)) {
		value = pair;
		if (!pl_str_cut(&value, '=', &key))
			continue;
		if (memchr(key.ptr, '%', key.len) != NULL || memchr(key.ptr, '+', key.len) != NULL)
			key = decode(pool, key, true);
		if (key.ptr == NULL || !pl_str_eq(key, want))
			continue;
		if (value.ptr == NULL)
			return PL_STR("");
		value = decode(pool, value, true);
		if (value.ptr == NULL && bad_r != NULL)
			*bad_r = true;
		return value;
	}
	return PL_STR_NONE;
}

struct pl_str req_query(const struct req *req, const char *name, bool *bad_r)
{
	if (bad_r != NULL)
		*bad_r = false;
	return find(req->task->pool, req->query, name, bad_r);
}

struct pl_str req_form(const struct req *req, const char *name, bool *bad_r)
{
	if (bad_r != NULL)
		*bad_r = false;
	return find(req->task->pool, req->body, name, bad_r);
}

static bool is_secret(struct pl_str key)
{
	return pl_str_ieq(key, PL_STR("token")) || pl_str_ieq(key, PL_STR("access_token")) ||
	    pl_str_ieq(key, PL_STR("refresh_token")) || pl_str_ieq(key, PL_STR("ticket")) ||
	    pl_str_ieq(key, PL_STR("code")) || pl_str_ieq(key, PL_STR("state")) ||	/* of identity providers */
	    memchr(key.ptr, '%', key.len) != NULL;	/* an escaped name may be one of them */
}

struct pl_str req_target_redact(struct pl_pool *pool, struct pl_str target)
{
	const char *mark = memchr(target.ptr, '?', target.len);
	struct pl_str rest, pair, key, value;
	struct pl_buf out = PL_BUF(pool);
	bool first = true, found = false;

	if (pl_str_starts(target, "/r/"))
		return PL_STR("/r/(hidden)");	/* the link allows its holder to answer */
	if (pl_str_starts(target, "/join/"))
		return PL_STR("/join/(hidden)");	/* the link allows its holder to register or join */
	if (mark == NULL)
		return target;
	rest = pl_strn(mark + 1, target.len - (size_t)(mark + 1 - target.ptr));
	pl_buf_add(&out, target.ptr, (size_t)(mark + 1 - target.ptr));
	while (pl_str_cut(&rest, '&', &pair)) {
		if (!first)
			pl_buf_addc(&out, '&');
		first = false;
		value = pair;
		if (pl_str_cut(&value, '=', &key) && value.ptr != NULL && is_secret(key)) {
			found = true;
			pl_buf_addstr(&out, key);
			pl_buf_adds(&out, "=(hidden)");
		} else {
			pl_buf_addstr(&out, pair);
		}
	}
	return found ? pl_buf_str(&out) : target;
}
