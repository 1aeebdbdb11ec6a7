/* SPDX-License-Identifier: ISC */
/*
 * A manual page (mdoc) as a page for browsers: the macros that our pages use, with an index of the sections.
 */
#ifndef MDOC_HTML_H
#define MDOC_HTML_H

#include "str.h"

/* NULL, or what is wrong with the text and where; `out` is then incomplete. */
const char *mdoc_html(struct pl_buf *out, struct pl_str mdoc);

#endif
