/* SPDX-License-Identifier: ISC */
/*
 * AI characters (tables roles, room_roles).
 */
#ifndef DB_REPO_ROLE_H
#define DB_REPO_ROLE_H

#include "db/db.h"

/* In the room of a message: a role of the asker, a role that the room takes when it is used, or an attached role. */
enum role_place { ROLE_OWN, ROLE_TAKEN, ROLE_ATTACHED };

struct role {
	int64_t id, owner_id;			/* owner 0: the system */
	struct pl_str name, instructions;	/* name: for mentions */
	struct pl_str display;			/* the name as it was given */
	struct pl_str upstream, model;		/* absent: the daemon's defaults */
	struct pl_str avatar, description;	/* absent: none */
	double temperature;			/* < 0: not set */
	int max_tokens;				/* 0: not set */
	int64_t created_us, updated_us;
	enum role_place place;			/* of repo_role_turn() only */
};
struct role_list { const struct role *rows; int count; bool more; };
typedef void (repo_role_fn)(void *arg, const struct role *role, const struct pl_err *err);
typedef void (repo_role_list_fn)(void *arg, const struct role_list *list, const struct pl_err *err);

/*
 * in->display passes role_valid(), and in->name is derived from it; `max_per_owner` comes from the settings. PL_E_TAKEN
 * (name, or the owner has a role with this display name), PL_E_CONFLICT (too many).
 */
void repo_role_create(struct db *db, struct pl_task *task, const struct role *in, int64_t max_per_owner,
    repo_role_fn *done, void *arg);

struct role_patch {
	struct pl_str display, instructions, upstream, model;	/* absent = unchanged; upstream, model "" = default */
	struct pl_str avatar, description;			/* absent = unchanged; "" = none */
	bool set_temperature, set_max_tokens;
	double temperature;					/* < 0 = not set */
	int max_tokens;						/* 0 = not set */
};
/* Owner, or anybody with `admin`. PL_E_NOT_FOUND, PL_E_FORBIDDEN, PL_E_TAKEN. */
void repo_role_patch(struct db *db, struct pl_task *task, int64_t role_id, int64_t user_id, bool admin,
    const struct role_patch *patch, repo_role_fn *done, void *arg);
/* Hides it, frees its name, detaches it from all rooms (a change in each room's log). Errors as above. */
void repo_role_delete(struct db *db, struct pl_task *task, int64_t role_id, int64_t user_id, bool admin,
    db_done_fn *done, void *arg);
/* PL_E_NOT_FOUND also for deleted ones. */
void repo_role_get(struct db *db, struct pl_task *task, int64_t role_id, repo_role_fn *done, void *arg);
/* All that are not deleted, ascending, ids > after; owner_id 0 = of all owners. limit 1..200. */
void repo_role_list(struct db *db, struct pl_task *task, int64_t owner_id, int64_t after, int limit,
    repo_role_list_fn *done, void *arg);
/*
 * The roles that may answer a message in a room, ascending by id: attached ones, those that the room takes when they
 * are used, and role_id (0: none) if asker_id owns it. Empty if there are none, or if the room does not exist. No
 * access check.
 */
void repo_role_turn(struct db *db, struct pl_task *task, int64_t room_id, int64_t asker_id, int64_t role_id,
    repo_role_list_fn *done, void *arg);

#endif
