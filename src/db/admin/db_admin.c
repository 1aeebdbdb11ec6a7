/* SPDX-License-Identifier: ISC */
/* The commands initdb and seed-demo. */
#include "db/admin/db_admin.h"

#include "db/admin/migrate_int.h"

void db_admin_where(const char *dsn, char out[256])
{
	PQconninfoOption *options = PQconninfoParse(dsn, NULL);
	const char *user = "", *host = "local", *port = "", *name = "";

	for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
		if (option->val == NULL || option->val[0] == '\0')
			continue;
		if (strcmp(option->keyword, "user") == 0)
			user = option->val;
		else if (strcmp(option->keyword, "host") == 0)
			host = option->val;
		else if (strcmp(option->keyword, "port") == 0)
			port = option->val;
		else if (strcmp(option->keyword, "dbname") == 0)
			name = option->val;
	}
	snprintf(
	    out, 256, "%s%s%s%s%s/%s", user, user[0] != '\0' ? "@" : "", host, port[0] != '\0' ? ":" : "", port, name);
	if (options != NULL)
		PQconninfoFree(options);
}

struct init {
	PGconn *pg;			/* NULL: only print the statements, without a server */
	struct pl_pool *pool;
	const struct initdb_opts *opts;
	FILE *out;
	char *why;
};

/* Runs `sql`, or prints `shown` (the same without secrets). */
static bool statement(struct init *init, const char *sql, const char *shown)
{
	fprintf(init->out, "%s;\n", shown);
	return init->opts->print_only || migrate_exec(init->pg, sql, shown, init->why);
}

static bool exists(struct init *init, const char *sql, const char *name, bool *yes_r)
{
	const char *found;

	*yes_r = false;
	if (init->opts->print_only)
		return true;
	found = migrate_value(init->pg, init->pool, sql, 1, &name, init->why);
	if (found == NULL)
		return false;
	*yes_r = found[0] != '\0';
	return true;
}

/* The password is sent as a SCRAM verifier, so that neither the server's log nor the network contains it. */
static bool role(struct init *init, const char *name, const char *password, const char *text)
{
	const char *shown =
	    pl_sprintf(init->pool, "CREATE ROLE %s LOGIN%s", name, password != NULL ? " PASSWORD '...'" : "");
	const char *sql = shown;
	char *verifier = NULL;
	bool there;

	if (!exists(init, "SELECT 1 FROM pg_roles WHERE rolname = $1", name, &there))
		return false;
	if (there)
		return true;
	if (password != NULL && !init->opts->print_only) {
		verifier = PQencryptPasswordConn(init->pg, password, name, "scram-sha-256");
		if (verifier == NULL) {
			snprintf(init->why, 512, "the password of %s cannot be prepared", name);
			return false;
		}
		sql = pl_sprintf(init->pool, "CREATE ROLE %s LOGIN PASSWORD '%s'", name, verifier);
		PQfreemem(verifier);
	}
	return statement(init, sql, shown) &&
	    statement(init, pl_sprintf(init->pool, "COMMENT ON ROLE %s IS '%s'", name, text),
		pl_sprintf(init->pool, "COMMENT ON ROLE %s IS '%s'", name, text));
}

/* Accepts only identifiers that mean the same with and without quotes. */
static bool name_plain(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return len > 0 && len < 64 && name[len] == '\0' && !(name[0] >= '0' && name[0] <= '9');
}

static bool database(struct init *init)
{
	const char *name = init->opts->database;
	const char *create =
	    pl_sprintf(init->pool, "CREATE DATABASE %s OWNER parlour_owner ENCODING 'UTF8' TEMPLATE template0", name);
	const char *revoke = pl_sprintf(init->pool, "REVOKE ALL ON DATABASE %s FROM PUBLIC", name);
	const char *grant = pl_sprintf(init->pool, "GRANT CONNECT ON DATABASE %s TO parlour_app, parlour_report", name);
	bool there;

	if (!exists(init, "SELECT 1 FROM pg_database WHERE datname = $1", name, &there))
		return false;
	if (!there && !statement(init, create, create))
		return false;
	return statement(init, revoke, revoke) && statement(init, grant, grant);
}

