/* SPDX-License-Identifier: ISC */
/*
 * parlourctl user.
 */
#include "ctl/ctl_user.h"

#include <string.h>

#include "blocklist.h"
#include "ctl/ctl_export.h"
#include "ctl/ctl_password.h"
#include "db/admin/db_users.h"
#include "db/repo/name.h"
#include "db/repo/repo_user.h"
#include "leaf.h"
#include "text.h"

enum { EXIT_USAGE = 64, EXIT_NOT_POSSIBLE = 65, EXIT_NO_FILE = 66, EXIT_AWAY = 69, EXIT_DB = 70, EXIT_CONFIG = 78 };
enum { EMAIL_MAX = 254, DISPLAY_MAX = 100 };

struct user_verb;
struct users {
	const struct ctl_user_opts *opts;
	const struct user_verb *verb;
	struct db_import *db;
	struct pl_pool *pool;
	FILE *out;
	char *why;
	const char *user;		/* the word after the verb */
	char hash[PL_PASSWD_HASH_MAX];
	struct ctl_password password;
};
/* words: minimum and maximum, including the verb. */
struct user_verb { const char *name; int words_min, words_max; bool password; int (*run)(struct users *u); };

static int refuse(struct users *u, const char *text)
{
	snprintf(u->why, 512, "%s; nothing was changed", text);
	return EXIT_NOT_POSSIBLE;
}

/* ---- checks before the database is used ---- */

static bool is_level(const char *word)
{
	for (int i = 0; access_words[i] != NULL; i++)
		if (strcmp(word, access_words[i]) == 0)
			return true;
	return false;
}

/* Checks options that were given. */
static int check_texts(struct users *u)
{
	struct pl_str email = pl_str(u->opts->email), name = pl_str(u->opts->name);
	const char *fault = name_fault(pl_str(u->user));

	if (fault != NULL)
		return refuse(u, fault);
	if (email.ptr != NULL &&
	    (!pl_utf8_ok(email.ptr, email.len) || email.len > EMAIL_MAX || pl_text_invisible(email) != 0 ||
		!pl_email_ok(email)))
		return refuse(u, "--email is not an e-mail address");
	if (name.ptr == NULL)
		return 0;
	if (!pl_utf8_ok(name.ptr, name.len) || pl_utf8_count(name.ptr, name.len) > DISPLAY_MAX)
		return refuse(u, "--name must be UTF-8 text of at most 100 characters");
	fault = pl_text_label_fault(u->pool, pl_text_trim(name));
	return fault == NULL ? 0 : refuse(u, pl_sprintf(u->pool, "--name %s", fault));
}

static int check_common(struct users *u, struct pl_str password)
{
	struct pl_blocklist list;
	char rule[256];

	if (!pl_blocklist_load(u->pool, u->opts->password_blocklist, &list, rule)) {
		snprintf(u->why, 512, "password_blocklist: %s", rule);
		return EXIT_CONFIG;
	}
	return !pl_blocklist_has(&list, password) ? 0 :
	    refuse(u, "the password is in the list of common passwords (password_blocklist); choose another one");
}

/* Reads a password and hashes it, before the database is used. */
static int make_hash(struct users *u)
{
	struct pl_str password;
	int status;

	if (!ctl_password_get(u->opts->password_file, &u->password, u->why))
		return EXIT_NO_FILE;
	password = pl_text_password(u->pool, pl_str(u->password.text));
	if ((int64_t)password.len < u->opts->password_min)
		return refuse(u, pl_sprintf(u->pool, "the password must have at least %lld bytes",
		    (long long)u->opts->password_min));
	if (u->opts->password_blocklist[0] != '\0' && (status = check_common(u, password)) != 0)
		return status;
	if (pl_passwd_hash(password, u->opts->cost, u->hash))
		return 0;
	snprintf(u->why, 512, "cannot hash a password: not enough memory");
	return EXIT_DB;
}

/* ---- verbs ---- */

static int show_text(struct users *u, bool good, const char *text)
{
	if (!good)
		return EXIT_DB;
	if (text[0] != '\0')
		fprintf(u->out, "%s\n", text);
	return 0;
}

