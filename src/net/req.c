/* SPDX-License-Identifier: ISC */
/* One request: its headers, the headers of its reply, and waiting for a result that comes later. */
#include "net/req.h"

#include <stdio.h>

#include "net/http_int.h"

enum { PIPELINE_BYTES = 16384 };

struct pl_str req_header(const struct req *req, const char *name)
{
	const char *value;

	if (req->ev == NULL)
		return PL_STR_NONE;
	value = evhttp_find_header(evhttp_request_get_input_headers(req->ev), name);
	/* a copy, because evhttp's text is freed with the reply, but the task may exist longer */
	return value != NULL ? pl_str_dup(req->task->pool, pl_str_trim(pl_str(value))) : PL_STR_NONE;
}

const char *req_content_type(const struct req *req)
{
	struct pl_str value = req_header(req, "Content-Type"), type;
	char *text;

	if (value.ptr == NULL || !pl_str_cut(&value, ';', &type))
		return "";
	type = pl_str_trim(type);
	text = pl_strndup(req->task->pool, type.ptr, type.len);
	for (char *c = text; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	}
	return text;
}

void req_header_add(struct req *req, const char *name, const char *value)
{
	struct req_header *header = pl_alloc(req->task->pool, sizeof(*header)), **end = &req->reply_headers;
	char *copy = pl_strdup(req->task->pool, value), *to = copy;

	for (const char *from = copy; *from != '\0'; from++) {
		if (*from != '\r' && *from != '\n')
			*to++ = *from;
	}
	*to = '\0';
	*header = (struct req_header){ .name = name, .value = copy };
	while (*end != NULL)
		end = &(*end)->next;
	*end = header;
}

void req_header_set(struct req *req, const char *name, const char *value)
{
	struct req_header **at = &req->reply_headers;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (*at != NULL)
		*at = (*at)->next;
	req_header_add(req, name, value);
}

void req_header_addf(struct req *req, const char *name, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(text)) {
		char *longer = pl_alloc(req->task->pool, (size_t)len + 1);

		va_start(args, fmt);
		vsnprintf(longer, (size_t)len + 1, fmt, args);
		va_end(args);
		req_header_add(req, name, longer);
		return;
	}
	req_header_add(req, name, text);
}

void req_defer(struct req *req)
{
	struct http_conn *conn = req->conn;

	if (req->deferred || req->gone || conn == NULL || conn->stealing)
		return;
	req->deferred = true;
	/*
	 * limits what a client can pipeline meanwhile; if the buffer is full, a disconnect is noticed only with the
	 * reply
	 */
	bufferevent_setwatermark(conn->bev, EV_READ, 0, PIPELINE_BYTES);
	conn->limited = true;
	bufferevent_enable(conn->bev, EV_READ);
	http_conn_arm(conn);
}
