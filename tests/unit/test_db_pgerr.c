/* SPDX-License-Identifier: ISC */
/*
 * The meaning of SQLSTATEs, the statement table, and texts of libpq made safe for a log line.
 */
#include <check.h>

#include "db/admin/db_admin.h"
#include "db/conn/pgerr.h"
#include "db/stmts.h"

Suite *suite_db_pgerr(void);

static const struct { const char *sqlstate; enum pgerr_kind kind; } kinds[] = {
	{ NULL, PGERR_LOST },
	{ "57P01", PGERR_LOST },
	{ "57P03", PGERR_LOST },
	{ "08006", PGERR_LOST },
	{ "40001", PGERR_RETRY },
	{ "40P01", PGERR_RETRY },
	{ "26000", PGERR_RETRY },
	{ "40002", PGERR_FATAL },
	{ "55P03", PGERR_LOCK },
	{ "57014", PGERR_LOCK },
	{ "25006", PGERR_AWAY },
	{ "53100", PGERR_AWAY },
	{ "53300", PGERR_AWAY },
	{ "23505", PGERR_FATAL },
	{ "42P01", PGERR_FATAL },
};

START_TEST(sqlstates)
{
	for (size_t i = 0; i < PL_COUNT(kinds); i++)
		ck_assert_msg(pgerr_kind(kinds[i].sqlstate) == kinds[i].kind, "case %zu", i);
}
END_TEST

START_TEST(texts)
{
	char out[256], big[600];

	pgerr_text("one line\nHINT: no", out);
	ck_assert_str_eq(out, "one line");
	pgerr_text("tab\there\x1b[31m", out);
	ck_assert_str_eq(out, "tab here [31m");
	pgerr_text(NULL, out);
	ck_assert_str_eq(out, "");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	pgerr_text(big, out);
	ck_assert_uint_eq(strlen(out), 255);
}
END_TEST

/* As many parameters in the text as letters, all numbered, and names that fit PostgreSQL's 63 bytes. */
START_TEST(statements)
{
	for (int i = 0; i < S_COUNT; i++) {
		const struct stmt *stmt = &stmts[i];
		int count = (int)strlen(stmt->args);
		char last[16], next[16];

		snprintf(last, sizeof(last), "$%d", count);
		snprintf(next, sizeof(next), "$%d", count + 1);
		ck_assert_msg(count == 0 || strstr(stmt->sql, last) != NULL, "%s", stmt->name);
		ck_assert_msg(strstr(stmt->sql, next) == NULL, "%s", stmt->name);
		ck_assert_msg(strspn(stmt->args, "lidbtyzLT") == strlen(stmt->args), "%s", stmt->name);
		ck_assert_uint_lt(strlen(stmt->name), 64);
	}
}
END_TEST

static const struct { const char *dsn, *where; } places[] = {
	{ "host=/run/postgresql dbname=parlour user=app password=secret", "app@/run/postgresql/parlour" },
	{ "postgresql://app:secret@db.example.org:5433/parlour", "app@db.example.org:5433/parlour" },
	{ "dbname=parlour", "local/parlour" },
	{ "secret", "local/" },
};

START_TEST(where_without_password)
{
	for (size_t i = 0; i < PL_COUNT(places); i++) {
		char out[256];

		db_admin_where(places[i].dsn, out);
		ck_assert_str_eq(out, places[i].where);
	}
}
END_TEST

Suite *suite_db_pgerr(void)
{
	Suite *suite = suite_create("db_pgerr");
	TCase *tcase = tcase_create("db_pgerr");

	tcase_add_test(tcase, sqlstates);
	tcase_add_test(tcase, texts);
	tcase_add_test(tcase, statements);
	tcase_add_test(tcase, where_without_password);
	suite_add_tcase(suite, tcase);
	return suite;
}
