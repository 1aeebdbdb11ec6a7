/* SPDX-License-Identifier: ISC */
/*
 * A small table, searched in order: it is asked a few times a second at most.
 */
#include "svc/usage/memo.h"

#include "clock.h"

#define PLACES 64
#define KEY_MAX 1024
#define VALUE_MAX (1024 * 1024)
#define FRESH_NS (3 * PL_NS_PER_S)

struct memo_entry { int64_t until_ns; struct pl_buf key, value; };
struct memo { struct memo_entry entries[PLACES]; };

struct memo *memo_new(void)
{
	return pl_new(sizeof(struct memo));
}

void memo_free(struct memo **memo)
{
	if (*memo == NULL)
		return;
	for (int i = 0; i < PLACES; i++) {
		pl_buf_fini(&(*memo)->entries[i].key);
		pl_buf_fini(&(*memo)->entries[i].value);
	}
	pl_free(*memo);
	*memo = NULL;
}

struct pl_str memo_find(struct memo *memo, struct pl_str key)
{
	int64_t now_ns = pl_now_ns();

	for (int i = 0; i < PLACES; i++) {
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
	for (int i = 0; i < PLACES; i++) {
		struct memo_entry *e = &memo->entries[i];

		if (pl_str_eq(pl_buf_str(&e->key), key)) {
			at = e;
			break;
		}
		if (e->until_ns < at->until_ns)
			at = e;
	}
	/* memory of a large value is not kept for a small one */
	pl_buf_fini(&at->key);
	pl_buf_fini(&at->value);
	pl_buf_addstr(&at->key, key);
	pl_buf_addstr(&at->value, value);
	at->until_ns = pl_now_ns() + FRESH_NS;
}

void memo_forget(struct memo *memo)
{
	for (int i = 0; i < PLACES; i++)
		memo->entries[i].until_ns = 0;
}
