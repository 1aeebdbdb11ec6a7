/* SPDX-License-Identifier: ISC */
/*
 * parlourctl invite.
 */
#include "ctl/ctl_invite.h"

#include <string.h>

#include "db/admin/db_invites.h"
#include "leaf.h"
#include "svc/account/invite.h"
#include "text.h"

enum { EXIT_USAGE = 64, EXIT_NOT_POSSIBLE = 65, EXIT_AWAY = 69, EXIT_DB = 70 };
enum { USES_MAX = 10000, EXPIRES_MIN_S = 60, EXPIRES_MAX_S = 31536000, NOTE_MAX = 200 };

static bool number_ok(const char *text, int64_t min, int64_t max)
{
	int64_t number;

	return text == NULL || pl_str_i64(pl_str(text), min, max, &number);
}

static bool level_ok(const char *word)
{
	return word == NULL || strcmp(word, "member") == 0 || strcmp(word, "moderator") == 0 ||
	    strcmp(word, "owner") == 0;
}

static bool usage_ok(const struct ctl_invite_opts *o)
{
	const char *verb = o->argc > 0 ? o->argv[0] : "";
	bool given = o->uses != NULL || o->expires_in != NULL || o->room != NULL || o->level != NULL || o->note != NULL;

	if (strcmp(verb, "create") == 0)
		return o->argc == 1 && number_ok(o->uses, 1, USES_MAX) && number_ok(o->room, 1, INT64_MAX) &&
		    number_ok(o->expires_in, EXPIRES_MIN_S, EXPIRES_MAX_S) && level_ok(o->level) &&
		    (o->level == NULL || o->room != NULL);
	if (strcmp(verb, "list") == 0)
		return o->argc == 1 && !given;
	return strcmp(verb, "revoke") == 0 && o->argc == 2 && !given && number_ok(o->argv[1], 1, INT64_MAX);
}

static int run_create(const struct ctl_invite_opts *o, struct db_import *db, struct pl_pool *pool, FILE *out,
    char why[512])
{
	struct pl_str note = pl_str(o->note), base = pl_str(o->public_url);
	struct invite_token token;
	char hash[2 * sizeof(token.sha256) + 1];
	struct new_invite in = { .room = o->room, .level = o->level, .uses = o->uses, .seconds = o->expires_in,
		.sha256 = hash };
	const char *text, *fault = NULL;

	if (note.ptr != NULL && (!pl_utf8_ok(note.ptr, note.len) || pl_utf8_count(note.ptr, note.len) > NOTE_MAX))
		fault = "must be UTF-8 text of at most 200 characters";
	else if (note.ptr != NULL)
		fault = pl_text_label_fault(pool, pl_text_trim(note));
	if (fault != NULL) {
		snprintf(why, 512, "--note %s; nothing was changed", fault);
		return EXIT_NOT_POSSIBLE;
	}
	if (note.ptr != NULL)
		in.note = pl_strndup(pool, pl_text_trim(note).ptr, pl_text_trim(note).len);
	invite_token_make(&token);
	pl_hex(token.sha256, sizeof(token.sha256), hash);
	if (!db_invites_create(db, &in, pool, &text, why))
		return EXIT_DB;
	if (strncmp(text, "ok ", 3) != 0) {
		snprintf(why, 512, strcmp(text, "archived") == 0 ? "room %s is archived; nothing was changed" :
		    "there is no room %s; nothing was changed", o->room);
		return EXIT_NOT_POSSIBLE;
	}
	if (base.len > 0 && base.ptr[base.len - 1] == '/')
		base.len--;
	fprintf(out, "invite %s created; this link is shown only once:\n%.*s/join/%s\n", text + 3, PL_FMT(base),
	    token.text);
	pl_wipe(&token, sizeof(token));
	return 0;
}

static int run_list(const struct ctl_invite_opts *o, struct db_import *db, struct pl_pool *pool, FILE *out,
    char why[512])
{
	const char *text;

	if (!db_invites_list(db, o->access, pool, &text, why))
		return EXIT_DB;
	if (text[0] != '\0')
		fprintf(out, "%s\n", text);
	return 0;
}

static int run_revoke(const struct ctl_invite_opts *o, struct db_import *db, struct pl_pool *pool, FILE *out,
    char why[512])
{
	const char *text;

	if (!db_invites_revoke(db, o->argv[1], pool, &text, why))
		return EXIT_DB;
	if (strcmp(text, "ok") != 0) {
		snprintf(why, 512, "there is no invite %s; 'parlourctl invite list' shows the invites", o->argv[1]);
		return EXIT_NOT_POSSIBLE;
	}
	fprintf(out, "invite %s revoked\n", o->argv[1]);
	return 0;
}

int ctl_invite(const struct ctl_invite_opts *o, FILE *out, char why[512])
{
	struct db_import *db;
	struct pl_pool *pool;
	char ignored[512];
	int status;

	if (!usage_ok(o)) {
		snprintf(why, 512,
		    "invite takes `create [--uses N] [--expires-in SECONDS] [--room NUMBER [--level LEVEL]] "
		    "[--note TEXT]`, `list`, or `revoke NUMBER`; N is at most 10000, SECONDS 60 to 31536000, and LEVEL "
		    "member, moderator, or owner");
		return EXIT_USAGE;
	}
	db = db_import_open(o->dsn, why);
	if (db == NULL)
		return EXIT_AWAY;
	pool = pl_pool_new(0);
	if (strcmp(o->argv[0], "create") == 0)
		status = run_create(o, db, pool, out, why);
	else
		status = (strcmp(o->argv[0], "list") == 0 ? run_list : run_revoke)(o, db, pool, out, why);
	if (!db_import_close(&db, status == 0, status == 0 ? why : ignored) && status == 0)
		status = EXIT_DB;
	pl_pool_free(&pool);
	return status;
}