/* Prints `what` if db_users_admin() or a similar function succeeded, otherwise its error. */
static int ended(struct users *u, bool good, const char *text, const char *what)
{
	if (!good)
		return EXIT_DB;
	if (strcmp(text, "not_found") == 0)
		return refuse(u, pl_sprintf(u->pool, "there is no account %s", u->user));
	if (strcmp(text, "last_admin") == 0)
		return refuse(
		    u, pl_sprintf(u->pool, "%s is the last admin; make another account admin first", u->user));
	if (strcmp(text, "none") == 0)
		return refuse(u, pl_sprintf(u->pool, "%s has no second factor", u->user));
	fprintf(
	    u->out, "%s %s; %s login %s ended\n", u->user, what, text, strcmp(text, "1") == 0 ? "session" : "sessions");
	return 0;
}

static void show_password(struct users *u)
{
	if (u->password.made)
		fprintf(u->out, "password: %s\n", u->password.text);
}

static int run_add(struct users *u)
{
	const char *text, *name = u->opts->name;
	struct new_user in = { .username = u->user, .password_hash = u->hash,
		.access = u->opts->access != NULL ? u->opts->access : "user" };

	if (u->opts->email != NULL)
		in.email = pl_text_nfc(u->pool, pl_str(u->opts->email)).ptr;
	if (name != NULL)
		in.name = pl_strndup(u->pool, pl_text_trim(pl_str(name)).ptr, pl_text_trim(pl_str(name)).len);
	if (!db_users_add(u->db, &in, u->pool, &text, u->why))
		return EXIT_DB;
	if (strcmp(text, "taken_name") == 0)
		return refuse(u, pl_sprintf(u->pool, "the name %s is already taken by a user or a role", u->user));
	if (strcmp(text, "taken_email") == 0)
		return refuse(u, pl_sprintf(u->pool, "another account has the address %s", in.email));
	if (strcmp(text, "taken_shown") == 0)
		return refuse(u, pl_sprintf(u->pool, "%s is the name of another user or a role; choose another --name",
		    in.name));
	fprintf(u->out, "account %s created, access %s\n", in.username, in.access);
	show_password(u);
	return 0;
}

static int run_list(struct users *u)
{
	const char *text = NULL;
	bool good = db_users_list(u->db, u->user, u->pool, &text, u->why);

	return show_text(u, good, text);
}

static int run_show(struct users *u)
{
	const char *text = NULL;
	bool good = db_users_show(u->db, u->user, u->pool, &text, u->why);

	if (good && text[0] == '\0') {
		snprintf(u->why, 512, "there is no account %s", u->user);
		return EXIT_NOT_POSSIBLE;
	}
	return show_text(u, good, text);
}

static int run_passwd(struct users *u)
{
	const char *text = NULL;
	bool good = db_users_password(u->db, u->user, u->hash, u->pool, &text, u->why);
	int status = ended(u, good, text, "has a new password");

	if (status == 0)
		show_password(u);
	return status;
}

static int run_access(struct users *u)
{
	const char *text = NULL, *level = u->opts->argv[2];
	bool good = db_users_admin(u->db, u->user, level, NULL, u->pool, &text, u->why);

	return ended(u, good, text, pl_sprintf(u->pool, "has access %s", level));
}

static int run_disable(struct users *u)
{
	const char *text = NULL;
	bool good = db_users_admin(u->db, u->user, NULL, "true", u->pool, &text, u->why);

	return ended(u, good, text, "is disabled");
}

static int run_enable(struct users *u)
{
	const char *text = NULL;
	bool good = db_users_admin(u->db, u->user, NULL, "false", u->pool, &text, u->why);

	return ended(u, good, text, "is enabled");
}

static int run_logout(struct users *u)
{
	const char *text = NULL;
	bool good = db_users_logout(u->db, u->user, u->pool, &text, u->why);

	return ended(u, good, text, "is logged out");
}

static int run_delete(struct users *u)
{
	const char *text = NULL;
	bool good = db_users_delete(u->db, u->user, u->opts->erase ? "true" : "false", u->pool, &text, u->why);

	return ended(u, good, text, u->opts->erase ? "is deleted, and its messages become empty" : "is deleted");
}

