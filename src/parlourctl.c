/* SPDX-License-Identifier: ISC */
/*
 * parlourctl: the operator's tool. Commands for the running daemon use its control socket; commands for the database
 * connect to PostgreSQL.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/control.h"
#include "core/settings.h"
#include "ctl/ctl_audit.h"
#include "ctl/ctl_import.h"
#include "ctl/ctl_invite.h"
#include "ctl/ctl_jobs.h"
#include "ctl/ctl_key.h"
#include "ctl/ctl_knowledge.h"
#include "ctl/ctl_limits.h"
#include "ctl/ctl_login.h"
#include "ctl/ctl_price.h"
#include "ctl/ctl_socket.h"
#include "ctl/ctl_token_key.h"
#include "ctl/ctl_user.h"
#include "db/admin/db_admin.h"
#include "db/repo/repo_user.h"
#include "leaf.h"
#include "passwd.h"

#define USAGE 64
#define CANNOT_CREATE 73
#define BAD_CONFIG 78
#define OVERRIDES_MAX 64

struct ctl {
	const char *config_path;
	const char *overrides[OVERRIDES_MAX];
	int overrides_count;
	const char *dsn, *database, *source, *upstream, *from, *email, *name, *access, *password_file;
	const char *uses, *expires_in, *room, *level, *note;
	const char *scopes, *expires, *rate;
	const char *user, *action, *since, *until, *limit, *state, *address;
	bool dry_run, print, compat, csv, help, version;
	int argc;			/* the words after the command */
	char **argv;
	CONFIG_HELD struct config *config;	/* read when it is first needed */
};

/* args -1: run() checks the number of arguments */
struct verb { const char *name; int (*run)(struct ctl *ctl); int args; const char *usage, *text; };

static int usage(FILE *out);

static int complain(const char *why, int status)
{
	fprintf(stderr, "parlourctl: %s\n", why);
	return status;
}

static bool need_config(struct ctl *ctl)
{
	char why[512];

	if (ctl->config == NULL)
		ctl->config = config_read(ctl->config_path, ctl->overrides, ctl->overrides_count, why);
	if (ctl->config == NULL)
		complain(why, 0);
	return ctl->config != NULL;
}

/* ---- the running daemon ---- */

/*
 * Finds the socket of the running daemon. A configuration file with an error is accepted: the daemon runs with the
 * previous one, and a reload must reach it so that its log shows the error. Returns 0 or an exit status.
 */
static int find_socket(struct ctl *ctl, char socket_r[CTL_SOCKET_MAX], char why[512])
{
	char alone[512];

	why[0] = '\0';
	ctl->config = config_read(ctl->config_path, ctl->overrides, ctl->overrides_count, why);
	if (ctl->config != NULL) {
		snprintf(socket_r, CTL_SOCKET_MAX, "%s", ctl->config->s.control_socket);
		return 0;
	}
	if (ctl->overrides_count > 0 && (ctl->config = config_read(ctl->config_path, NULL, 0, alone)) != NULL)
		return complain(why, BAD_CONFIG);	/* the arguments are wrong, not the file */
	ctl_socket_find(ctl->config_path, ctl->overrides, ctl->overrides_count, socket_r);
	return 0;
}

static int ask(struct ctl *ctl, const char *line)
{
	struct pl_buf reply = { 0 };
	char path[CTL_SOCKET_MAX], bad_file[512], why[512];
	int status = find_socket(ctl, path, bad_file);

	if (status != 0)
		return status;
	if (control_ask(path, line, &reply, why)) {
		fwrite(reply.ptr != NULL ? reply.ptr : "", 1, reply.len, stdout);
		if (bad_file[0] != '\0')
			complain(bad_file, 0);
	} else if (bad_file[0] != '\0' && access(path, F_OK) != 0) {
		status = complain(bad_file, BAD_CONFIG);	/* this may be the reason why no daemon was found */
	} else {
		status = complain(why, 1);
	}
	pl_buf_fini(&reply);
	return status;
}

