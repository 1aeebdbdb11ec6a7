/* SPDX-License-Identifier: ISC */
/*
 * Descriptions of the server for programs: OpenAPI, generated from routes.def, shapes.def, errors.def, and
 * describe.def; AsyncAPI, generated from frames.def, topics.def, closes.def, errors.def, and sockets.def.
 */
#ifndef API_DESCRIBE_H
#define API_DESCRIBE_H

#include "api/http/route.h"
#include "str.h"

/* OpenAPI 3.1. server_name and base may be "". */
void openapi_write(struct pl_buf *out, const char *server_name, const char *base);

/* AsyncAPI 3.0: the WebSockets. server_name and base may be "". */
void asyncapi_write(struct pl_buf *out, const char *server_name, const char *base);

/* The next alternative of an expression (`words` of JSON fields in shapes.def): cuts at a | outside of brackets. */
bool describe_cut(struct pl_str *text, struct pl_str *part_r) PL_MUSTCHECK;

#endif
