/* SPDX-License-Identifier: ISC */
/*
 * parlourctl limits.
 */
#include "ctl/ctl_limits.h"

#include <string.h>

#include "core/addr.h"
#include "core/control.h"
#include "ctl/ctl_table.h"
#include "db/admin/db_limits.h"
#include "svc/account/limits.h"

enum { EXIT_DAEMON = 1, EXIT_USAGE = 64, EXIT_NOT_POSSIBLE = 65, EXIT_AWAY = 69, EXIT_DB = 70 };
enum { KIND, CLASS, USER_ID, USER, KEY_ID, KEY_RATE, ADDRESS, REFUSED, UNTIL };

#define USAGE_TEXT "limits takes `show [USER | ADDRESS]` or `reset USER | ADDRESS`"

struct limits {
	const struct ctl_limits_opts *opts;
	struct db_import *db;
	struct pl_pool *pool;
	FILE *out;
	char *why;
	struct pl_str user_id, user, address;	/* who is asked for; absent: everybody */
	struct pl_buf rows, asked;	/* of the table; subjects that the daemon was asked for */
};

static int fail(struct limits *l, int status, const char *text)
{
	snprintf(l->why, 512, "%s", text);
	return status;
}

/* ---- the daemon ---- */

/*
 * Sends "VERB CLASS USER KEY ADDRESS RATE" with - for what is absent. The reply is empty if nothing of the rate is
 * used. false: why[] says that the daemon cannot be reached.
 */
static bool ask(struct limits *l, const char *words, struct pl_str *reply_r)
{
	struct pl_buf reply = { 0 };
	bool good = control_ask(l->opts->socket, words, &reply, l->why);

	*reply_r = pl_str_dup(l->pool, pl_str_trim(pl_strn(reply.ptr != NULL ? reply.ptr : "", reply.len)));
	pl_buf_fini(&reply);
	while (reply_r->len > 0 && reply_r->ptr[reply_r->len - 1] == '\n')
		reply_r->len--;
	return good;
}

static const char *or_none(struct limits *l, struct pl_str text)
{
	return text.len > 0 && !pl_str_is(text, "0") ? pl_str_c(l->pool, text) : "-";
}

/* ---- show ---- */

/* Adds a row for a rate if something of it is used. c: cells of a line of db_limits_list(). */
static bool show_rate(struct limits *l, const struct pl_str c[CTL_CELLS_MAX])
{
	char *subject = pl_sprintf(l->pool, "%.*s %s %s %s", PL_FMT(c[CLASS]), or_none(l, c[USER_ID]),
	    or_none(l, c[KEY_ID]), or_none(l, c[ADDRESS]));
	char *words = pl_sprintf(l->pool, "rate %s %s", subject, or_none(l, c[KEY_RATE]));
	char *line = pl_sprintf(l->pool, "\n%s\n", subject);
	struct pl_str reply, limit, remaining, until;

	if (l->asked.ptr != NULL && strstr(l->asked.ptr, line) != NULL)
		return true;
	pl_buf_adds(&l->asked, line);
	if (!ask(l, words, &reply))
		return false;
	if (reply.len == 0 || !pl_str_cut(&reply, '\t', &limit) || !pl_str_cut(&reply, '\t', &remaining))
		return true;
	until = reply;
	pl_buf_addf(&l->rows, "rate\t%.*s\t%.*s\t%s\t%.*s\t%.*s\t%.*s\t%s\t%.*s\n", PL_FMT(c[CLASS]), PL_FMT(c[USER]),
	    or_none(l, c[KEY_ID]), PL_FMT(c[ADDRESS]), PL_FMT(limit), PL_FMT(remaining), or_none(l, c[REFUSED]),
	    PL_FMT(until));
	return true;
}

/* Adds the rates of the user or address that is asked for, also if they refused nothing. */
static bool show_asked(struct limits *l)
{
	struct pl_str c[CTL_CELLS_MAX];
	int count;
	const enum limit_class *classes = limits_of(l->user_id.ptr == NULL, &count);
	bool good = true;

	ctl_cells(pl_strn("", 0), c);
	c[USER_ID] = l->user_id;
	c[USER] = l->user;
	c[ADDRESS] = l->address;
	c[KEY_ID] = PL_STR("0");
	for (int i = 0; i < count && good && (l->user_id.ptr != NULL || l->address.ptr != NULL); i++) {
		c[CLASS] = pl_str(limit_name(classes[i]));
		good = show_rate(l, c);
	}
	return good;
}

