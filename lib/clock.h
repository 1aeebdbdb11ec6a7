/* SPDX-License-Identifier: ISC */
/*
 * Time: a monotonic clock for deadlines, and a wall clock for times that people read. Tests can fake both.
 */
#ifndef PL_CLOCK_H
#define PL_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_NS_PER_S 1000000000LL
#define PL_NS_PER_MS 1000000LL
#define PL_US_PER_S 1000000LL

/* CLOCK_MONOTONIC in ns; the same in all processes of one boot. */
int64_t pl_now_ns(void);
/* Microseconds since 1970 UTC. */
int64_t pl_wall_us(void);
/* Tests only: freezes both clocks at these values; (0, 0) thaws. */
void pl_clock_fake(int64_t mono_ns, int64_t wall_us);

#define PL_TIME_LEN 27 /* 2026-11-20T23:59:59.123456Z */
/* RFC 3339 UTC with microseconds, exactly PL_TIME_LEN bytes, no NUL. Years 0..9999. */
void pl_time_format(int64_t wall_us, char out[PL_TIME_LEN]);
/* Reads RFC 3339 (offset or Z, 0-9 fraction digits, 'T' or blank). false if the text is not such a time. */
bool pl_time_parse(const char *text, size_t len, int64_t *wall_us_r) __attribute__((warn_unused_result));
/*
 * The same for times that people, databases, and older clients write: a time without a zone is UTC, a date alone means
 * 00:00, seconds may be absent, and a fraction may begin with a comma. Offsets may have the forms that psql writes
 * (+00, +0530), also after a blank, or be UTC or GMT. The `+` of an offset may be a blank, because `+` means a blank in
 * a query string.
 */
bool pl_time_parse_lax(const char *text, size_t len, int64_t *wall_us_r) __attribute__((warn_unused_result));
/* RFC 9110 IMF-fixdate, NUL-terminated, for the Date header. */
void pl_time_http(int64_t wall_us, char out[30]);

#endif
