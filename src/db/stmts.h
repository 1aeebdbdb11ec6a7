/* SPDX-License-Identifier: ISC */
/*
 * The statements of stmts.def: numbers, classes, texts.
 */
#ifndef DB_STMTS_H
#define DB_STMTS_H

enum stmt_class {
	STMT_READ,	/* does not normally fail: shares the pipelined read connection, may be repeated or run twice */
	STMT_WRITE,	/* room_append(): the write groups */
	STMT_PLAIN,	/* locks or writes: a plain connection, never repeated blindly */
	STMT_SAFE	/* also a plain connection, but safe to repeat: idempotent, or a slow read */
};

enum stmt_id {
#define STMT(name, ...) S_##name,
#include "db/stmts.def"
#undef STMT
	S_COUNT
};

struct stmt {
	const char *name, *args, *sql;	/* args: one letter per parameter, see pgquery.h */
	enum stmt_class class;
};

extern const struct stmt stmts[S_COUNT];

#define STMT_ID(stmt) ((enum stmt_id)((stmt) - stmts))

#endif
