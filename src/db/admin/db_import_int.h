/* SPDX-License-Identifier: ISC */
/*
 * What the database verbs of parlourctl share: one connection with one transaction.
 */
#ifndef DB_DB_IMPORT_INT_H
#define DB_DB_IMPORT_INT_H

#include "db/admin/migrate_int.h"

struct db_import { PGconn *pg; };

#endif
