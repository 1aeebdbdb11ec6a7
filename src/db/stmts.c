/* SPDX-License-Identifier: ISC */
/* The table of statements, generated from stmts.def. */
#include "db/stmts.h"

const struct stmt stmts[S_COUNT] = {
#define STMT(name_, class_, args_, sql_)                                                                               \
	[S_##name_] = {.name = #name_, .args = args_, .sql = sql_, .class = STMT_##class_},
#include "db/stmts.def"
#undef STMT
};
