/* SPDX-License-Identifier: ISC */
/*
 * The directory: the users that a user can find.
 */
#ifndef DB_REPO_PEOPLE_H
#define DB_REPO_PEOPLE_H

#include "db/db.h"

/* name: absent when not given */
struct person { int64_t id; struct pl_str username, name; int64_t created_us; };
struct person_list { const struct person *rows; int count; bool more; int64_t total; };
typedef void (repo_person_fn)(void *arg, const struct person *person, const struct pl_err *err);
typedef void (repo_person_list_fn)(void *arg, const struct person_list *list, const struct pl_err *err);

struct people_ask {
	int64_t user_id;		/* the user who searches */
	const char *whom;		/* all, shared_rooms, off: setting user_directory */
	struct pl_str query;		/* absent: everybody, by id */
	int64_t after;			/* users after this one */
	int64_t offset;			/* -1: not by pages; else rows to skip, and total is counted */
	int limit;			/* 1..200 */
};
/* The best first. Disabled accounts are left out. */
void repo_people_find(
    struct db *db, struct pl_task *task, const struct people_ask *ask, repo_person_list_fn *done, void *arg);
/*
 * By id (name absent) or by user name, which is case-insensitive. PL_E_NOT_FOUND, also for users that are not visible.
 */
void repo_person_get(struct db *db, struct pl_task *task, int64_t user_id, const char *whom, int64_t id,
    struct pl_str name, repo_person_fn *done, void *arg);
/* Id of the user with this name, disabled or not; 0: there is none. */
void repo_person_named(struct db *db, struct pl_task *task, struct pl_str name, db_count_fn *done, void *arg);

#endif
