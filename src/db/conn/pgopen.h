/* SPDX-License-Identifier: ISC */
/*
 * What a connection to PostgreSQL is opened with: parameters, settings of the session, time limits.
 */
#ifndef DB_PGOPEN_H
#define DB_PGOPEN_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/settings.h"
#include "db/conn/lookup.h"

/*
 * Begins to connect, without waiting, to what lookup_start() found; name: the application_name. Its status may be
 * CONNECTION_BAD at once.
 */
PGconn *pgopen_start(const struct settings *s, const struct lookup_found *found, const char *name);
/*
 * Pipeline mode, the settings, and LISTEN (channel NULL: none), as one group with its Sync. false: the connection
 * broke.
 */
bool pgopen_setup(const struct settings *s, PGconn *pg, const char *channel);
/* A server that is alive answers within this time, if only with an error. */
int64_t pgopen_answer_ms(const struct settings *s);

#endif
