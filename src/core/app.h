/* SPDX-License-Identifier: ISC */
/*
 * What the layers above give to core: defined in src/app.c, handed on by src/main.c.
 */
#ifndef CORE_APP_H
#define CORE_APP_H

#include <stdio.h>

#include "core/master.h"

extern const struct app_hooks app_worker_hooks, app_clerk_hooks, app_courier_hooks;

/* What is read beside the configuration: the forms. false: "contact.conf:12: ..." */
bool app_check(char why[512]);
/* The same, and is the database usable? 0, or an exit status (69, 78) and a sentence that says what to do. */
int app_preflight(const struct config *config, char why[512]);
/* Text for `parlourctl why ID` (what "why") and /metrics (what "metrics"). false: no such request. */
bool app_render(const struct config *config, const struct shm *shm, const char *what, const char *arg,
    struct pl_buf *out);
/* parlourd -t: checks what config_read() cannot; tables (-T): prints what is in effect. Returns the exit status. */
int app_test(const struct config *config, bool tables, FILE *out);

#endif
