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
/* Text for `parlourctl why ID` (what "why") and /metrics (what "metrics"). false: no such request. */
bool app_render(const struct config *config, const struct shm *shm, const char *what, const char *arg,
    struct pl_buf *out);
/*
 * parlourd -t: checks what config_read() cannot check. tables (-T): also prints the tables in effect. Returns the exit
 * status.
 */
int app_test(const struct config *config, bool tables, FILE *out);

#endif
