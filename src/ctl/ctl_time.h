/* SPDX-License-Identifier: ISC */
/*
 * Times on the command line.
 */
#ifndef CTL_CTL_TIME_H
#define CTL_CTL_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds of a text such as 90d, 12h, 30min, or 5s, at most ten years; -1: it is not such a text. */
int64_t ctl_time_seconds(const char *text);
/*
 * A point in time in microseconds since 1970: an age such as 2h, or a date, or a time, which is UTC unless it has a
 * zone. false: it is none of these.
 */
bool ctl_time_point(const char *text, int64_t *us_r);

#endif
