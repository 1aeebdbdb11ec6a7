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
/* What was kept under the key, while it is fresh; borrowed until the next memo_ call. Absent otherwise. */
struct pl_str memo_find(struct memo *memo, struct pl_str key);
/* Keeps a copy. Keys over 1 KiB and values over 1 MiB are not kept. */
void memo_keep(struct memo *memo, struct pl_str key, struct pl_str value);
/* What was computed before is out of date. */
void memo_forget(struct memo *memo);

#endif
