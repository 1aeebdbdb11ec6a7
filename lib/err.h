/* SPDX-License-Identifier: ISC */
/*
 * An error as a value. Codes, statuses, and texts come from errors.def.
 *
 * A pl_err reports failures of the outside world: peers, input, and the database. A bug of the caller is PL_BUG, and
 * lack of memory is abort(). It is a plain value that may be copied and kept. Details that must not reach a client (SQL
 * texts, paths) belong in the log, not here.
 */
#ifndef PL_ERR_H
#define PL_ERR_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

enum pl_code {
#define ERR(name, code, http, ws, temp, text) PL_E_##name,
#include "errors.def"
#undef ERR
	PL_E_COUNT
};

struct pl_err_info {
	const char *code, *text;
	int http_status, ws_close;
	bool temporary;
};

/* One field that broke one rule; `loc` as dotted path ("body.email"), `type` as FastAPI names it ("value_error"). */
struct pl_field_err {
	const char *loc, *msg, *type;
	const struct pl_field_err *next;
};

struct pl_err {
	enum pl_code code;
	int retry_after_s;			/* 0 = none known */
	bool lasting;				/* a retry fails, too, although the code is temporary */
	char detail[256];			/* a sentence for people; "" = the table's text */
	char sqlstate[6];			/* for the log only */
	const struct pl_field_err *fields;	/* PL_E_INVALID: which fields; in the task's pool; may be NULL */
};

/* The row of errors.def; never NULL. */
const struct pl_err_info *pl_err_info(enum pl_code code);
/* Returns whether a retry can succeed: as the table says, unless the error is lasting. */
bool pl_err_temporary(const struct pl_err *err);
/* The sentence: err->detail, or the table's text. */
const char *pl_err_text(const struct pl_err *err);
/*
 * Fills *err; fmt NULL = the table's text. Returns false, so that a function can end with `return pl_err_set(...)`. err
 * may be NULL.
 */
bool pl_err_set(struct pl_err *err, enum pl_code code, const char *fmt, ...) PL_PRINTF(3, 4);
/* PL_E_INVALID with one field; further calls append. `pool` holds the texts. */
bool pl_err_field(struct pl_err *err, struct pl_pool *pool, const char *loc, const char *type, const char *fmt, ...)
    PL_PRINTF(5, 6);

#endif
