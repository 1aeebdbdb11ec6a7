/* SPDX-License-Identifier: ISC */
/*
 * API keys: statements, parameters, row readers.
 */
#include "db/repo/repo_apikey.h"

#include "db/repo/repo_int.h"

static unsigned read_scopes(struct pgrow *row)
{
	int count;
	const struct pl_str *words = pgrow_texts(row, &count);
	unsigned scopes = 0;

	for (int i = 0; i < count; i++)
		scopes |= apikey_scope(words[i]);
	return scopes;
}

static void read_key(struct pgrow *row, struct apikey *key)
{
	key->id = pgrow_i64(row);
	key->name = pgrow_text(row);
	key->prefix = pgrow_text(row);
	key->scopes = read_scopes(row);
	key->rate = pgrow_text(row);
	key->created_us = pgrow_time(row);
	key->last_used_us = pgrow_time(row);
	key->expires_us = pgrow_time(row);
}

REPLY(on_key, struct apikey)
{
	struct pgrow row = pgrow_at(res, 0, query->task->pool);

	if (!repo_status_err(pgrow_text(&row), bad))
		return false;
	read_key(&row, out);
	return true;
}

void repo_apikey_create(struct db *db, struct pl_task *task, const struct apikey_new *in,
    const struct apikey_text *text, repo_apikey_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_KEY_CREATE, on_key, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_text(query, in->name);
	pgquery_cstr(query, text->prefix);
	pgquery_bytes(query, text->hash, sizeof(text->hash));
	pgquery_text(query, apikey_scope_words(query->pool, in->scopes));
	pgquery_i64(query, in->life_us);
	pgquery_text(query, in->rate);
	pgquery_cstr(query, task->who.addr);
	pgquery_i64(query, in->most);
	pgquery_i64(query, in->made);
	pgquery_i64(query, task->who.login_id);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_apikey_patch(struct db *db, struct pl_task *task, int64_t id, const struct apikey_change *change,
    repo_apikey_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_KEY_PATCH, on_key, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_i64(query, id);
	pgquery_text(query, change->name);
	pgquery_text(query, change->scopes != 0 ? apikey_scope_words(query->pool, change->scopes) : PL_STR_NONE);
	pgquery_i64_or_null(query, change->life_us, -1);
	pgquery_text(query, change->rate);
	pgquery_audited(query);
	pgquery_start(query);
}

void repo_apikey_end(struct db *db, struct pl_task *task, int64_t id, repo_ended_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_KEY_END, repo_on_ended, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_i64(query, id);
	pgquery_audited(query);
	pgquery_start(query);
}

REPLY(on_keys, struct apikey_list)
{
	READ_ROWS(query, res, out, struct apikey, read_key);
	return true;
}

void repo_apikey_list(struct db *db, struct pl_task *task, int64_t id, repo_apikey_list_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_KEY_LIST, on_keys, done, arg);

	pgquery_i64(query, task->who.user_id);
	pgquery_i64(query, id);
	pgquery_start(query);
}

REPLY(on_found, struct apikey_found)
{
	struct pgrow row;

	if (!repo_first(query, res, &row, bad))
		return false;
	out->id = pgrow_i64(&row);
	out->user_id = pgrow_i64(&row);
	out->username = pgrow_text(&row);
	out->access = pgrow_word(&row, access_words, ACCESS_USER);
	out->ended = pgrow_bool(&row);
	out->expires_us = pgrow_time(&row);
	out->scopes = read_scopes(&row);
	out->rate = pgrow_text(&row);
	out->note = pgrow_bool(&row);
	return true;
}

void repo_apikey_find(struct db *db, struct pl_task *task, const unsigned char hash[32], repo_apikey_found_fn *done,
    void *arg)
{
	struct pgquery *query = QUERY(db, task, S_KEY_FIND, on_found, done, arg);

	pgquery_bytes(query, hash, 32);
	pgquery_start(query);
}

void repo_apikey_used(struct db *db, struct pl_task *task, int64_t id, db_done_fn *done, void *arg)
{
	struct pgquery *query = QUERY(db, task, S_KEY_USED, repo_on_done, done, arg);

	pgquery_i64(query, id);
	pgquery_start(query);
}
