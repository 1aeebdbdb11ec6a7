/* SPDX-License-Identifier: ISC */
/*
 * Argon2id by libargon2; the parameters of a stored hash are read here first, because verifying takes as much memory
 * as the hash says. bcrypt by libcrypt, for accounts that came from another system: verified, never made.
 */
#include "passwd.h"

#include <argon2.h>
#include <crypt.h>
#include <ctype.h>
#include <errno.h>

#include "leaf.h"
#include "text.h"

enum {
	SALT_BYTES = 16,
	HASH_BYTES = 32,
	/* What a stored hash may ask for; an imported one beyond this counts as unreadable. */
	PASSES_MAX = 64,
	MEMORY_MAX_KIB = 1024 * 1024,
	LANES_MAX = 16,
	BCRYPT_COST_MAX = 16,	/* 2^16 rounds: some seconds */
	BCRYPT_BYTES = 60
};

/* No memory or no thread says nothing about the password. The hasher ends, and who waited for it gets 503. */
static void end_if_not_tried(int result)
{
	if (result == ARGON2_MEMORY_ALLOCATION_ERROR || result == ARGON2_THREAD_FAIL)
		pl_no_memory();
}

/* The password in the form that is hashed, in a pool of its own, which wipe_pool() ends. */
static struct pl_str prepare(struct pl_pool **pool_r, struct pl_str password)
{
	struct pl_str text;

	*pool_r = pl_pool_new(0);
	text = pl_text_password(*pool_r, password);
	if (text.len <= PL_PASSWD_MAX)
		return text;
	pl_wipe((void *)(uintptr_t)text.ptr, text.len);	/* a few characters take more room in form C */
	return password;
}

static void wipe_pool(struct pl_pool **pool, struct pl_str prepared, struct pl_str password)
{
	if (prepared.ptr != password.ptr)
		pl_wipe((void *)(uintptr_t)prepared.ptr, prepared.len);
	pl_pool_free(pool);
}

bool pl_passwd_hash(struct pl_str password, struct pl_passwd_cost cost, char out[PL_PASSWD_HASH_MAX])
{
	unsigned char salt[SALT_BYTES];
	struct pl_pool *pool;
	struct pl_str text;
	int result;

	if (password.ptr == NULL || password.len > PL_PASSWD_MAX)
		return false;
	pl_random(salt, sizeof(salt));
	text = prepare(&pool, password);
	result = argon2id_hash_encoded(cost.passes, cost.memory_kib, cost.lanes, text.ptr, text.len, salt,
	    sizeof(salt), HASH_BYTES, out, PL_PASSWD_HASH_MAX);
	wipe_pool(&pool, text, password);
	end_if_not_tried(result);
	return result == ARGON2_OK;
}

/* "m=19456" with the wanted letter. */
static bool cost_part(struct pl_str *rest, const char *letter, int64_t max, uint32_t *value_r)
{
	struct pl_str part;
	int64_t value;

	if (!pl_str_cut(rest, ',', &part) || !pl_str_starts(part, letter))
		return false;
	if (!pl_str_i64(pl_strn(part.ptr + 2, part.len - 2), 1, max, &value))
		return false;
	*value_r = (uint32_t)value;
	return true;
}

/* Reads the cost out of "$argon2id$v=19$m=19456,t=2,p=1$salt$hash". */
static bool cost_read(struct pl_str encoded, struct pl_passwd_cost *cost_r)
{
	static const char *const fixed[] = { "", "argon2id", "v=19" };
	struct pl_str rest = encoded, part;

	for (size_t i = 0; i < PL_COUNT(fixed); i++) {
		if (!pl_str_cut(&rest, '$', &part) || !pl_str_is(part, fixed[i]))
			return false;
	}
	if (!pl_str_cut(&rest, '$', &part) || rest.ptr == NULL)
		return false;
	return cost_part(&part, "m=", MEMORY_MAX_KIB, &cost_r->memory_kib) &&
	    cost_part(&part, "t=", PASSES_MAX, &cost_r->passes) && cost_part(&part, "p=", LANES_MAX, &cost_r->lanes) &&
	    part.ptr == NULL;
}

