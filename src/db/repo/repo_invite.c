/* SPDX-License-Identifier: ISC */
/*
 * Invites: statements, parameters, row readers.
 */
#include "db/repo/repo_invite.h"

#include "db/repo/repo_int.h"
#include "db/repo/repo_invite_int.h"
#include "db/repo/repo_room_int.h"

void repo_invite_rule(struct pgquery *query, const struct invite_rule *rule)
{
	pgquery_bytes(query, rule != NULL ? rule->sha256 : NULL, sizeof(rule->sha256));
	pgquery_cstr(query, rule != NULL ? access_words[rule->access] : NULL);
	pgquery_bool(query, rule != NULL && rule->open);
}

REPLY(on_created, int64_t)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	*out = pgrow_i64(&row);
	return true;
}

void repo_invite_create(struct db *db, struct pl_task *task, int64_t user_id, const struct invite_new *in,
    const unsigned char sha256[32], db_count_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_INVITE_CREATE, on_created, done, arg);

	pgquery_i64(query, user_id);
	pgquery_i64_or_null(query, in->room_id, 0);
	pgquery_cstr(query, in->room_id != 0 ? level_words[in->level] : NULL);
	pgquery_i32(query, in->uses);
	pgquery_i64(query, in->life_s);
	pgquery_text(query, in->note);
	pgquery_bytes(query, sha256, 32);
	pgquery_cstr(query, access_words[in->access]);
	pgquery_i64(query, in->most);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_invite_renew(struct db *db, struct pl_task *task, int64_t user_id, int64_t invite_id,
    const unsigned char sha256[32], db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_INVITE_RENEW, repo_on_status, done, arg);

	pgquery_i64(query, invite_id);
	pgquery_i64(query, user_id);
	pgquery_bytes(query, sha256, 32);
	pgquery_start(query);
}

void repo_invite_revoke(
    struct db *db, struct pl_task *task, int64_t user_id, int64_t invite_id, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_INVITE_REVOKE, repo_on_status, done, arg);

	pgquery_i64(query, invite_id);
	pgquery_i64(query, user_id);
	pgquery_audited(query);
	pgquery_start(query);
}

static void read_invite(struct pgrow *row, struct invite *out)
{
	out->id = pgrow_i64(row);
	out->creator_id = pgrow_i64(row);
	out->creator = pgrow_text(row);
	out->room_id = pgrow_i64(row);
	out->level = pgrow_word(row, level_words, LEVEL_NONE);
	out->note = pgrow_text(row);
	out->uses = pgrow_i32(row);
	out->used = pgrow_i32(row);
	out->created_us = pgrow_time(row);
	out->expires_us = pgrow_time(row);
	out->state = pgrow_text(row);
}

REPLY(on_invites, struct invite_list)
{
	READ_PAGE(query, res, out, struct invite, read_invite);
	out->total = repo_total_i64(res);
	return true;
}

void repo_invite_list(struct db *db, struct pl_task *task, const struct invite_ask *ask, repo_invite_list_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_INVITE_LIST, on_invites, done, arg);

	repo_keep_limit(query, ask->limit);
	pgquery_cstr(query, access_words[ask->access]);
	pgquery_i64(query, ask->creator_id);
	pgquery_i64_or_null(query, ask->id, 0);
	pgquery_i64(query, ask->before);
	pgquery_i64_or_null(query, ask->offset, -1);
	pgquery_i32(query, ask->limit);
	pgquery_start(query);
}

REPLY(on_look, struct invite_look)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	out->creator = pgrow_text(&row);
	out->creator_name = pgrow_text(&row);
	out->room = pgrow_text(&row);
	out->level = pgrow_word(&row, level_words, LEVEL_NONE);
	out->expires_us = pgrow_time(&row);
	out->registers = pgrow_bool(&row);
	return true;
}

void repo_invite_look(struct db *db, struct pl_task *task, const struct invite_rule *rule, repo_invite_look_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_INVITE_LOOK, on_look, done, arg);

	repo_invite_rule(query, rule);
	pgquery_start(query);
}

REPLY(on_accepted, struct room_result)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	repo_read_room_result(&row, out);
	return true;
}

void repo_invite_accept(struct db *db, struct pl_task *task, int64_t user_id, const struct invite_rule *rule,
    repo_room_result_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_INVITE_ACCEPT, on_accepted, done, arg);

	pgquery_bytes(query, rule->sha256, sizeof(rule->sha256));
	pgquery_i64(query, user_id);
	pgquery_cstr(query, access_words[rule->access]);
	pgquery_audited(query);
	pgquery_start(query);
}
