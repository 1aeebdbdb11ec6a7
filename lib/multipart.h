/* SPDX-License-Identifier: ISC */
/*
 * Fields of forms as multipart/form-data (RFC 7578, on RFC 2046 5.1), all in memory.
 */
#ifndef PL_MULTIPART_H
#define PL_MULTIPART_H

#include <stdbool.h>

#include "str.h"

/* The boundary parameter of a Content-Type (1 to 70 bytes); absent when there is none or it is malformed. */
struct pl_str pl_multipart_boundary(struct pl_str content_type);
/*
 * The first field of that name, as it stands in the body; absent when there is none. *bad_r: the body is no such form
 * up to there, or the value is no UTF-8 or holds NUL.
 */
struct pl_str pl_multipart_get(struct pl_str body, struct pl_str boundary, const char *name, bool *bad_r);

#endif
