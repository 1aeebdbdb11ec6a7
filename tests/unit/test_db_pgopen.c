/* SPDX-License-Identifier: ISC */
/*
 * Parameters of database connections: the operator's values are used, and so are those that the daemon requires.
 */
#include <check.h>
#include <string.h>

#include "db/conn/pgopen.h"
#include "str.h"

Suite *suite_db_pgopen(void);

/* The host is an empty directory: the attempt fails at once, and the connection still has its parameters. */
static const struct { const char *db, *key, *value; } parameters[] = {
	{ "host=/nonexistent", "tcp_user_timeout", "7000" },
	{ "host=/nonexistent", "keepalives_idle", "30" },
	{ "host=/nonexistent", "keepalives_interval", "10" },
	{ "host=/nonexistent", "keepalives_count", "3" },
	{ "host=/nonexistent tcp_user_timeout=9 keepalives_idle=300", "tcp_user_timeout", "9" },
	{ "host=/nonexistent tcp_user_timeout=9 keepalives_idle=300", "keepalives_idle", "300" },
	{ "host=/nonexistent tcp_user_timeout=9 keepalives_idle=300", "keepalives_count", "3" },
	{ "postgresql://app@localhost/parlour?host=/nonexistent&keepalives_count=8", "keepalives_count", "8" },
	{ "host=/nonexistent keepalives=0", "keepalives", "0" },
	{ "host=/nonexistent application_name=mine", "application_name", "parlourd/w0/read" },
	{ "host=/nonexistent client_encoding=LATIN1", "client_encoding", "UTF8" },
};

START_TEST(operators_parameters_stand)
{
	for (size_t i = 0; i < PL_COUNT(parameters); i++) {
		struct settings s = { .db = parameters[i].db, .db_statement_timeout = 5000, .db_answer_timeout = 2000 };
		static const struct lookup_found as_it_is;
		PGconn *pg = pgopen_start(&s, &as_it_is, "parlourd/w0/read");
		PQconninfoOption *options = PQconninfo(pg);
		const char *found = NULL;

		for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
			if (strcmp(option->keyword, parameters[i].key) == 0)
				found = option->val;
		}
		ck_assert_msg(found != NULL && strcmp(found, parameters[i].value) == 0, "case %zu: %s is %s", i,
		    parameters[i].key, found != NULL ? found : "absent");
		PQconninfoFree(options);
		PQfinish(pg);
	}
}
END_TEST

START_TEST(answers_outlast_statements)
{
	struct settings s = { .db_statement_timeout = 600000, .db_answer_timeout = 100 };

	ck_assert_int_gt(pgopen_answer_ms(&s), s.db_statement_timeout);
}
END_TEST

Suite *suite_db_pgopen(void)
{
	Suite *suite = suite_create("db_pgopen");
	TCase *tcase = tcase_create("db_pgopen");

	tcase_add_test(tcase, operators_parameters_stand);
	tcase_add_test(tcase, answers_outlast_statements);
	suite_add_tcase(suite, tcase);
	return suite;
}
