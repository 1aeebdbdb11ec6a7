/* SPDX-License-Identifier: ISC */
/*
 * The plain files of the chat page and the reference, read once before fork, and generated texts.
 */
#ifndef API_WWW_H
#define API_WWW_H

#include "core/settings.h"
#include "core/shm.h"
#include "str.h"

#define WWW_ETAG_BYTES 20

struct www_file { struct pl_str name, body; const char *type; char etag[WWW_ETAG_BYTES]; };

/*
 * Reads all files of `dir`, or of the directories that $PARLOUR_WWW_DIR names, separated by colons. Missing files are
 * not an error: then there is no page.
 */
void www_load(const char *dir);
const struct www_file *www_find(struct pl_str name);
/* Entity tag of a body, quoted; derived from its hash. */
void www_etag(struct pl_str body, char etag[WWW_ETAG_BYTES]);

/* Prometheus text of the scoreboard. */
void metrics_write(struct pl_buf *out, const struct shm *shm, const struct config *config);

#endif
