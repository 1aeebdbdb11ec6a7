/* SPDX-License-Identifier: ISC */
/*
 * A direct-mapped table: a newer name takes the place of an older one.
 */
#include "db/repo/names.h"

#include "db/repo/name.h"

#define SLOTS 16384u	/* 900 kB, once the first name is put, and the display names */

struct db_name { int64_t id; char name[NAME_MAX_BYTES + 8]; char *display; };

static struct db_name *slot_of(const struct db *db, int64_t user_id)
{
	return &db->names[(uint64_t)user_id & (SLOTS - 1)];
}

const char *db_name_find(const struct db *db, int64_t user_id, struct pl_str *display_r)
{
	const struct db_name *slot = db->names != NULL ? slot_of(db, user_id) : NULL;

	*display_r = PL_STR_NONE;
	if (slot == NULL || slot->id != user_id)
		return NULL;
	if (slot->display != NULL)
		*display_r = pl_str(slot->display);
	return slot->name;
}

void db_name_put(struct db *db, int64_t user_id, struct pl_str name, struct pl_str display)
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
	pl_free(slot->display);
	slot->display = NULL;
	if (display.len > 0) {
		slot->display = pl_new(display.len + 1);
		memcpy(slot->display, display.ptr, display.len);
	}
}

void db_names_fini(struct db *db)
{
	for (size_t i = 0; db->names != NULL && i < SLOTS; i++)
		pl_free(db->names[i].display);
	pl_free(db->names);
	db->names = NULL;
}