static int run_status(struct ctl *ctl)
{
	return ask(ctl, "status");
}

static int run_reload(struct ctl *ctl)
{
	return ask(ctl, "reload");
}

static int run_reopen(struct ctl *ctl)
{
	return ask(ctl, "reopen");
}

static int run_stop(struct ctl *ctl)
{
	return ask(ctl, "stop");
}

static int run_metrics(struct ctl *ctl)
{
	return ask(ctl, "metrics");
}

static int run_why(struct ctl *ctl)
{
	char line[CONTROL_LINE_MAX];

	if (strlen(ctl->argv[0]) > 64 || strpbrk(ctl->argv[0], " \r\n") != NULL)
		return complain("a request id is what X-Request-Id and error bodies show: 32 hex digits", USAGE);
	snprintf(line, sizeof(line), "why %s", ctl->argv[0]);
	return ask(ctl, line);
}

/* ---- the database ---- */

/* Returns --dsn, or else the setting `db`. */
static const char *need_dsn(struct ctl *ctl)
{
	if (ctl->dsn != NULL)
		return ctl->dsn;
	if (!need_config(ctl))
		return NULL;
	if (ctl->config->s.db[0] == '\0')
		complain("no database: use --dsn, or set `db` in the configuration", 0);
	return ctl->config->s.db[0] != '\0' ? ctl->config->s.db : NULL;
}

static int run_migrate(struct ctl *ctl)
{
	const char *dsn = need_dsn(ctl);
	char why[512];
	enum migrate_result result;

	if (dsn == NULL)
		return BAD_CONFIG;
	result = migrate_run(dsn, migrate_dir(PARLOUR_SQLDIR), ctl->dry_run, stdout, why);
	return result == MIGRATE_OK ? 0 : complain(why, (int)result);
}

static int run_check(struct ctl *ctl)
{
	char why[512], where[256];
	enum migrate_result result;

	if (!need_config(ctl))
		return BAD_CONFIG;
	printf("configuration  good\n");
	if (!config_secrets(ctl->config, why))
		return complain(why, BAD_CONFIG);
	printf("keys           good\n");
	fflush(stdout);
	result = migrate_check(ctl->config, why);
	if (result != MIGRATE_OK)
		return complain(why, (int)result);
	db_admin_where(ctl->config->s.db, where);
	printf("database       good (%s, schema version %d)\n", where, MIGRATE_VERSION);
	return 0;
}

static int run_seed_demo(struct ctl *ctl)
{
	/* demo accounts of the front ends of other systems, with their built-in passwords */
	static const struct { const char *name, *password, *access; } accounts[] = {
		{ "cfo", "demo", "user" }, { "demo", "demo123", "analyst" }, { "developer", "dev123", "user" },
	};
	const char *dsn = need_dsn(ctl);
	struct pl_passwd_cost cost = { 2, 19456, 1 };
	char hash[PL_PASSWD_HASH_MAX], why[512];
	enum migrate_result result = MIGRATE_OK;

	if (dsn == NULL)
		return BAD_CONFIG;
	for (size_t i = 0; i < (ctl->compat ? PL_COUNT(accounts) : 1) && result == MIGRATE_OK; i++) {
		if (!pl_passwd_hash(pl_str(accounts[i].password), cost, hash))
			return complain("cannot hash a password: not enough memory", 71);
		result = db_admin_seed_demo(dsn, accounts[i].name, hash, accounts[i].access, stdout, why);
	}
	return result == MIGRATE_OK ? 0 : complain(why, (int)result);
}

