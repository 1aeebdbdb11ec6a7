/* SPDX-License-Identifier: ISC */
/*
 * The plain files of the chat page and the reference, read once before fork, and the generated texts.
 */
#ifndef API_WWW_H
#define API_WWW_H

#include "core/shm.h"
#include "str.h"

struct www_file { struct pl_str name, body; const char *type; char etag[20]; };

/* Reads all files of `dir` ($PARLOUR_WWW_DIR wins). Missing files are no error: then there is no page. */
void www_load(const char *dir);
const struct www_file *www_find(struct pl_str name);

/* OpenAPI 3.1 of routes.def and shapes.def. server_name and base may be "". */
void openapi_write(struct pl_buf *out, const char *server_name, const char *base);

/* Prometheus text of the scoreboard. */
void metrics_write(struct pl_buf *out, const struct shm *shm);

#endif
