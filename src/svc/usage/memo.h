/* SPDX-License-Identifier: ISC */
/*
 * Answers that cost much to compute, kept in one process for some time. Fixed number of places; the oldest goes first.
 */
#ifndef SVC_MEMO_H
#define SVC_MEMO_H

#include "str.h"

struct memo;
struct memo *memo_new(int places, int64_t fresh_s);
void memo_free(struct memo **memo);
/* The fresh value of the key, borrowed until the next memo_ call; absent if there is none. */
struct pl_str memo_find(struct memo *memo, struct pl_str key);
/* Keeps a copy. Keys over 1 KiB and values over 1 MiB are not kept. */
void memo_keep(struct memo *memo, struct pl_str key, struct pl_str value);
/* Removes all values. */
void memo_forget(struct memo *memo);

#endif
