/* SPDX-License-Identifier: ISC */
/*
 * Parser for text/event-stream, for input that is split at any byte; no I/O. Source: WHATWG HTML section 9.2.6.
 *
 * Lines end with LF, CRLF, or CR; a BOM at the start is skipped; ':' lines are comments; several data lines join with
 * LF; one blank after the colon is dropped. A line "error: TEXT", which is not in that standard, gives an event "error"
 * with TEXT as its data.
 */
#ifndef PL_SSE_H
#define PL_SSE_H

#include <stdbool.h>

#include "str.h"

struct pl_sse {
	struct pl_buf line, data, event;	/* heap */
	size_t max_bytes;			/* of one event; feed fails if it is larger */
	bool has_data, last_cr, started;
	unsigned long comments;
};

/* Returns false to stop the parser; pl_sse_feed() then returns false. `event` is "" when unnamed. */
typedef bool (pl_sse_fn)(void *arg, struct pl_str event, struct pl_str data);

void pl_sse_init(struct pl_sse *sse, size_t max_bytes);
void pl_sse_fini(struct pl_sse *sse);
/* false: the event is too large, or the callback stopped the parser. */
bool pl_sse_feed(struct pl_sse *sse, const char *bytes, size_t len, pl_sse_fn *fn, void *arg) PL_MUSTCHECK;

#endif
