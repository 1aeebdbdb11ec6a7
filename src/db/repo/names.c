/* SPDX-License-Identifier: ISC */
/*
 * A direct-mapped table: a newer name takes the place of an older one.
 */
#include "db/repo/names.h"

#include "db/repo/name.h"

#define SLOTS 16384u	/* 640 kB, once the first name is put */

struct db_name { int64_t id; char name[NAME_MAX_BYTES + 8]; };

static struct db_name *slot_of(const struct db *db, int64_t user_id)
{
	return &db->names[(uint64_t)user_id & (SLOTS - 1)];
}

const char *db_name_find(const struct db *db, int64_t user_id)
{
	const struct db_name *slot = db->names != NULL ? slot_of(db, user_id) : NULL;

	return slot != NULL && slot->id == user_id ? slot->name : NULL;
}

void db_name_put(struct db *db, int64_t user_id, struct pl_str name)
{
	struct db_name *slot;

	if (db->names == NULL)
		db->names = pl_new(SLOTS * sizeof(*db->names));
	if (user_id <= 0 || name.len > NAME_MAX_BYTES)
		return;
	slot = slot_of(db, user_id);
	slot->id = user_id;
	memcpy(slot->name, name.ptr, name.len);
	slot->name[name.len] = '\0';
}

void db_names_fini(struct db *db)
{
	pl_free(db->names);
	db->names = NULL;
}
