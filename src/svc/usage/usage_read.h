/* SPDX-License-Identifier: ISC */
/*
 * Reads usage sessions and daily series from files: cuts a text into records, checks each, and builds the JSON for the
 * SQL functions usage_import() and usage_series_import(). Used by the route and by parlourctl.
 */
#ifndef SVC_USAGE_READ_H
#define SVC_USAGE_READ_H

#include <stdint.h>

#include "csv.h"
#include "str.h"

#define USAGE_COLUMNS_MAX 64

/* Kinds of records. Objects: a table is not accepted. */
enum usage_kind { USAGE_OBJECTS, USAGE_SESSIONS, USAGE_FIGURES };
enum usage_form { USAGE_LINES, USAGE_ARRAY, USAGE_TABLE };

/*
 * Cuts a text: one JSON array of objects when the first character is '['; JSON lines (one object per line, blank lines
 * skipped); or a table (csv.h). The first line of a table names its columns, in any order; of figures it may be absent.
 * A text whose first line names no column of sessions is read as JSON lines. The cut considers quotes and brackets
 * only; the grammar of each record is checked later. A byte order mark is skipped.
 */
struct usage_text {
	struct pl_str rest;
	int64_t line;
	enum usage_form form;
	bool ended, cut, utf16;
	struct pl_csv table;
	const char *columns[USAGE_COLUMNS_MAX];
	int columns_count;
	const char *error;		/* of the last record; NULL: none */
};
void usage_text_init(struct usage_text *text, struct pl_str all, enum usage_kind kind);
/*
 * The next record, of a table as a JSON object of strings (in `pool`); line: number of its line, or of the element in
 * an array. false at the end.
 */
bool usage_text_next(struct usage_text *text, struct pl_pool *pool, struct pl_str *record_r, int64_t *line_r);

struct usage_refusal { int64_t line; const char *error; };

/* Records for one statement. Everything lives in `pool`. */
struct usage_batch {
	struct pl_pool *pool;
	struct pl_buf rows;		/* "[{..},{..}" ; closed by usage_batch_json() */
	int good, refused;		/* number of each */
	struct usage_refusal *refusals;
	int refusals_count;		/* number of kept ones: the first 1000 */
	enum usage_form form;		/* of the text; in a table all values are strings */
	bool comma;			/* a number may be written as 0,5 */
};
void usage_batch_init(struct usage_batch *batch, struct pl_pool *pool);
/*
 * Reads and checks the next record. Sessions {session_id, developer_id, timestamp, ...}, with `source` where the record
 * names none; or figures {day, developer, name, value}. false: there is none.
 */
bool usage_batch_next(struct usage_batch *batch, struct usage_text *text, enum usage_kind kind, struct pl_str source);
struct pl_str usage_batch_json(struct usage_batch *batch);

#define USAGE_SOURCE "import"	/* the source of records that name none, if the caller names none */

#endif
