/* SPDX-License-Identifier: ISC */
/*
 * Functions that the layers above provide to core. src/app.c defines them, and src/main.c passes them to core.
 */
#ifndef CORE_APP_H
#define CORE_APP_H

#include <stdio.h>

#include "core/master.h"

extern const struct app_hooks app_worker_hooks, app_clerk_hooks, app_courier_hooks;

/* Checks the forms, which are read besides the configuration. false: why[] has "contact.conf:12: ...". */
bool app_check(char why[512]);
/* Does the same and checks the database. Returns 0, or an exit status (69, 78), and why[] says what to do. */
int app_preflight(const struct config *config, char why[512]);
/*
 * Text for `parlourctl why ID` (what "why"), /metrics (what "metrics"), and `parlourctl limits` (what "rate" and
 * "rate-reset"). false: no such request or rate.
 */
bool app_render(const struct config *config, struct shm *shm, const char *what, const char *arg, struct pl_buf *out);
/*
 * Rates for `parlourctl limits`. arg: "CLASS USER KEY ADDRESS RATE" with - for what is absent: a rate class, numbers,
 * a client address, and the rate of the API key. false: arg is wrong. app_rate_look() adds
 * "LIMIT\tREMAINING\tUNTIL\n", or nothing if nothing of the rate is used; app_rate_reset() adds "reset\n", or
 * "unused\n" if nothing of it was used.
 */
bool app_rate_look(const struct config *config, const struct shm *shm, const char *arg, struct pl_buf *out);
bool app_rate_reset(struct shm *shm, const char *arg, struct pl_buf *out);
/*
 * parlourd -t: checks what config_read() cannot check. tables (-T): also prints the tables in effect. Returns the exit
 * status.
 */
int app_test(const struct config *config, bool tables, FILE *out);

#endif