static int show(struct limits *l)
{
	struct pl_str rest, line, c[CTL_CELLS_MAX];
	bool good = true;
	const char *text;

	if (!db_limits_list(l->db, pl_str_c(l->pool, l->user_id), pl_str_c(l->pool, l->address), l->pool, &text,
	    l->why))
		return EXIT_DB;
	l->rows = l->asked = PL_BUF(l->pool);
	rest = pl_str(text);
	while (rest.len > 0 && pl_str_cut(&rest, '\n', &line)) {
		ctl_cells(line, c);
		if (!pl_str_is(c[KIND], "lockout"))
			good = good && show_rate(l, c);
		else
			pl_buf_addf(&l->rows, "lock-out\t\t%.*s\t\t%.*s\t\t\t%.*s\t%.*s\n", PL_FMT(c[USER]),
			    PL_FMT(c[ADDRESS]), PL_FMT(c[REFUSED]), PL_FMT(c[UNTIL]));
	}
	good = good && show_asked(l);
	ctl_table_print(l->out, "KIND\tCLASS\tUSER\tKEY\tADDRESS\tLIMIT\tREMAINING\tREFUSED\tUNTIL (UTC)",
	    pl_buf_str(&l->rows));
	if (good)
		return 0;
	return fail(l, EXIT_DAEMON, pl_sprintf(l->pool, "rate limits are not shown: %s", l->why));
}

/* ---- reset ---- */

/* Makes one rate unused; *count_r grows if something was used. */
static bool reset_rate(struct limits *l, enum limit_class klass, const char *key, int *count_r)
{
	char *words = pl_sprintf(l->pool, "rate-reset %s %s %s %s -", limit_name(klass), or_none(l, l->user_id), key,
	    or_none(l, l->address));
	struct pl_str reply;

	if (!ask(l, words, &reply))
		return false;
	*count_r += pl_str_is(reply, "reset");
	return true;
}

static int reset_rates(struct limits *l, struct pl_str keys, const char *lockouts)
{
	const char *who = pl_str_c(l->pool, l->user.ptr != NULL ? l->user : l->address);
	int count, done = 0;
	const enum limit_class *classes = limits_of(l->user_id.ptr == NULL, &count);
	struct pl_str rest = keys, key;
	bool good = true;

	for (int i = 0; i < count && good; i++)
		good = reset_rate(l, classes[i], "-", &done);
	while (good && rest.len > 0 && pl_str_cut(&rest, ' ', &key))
		good = key.len == 0 || reset_rate(l, LIMIT_KEY, pl_str_c(l->pool, key), &done);
	if (!good)
		return fail(l, EXIT_DAEMON, pl_sprintf(l->pool,
		    "%s: %s lock-outs ended, but rate limits were not reset: %s", who, lockouts, l->why));
	fprintf(l->out, "%s: %s %s ended, %d %s reset\n", who, lockouts,
	    strcmp(lockouts, "1") == 0 ? "lock-out" : "lock-outs", done, done == 1 ? "rate limit" : "rate limits");
	return 0;
}

/* The database first: what the daemon counts is lost at its end in any case. */
static int reset(struct limits *l)
{
	const char *text = "0";
	struct pl_str keys, lockouts;
	bool good;

	if (l->user_id.ptr != NULL)
		good = db_limits_reset_user(l->db, pl_str_c(l->pool, l->user_id), l->pool, &text, l->why);
	else
		good = db_limits_reset_address(l->db, pl_str_c(l->pool, l->address), l->pool, l->why);
	if (!good || !db_import_close(&l->db, true, l->why))
		return EXIT_DB;
	keys = pl_str(text);
	(void)pl_str_cut(&keys, ' ', &lockouts);
	return reset_rates(l, keys, pl_str_c(l->pool, lockouts));
}

/* ---- who ---- */

/* An address is an address, everything else is a user. Returns 0 or an exit status. */
static int find(struct limits *l, const char *word, bool network)
{
	const char *text;

	if (addr_is_host(pl_str(word)) || (network && addr_is_network(pl_str(word)))) {
		l->address = pl_str(word);
		return 0;
	}
	if (addr_is_network(pl_str(word)))
		return fail(l, EXIT_USAGE, "reset takes an address, not a network; to end lock-outs, name the user");
	if (!db_limits_user(l->db, word, l->pool, &text, l->why))
		return EXIT_DB;
	if (text[0] == '\0')
		return fail(l, EXIT_NOT_POSSIBLE, pl_sprintf(l->pool, "%s is neither an account nor an address; "
		    "'parlourctl user list' shows the accounts", word));
	l->user = pl_str(text);
	(void)pl_str_cut(&l->user, '\t', &l->user_id);
	return 0;
}

static bool usage_ok(const struct ctl_limits_opts *o)
{
	if (o->argc == 0)
		return false;
	return (strcmp(o->argv[0], "show") == 0 && o->argc <= 2) || (strcmp(o->argv[0], "reset") == 0 && o->argc == 2);
}

int ctl_limits(const struct ctl_limits_opts *opts, FILE *out, char why[512])
{
	struct limits l = { .opts = opts, .out = out, .why = why };
	char ignored[512];
	bool showing;
	int status = 0;

	if (!usage_ok(opts))
		return fail(&l, EXIT_USAGE, USAGE_TEXT);
	showing = strcmp(opts->argv[0], "show") == 0;
	l.db = db_import_open(opts->dsn, why);
	if (l.db == NULL)
		return EXIT_AWAY;
	l.pool = pl_pool_new(0);
	if (opts->argc == 2)
		status = find(&l, opts->argv[1], showing);
	if (status == 0)
		status = (showing ? show : reset)(&l);
	if (l.db != NULL)
		(void)!db_import_close(&l.db, false, ignored);
	pl_pool_free(&l.pool);
	return status;
}
