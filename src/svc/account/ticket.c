/* SPDX-License-Identifier: ISC */
/*
 * Tickets for one WebSocket handshake each: user, expiry, and a random number, with an HMAC of the token key. A ticket
 * ends with the key that signed the token for which it was made, whatever key signed the ticket itself.
 *
 * A browser cannot set headers on a handshake, so the ticket is in the address. It is useless after it was used or has
 * expired; until then, shared memory records for all workers that it was used.
 */
#include "clock.h"
#include "leaf.h"
#include "svc/account/auth.h"

struct ticket {			/* as signed; only processes of one installation read it */
	uint8_t version, access;
	uint8_t pad[6];
	int64_t user_id, login_id, until_s, token_until_s;
	uint64_t signed_by, nonce;	/* signed_by: number of the token's key (keyring.h) */
	char name[40];
};
_Static_assert(sizeof(struct ticket) == 96, "ticket layout");
#define MAC_BYTES 16
#define VERSION 2
#define TEXT_BYTES (7 + sizeof(struct ticket))

/* The key also signs tokens, so the prefix keeps the two apart. */
static void signed_text(const struct ticket *t, unsigned char text_r[TEXT_BYTES])
{
	memcpy(text_r, "ticket:", 7);
	memcpy(text_r + 7, t, sizeof(*t));
}

struct pl_str ticket_make(struct svc *svc, const struct config *config, struct pl_task *task)
{
	unsigned char bytes[sizeof(struct ticket) + MAC_BYTES], text[TEXT_BYTES], mac[32];
	struct ticket t = { .version = VERSION, .access = (uint8_t)task->who.access, .user_id = task->who.user_id,
		.login_id = task->who.login_id, .nonce = pl_random_u64() };
	char *out = pl_alloc(task->pool, sizeof(bytes) * 2);
	size_t n;

	/* rounded up, so that a ticket is never valid for less than its life */
	t.until_s = (pl_wall_us() + config->s.ws_ticket_life * 1000 + PL_US_PER_S - 1) / PL_US_PER_S;
	t.token_until_s = task->who.token_until_s;
	t.signed_by = task->who.signed_by;
	memcpy(t.name, task->who.name, sizeof(task->who.name));
	signed_text(&t, text);
	pl_keyring_mac(&config->keys, text, sizeof(text), mac);
	memcpy(bytes, &t, sizeof(t));
	memcpy(bytes + sizeof(t), mac, MAC_BYTES);
	n = pl_b64url_encode(bytes, sizeof(bytes), out);
	return pl_strn(out, n);
}

bool ticket_use(struct svc *svc, const struct config *config, struct pl_str text, struct auth_who *who,
    struct pl_err *err)
{
	unsigned char bytes[sizeof(struct ticket) + MAC_BYTES], signed_bytes[TEXT_BYTES];
	int64_t now_s = pl_wall_us() / PL_US_PER_S;
	struct ticket t;
	size_t n;

	memset(who, 0, sizeof(*who));
	if (!pl_b64url_decode(text, bytes, sizeof(bytes), &n) || n != sizeof(bytes))
		return pl_err_set(err, PL_E_UNAUTHORIZED, "The ticket is not one of this server.");
	memcpy(&t, bytes, sizeof(t));
	signed_text(&t, signed_bytes);
	if (!pl_keyring_mac_ok(&config->keys, signed_bytes, sizeof(signed_bytes), bytes + sizeof(t), MAC_BYTES,
	    NULL) || t.version != VERSION)
		return pl_err_set(err, PL_E_UNAUTHORIZED, "The ticket is not one of this server.");
	if (!pl_keyring_has(&config->keys, t.signed_by))
		return pl_err_set(err, PL_E_UNAUTHORIZED, "The key that signed the token of this ticket was removed.");
	if (t.until_s <= now_s)
		return pl_err_set(err, PL_E_UNAUTHORIZED, "The ticket has expired.");
	if (!shm_once(svc->shm, shm_tag(svc->shm, &t.nonce, sizeof(t.nonce)), t.until_s, now_s))
		return pl_err_set(err, PL_E_UNAUTHORIZED, "The ticket was used already.");
	if (shm_revoked(svc->shm, t.login_id, now_s))
		return pl_err_set(err, PL_E_REVOKED, NULL);
	who->token = (struct pl_token){ .type = PL_TOKEN_ACCESS, .user_id = t.user_id, .login_id = t.login_id,
		.expires_s = t.token_until_s, .access = t.access, .refresh_counter = 1,
		.signed_by = t.signed_by };
	memcpy(who->token.name, t.name, sizeof(who->token.name));
	who->token.name[sizeof(who->token.name) - 1] = '\0';
	return true;
}
