/* SPDX-License-Identifier: ISC */
/*
 * Converts a manual page (mdoc) to HTML: the macros that our pages use, with an index of the sections.
 */
#ifndef MDOC_HTML_H
#define MDOC_HTML_H

#include "str.h"

/* NULL, or an error with its place in the text; `out` is then incomplete. */
const char *mdoc_html(struct pl_buf *out, struct pl_str mdoc);

#endif
