/* SPDX-License-Identifier: ISC */
/*
 * Cuts a text into passages for the knowledge base: about CHUNK_CHARS characters, ending at a paragraph, else at a
 * sentence, else at a word; each begins with the last words of the previous one, so that sentences stay complete.
 */
#ifndef SVC_CHUNK_H
#define SVC_CHUNK_H

#include "str.h"

#define CHUNK_CHARS 1000
#define CHUNK_OVERLAP 150

/* from, to: characters of the whole text, [from, to). text is borrowed from it. */
struct chunk { int64_t from, to; struct pl_str text; };

/* Valid UTF-8 only. Returns the number of passages: 0 if there is only white space. They are in pool. */
int chunk_text(struct pl_pool *pool, struct pl_str text, const struct chunk **chunks_r);
/* [{"from","to","text"}], the format of knowledge_put(). */
struct pl_str chunk_json(struct pl_pool *pool, struct pl_str text);

#endif
