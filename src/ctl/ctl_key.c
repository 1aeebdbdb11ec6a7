/* SPDX-License-Identifier: ISC */
/*
 * parlourctl key.
 */
#include "ctl/ctl_key.h"

#include "ctl/ctl_time.h"
#include "db/admin/db_keys.h"
#include "db/repo/apikey_text.h"
#include "gcra.h"
#include "text.h"

enum { EXIT_USAGE = 64, EXIT_NOT_POSSIBLE = 65, EXIT_AWAY = 69, EXIT_DB = 70 };
enum { NAME_MAX_CHARS = 64, LIFE_MIN_S = 60 };

#define USAGE_TEXT "key takes `create USER --name TEXT [--scopes SCOPES] [--expires TIME] [--rate RATE]`, " \
	"`list [USER]`, or `revoke KEY`"

static int fail(char why[512], int status, const char *text)
{
	snprintf(why, 512, "%s", text);
	return status;
}

/* The scopes with blanks between them; NULL: a word is not a scope. */
static const char *scopes_of(const char *text, struct pl_pool *pool)
{
	struct pl_str rest = pl_str(text != NULL ? text : "read"), word;
	unsigned scopes = 0;

	while (rest.len > 0 && pl_str_cut(&rest, ',', &word)) {
		unsigned scope = apikey_scope(pl_str_trim(word));

		if (scope == 0)
			return NULL;
		scopes |= scope;
	}
	return scopes != 0 ? pl_str_c(pool, apikey_scope_words(pool, scopes)) : NULL;
}

/* Returns seconds; 0: never; -1: not a time from one minute to ten years. */
static int64_t life_of(const char *text)
{
	int64_t seconds = text != NULL ? ctl_time_seconds(text) : 0;

	return text == NULL || seconds >= LIFE_MIN_S ? seconds : -1;
}

/* Checks the arguments before the database is used. Returns 0 or an exit status. */
static int read_new(const struct ctl_key_opts *opts, struct pl_pool *pool, struct new_key *in, char why[512])
{
	struct pl_str name = pl_text_trim(pl_str(opts->name));
	int64_t life_s = life_of(opts->expires);
	struct pl_rate rate;
	const char *fault;

	*in = (struct new_key){ .user = opts->argv[1], .scopes = scopes_of(opts->scopes, pool), .rate = opts->rate,
		.life_s = pl_sprintf(pool, "%lld", (long long)life_s) };
	if (!pl_utf8_ok(name.ptr, name.len) || name.len == 0 || pl_utf8_count(name.ptr, name.len) > NAME_MAX_CHARS)
		return fail(why, EXIT_NOT_POSSIBLE, "--name must be UTF-8 text of 1 to 64 characters");
	fault = pl_text_label_fault(pool, name);
	if (fault != NULL)
		return fail(why, EXIT_NOT_POSSIBLE, pl_sprintf(pool, "--name %s", fault));
	in->name = pl_str_c(pool, name);
	if (in->scopes == NULL)
		return fail(why, EXIT_USAGE,
		    "--scopes takes one or more of read, write, chat, v1, and admin, with commas");
	if (life_s < 0)
		return fail(why, EXIT_USAGE, "--expires takes a time from 60s to 3650d, such as 90d");
	if (opts->rate != NULL && (!pl_rate_parse(pl_str(opts->rate), &rate) || rate.burst == 0))
		return fail(why, EXIT_USAGE, "--rate takes a rate such as 5/s");
	return 0;
}

static int run_create(struct db_import *db, struct new_key *in, struct pl_pool *pool, FILE *out, char why[512])
{
	char hash[2 * sizeof(((struct apikey_text *)0)->hash) + 1];
	struct apikey_text key;
	const char *text;
	int status = 0;

	apikey_make(&key);
	pl_hex(key.hash, sizeof(key.hash), hash);
	in->prefix = key.prefix;
	in->hash = hash;
	if (!db_keys_create(db, in, pool, &text, why))
		status = EXIT_DB;
	else if (strcmp(text, "taken_key") == 0)
		status = fail(why, EXIT_NOT_POSSIBLE, pl_sprintf(pool, "%s has a key of this name already", in->user));
	else if (strncmp(text, "ok ", 3) != 0)
		status = fail(why, EXIT_NOT_POSSIBLE, pl_sprintf(pool, "no enabled account has the name %s", in->user));
	else
		fprintf(out, "key %s of %s created; it is shown only now\nkey: %s\n", text + 3, in->user, key.text);
	pl_wipe(&key, sizeof(key));
	return status;
}

static int run_list(struct db_import *db, const char *user, struct pl_pool *pool, FILE *out, char why[512])
{
	const char *text;

	if (!db_keys_list(db, user, pool, &text, why))
		return EXIT_DB;
	if (text[0] != '\0')
		fprintf(out, "%s\n", text);
	return 0;
}

static int run_revoke(struct db_import *db, const char *key, struct pl_pool *pool, FILE *out, char why[512])
{
	const char *text;

	if (!db_keys_revoke(db, key, pool, &text, why))
		return EXIT_DB;
	if (strcmp(text, "0") == 0)
		return fail(why, EXIT_NOT_POSSIBLE,
		    pl_sprintf(pool, "there is no key %s; `key list` prints them", key));
	fprintf(out, "key %s revoked\n", key);
	return 0;
}

static bool usage_ok(const struct ctl_key_opts *opts)
{
	const char *verb = opts->argc > 0 ? opts->argv[0] : "";

	if (strcmp(verb, "create") == 0)
		return opts->argc == 2 && opts->name != NULL;
	if (opts->name != NULL || opts->scopes != NULL || opts->expires != NULL || opts->rate != NULL)
		return false;
	return (strcmp(verb, "list") == 0 && opts->argc <= 2) || (strcmp(verb, "revoke") == 0 && opts->argc == 2);
}

static int run(const struct ctl_key_opts *opts, struct pl_pool *pool, FILE *out, char why[512])
{
	const char *verb = opts->argv[0], *word = opts->argc > 1 ? opts->argv[1] : NULL;
	struct new_key in = { 0 };
	struct db_import *db;
	char ignored[512];
	int status = strcmp(verb, "create") == 0 ? read_new(opts, pool, &in, why) : 0;

	if (status != 0)
		return status;
	db = db_import_open(opts->dsn, why);
	if (db == NULL)
		return EXIT_AWAY;
	if (in.user != NULL)
		status = run_create(db, &in, pool, out, why);
	else
		status = strcmp(verb, "list") == 0 ? run_list(db, word, pool, out, why) :
		    run_revoke(db, word, pool, out, why);
	if (!db_import_close(&db, status == 0, status == 0 ? why : ignored) && status == 0)
		status = EXIT_DB;
	return status;
}

int ctl_key(const struct ctl_key_opts *opts, FILE *out, char why[512])
{
	struct pl_pool *pool;
	int status;

	if (!usage_ok(opts))
		return fail(why, EXIT_USAGE, USAGE_TEXT);
	pool = pl_pool_new(0);
	status = run(opts, pool, out, why);
	pl_pool_free(&pool);
	return status;
}
