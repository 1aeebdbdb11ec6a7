/* SPDX-License-Identifier: ISC */
/*
 * Reads JSON (yajl's SAX parser with further checks) and writes JSON (our writer, into a pl_buf).
 *
 * yajl checks the grammar only. This file adds the checks that it lacks: strict UTF-8, no U+0000, no lone surrogates,
 * depth at most 32, at most 4096 values, no duplicate keys, numbers kept as text and converted with range checks, and
 * form feed not accepted as a blank. The writer needs valid UTF-8 and writes each text once, because messages are
 * relayed to many clients; yajl_gen would copy twice.
 */
#ifndef PL_JSON_H
#define PL_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "str.h"

enum pl_jtype { PL_J_NULL, PL_J_BOOL, PL_J_NUMBER, PL_J_STRING, PL_J_ARRAY, PL_J_OBJECT };

/* One value; arrays and objects link their children in order. Lives in the pool it was parsed into. */
struct pl_jval {
	enum pl_jtype type;
	bool truth;			/* PL_J_BOOL */
	struct pl_str key;		/* inside an object */
	struct pl_str text;		/* PL_J_STRING decoded; PL_J_NUMBER as written */
	/* the value as written in the input, quotes included (borrowed from the input) */
	struct pl_str raw;
	int count;			/* children */
	struct pl_jval *first, *next;
};

/*
 * Parses one whole JSON text. Errors: PL_E_BAD_REQUEST with a sentence and byte offset in err->detail.
 * The result borrows from `text` where it can; keep `text` as long as the pool.
 */
const struct pl_jval *pl_json_parse(struct pl_pool *pool, struct pl_str text, struct pl_err *err) PL_MUSTCHECK;
/* NULL if it is absent, or if the value is not an object */
const struct pl_jval *pl_json_get(const struct pl_jval *object, const char *key);
struct pl_str pl_json_str(const struct pl_jval *value);		/* absent unless a string */
/* Integer without fraction or exponent in [min, max]; false otherwise (NULL included). */
bool pl_json_i64(const struct pl_jval *value, int64_t min, int64_t max, int64_t *out_r) PL_MUSTCHECK;
/* Finite number; locale-free. */
bool pl_json_f64(const struct pl_jval *value, double *out_r) PL_MUSTCHECK;

/* The writer adds commas itself. `struct pl_jw w = PL_JW(&buf);` Misnesting is PL_BUG. */
struct pl_jw {
	struct pl_buf *buf;
	uint64_t first;			/* bit 0: no comma needed yet; bit n: level n is an object */
	int depth;
	bool after_key;
};
#define PL_JW(b) ((struct pl_jw){ .buf = (b), .first = 1 })
void pl_jw_object(struct pl_jw *w);
void pl_jw_array(struct pl_jw *w);
void pl_jw_end_object(struct pl_jw *w);
void pl_jw_end_array(struct pl_jw *w);
void pl_jw_key(struct pl_jw *w, const char *key);		/* a key of ours: plain ASCII, not escaped */
void pl_jw_str(struct pl_jw *w, struct pl_str value);		/* absent writes null */
void pl_jw_cstr(struct pl_jw *w, const char *value);
void pl_jw_i64(struct pl_jw *w, int64_t value);
/* shortest form that reads back; NaN and Inf write null */
void pl_jw_f64(struct pl_jw *w, double value);
void pl_jw_bool(struct pl_jw *w, bool value);
void pl_jw_null(struct pl_jw *w);
void pl_jw_time(struct pl_jw *w, int64_t wall_us);		/* RFC 3339 string */
void pl_jw_raw(struct pl_jw *w, struct pl_str json);		/* trusted, complete JSON */
/* key and value in one call */
void pl_jw_kstr(struct pl_jw *w, const char *key, struct pl_str value);
void pl_jw_kcstr(struct pl_jw *w, const char *key, const char *value);
void pl_jw_ki64(struct pl_jw *w, const char *key, int64_t value);
void pl_jw_kbool(struct pl_jw *w, const char *key, bool value);
void pl_jw_ktime(struct pl_jw *w, const char *key, int64_t wall_us);
void pl_jw_kraw(struct pl_jw *w, const char *key, struct pl_str json);

#endif
