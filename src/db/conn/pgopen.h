/* SPDX-License-Identifier: ISC */
/*
 * Opens connections to PostgreSQL: parameters, session settings, and time limits.
 */
#ifndef DB_PGOPEN_H
#define DB_PGOPEN_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/settings.h"
#include "db/conn/lookup.h"

/*
 * Starts to connect, without waiting, to the addresses of lookup_start(); name: the application_name. Its status may be
 * CONNECTION_BAD at once.
 */
PGconn *pgopen_start(const struct settings *s, const struct lookup_found *found, const char *name);
/*
 * Pipeline mode, the settings, and LISTEN (channel NULL: none), as one group with its Sync. false: the connection
 * broke.
 */
bool pgopen_setup(const struct settings *s, PGconn *pg, const char *channel);
/* A live server answers within this time, at least with an error. */
int64_t pgopen_answer_ms(const struct settings *s);

#endif