static int run_initdb(struct ctl *ctl)
{
	struct initdb_opts opts = { .dsn = ctl->dsn, .database = ctl->database, .print_only = ctl->print,
		.app_password = getenv("PARLOUR_APP_PASSWORD"), .report_password = getenv("PARLOUR_REPORT_PASSWORD") };
	enum migrate_result result;
	char why[512];

	if (ctl->dsn == NULL && !ctl->print)
		return complain("initdb needs --dsn: a connection string of a superuser, e.g. --dsn "
		    "'host=/run/postgresql "
		    "user=postgres dbname=postgres'; --print only shows the statements", USAGE);
	result = db_admin_init(&opts, stdout, why);
	return result == MIGRATE_OK ? 0 : complain(why, (int)result);
}

static int run_import(struct ctl *ctl)
{
	struct ctl_import_opts opts = { .dsn = need_dsn(ctl), .kind = ctl->argv[0], .path = ctl->argv[1],
		.source = ctl->source, .dry_run = ctl->dry_run };
	char why[512] = "";
	int status;

	if (opts.dsn == NULL)
		return BAD_CONFIG;
	status = ctl_import(&opts, stdout, stderr, why);
	return why[0] == '\0' ? status : complain(why, status);
}

static int run_knowledge(struct ctl *ctl)
{
	const char *dsn = need_dsn(ctl), *dir = ctl->argc == 2 ? ctl->argv[1] : NULL;
	char why[512] = "";
	int status;

	if (ctl->argc < 1 || ctl->argc > 2 || strcmp(ctl->argv[0], "load") != 0)
		return complain("knowledge takes `load [DIRECTORY]`", USAGE);
	if (dsn == NULL || (dir == NULL && !need_config(ctl)))
		return BAD_CONFIG;
	if (dir == NULL)
		dir = ctl->config->s.knowledge_dir[0] != '\0' ? ctl->config->s.knowledge_dir : PARLOUR_KNOWLEDGEDIR;
	if (ctl->config == NULL)	/* not required with --dsn and a directory */
		ctl->config = config_read(ctl->config_path, ctl->overrides, ctl->overrides_count, why);
	why[0] = '\0';
	status = ctl_knowledge_load(dsn, dir, ctl->config == NULL ? "en" :
	    settings_languages[ctl->config->s.knowledge_language], stdout, stderr, why);
	return why[0] == '\0' ? status : complain(why, status);
}

static int run_price(struct ctl *ctl)
{
	struct ctl_price_opts opts = { .dsn = need_dsn(ctl), .upstream = ctl->upstream, .from = ctl->from,
		.argc = ctl->argc, .argv = ctl->argv };
	char why[512] = "";
	int status;

	if (opts.dsn == NULL)
		return BAD_CONFIG;
	status = ctl_price(&opts, stdout, why);
	return status == 0 ? 0 : complain(why, status);
}

static int run_jobs(struct ctl *ctl)
{
	struct ctl_jobs_opts opts = { .dsn = need_dsn(ctl), .argc = ctl->argc, .argv = ctl->argv };
	char why[512] = "";
	int status;

	if (opts.dsn == NULL)
		return BAD_CONFIG;
	status = ctl_jobs(&opts, stdout, why);
	return status == 0 ? 0 : complain(why, status);
}