static int run_export(struct users *u)
{
	return ctl_export(u->db, u->user, u->opts->argc > 2 ? u->opts->argv[2] : NULL, u->out, u->why);
}

static int run_no_mfa(struct users *u)
{
	const char *text = NULL;
	bool good = db_users_no_mfa(u->db, u->user, u->pool, &text, u->why);

	return ended(u, good, text, "has no second factor");
}

static int run_unlock(struct users *u)
{
	const char *text = NULL;

	if (!db_users_unlock(u->db, u->user, u->pool, &text, u->why))
		return EXIT_DB;
	if (strcmp(text, "not_found") == 0)
		return refuse(u, pl_sprintf(u->pool, "there is no account %s", u->user));
	if (strcmp(text, "0") == 0)
		return refuse(u, pl_sprintf(u->pool, "%s is not locked", u->user));
	fprintf(u->out, "%s is unlocked; %s %s ended\n", u->user, text, strcmp(text, "1") == 0 ? "lock" : "locks");
	return 0;
}

static const struct user_verb verbs[] = {
	{ "add", 2, 2, true, run_add }, { "list", 1, 2, false, run_list }, { "show", 2, 2, false, run_show },
	{ "passwd", 2, 2, true, run_passwd }, { "access", 3, 3, false, run_access },
	{ "disable", 2, 2, false, run_disable }, { "enable", 2, 2, false, run_enable },
	{ "logout", 2, 2, false, run_logout }, { "no-mfa", 2, 2, false, run_no_mfa },
	{ "unlock", 2, 2, false, run_unlock }, { "delete", 2, 2, false, run_delete },
	{ "export", 2, 3, false, run_export },
};

static const struct user_verb *verb_of(const struct ctl_user_opts *opts)
{
	for (size_t i = 0; i < PL_COUNT(verbs); i++)
		if (opts->argc >= verbs[i].words_min && opts->argc <= verbs[i].words_max &&
		    strcmp(opts->argv[0], verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

/* false: words and options do not fit together. */
static bool usage_ok(const struct ctl_user_opts *opts, const struct user_verb *verb)
{
	bool add = verb != NULL && verb->run == run_add;

	if (verb == NULL || (!add && (opts->email != NULL || opts->name != NULL || opts->access != NULL)) ||
	    (!verb->password && opts->password_file != NULL))
		return false;
	return (opts->access == NULL || is_level(opts->access)) && (verb->run != run_access || is_level(opts->argv[2]));
}

static int run(struct users *u)
{
	char ignored[512];
	int status = u->verb->run == run_add ? check_texts(u) : 0;

	if (status == 0 && u->verb->password)
		status = make_hash(u);
	if (status != 0)
		return status;
	u->db = db_import_open(u->opts->dsn, u->why);
	if (u->db == NULL)
		return EXIT_AWAY;
	status = u->verb->run(u);
	if (!db_import_close(&u->db, status == 0, status == 0 ? u->why : ignored) && status == 0)
		status = EXIT_DB;
	return status;
}

int ctl_user(const struct ctl_user_opts *opts, FILE *out, char why[512])
{
	struct users u = { .opts = opts, .verb = verb_of(opts), .out = out, .why = why };
	int status;

	if (!usage_ok(opts, u.verb)) {
		snprintf(why, 512,
		    "user takes `add NAME [--email ADDRESS] [--name TEXT] [--access LEVEL]`, `list [TEXT]`, "
		    "`show USER`, `passwd USER`, `access USER LEVEL`, `disable USER`, `enable USER`, `logout USER`, "
		    "`no-mfa USER`, `unlock USER`, `delete USER`, or `export USER [FILE]`; "
		    "LEVEL is user, analyst, operator, or admin; add and passwd take --password-file FILE");
		return EXIT_USAGE;
	}
	u.user = opts->argc > 1 ? opts->argv[1] : NULL;
	u.pool = pl_pool_new(0);
	status = run(&u);
	pl_wipe(&u.password, sizeof(u.password));
	pl_pool_free(&u.pool);
	return status;
}
