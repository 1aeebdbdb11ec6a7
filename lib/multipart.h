/* SPDX-License-Identifier: ISC */
/*
 * Reads fields of forms in multipart/form-data (RFC 7578, on RFC 2046 5.1), all in memory.
 */
#ifndef PL_MULTIPART_H
#define PL_MULTIPART_H

#include <stdbool.h>

#include "str.h"

/* The boundary parameter of a Content-Type (1 to 70 bytes); absent when there is none or it is malformed. */
struct pl_str pl_multipart_boundary(struct pl_str content_type);
/*
 * The first field with that name, as written in the body; absent if there is none. *bad_r: the body is malformed before
 * the end of that field, or the value is not UTF-8 or contains NUL.
 */
struct pl_str pl_multipart_get(struct pl_str body, struct pl_str boundary, const char *name, bool *bad_r);

#endif
