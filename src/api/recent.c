/* SPDX-License-Identifier: ISC */
/*
 * A hash table of rooms and a list by time of use. The texts of a room are in one piece, so that a page is one copy.
 */
#include "api/recent.h"

#include "api/room_shape.h"
#include "clock.h"

#define BUCKETS 1024u
#define TEXT_MAX (256u * 1024)		/* of a room: older messages are dropped */
#define SLACK 32			/* so many messages more than wanted are kept before the oldest are dropped */
#define UNUSED_NS (60 * PL_NS_PER_S)

TAILQ_HEAD(recent_list, recent);

struct recents {
	struct recent_list used;
	struct recent_list buckets[BUCKETS];
	size_t bytes;			/* of all entries */
};

struct recents *recents_new(void)
{
	struct recents *recents = pl_new(sizeof(*recents));

	TAILQ_INIT(&recents->used);
	for (size_t i = 0; i < BUCKETS; i++)
		TAILQ_INIT(&recents->buckets[i]);
	return recents;
}

static struct recent_list *bucket_of(struct recents *recents, int64_t room_id)
{
	return &recents->buckets[(uint64_t)room_id % BUCKETS];
}

static void roles_free(struct recent *recent)
{
	for (int i = 0; i < recent->role_count; i++) {
		pl_free((char *)(uintptr_t)recent->role_names[i].ptr);
		pl_free((char *)(uintptr_t)recent->role_displays[i].ptr);
	}
	recent->role_count = 0;
}

void recents_drop(struct recents *recents, struct recent *recent)
{
	TAILQ_REMOVE(&recents->used, recent, used);
	TAILQ_REMOVE(bucket_of(recents, recent->room_id), recent, link);
	recents->bytes -= recent->counted;
	roles_free(recent);
	pl_buf_fini(&recent->text);
	pl_free(recent->pieces);
	pl_free(recent);
}

void recents_free(struct recents **recents)
{
	struct recent *recent;

	if (*recents == NULL)
		return;
	while ((recent = TAILQ_FIRST(&(*recents)->used)) != NULL)
		recents_drop(*recents, recent);
	pl_free(*recents);
	*recents = NULL;
}

void recents_tick(struct recents *recents)
{
	int64_t now_ns = pl_now_ns();
	struct recent *recent;

	while ((recent = TAILQ_LAST(&recents->used, recent_list)) != NULL && now_ns - recent->used_ns > UNUSED_NS)
		recents_drop(recents, recent);
}

struct recent *recents_find(struct recents *recents, int64_t room_id)
{
	struct recent_list *bucket = bucket_of(recents, room_id);
	struct recent *recent;

	TAILQ_FOREACH(recent, bucket, link) {
		if (recent->room_id == room_id)
			break;
	}
	if (recent == NULL)
		return NULL;
	recent->used_ns = pl_now_ns();
	TAILQ_REMOVE(&recents->used, recent, used);
	TAILQ_INSERT_HEAD(&recents->used, recent, used);
	return recent;
}

/* What an entry takes, without what the allocator adds. */
static void count_bytes(struct recents *recents, struct recent *recent)
{
	size_t bytes = sizeof(*recent) + recent->text.cap + (size_t)recent->places * sizeof(recent->pieces[0]);

	recents->bytes += bytes - recent->counted;
	recent->counted = bytes;
}

struct recent *recents_make(struct recents *recents, int64_t room_id)
{
	struct recent *recent = recents_find(recents, room_id);

	if (recent != NULL)
		return recent;
	recent = pl_new(sizeof(*recent));
	recent->room_id = room_id;
	recent->used_ns = pl_now_ns();
	TAILQ_INSERT_HEAD(&recents->used, recent, used);
	TAILQ_INSERT_HEAD(bucket_of(recents, room_id), recent, link);
	count_bytes(recents, recent);
	return recent;
}

/* ---- roles ---- */

enum recent_state recent_state(const struct recent *recent, const struct room_marked *marked, const int64_t *role_ids,
    int role_count)
{
	const struct room_mark *kept = &recent->mark, *now = &marked->mark;

	if (!recent->filled || kept->epoch != now->epoch || kept->edits != now->edits || kept->names != now->names ||
	    recent->role_count != role_count || marked->role_count != role_count || kept->last_seq > now->last_seq)
		return RECENT_STALE;
	for (int i = 0; i < role_count; i++)
		if (recent->role_ids[i] != role_ids[i] ||
		    !pl_str_eq(recent->role_names[i], marked->role_names[i]) ||
		    !pl_str_eq(recent->role_displays[i], marked->role_displays[i]))
			return RECENT_STALE;
	return kept->last_seq == now->last_seq ? RECENT_EXACT : RECENT_BEHIND;
}

bool recent_is_newer(const struct recent *recent, const struct room_mark *mark)
{
	return recent->filled && recent->mark.epoch == mark->epoch &&
	    (recent->mark.last_seq > mark->last_seq || recent->mark.edits > mark->edits);
}

static struct pl_str own(struct pl_str text)
{
	char *copy = pl_new(text.len + 1);

	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	return pl_strn(copy, text.len);
}