/* Is there a configuration that could not be read? Where one cannot look, there may be one. */
static bool config_hidden(const struct ctl *ctl)
{
	const char *path = ctl->config_path != NULL ? ctl->config_path : PARLOUR_CONFIG;

	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Rules for passwords, and what happens to the messages of deleted accounts, are settings. */
static bool user_needs_settings(const struct ctl *ctl)
{
	static const char *const words[] = { "add", "passwd", "delete" };

	for (size_t i = 0; ctl->argc > 0 && i < PL_COUNT(words); i++)
		if (strcmp(ctl->argv[0], words[i]) == 0)
			return true;
	return false;
}

/* With --dsn, a configuration is optional: without a file, defaults are used. */
static int run_user(struct ctl *ctl)
{
	struct ctl_user_opts opts = { .dsn = need_dsn(ctl), .email = ctl->email, .name = ctl->name,
		.access = ctl->access, .password_file = ctl->password_file, .cost = { 2, 19456, 1 }, .password_min = 8,
		.password_blocklist = "",
		.argc = ctl->argc, .argv = ctl->argv };
	char why[512] = "";
	int status;

	if (opts.dsn == NULL)
		return BAD_CONFIG;
	if (ctl->config == NULL)
		ctl->config = config_read(ctl->config_path, ctl->overrides, ctl->overrides_count, why);
	if (user_needs_settings(ctl) && ctl->config == NULL && (ctl->overrides_count > 0 || config_hidden(ctl)))
		return complain(why, BAD_CONFIG);
	if (user_needs_settings(ctl) && ctl->config_path == NULL && config_hidden(ctl))
		return complain(PARLOUR_CONFIG ": cannot be read", BAD_CONFIG);
	why[0] = '\0';
	if (ctl->config != NULL) {
		opts.password_min = ctl->config->s.password_min;
		opts.password_blocklist = ctl->config->s.password_blocklist;
		opts.erase = ctl->config->s.deleted_messages == DELETED_ERASE;
		opts.cost.passes = (uint32_t)ctl->config->s.argon2_passes;
		opts.cost.memory_kib = (uint32_t)(ctl->config->s.argon2_memory / 1024);
	}
	status = ctl_user(&opts, stdout, why);
	return status == 0 ? 0 : complain(why, status);
}

static int run_invite(struct ctl *ctl)
{
	struct ctl_invite_opts opts = { .dsn = need_dsn(ctl), .uses = ctl->uses, .expires_in = ctl->expires_in,
		.room = ctl->room, .level = ctl->level, .note = ctl->note, .public_url = "", .access = "operator",
		.argc = ctl->argc, .argv = ctl->argv };
	char why[512] = "";
	int status;

	if (opts.dsn == NULL)
		return BAD_CONFIG;
	if (ctl->config != NULL) {
		opts.public_url = ctl->config->s.public_url;
		opts.access = access_words[ctl->config->s.invite_access];
	}
	status = ctl_invite(&opts, stdout, why);
	return status == 0 ? 0 : complain(why, status);
}

static int run_key(struct ctl *ctl)
{
	struct ctl_key_opts opts = { .dsn = need_dsn(ctl), .name = ctl->name, .scopes = ctl->scopes,
		.expires = ctl->expires, .rate = ctl->rate, .argc = ctl->argc, .argv = ctl->argv };
	char why[512] = "";
	int status;

	if (opts.dsn == NULL)
		return BAD_CONFIG;
	status = ctl_key(&opts, stdout, why);
	return status == 0 ? 0 : complain(why, status);
}

static int run_audit(struct ctl *ctl)
{
	struct ctl_audit_opts opts = { .dsn = need_dsn(ctl), .user = ctl->user, .action = ctl->action,
		.since = ctl->since, .until = ctl->until, .limit = ctl->limit, .csv = ctl->csv, .argc = ctl->argc };
	char why[512] = "";
	int status;

	if (opts.dsn == NULL)
		return BAD_CONFIG;
	status = ctl_audit(&opts, stdout, why);
	return status == 0 ? 0 : complain(why, status);
}

static int run_login(struct ctl *ctl)
{
	struct ctl_login_opts opts = { .dsn = need_dsn(ctl), .state = ctl->state, .address = ctl->address,
		.limit = ctl->limit, .argc = ctl->argc, .argv = ctl->argv };
	char why[512] = "";
	int status;

	if (opts.dsn == NULL)
		return BAD_CONFIG;
	status = ctl_login(&opts, stdout, why);
	return status == 0 ? 0 : complain(why, status);
}

/* Lock-outs are in the database, and rates in the memory of the daemon. */
static int run_limits(struct ctl *ctl)
{
	struct ctl_limits_opts opts = { .argc = ctl->argc, .argv = ctl->argv };
	char socket[CTL_SOCKET_MAX], why[512] = "";
	int status = find_socket(ctl, socket, why);

	if (status != 0)
		return status;
	opts.socket = socket;
	opts.dsn = need_dsn(ctl);
	if (opts.dsn == NULL)
		return BAD_CONFIG;
	status = ctl_limits(&opts, stdout, why);
	return status == 0 ? 0 : complain(why, status);
}

/* ---- keys ---- */

static int run_token_key(struct ctl *ctl)
{
	struct ctl_token_key_opts opts = { .argc = ctl->argc, .argv = ctl->argv };
	char why[512] = "";
	int status;

	if (!need_config(ctl))
		return BAD_CONFIG;
	opts.config = ctl->config;
	status = ctl_token_key(&opts, stdout, why);
	return status == 0 ? 0 : complain(why, status);
}

static int run_genkey(struct ctl *ctl)
{
	unsigned char random[32];
	char text[2 * sizeof(random) + 2], why[512];
	int fd = open(ctl->argv[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool good;

	if (fd < 0) {
		snprintf(why, sizeof(why), "cannot create %s: %s%s", ctl->argv[0], strerror(errno),
		    errno == EEXIST ?
		    " (to replace the key, run: parlourctl token-key rotate)" : "");
		return complain(why, CANNOT_CREATE);
	}
	pl_random(random, sizeof(random));
	pl_hex(random, sizeof(random), text);
	text[2 * sizeof(random)] = '\n';
	good = write(fd, text, 2 * sizeof(random) + 1) == 2 * sizeof(random) + 1 && fsync(fd) == 0;
	pl_wipe(random, sizeof(random));
	pl_wipe(text, sizeof(text));
	close(fd);
	if (!good) {
		unlink(ctl->argv[0]);
		return complain("cannot write the key file", CANNOT_CREATE);
	}
	printf("key written to %s (mode 0600)\n", ctl->argv[0]);
	return 0;
}

static int run_version(struct ctl *ctl)
{
	printf("parlourctl %s (schema version %d)\n", PARLOUR_VERSION, MIGRATE_VERSION);
	return 0;
}

static int help(const char *verb, FILE *out);

static int run_help(struct ctl *ctl)
{
	if (ctl->argc > 0)
		return help(ctl->argv[0], stdout);
	usage(stdout);
	return 0;
}

static const struct verb verbs[] = {
	{ "status", run_status, 0, "", "print the state of the master, and one line per process" },
	{ "reload", run_reload, 0, "", "read the configuration again; print file and line of an error" },
	{ "reopen", run_reopen, 0, "", "open the log files again, for logrotate" },
	{ "stop", run_stop, 0, "", "stop the daemon gracefully" },
	{ "why", run_why, 1, "REQUEST_ID", "print route, outcome, and times of a request" },
	{ "metrics", run_metrics, 0, "", "print the metrics as Prometheus text" },
	{ "check", run_check, 0, "", "check the configuration, the keys, and the database" },
	{ "initdb", run_initdb, 0, "--dsn DSN [--database NAME] [--print]", "create the roles and the database" },
	{ "migrate", run_migrate, 0, "[--dsn DSN] [--dry-run]", "update the schema" },
	{ "seed-demo", run_seed_demo, 0, "[--dsn DSN] [--compat]", "create account cfo/demo, lobby, and assistant" },
	{ "import", run_import, 2, "KIND FILE [--source NAME] [--dry-run]",
	    "import usage, series, prodlens, users, roles, rooms, or messages" },
	{ "knowledge", run_knowledge, -1, "load [DIRECTORY]", "load text files into the knowledge base" },
	{ "price", run_price, -1, "set MODEL PROMPT COMPLETION | list | remove MODEL",
	    "prices of models, in US dollars per million tokens [--upstream NAME] [--from DATE]" },
	{ "jobs", run_jobs, -1, "[list [STATE] | show ID | retry ID.. | drop ID..]",
	    "mails and Slack messages that wait, run, or were given up; retry dead: retry all that were given up" },
	{ "user", run_user, -1, "add NAME | list [TEXT] | show USER | passwd USER | access USER LEVEL | disable USER | "
	    "enable USER | logout USER | no-mfa USER | unlock USER | delete USER | export USER [FILE]",
	    "accounts; LEVEL is user, analyst, operator, or admin "
	    "[--email ADDRESS] [--name TEXT] [--access LEVEL] [--password-file FILE]" },
	{ "login", run_login, -1, "list [USER] | end NUMBER",
	    "login sessions and API keys [--state active | ended | all] [--address ADDRESS] [--limit N]" },
	{ "limits", run_limits, -1, "show [USER | ADDRESS] | reset USER | reset ADDRESS",
	    "lock-outs after failed logins, and rate limits in use" },
	{ "audit", run_audit, -1, "[--user USER] [--action ACT] [--since TIME] [--until TIME] [--limit N] [--csv]",
	    "who did what to whom, newest first; TIME is an age such as 2h, or a time such as 2026-11-20T09:00Z" },
	{ "invite", run_invite, -1, "create | list | revoke NUMBER", "invites to register or to join a room "
	    "[--uses N] [--expires-in SECONDS] [--room NUMBER] [--level LEVEL] [--note TEXT]" },
	{ "key", run_key, -1, "create USER | list [USER] | revoke KEY", "API keys; KEY is a number or prefix "
	    "[--name TEXT] [--scopes SCOPES] [--expires TIME] [--rate RATE]" },
	{ "token-key", run_token_key, -1, "rotate | list | prune [ID]...",
	    "keys that sign tokens and links, in the file key_file" },
	{ "genkey", run_genkey, 1, "FILE", "create a file for the setting key_file" },
	{ "version", run_version, 0, "", "print the version" },
	{ "help", run_help, -1, "[VERB]", "print this text, or explain one command" },
};

static int usage(FILE *out)
{
	fprintf(out, "usage: parlourctl [-c FILE] [-o name=value]... COMMAND [ARGUMENTS]\n");
	for (size_t i = 0; i < PL_COUNT(verbs); i++)
		fprintf(out, "  %-10s %-38s %s\n", verbs[i].name, verbs[i].usage, verbs[i].text);
	fprintf(out, "See parlourctl(8).\n");
	return USAGE;
}

/* Prints the help of one command. */
static int help(const char *verb, FILE *out)
{
	for (size_t i = 0; i < PL_COUNT(verbs); i++)
		if (strcmp(verbs[i].name, verb) == 0) {
			fprintf(out, "usage: parlourctl [-c FILE] [-o name=value]... %s %s\n%s\nSee parlourctl(8).\n",
			    verb, verbs[i].usage, verbs[i].text);
			return out == stdout ? 0 : USAGE;
		}
	fprintf(stderr, "parlourctl: unknown command: %s; 'parlourctl help' lists them\n", verb);
	return USAGE;
}

/* Options: those with a value, and flags. Each is a member of struct ctl. */
static const struct { const char *name; size_t at; } texts[] = {
	{ "access", offsetof(struct ctl, access) }, { "action", offsetof(struct ctl, action) },
	{ "address", offsetof(struct ctl, address) }, { "config", offsetof(struct ctl, config_path) },
	{ "database", offsetof(struct ctl, database) }, { "dsn", offsetof(struct ctl, dsn) },
	{ "email", offsetof(struct ctl, email) }, { "expires", offsetof(struct ctl, expires) },
	{ "expires-in", offsetof(struct ctl, expires_in) }, { "from", offsetof(struct ctl, from) },
	{ "level", offsetof(struct ctl, level) }, { "limit", offsetof(struct ctl, limit) },
	{ "name", offsetof(struct ctl, name) }, { "note", offsetof(struct ctl, note) },
	{ "password-file", offsetof(struct ctl, password_file) }, { "rate", offsetof(struct ctl, rate) },
	{ "room", offsetof(struct ctl, room) }, { "scopes", offsetof(struct ctl, scopes) },
	{ "since", offsetof(struct ctl, since) }, { "source", offsetof(struct ctl, source) },
	{ "state", offsetof(struct ctl, state) }, { "until", offsetof(struct ctl, until) },
	{ "upstream", offsetof(struct ctl, upstream) }, { "user", offsetof(struct ctl, user) },
	{ "uses", offsetof(struct ctl, uses) },
};
static const struct { const char *name; size_t at; } flags[] = {
	{ "compat", offsetof(struct ctl, compat) }, { "csv", offsetof(struct ctl, csv) },
	{ "dry-run", offsetof(struct ctl, dry_run) }, { "help", offsetof(struct ctl, help) },
	{ "print", offsetof(struct ctl, print) }, { "version", offsetof(struct ctl, version) },
};

#define FIRST_TEXT 1000		/* getopt_long() gives FIRST_TEXT + i for texts[i], and FIRST_FLAG + i for flags[i] */
#define FIRST_FLAG 2000

static bool read_option(struct ctl *ctl, int letter)
{
	if (letter == 'c')
		ctl->config_path = optarg;
	else if (letter == 'o' && ctl->overrides_count < OVERRIDES_MAX)
		ctl->overrides[ctl->overrides_count++] = optarg;
	else if (letter == 'h')
		ctl->help = true;
	else if (letter == 'V')
		ctl->version = true;
	else if (letter >= FIRST_FLAG)
		memcpy((char *)ctl + flags[letter - FIRST_FLAG].at, &(bool){ true }, sizeof(bool));
	else if (letter >= FIRST_TEXT)
		memcpy((char *)ctl + texts[letter - FIRST_TEXT].at, &optarg, sizeof(optarg));
	else
		return false;
	return true;
}

static bool read_options(struct ctl *ctl, int argc, char **argv)
{
	struct option longs[PL_COUNT(texts) + PL_COUNT(flags) + 2] = { { "set", 1, NULL, 'o' } };
	struct option *next = longs + 1;
	int letter;

	for (size_t i = 0; i < PL_COUNT(texts); i++)
		*next++ = (struct option){ texts[i].name, 1, NULL, FIRST_TEXT + (int)i };
	for (size_t i = 0; i < PL_COUNT(flags); i++)
		*next++ = (struct option){ flags[i].name, 0, NULL, FIRST_FLAG + (int)i };
	while ((letter = getopt_long(argc, argv, "c:o:hV", longs, NULL)) != -1)
		if (!read_option(ctl, letter))
			return false;
	return optind < argc || ctl->help || ctl->version;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .database = "parlour" };
	int status = -1;

	if (!read_options(&ctl, argc, argv))
		return usage(stderr);
	if (ctl.help && optind < argc)
		return help(argv[optind], stdout);
	if (ctl.help || ctl.version)
		return ctl.help ? usage(stdout) * 0 : run_version(&ctl);
	if (ctl.config_path == NULL && access(PARLOUR_CONFIG, F_OK) == 0)
		ctl.config_path = PARLOUR_CONFIG;
	ctl.argc = argc - optind - 1;
	ctl.argv = argv + optind + 1;
	for (size_t i = 0; i < PL_COUNT(verbs); i++)
		if (strcmp(verbs[i].name, argv[optind]) == 0)
			status = verbs[i].args < 0 || ctl.argc == verbs[i].args ? verbs[i].run(&ctl) :
			    help(argv[optind], stderr);
	if (status < 0)
		status = help(argv[optind], stderr);
	if (ctl.config != NULL)
		config_release(&ctl.config);
	return status;
}
