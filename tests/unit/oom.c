/* SPDX-License-Identifier: ISC */
/*
 * Lack of memory never leads to a wrong result: each case below runs once per allocation that it makes, with that one
 * failing. Either the result is correct, or the process aborts.
 *
 * lib/pool.c is the allocator of the process, also for libraries; the functions that it needs are defined here instead
 * of taken from the C library. Each try is a separate process. A case runs warm (its libraries were initialized before
 * the fork) with every allocation failing, and cold with some.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "core/hasher_wire.h"
#include "json.h"
#include "leaf.h"
#include "log.h"
#include "passwd.h"
#include "seal.h"
#include "token.h"

#if defined(__SANITIZE_ADDRESS__)
#define SKIP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKIP 1
#endif
#endif
#ifndef SKIP
#define SKIP 0
#endif

#define ISSUER "https://chat.example.org"
#define STATUS_WRONG 1
#define STATUS_REACHED 2	/* the result is correct although an allocation failed */
#define COLD_TRIES 60
#define SEALED_MAX 128

static long made, fail_at;	/* number of allocations so far; the one that fails, 0: none */

#if !SKIP
extern void *__libc_memalign(size_t align, size_t bytes);
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

void *__libc_malloc(size_t bytes)
{
	return ++made == fail_at ? NULL : __libc_memalign(16, bytes);
}

void *__libc_calloc(size_t count, size_t bytes)
{
	void *ptr = __libc_malloc(count * bytes);

	return ptr != NULL ? memset(ptr, 0, count * bytes) : NULL;
}

void *__libc_realloc(void *old, size_t bytes)
{
	size_t had = old != NULL ? malloc_usable_size(old) : 0;
	void *ptr = __libc_malloc(bytes);

	if (ptr == NULL)
		return NULL;
	if (had > 0)
		memcpy(ptr, old, had < bytes ? had : bytes);
	free(old);
	return ptr;
}
#endif

/* Data of the cases, created before the first of them. */
static struct {
	struct pl_pool *pool;
	struct pl_token_key key;
	struct pl_seal_ring ring;
	struct pl_str token, expired, forged, sealed, spoiled;
	char argon2[PL_PASSWD_HASH_MAX];
} t;

static const struct pl_passwd_cost cheap = { .passes = 1, .memory_kib = 64, .lanes = 1 };
static const char bcrypt[] = "$2b$04$abcdefghijklmnopqrstuuVEQWPCNK5cGug0ZVNYspakdDLXctZ4a";

static struct pl_str sign(int64_t life_s)
{
	int64_t now_s = pl_wall_us() / PL_US_PER_S;
	struct pl_token token = { .type = PL_TOKEN_ACCESS, .user_id = 42, .login_id = 7, .issued_s = now_s - 60,
		.expires_s = now_s + life_s, .name = "ann" };

	return pl_token_sign(t.pool, &t.key, ISSUER, &token);
}

static void prepare(void)
{
	t.pool = pl_pool_new(0);
	t.key.secret = pl_secret_copy(t.pool, "0dc5f4b2e8a94716b3fe5d80c2a7913e", 32);
	memcpy(t.key.kid, "0011223344556677", 17);
	t.token = sign(900);
	t.expired = sign(-30);
	t.forged = pl_str_dup(t.pool, t.token);
	((char *)t.forged.ptr)[t.forged.len - 3] = t.token.ptr[t.token.len - 3] == 'A' ? 'B' : 'A';
	pl_seal_ring_derive(&t.ring, "a secret", 8);
	t.sealed = pl_seal(t.pool, &t.ring, PL_STR("here"), PL_STR("a value"));
	t.spoiled = pl_str_dup(t.pool, t.sealed);
	((char *)t.spoiled.ptr)[t.spoiled.len - 1] ^= 1;
	if (!pl_passwd_hash(PL_STR("right"), cheap, t.argon2))
		exit(STATUS_WRONG);
}

static enum pl_code verdict(struct pl_str text)
{
	struct pl_token token = { 0 };
	struct pl_err err = { 0 };

	if (!pl_token_verify(text, &t.key, ISSUER, PL_TOKEN_ACCESS, &token, &err))
		return err.code;
	return token.user_id == 42 ? PL_E_OK : PL_E_INTERNAL;
}

static bool good_token(void) { return verdict(t.token) == PL_E_OK; }
static bool expired_token(void) { return verdict(t.expired) == PL_E_TOKEN_EXPIRED; }
static bool forged_token(void) { return verdict(t.forged) == PL_E_UNAUTHORIZED; }
static bool new_token(void) { return verdict(sign(900)) == PL_E_OK; }

/* Like the hasher. */
static bool verify(const char *password, const char *encoded, bool want)
{
	struct hash_job job = { .verb = HASH_VERIFY, .cost = cheap, .has_encoded = encoded != NULL };
	struct hash_answer answer;

	job.password_bytes = (uint32_t)strlen(password);
	memcpy(job.password, password, job.password_bytes);
	if (encoded != NULL)
		memcpy(job.encoded, encoded, strlen(encoded) + 1);
	hash_compute(&job, &answer);
	return answer.good == want && !answer.failed;
}

static bool right_password(void) { return verify("right", t.argon2, true); }
static bool wrong_password(void) { return verify("wrong", t.argon2, false); }
static bool right_bcrypt(void) { return verify("parlour", bcrypt, true); }
static bool wrong_bcrypt(void) { return verify("Parlour", bcrypt, false); }
static bool nobodys_password(void) { return verify("right", NULL, false); }

