/* SPDX-License-Identifier: ISC */
/*
 * API keys: login sessions of kind `key` (table login_sessions).
 */
#ifndef DB_REPO_APIKEY_H
#define DB_REPO_APIKEY_H

#include "db/repo/apikey_text.h"
#include "db/repo/repo_user.h"

/* A key as its owner sees it. */
struct apikey {
	int64_t id;
	struct pl_str name, prefix, rate;	/* rate: absent when none */
	unsigned scopes;			/* of enum apikey_scope */
	int64_t created_us, last_used_us, expires_us;	/* 0: never */
};
struct apikey_list { const struct apikey *rows; int count; };
typedef void (repo_apikey_fn)(void *arg, const struct apikey *key, const struct pl_err *err);
typedef void (repo_apikey_list_fn)(void *arg, const struct apikey_list *list, const struct pl_err *err);

struct apikey_new {
	struct pl_str name, rate;		/* rate: absent for none */
	unsigned scopes;
	int64_t life_us;			/* 0: without an end */
	int64_t most;				/* keys that the user may have */
	int64_t made;				/* of a request whose reply was lost: gets another secret; 0: none */
};
/*
 * For the task's caller, whose login session must be alive (PL_E_REVOKED). PL_E_TAKEN: the name. PL_E_CONFLICT: too
 * many. PL_E_NOT_FOUND: the account is disabled, or `made` is revoked.
 */
void repo_apikey_create(struct db *db, struct pl_task *task, const struct apikey_new *in,
    const struct apikey_text *text, repo_apikey_fn *done, void *arg);

struct apikey_change {
	struct pl_str name, rate;		/* absent: unchanged; rate empty: none */
	unsigned scopes;			/* 0: unchanged */
	int64_t life_us;			/* from now on; 0: without an end; -1: unchanged */
};
/* A key of the caller. PL_E_NOT_FOUND, PL_E_TAKEN. */
void repo_apikey_patch(struct db *db, struct pl_task *task, int64_t id, const struct apikey_change *change,
    repo_apikey_fn *done, void *arg);
/* A key of the caller; the list is empty if there is no such key. */
void repo_apikey_end(struct db *db, struct pl_task *task, int64_t id, repo_ended_fn *done, void *arg);
/* Keys of the caller that are not revoked, newest first; id > 0: only this one. At most 1,000. */
void repo_apikey_list(struct db *db, struct pl_task *task, int64_t id, repo_apikey_list_fn *done, void *arg);

/* The owner of a key. */
struct apikey_found {
	int64_t id, user_id;
	struct pl_str username, rate;
	int access;
	bool ended;				/* revoked, or the account is disabled */
	int64_t expires_us;			/* 0: never */
	unsigned scopes;
	bool note;				/* last_used_at is old */
};
typedef void (repo_apikey_found_fn)(void *arg, const struct apikey_found *found, const struct pl_err *err);
/* PL_E_NOT_FOUND. */
void repo_apikey_find(struct db *db, struct pl_task *task, const unsigned char hash[32], repo_apikey_found_fn *done,
    void *arg);
/* Records that it was used, at most once a minute. */
void repo_apikey_used(struct db *db, struct pl_task *task, int64_t id, db_done_fn *done, void *arg);

#endif
