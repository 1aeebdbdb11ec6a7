/* SPDX-License-Identifier: ISC */
/*
 * The text of API keys, and the words of their scopes. Pure.
 *
 * A key is "pk_", 8 characters that people see, "_", and 32 characters that are the secret, all of a-z and 2-7. The
 * secret has 160 random bits, so a plain hash of the key is enough to store.
 */
#ifndef DB_APIKEY_TEXT_H
#define DB_APIKEY_TEXT_H

#include <stdbool.h>

#include "leaf.h"
#include "pool.h"

#define APIKEY_PREFIX_BYTES 11
#define APIKEY_BYTES 44

/* The scopes of an API key as bits, and the scopes that a route or a frame requires. SCOPE_LOGIN: keys are refused. */
enum apikey_scope { SCOPE_NONE = 0, SCOPE_LOGIN = 0, SCOPE_READ = 1, SCOPE_WRITE = 2, SCOPE_CHAT = 4, SCOPE_V1 = 8,
	SCOPE_ADMIN = 16, SCOPE_READ_CHAT = SCOPE_READ | SCOPE_CHAT, SCOPE_ALL = 31 };

struct apikey_text {
	char text[APIKEY_BYTES + 1], prefix[APIKEY_PREFIX_BYTES + 1];
	unsigned char hash[32];
};

/* A new one. The caller wipes it. */
void apikey_make(struct apikey_text *key_r);
/* Returns whether it has the form of a key. */
bool apikey_like(struct pl_str text);
void apikey_hash(struct pl_str text, unsigned char hash_r[32]);

/* The bit of a word; 0: no such scope. */
unsigned apikey_scope(struct pl_str word);
/* "read chat", in pool. */
struct pl_str apikey_scope_words(struct pl_pool *pool, unsigned scopes);

#endif