/* The same work as a real check, so that a stranger cannot tell by the clock which users exist. */
static void burn(struct pl_str password, struct pl_passwd_cost cost)
{
	static const unsigned char salt[SALT_BYTES] = { 1 };
	unsigned char hash[HASH_BYTES];
	size_t len = password.len <= PL_PASSWD_MAX ? password.len : PL_PASSWD_MAX;

	/* The caller says false anyway, but not faster because memory was short. */
	end_if_not_tried(argon2id_hash_raw(cost.passes, cost.memory_kib, cost.lanes,
	    password.ptr != NULL ? password.ptr : "", password.ptr != NULL ? len : 0, salt, sizeof(salt), hash,
	    sizeof(hash)));
	pl_wipe(hash, sizeof(hash));
}

/* Whether `encoded` is a bcrypt hash that pl_passwd_verify() takes. */
static bool is_bcrypt(struct pl_str encoded)
{
	int64_t cost;

	if (encoded.ptr == NULL || encoded.len != BCRYPT_BYTES)
		return false;
	if (!pl_str_starts(encoded, "$2a$") && !pl_str_starts(encoded, "$2b$") && !pl_str_starts(encoded, "$2y$"))
		return false;
	if (encoded.ptr[6] != '$' || !pl_str_i64(pl_strn(encoded.ptr + 4, 2), 4, BCRYPT_COST_MAX, &cost))
		return false;
	for (size_t i = 7; i < encoded.len; i++) {
		if (!isalnum((unsigned char)encoded.ptr[i]) && encoded.ptr[i] != '.' && encoded.ptr[i] != '/')
			return false;
	}
	return true;
}

/* bcrypt sees C strings and ignores what is behind byte 72; a password with a NUL was never set there. */
static bool bcrypt_verify(struct pl_str password, struct pl_str encoded)
{
	struct crypt_data *work = pl_new(sizeof(*work));
	char phrase[PL_PASSWD_MAX + 1], setting[BCRYPT_BYTES + 1];
	size_t len = password.len < 72 ? password.len : 72;	/* libcrypt refuses phrases of more than 511 bytes */
	const char *got;
	bool good;

	memcpy(phrase, password.ptr, len);
	phrase[len] = '\0';
	memcpy(setting, encoded.ptr, BCRYPT_BYTES);
	setting[BCRYPT_BYTES] = '\0';
	errno = 0;
	got = crypt_r(phrase, setting, work);
	if ((got == NULL || got[0] == '*') && errno == ENOMEM)
		pl_no_memory();
	good = got != NULL && strlen(got) == BCRYPT_BYTES && pl_ct_eq(got, BCRYPT_BYTES, setting, BCRYPT_BYTES) &&
	    memchr(password.ptr, '\0', password.len) == NULL;
	pl_wipe(phrase, sizeof(phrase));
	pl_wipe(work, sizeof(*work));
	pl_free(work);
	return good;
}

/* Exactly these bytes. */
static bool verify(struct pl_str password, struct pl_str encoded, struct pl_passwd_cost cost, bool *rehash_r)
{
	struct pl_passwd_cost had;
	char text[PL_PASSWD_HASH_MAX];
	int result;

	*rehash_r = false;
	if (password.ptr != NULL && password.len <= PL_PASSWD_MAX && is_bcrypt(encoded))
		return *rehash_r = bcrypt_verify(password, encoded);
	if (password.ptr == NULL || password.len > PL_PASSWD_MAX || encoded.ptr == NULL ||
	    encoded.len >= sizeof(text) || memchr(encoded.ptr, '\0', encoded.len) != NULL ||
	    !cost_read(encoded, &had)) {
		burn(password, cost);
		return false;
	}
	memcpy(text, encoded.ptr, encoded.len);
	text[encoded.len] = '\0';
	result = argon2id_verify(text, password.ptr, password.len);
	end_if_not_tried(result);
	switch (result) {
	case ARGON2_OK:
		*rehash_r = had.passes != cost.passes || had.memory_kib != cost.memory_kib || had.lanes != cost.lanes;
		return true;
	case ARGON2_VERIFY_MISMATCH:
		return false;
	default:
		/* Salt or hash could not be decoded: no work was done yet. */
		burn(password, cost);
		return false;
	}
}

bool pl_passwd_verify(struct pl_str password, struct pl_str encoded, struct pl_passwd_cost cost, bool *rehash_r)
{
	struct pl_pool *pool;
	struct pl_str text = prepare(&pool, password);
	bool good, other = text.len != password.len || (text.len > 0 && memcmp(text.ptr, password.ptr, text.len) != 0);

	good = verify(text, encoded, cost, rehash_r);
	if (!good && other) {
		good = verify(password, encoded, cost, rehash_r);
		*rehash_r = good;
	}
	wipe_pool(&pool, text, password);
	return good;
}
