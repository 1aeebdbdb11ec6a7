/* SPDX-License-Identifier: ISC */
/*
 * Reading usage sessions and daily series from files: cutting a text into records, checking each, building the JSON
 * that the SQL functions usage_import() and usage_series_import() take. Used by the route and by parlourctl.
 */
#ifndef SVC_USAGE_READ_H
#define SVC_USAGE_READ_H

#include <stdint.h>

#include "str.h"

/*
 * Cuts a text: JSON lines (one object per line, blank lines skipped), or one JSON array of objects when the first
 * character is '['. The cut looks at quotes and brackets only; grammar is checked with each record.
 */
struct usage_text { struct pl_str rest; int64_t line; bool array, ended, cut; };
void usage_text_init(struct usage_text *text, struct pl_str all);
/* The next record; line: number of its line, or of the element in an array. false at the end. */
bool usage_text_next(struct usage_text *text, struct pl_str *record_r, int64_t *line_r);

struct usage_refusal { int64_t line; const char *error; };

/* Records for one statement. Everything lives in `pool`. */
struct usage_batch {
	struct pl_pool *pool;
	struct pl_buf rows;		/* "[{..},{..}" ; closed by usage_batch_json() */
	int good, refused;		/* how many of each */
	struct usage_refusal *refusals;
	int refusals_count;		/* how many are kept: the first 1000 */
};
void usage_batch_init(struct usage_batch *batch, struct pl_pool *pool);
/* One usage session {session_id, developer_id, timestamp, ...}; source: where the record names none. */
void usage_batch_session(struct usage_batch *batch, struct pl_str record, int64_t line, struct pl_str source);
/* One figure {day, developer, name, value}, or "day,developer,name,value". */
void usage_batch_figure(struct usage_batch *batch, struct pl_str record, int64_t line);
struct pl_str usage_batch_json(struct usage_batch *batch);

#define USAGE_SOURCE "import"	/* where neither record nor caller names a source */

#endif
