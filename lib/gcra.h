/* SPDX-License-Identifier: ISC */
/*
 * Rate arithmetic (GCRA, ITU-T I.371 virtual scheduling) in integers; no storage, no clock, no I/O.
 *
 * State is one word: the theoretical arrival time (TAT) in ns of CLOCK_MONOTONIC, 0 = never seen.
 * admitted <= burst + floor(elapsed / interval).
 */
#ifndef PL_GCRA_H
#define PL_GCRA_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct pl_rate {
	int64_t interval_ns;	/* one more request is allowed after each interval */
	int64_t burst;		/* requests that are allowed at once after a pause; >= 1 */
	int64_t window_s;	/* for texts and headers: the "1 minute" of 5/min */
	int64_t count;		/* the 5 of 5/min */
};

struct pl_gcra {
	bool allowed;
	int64_t tat_ns;		/* new state when allowed, old one otherwise */
	int64_t remaining;	/* requests that are allowed now */
	int64_t retry_ns;	/* when refused: time until the next one is allowed */
	int64_t reset_ns;	/* until the bucket is full again */
};

/* Pure step. tat_ns: stored state (0 or stale = idle). */
struct pl_gcra pl_gcra_step(const struct pl_rate *rate, int64_t tat_ns, int64_t now_ns);
/* State after a refund of one request. A refund to an idle client has no effect. */
int64_t pl_gcra_refund(const struct pl_rate *rate, int64_t tat_ns);
/* Reads "5/min", "10/s", "30/min burst 60", "100/hour"; "off" gives burst 0. */
bool pl_rate_parse(struct pl_str text, struct pl_rate *rate_r) __attribute__((warn_unused_result));
/* "5 per 1 minute" */
void pl_rate_text(const struct pl_rate *rate, char out[48]);

#endif
