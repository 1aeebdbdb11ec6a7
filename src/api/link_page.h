/* SPDX-License-Identifier: ISC */
/*
 * Small pages behind links in mails: HTML without scripts, in the style answer.css.
 */
#ifndef API_LINK_PAGE_H
#define API_LINK_PAGE_H

#include "api/http/request.h"

/* Adds text as HTML: the four special characters are escaped. */
void link_page_text(struct pl_buf *out, struct pl_str text);
/* Begins a page with this title, which is escaped. Then add HTML, and call link_page_send(). */
void link_page_begin(struct pl_buf *out, const struct request *request, struct pl_str title);
/* Ends the page and replies with it. */
void link_page_send(struct request *request, int status, struct pl_buf *out);
/* Replies with a page that consists of a title and one paragraph. Both are constants and not escaped. */
void link_page_say(struct request *request, int status, const char *title, const char *text);
/* Replies that the link is not valid (404): browsers get a page, other programs the usual error. */
void link_page_refuse(struct request *request);

#endif