static bool everything(struct init *init)
{
	return role(init, "parlour_owner", NULL, "Owns the schema of Parlour; parlourctl migrate runs as this role") &&
	    role(init, "parlour_app", init->opts->app_password,
		"The daemon parlourd: reads and writes rows, changes no schema") &&
	    role(init, "parlour_report", init->opts->report_password, "People: reads the views v_*, nothing else") &&
	    database(init);
}

enum migrate_result db_admin_init(const struct initdb_opts *opts, FILE *out, char why[512])
{
	struct init init = { .opts = opts, .out = out, .why = why };
	bool good;

	if (!name_plain(opts->database)) {
		snprintf(why, 512, "a database name must have lower-case letters, digits, and '_' only");
		return MIGRATE_SCHEMA;
	}
	if (!opts->print_only) {
		init.pg = migrate_connect(opts->dsn, "parlourctl initdb", why);
		if (init.pg == NULL)
			return MIGRATE_AWAY;
	}
	init.pool = pl_pool_new(0);
	good = everything(&init);
	pl_pool_free(&init.pool);
	if (init.pg != NULL)
		PQfinish(init.pg);
	return good ? MIGRATE_OK : MIGRATE_FAILED;
}

static const char assistant_text[] = "You are a helpful participant of this chat room. Answer briefly and plainly.";

/* Asks for a value, which must not be empty. */
static const char *ask(
    PGconn *pg, struct pl_pool *pool, const char *sql, int count, const char *const *params, char why[512])
{
	const char *value = migrate_value(pg, pool, sql, count, params, why);

	if (value == NULL || value[0] != '\0')
		return value;
	snprintf(why, 512, "seed-demo: the database returned no row for: %.200s", sql);
	return NULL;
}

/*
 * Each step first checks whether it was done. The functions are those of the daemon, so that log and names are right.
 */
static bool seed(PGconn *pg, struct pl_pool *pool, const char *username, const char *hash, const char *access,
    FILE *out, char why[512])
{
	const char *params[4] = { username, hash, access };
	const char *user, *role_id, *room;

	if (ask(pg, pool, "SELECT status FROM user_create($1, NULL, 'Demo account', $2, $3)", 3, params, why) ==
	    NULL)
		return false;
	user = ask(pg, pool, "SELECT id FROM users WHERE lower(username) = lower($1)", 1, params, why);
	if (user == NULL)
		return false;
	params[0] = assistant_text;
	if (ask(pg, pool, "SELECT status FROM role_create(NULL, 'assistant', $1, NULL, NULL, NULL, NULL, 1)", 1,
		params, why) == NULL)
		return false;
	role_id =
	    ask(pg, pool, "SELECT id FROM roles WHERE lower(name) = 'assistant' AND deleted_at IS NULL", 0, NULL, why);
	if (role_id == NULL)
		return false;
	params[0] = user;
	params[1] = role_id;
	room = ask(pg, pool,
	    "SELECT coalesce((SELECT min(id) FROM rooms WHERE name = 'lobby' AND visibility = 'public'), "
	    "(SELECT id FROM room_create($1::bigint, 'lobby', 'public', NULL, ARRAY[$2::bigint], 1000000)))",
	    2, params, why);
	if (room == NULL)
		return false;
	params[2] = room;
	if (ask(pg, pool, "SELECT status FROM room_role($3::bigint, $1::bigint, true, $2::bigint, true)", 3, params,
		why) == NULL)
		return false;
	fprintf(out, "account %s (%s), role assistant (%s), room lobby (%s)\n", username, user, role_id, room);
	return true;
}

enum migrate_result db_admin_seed_demo(const char *dsn, const char *username, const char *password_hash,
    const char *access, FILE *out, char why[512])
{
	PGconn *pg = migrate_connect(dsn, "parlourctl seed-demo", why);
	struct pl_pool *pool;
	bool good;

	if (pg == NULL)
		return MIGRATE_AWAY;
	pool = pl_pool_new(0);
	good = migrate_exec(pg, "BEGIN", "begin", why) && seed(pg, pool, username, password_hash, access, out, why) &&
	    migrate_exec(pg, "COMMIT", "commit", why);
	pl_pool_free(&pool);
	PQfinish(pg);
	return good ? MIGRATE_OK : MIGRATE_FAILED;
}