static bool new_password(void)
{
	char encoded[PL_PASSWD_HASH_MAX];

	return pl_passwd_hash(PL_STR("new"), cheap, encoded) && verify("new", encoded, true);
}

static bool json(const char *text, bool want)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_err err = { 0 };
	bool good = (pl_json_parse(pool, pl_str(text), &err) != NULL) == want;

	pl_pool_free(&pool);
	return good;
}

static bool good_json(void) { return json("{\"a\":[1,2.5,\"text \\u00e4\",{\"b\":[[[[null]]]]}],\"c\":true}", true); }
static bool bad_json(void) { return json("{\"a\":[1,2.5,\"text \\u00e4\",{\"b\":[[[[null]]}],\"c\":true}", false); }

static bool open_sealed(struct pl_str sealed, bool want)
{
	struct pl_str plain;

	if (pl_unseal(t.pool, &t.ring, PL_STR("here"), sealed, &plain) != want)
		return false;
	return !want || pl_str_is(plain, "a value");
}

static bool sealed_value(void) { return open_sealed(t.sealed, true); }
static bool spoiled_value(void) { return open_sealed(t.spoiled, false); }

static bool new_sealed(void)
{
	return open_sealed(pl_seal(t.pool, &t.ring, PL_STR("here"), PL_STR("a value")), true);
}

/* RFC 4231, test case 2 */
static bool mac(void)
{
	unsigned char out[32];
	char text[65];

	pl_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
	pl_hex(out, 32, text);
	return strcmp(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843") == 0;
}

static bool derived_key(void)
{
	struct pl_seal_ring ring;

	pl_seal_ring_derive(&ring, "a secret", 8);
	return memcmp(&ring, &t.ring, sizeof(ring)) == 0;
}

/* least: number of allocations by libraries that the case is known to make; fewer mean that some bypass pool.c. */
static const struct { const char *name; bool (*run)(void); long least; } cases[] = {
	{ "good token", good_token, 20 }, { "expired token", expired_token, 20 }, { "forged token", forged_token, 5 },
	{ "new token", new_token, 40 },
	{ "right password", right_password, 1 }, { "wrong password", wrong_password, 1 },
	{ "nobody's password", nobodys_password, 1 }, { "new password", new_password, 2 },
	{ "right password, bcrypt", right_bcrypt, 1 }, { "wrong password, bcrypt", wrong_bcrypt, 1 },
	{ "good JSON", good_json, 3 }, { "bad JSON", bad_json, 3 },
	{ "sealed value", sealed_value, 1 }, { "spoiled value", spoiled_value, 1 },
	{ "new sealed value", new_sealed, 1 },
	{ "MAC", mac, 1 }, { "derived key", derived_key, 1 },
};

/*
 * Runs a case in a separate process with the n-th allocation failing. The status is that of wait(2); *made_r is the
 * number of allocations, if requested.
 */
static int attempt(bool (*run)(void), long n, long *made_r)
{
	int ends[2], status = -1;
	pid_t pid;

	if (pipe(ends) != 0 || (pid = fork()) < 0)
		exit(99);
	if (pid == 0) {
		bool right;

		if (freopen("/dev/null", "w", stderr) == NULL)	/* "out of memory", each time */
			_exit(99);
		made = 0;
		fail_at = n;
		right = run();
		if (write(ends[1], &made, sizeof(made)) != (ssize_t)sizeof(made))
			_exit(99);
		_exit(!right ? STATUS_WRONG : n > 0 && made >= n ? STATUS_REACHED : 0);
	}
	close(ends[1]);
	if (made_r != NULL && read(ends[0], made_r, sizeof(*made_r)) != (ssize_t)sizeof(*made_r))
		*made_r = -1;
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0)
		;
	return status;
}

static bool allowed(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGABRT;
	return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == STATUS_REACHED);
}

static int try_all(size_t i, bool cold)
{
	long count = -1, step = 1;
	int wrong = 0, clean;

	clean = attempt(cases[i].run, 0, &count);
	if (clean != 0 || count < cases[i].least) {
		printf("%s: status %d, %ld allocations, at least %ld expected\n", cases[i].name, clean, count,
		    cases[i].least);
		return 1;
	}
	if (cold && count > COLD_TRIES)
		step = count / COLD_TRIES;
	for (long n = 1; n <= count; n += step) {
		int status = attempt(cases[i].run, n, NULL);

		if (!allowed(status) && wrong++ < 3)
			printf("%s: wrong when allocation %ld of %ld fails: status %d\n", cases[i].name, n, count,
			    status);
	}
	return wrong;
}

int main(void)
{
	int wrong = 0;

	if (SKIP)
		return 77;	/* a sanitizer has its own allocator */
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		pid_t pid = fork();
		int status = 0;

		/* cold: nothing of OpenSSL was used before prepare(), and nothing of the case */
		if (pid == 0) {
			prepare();
			wrong = try_all(i, true);
			wrong += !cases[i].run();	/* warms up */
			exit(wrong + try_all(i, false) > 0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
			wrong++;
	}
	printf("oom: %zu cases, %d wrong\n", PL_COUNT(cases), wrong);
	return wrong > 0;
}
