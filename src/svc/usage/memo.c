/* SPDX-License-Identifier: ISC */
/* A small table that is searched in order, at most a few times a second. */
#include "svc/usage/memo.h"

#include "clock.h"

#define KEY_MAX 1024
#define VALUE_MAX (1024 * 1024)

struct memo_entry { int64_t until_ns; struct pl_buf key, value; };
struct memo { int64_t fresh_ns; int places; struct memo_entry entries[]; };

struct memo *memo_new(int places, int64_t fresh_s)
{
	struct memo *memo = pl_new(sizeof(*memo) + (size_t)places * sizeof(memo->entries[0]));

	memo->places = places;
	memo->fresh_ns = fresh_s * PL_NS_PER_S;
	return memo;
}

void memo_free(struct memo **memo)
{
	if (*memo == NULL)
		return;
	for (int i = 0; i < (*memo)->places; i++) {
		pl_buf_fini(&(*memo)->entries[i].key);
		pl_buf_fini(&(*memo)->entries[i].value);
	}
	pl_free(*memo);
	*memo = NULL;
}

struct pl_str memo_find(struct memo *memo, struct pl_str key)
{
	int64_t now_ns = pl_now_ns();

	for (int i = 0; i < memo->places; i++) {
		struct memo_entry *e = &memo->entries[i];

		if (e->until_ns > now_ns && pl_str_eq(pl_buf_str(&e->key), key))
			return pl_buf_str(&e->value);
	}
	return PL_STR_NONE;
}

void memo_keep(struct memo *memo, struct pl_str key, struct pl_str value)
{
	struct memo_entry *at = &memo->entries[0];

	if (key.len > KEY_MAX || value.len > VALUE_MAX)
		return;
	for (int i = 0; i < memo->places; i++) {
		struct memo_entry *e = &memo->entries[i];

		if (pl_str_eq(pl_buf_str(&e->key), key)) {
			at = e;
			break;
		}
		if (e->until_ns < at->until_ns)
			at = e;
	}
	/* the memory of a large value is not kept for a small one */
	pl_buf_fini(&at->key);
	pl_buf_fini(&at->value);
	pl_buf_addstr(&at->key, key);
	pl_buf_addstr(&at->value, value);
	at->until_ns = pl_now_ns() + memo->fresh_ns;
}

void memo_forget(struct memo *memo)
{
	for (int i = 0; i < memo->places; i++)
		memo->entries[i].until_ns = 0;
}
