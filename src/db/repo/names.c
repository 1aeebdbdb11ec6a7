/* SPDX-License-Identifier: ISC */
/* A cache made of sets. A new name replaces the oldest one of its set. */
#include "db/repo/names.h"

#include "db/repo/name.h"

#define WAYS 4u
#define SLOTS 16384u	/* 900 kB after the first name, plus the display names */

struct db_name { int64_t id; bool sure; char name[NAME_MAX_BYTES + 1]; char *display; };

static struct db_name *set_of(const struct db *db, int64_t user_id)
{
	return &db->names[(uint64_t)user_id % (SLOTS / WAYS) * WAYS];
}

static struct db_name *slot_of(const struct db *db, int64_t user_id)
{
	struct db_name *set = db->names != NULL && user_id > 0 ? set_of(db, user_id) : NULL;

	for (size_t i = 0; set != NULL && i < WAYS; i++)
		if (set[i].id == user_id)
			return &set[i];
	return NULL;
}

enum db_name_state db_name_state(const struct db *db, int64_t user_id)
{
	const struct db_name *slot = slot_of(db, user_id);

	return slot == NULL ? DB_NAME_UNKNOWN : slot->sure ? DB_NAME_SURE : DB_NAME_UNSURE;
}

const char *db_name_find(const struct db *db, int64_t user_id, struct pl_str *display_r)
{
	const struct db_name *slot = slot_of(db, user_id);

	*display_r = PL_STR_NONE;
	if (slot == NULL)
		return NULL;
	if (slot->display != NULL)
		*display_r = pl_str(slot->display);
	return slot->name;
}

/* Makes a name the first of its set. The last name of the set is dropped. */
static struct db_name *slot_new(struct db *db, int64_t user_id)
{
	struct db_name *set = set_of(db, user_id);

	pl_free(set[WAYS - 1].display);
	memmove(&set[1], &set[0], (WAYS - 1) * sizeof(set[0]));
	set[0] = (struct db_name){ .id = user_id };
	return &set[0];
}

void db_name_put(struct db *db, int64_t user_id, struct pl_str name, struct pl_str display, bool sure)
{
	struct db_name *slot = slot_of(db, user_id);

	if (db->names == NULL)
		db->names = pl_new(SLOTS * sizeof(*db->names));
	if (user_id <= 0 || name.len > NAME_MAX_BYTES || (slot != NULL && slot->sure && !sure))
		return;
	if (slot == NULL)
		slot = slot_new(db, user_id);
	slot->sure = sure;
	memcpy(slot->name, name.ptr, name.len);
	slot->name[name.len] = '\0';
	pl_free(slot->display);
	slot->display = NULL;
	if (display.len > 0) {
		slot->display = pl_new(display.len + 1);
		memcpy(slot->display, display.ptr, display.len);
	}
}

void db_name_drop(struct db *db, int64_t user_id)
{
	struct db_name *slot = slot_of(db, user_id);

	if (slot == NULL)
		return;
	pl_free(slot->display);
	*slot = (struct db_name){ .id = 0 };
}

void db_name_doubt(struct db *db, int64_t user_id)
{
	struct db_name *slot = slot_of(db, user_id);

	if (slot != NULL)
		slot->sure = false;
}

void db_names_doubt(struct db *db)
{
	for (size_t i = 0; db->names != NULL && i < SLOTS; i++)
		db->names[i].sure = false;
}

int db_names_unsure(const struct db *db, size_t *at, int64_t *ids, int most)
{
	int count = 0;

	for (; db->names != NULL && *at < SLOTS && count < most; ++*at) {
		const struct db_name *slot = &db->names[*at];

		if (slot->id != 0 && !slot->sure)
			ids[count++] = slot->id;
	}
	if (db->names == NULL || *at == SLOTS)
		*at = 0;
	return count;
}

void db_names_fini(struct db *db)
{
	for (size_t i = 0; db->names != NULL && i < SLOTS; i++)
		pl_free(db->names[i].display);
	pl_free(db->names);
	db->names = NULL;
}