/* An absent text is the same as an empty one. */
static bool same(struct pl_str a, struct pl_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* false: too many, or another name than before. */
static bool add_role(struct recent *recent, const struct message *m)
{
	int at = 0;

	while (at < recent->role_count && recent->role_ids[at] < m->author_id)
		at++;
	if (at < recent->role_count && recent->role_ids[at] == m->author_id)
		return same(recent->role_names[at], m->author_name) &&
		    same(recent->role_displays[at], m->author_display);
	if (recent->role_count == RECENT_ROLES)
		return false;
	for (int i = recent->role_count++; i > at; i--) {
		recent->role_ids[i] = recent->role_ids[i - 1];
		recent->role_names[i] = recent->role_names[i - 1];
		recent->role_displays[i] = recent->role_displays[i - 1];
	}
	recent->role_ids[at] = m->author_id;
	recent->role_names[at] = own(m->author_name);
	recent->role_displays[at] = own(m->author_display);
	return true;
}

/* ---- messages ---- */

/* The messages behind those that are there; false: they cannot be kept, and the entry must be dropped. */
static bool add_messages(struct recent *recent, const struct message_list *list)
{
	struct pl_pool *pool = pl_pool_new(0);
	bool good = true;

	if (recent->places < recent->count + list->count) {
		recent->places = recent->count + list->count + SLACK;
		recent->pieces = pl_realloc(recent->pieces, (size_t)recent->places * sizeof(recent->pieces[0]));
	}
	for (int i = 0; good && i < list->count; i++) {
		const struct message *m = &list->rows[i];
		struct pl_jw w = PL_JW(&recent->text);
		struct message_out out;

		good = m->author_kind != AUTHOR_ROLE || add_role(recent, m);
		recent->pieces[recent->count++] = (struct recent_piece){ m->seq, recent->text.len };
		message_shape(&out, m, pool);
		shape_write(&shape_message_out, &out, &w);
		pl_buf_addc(&recent->text, ',');
	}
	pl_pool_free(&pool);
	return good;
}

static void drop_oldest(struct recent *recent, int count)
{
	size_t bytes = count < recent->count ? recent->pieces[count].at : recent->text.len;

	if (count == 0)
		return;
	recent->more = true;
	recent->count -= count;
	recent->text.len -= bytes;
	memmove(recent->text.ptr, recent->text.ptr + bytes, recent->text.len);
	memmove(recent->pieces, recent->pieces + count, (size_t)recent->count * sizeof(recent->pieces[0]));
	for (int i = 0; i < recent->count; i++)
		recent->pieces[i].at -= bytes;
}

static void trim(struct recent *recent)
{
	int count = recent->count > recent->wanted + SLACK ? recent->count - recent->wanted : 0;

	while (count < recent->count && recent->text.len - recent->pieces[count].at > TEXT_MAX)
		count++;
	drop_oldest(recent, count);
}

/* Drops what was used least recently; false: also this entry. */
static bool make_place(struct recents *recents, struct recent *recent, size_t bytes_max)
{
	struct recent *last;

	count_bytes(recents, recent);
	while (recents->bytes > bytes_max && (last = TAILQ_LAST(&recents->used, recent_list)) != recent)
		recents_drop(recents, last);
	if (recents->bytes <= bytes_max)
		return true;
	recents_drop(recents, recent);
	return false;
}

struct recent *recents_set(
    struct recents *recents, int64_t room_id, const struct message_list *list, int wanted, size_t bytes_max)
{
	struct recent *recent = recents_make(recents, room_id);

	if (wanted > recent->wanted)
		recent->wanted = wanted;
	recent->filled = true;
	recent->mark = list->mark;
	recent->more = list->more;
	recent->count = 0;
	pl_buf_fini(&recent->text);
	recent->text = PL_BUF(NULL);
	roles_free(recent);
	if (!list->sure || !add_messages(recent, list)) {
		recents_drop(recents, recent);
		return NULL;
	}
	trim(recent);
	if (recent->count < wanted && recent->more) {	/* texts are so long that these pages cannot come from here */
		recents_drop(recents, recent);
		return NULL;
	}
	return make_place(recents, recent, bytes_max) ? recent : NULL;
}

/* Do the messages follow those that are kept, with nothing between, and with the same names? */
static bool follows(const struct recent *recent, const struct message_list *list)
{
	return recent->filled && list->sure && !list->more && list->mark.epoch == recent->mark.epoch &&
	    list->mark.edits == recent->mark.edits && list->mark.names == recent->mark.names &&
	    list->mark.last_seq >= recent->mark.last_seq &&
	    (list->count == 0 || list->rows[0].seq > recent->mark.last_seq);
}

bool recents_append(struct recents *recents, struct recent *recent, const struct message_list *list, size_t bytes_max)
{
	if (!follows(recent, list))
		return false;
	if (!add_messages(recent, list)) {
		recents_drop(recents, recent);
		return false;
	}
	recent->mark = list->mark;
	trim(recent);
	return make_place(recents, recent, bytes_max);
}

bool recent_page(const struct recent *recent, int limit, struct pl_pool *pool, struct recent_page *page_r)
{
	int from = recent->count > limit ? recent->count - limit : 0;
	struct pl_buf out = PL_BUF(pool);
	size_t at;

	if (recent->count < limit && recent->more)
		return false;
	*page_r = (struct recent_page){ .more = from > 0 || recent->more };
	if (recent->count == 0) {
		page_r->json = PL_STR("[]");
		return true;
	}
	at = recent->pieces[from].at;
	page_r->first_seq = recent->pieces[from].seq;
	page_r->last_seq = recent->pieces[recent->count - 1].seq;
	pl_buf_room(&out, recent->text.len - at + 2);
	pl_buf_addc(&out, '[');
	pl_buf_add(&out, recent->text.ptr + at, recent->text.len - at - 1);
	pl_buf_addc(&out, ']');
	page_r->json = pl_buf_str(&out);
	return true;
}
